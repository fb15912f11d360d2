"""The encoder arccos: angles that are linear in the energy."""

from __future__ import annotations

import numpy as np
import pytest

from qgen_core.encoders.arccos import ArccosEncoder
from qgen_core.errors import BadOption, DataError

ENERGIES = np.array([[0.0, 1.0], [1.0, 4.0], [2.0, 2.0]])


def test_the_angle_is_linear_in_the_energy():
    encoder = ArccosEncoder(margin=1.25).fit(ENERGIES)
    z = encoder.encode(ENERGIES)
    assert np.allclose(np.arccos(z), np.pi * ENERGIES / [2.5, 5.0])
    assert np.allclose(encoder.decode(z, rng=np.random.default_rng(1)), ENERGIES)


def test_shots_give_energies_to_the_same_error_everywhere():
    encoder = ArccosEncoder(window=[2.0]).fit(ENERGIES[:, :1])
    shots = 2000
    rng = np.random.default_rng(4)
    for energy in (0.3, 1.0, 1.6):
        z = encoder.encode(np.array([[energy]]))[0, 0]
        drawn = 2 * rng.binomial(shots, (1 + z) / 2, (4000, 1)) / shots - 1
        decoded = encoder.decode(drawn, rng=rng)
        assert np.isclose(decoded.std(), 2.0 / (np.pi * np.sqrt(shots)), rtol=0.06)


def test_values_no_expectation_has_are_decoded_to_the_ends():
    encoder = ArccosEncoder(margin=1.0).fit(ENERGIES)
    decoded = encoder.decode(np.array([[1.3, -1.2]]), rng=np.random.default_rng(1))
    assert decoded.tolist() == [[0.0, 4.0]]


def test_energies_outside_the_window_are_not_accepted():
    encoder = ArccosEncoder(window=[1.5, 4.0]).fit(ENERGIES)
    assert encoder.accepts(ENERGIES).tolist() == [True, True, False]
    with pytest.raises(DataError, match="arccos"):
        encoder.encode(ENERGIES)


@pytest.mark.parametrize("wrong", [{"margin": 0.9}, {"margin": np.nan}, {"window": [0.0, 1.0]}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(BadOption):
        ArccosEncoder(**wrong)


def test_a_window_for_each_column_is_needed():
    with pytest.raises(BadOption, match="windows for 1"):
        ArccosEncoder(window=[1.0]).fit(ENERGIES)
