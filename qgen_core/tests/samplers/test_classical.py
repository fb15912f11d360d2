"""ClassicalSampler: rows of conditions, where chains start, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import DataError, Unsupported


class Recorder(qgen.ClassicalSampler):
    """Draws the signs of minus the fields, and keeps what it was given."""

    source = "signs of the fields"

    def __init__(self) -> None:
        self.given: list[tuple[qgen.Ising, Any]] = []

    def sample_one(self, ising: qgen.Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        self.given.append((ising, initial))
        return ising.clamped(np.tile(-np.sign(ising.h), (n, 1)))


def drawn(sampler: qgen.Sampler, ising: qgen.Ising, **options: Any) -> Any:
    return sampler.sample(ising, 4, rng=np.random.default_rng(1), **options)


PAIR = np.array([[0, 1]])


def test_without_rows_there_is_one_energy() -> None:
    sampler = Recorder()
    initial = np.ones((4, 2), dtype=np.int8)
    spins, info = drawn(sampler, qgen.Ising([1.0, -2.0], [0.5], PAIR), initial=initial)
    np.testing.assert_array_equal(spins, [[-1, 1]] * 4)
    assert spins.dtype == np.int8
    assert info == {"source": "signs of the fields"}
    [(_, start)] = sampler.given
    np.testing.assert_array_equal(start, initial)


def test_each_row_has_its_own_energy_fixed_spins_and_start() -> None:
    sampler = Recorder()
    ising = qgen.Ising([[1.0, -2.0], [1.0, 2.0]], [0.5], PAIR, fixed=[[0, 0], [1, 0]])
    initial = np.arange(16).reshape(2, 4, 2)
    spins, _ = drawn(sampler, ising, initial=initial)
    np.testing.assert_array_equal(spins, [[[-1, 1]] * 4, [[1, -1]] * 4])
    assert [energy.h.tolist() for energy, _ in sampler.given] == [[1.0, -2.0], [1.0, 2.0]]
    for row, (_, start) in enumerate(sampler.given):
        np.testing.assert_array_equal(start, initial[row])


def test_one_row_of_conditions_keeps_its_axis() -> None:
    spins, _ = drawn(Recorder(), qgen.Ising([[1.0, -2.0]], [0.5], PAIR))
    assert spins.shape == (1, 4, 2)


def test_a_transverse_field_is_refused() -> None:
    ising = qgen.Ising([1.0, -2.0], [0.5], PAIR, transverse=0.3)
    with pytest.raises(Unsupported, match=r"sampler 'Recorder' draws .* transverse field 0\.3"):
        drawn(Recorder(), ising)


def test_clamped_spins_are_a_copy() -> None:
    spins = np.array([[[1, 1], [-1, 1]]], dtype=np.int8)
    free = qgen.Ising([1.0, -2.0], [0.5], PAIR)
    copy = free.clamped(spins)
    np.testing.assert_array_equal(copy, spins)
    copy[:] = 1
    assert spins[0, 1, 0] == -1
    clamped = qgen.Ising([1.0, -2.0], [0.5], PAIR, fixed=[0, -1]).clamped(spins)
    np.testing.assert_array_equal(clamped, [[[1, -1], [-1, -1]]])
    np.testing.assert_array_equal(spins, [[[1, 1], [-1, 1]]])


def test_spins_that_cannot_be_clamped_are_refused() -> None:
    with pytest.raises(DataError, match=r"spins have the shape \(\.\.\., 2\), not \(2, 3\)"):
        qgen.Ising([1.0, -2.0], [0.5], PAIR).clamped(np.ones((2, 3)))
    with_rows = qgen.Ising([1.0, -2.0], [0.5], PAIR, fixed=[[0, -1], [1, 0]])
    with pytest.raises(DataError, match=r"use by_row\(\)"):
        with_rows.clamped(np.ones((2, 2)))
