"""Buffers that are used again: never while somebody still reads them."""

import numpy as np
import pytest

from qgen_core.ansatze.brick import brick
from qgen_core.circuits.measures import Probabilities
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.support import buffers as scratch

BYTE = np.dtype(np.uint8)
WIDTH = 2**16


def address(array):
    return array.__array_interface__["data"][0]


@pytest.fixture
def empty():
    def forget():
        scratch._kept.made.clear()
        scratch._kept.total = 0

    forget()
    yield
    forget()


def test_a_buffer_is_given_out_again_once_nobody_refers_to_it(empty):
    first = scratch.contiguous(1, WIDTH, BYTE)
    where = address(first)
    view = first[0, 10:20].view(np.int8)
    del first
    assert address(scratch.contiguous(1, WIDTH, BYTE)) != where  # the view still reads it
    del view
    assert address(scratch.contiguous(1, WIDTH, BYTE)) == where


def test_an_array_is_given_out_again_only_when_nobody_holds_it(empty):
    first = scratch.contiguous(3, 5, BYTE)
    second = scratch.contiguous(3, 5, BYTE)
    assert not np.shares_memory(first, second)
    mark = id(first)
    del first
    assert id(scratch.contiguous(3, 5, BYTE)) == mark
    assert scratch.contiguous(5, 3, BYTE).shape == (5, 3)


def test_who_holds_many_arrays_does_not_slow_the_next_calls(empty):
    """Each call looks through those of its shape that are kept."""
    held = [scratch.contiguous(1, 8, BYTE) for _ in range(3 * scratch.MOST_ALIKE)]
    assert len({address(array) for array in held}) == len(held)
    (alike,) = scratch._kept.made.values()
    assert len(alike) == scratch.MOST_ALIKE
    assert scratch._kept.total == 8 * scratch.MOST_ALIKE
    first = address(held[0])
    del held[0]
    assert address(scratch.contiguous(1, 8, BYTE)) == first


def test_what_is_kept_is_bounded(empty):
    taken = [
        scratch.contiguous(1, scratch.LARGEST, BYTE)
        for _ in range(scratch.KEPT // scratch.LARGEST + 2)
    ]
    assert len({address(buffer) for buffer in taken}) == len(taken)
    kept = [buffer for same in scratch._kept.made.values() for buffer, _ in same]
    assert (
        kept
        and scratch._kept.total
        == sum(buffer.nbytes - scratch.PAGE for buffer in kept)
        <= scratch.KEPT
    )
    again = scratch.contiguous(
        1, WIDTH, BYTE
    )  # what was kept for other shapes does not keep this one out
    where = address(again)
    del again
    assert address(scratch.contiguous(1, WIDTH, BYTE)) == where


@pytest.mark.parametrize(
    ("rows", "width", "shift"), [(1, 512, 0), (2, 512, 31), (5, 100, 0), (3, 2**21, 1), (0, 8, 0)]
)
def test_rows_lie_on_lines_and_do_not_overlap(empty, rows, width, shift):
    found = scratch.aligned(rows, width, np.dtype(np.float64), shift)
    assert found.shape == (rows, width)
    found[:] = np.arange(rows)[:, None]
    np.testing.assert_array_equal(found, np.repeat(np.arange(rows), width).reshape(rows, width))
    if rows:
        assert (address(found) - scratch.LINE * shift) % scratch.PAGE == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_two_batches_under_way_at_once_do_not_meet(threads):
    """Forward, forward, back, back, with batches large enough to come from kept buffers."""
    circuit, rng = brick(8, layers=2), np.random.default_rng(5)
    engine = StatevectorBackend(threads=threads)
    batches = rng.uniform(-3, 3, (2, 64, circuit.num_angles))
    cotangents = rng.normal(size=(2, 64, 256))
    alone = [
        (out.copy(), back(c))
        for out, back, c in (
            (*StatevectorBackend(threads=1).forward(circuit, angles, Probabilities()), c)
            for angles, c in zip(batches, cotangents, strict=True)
        )
    ]
    under_way = [engine.forward(circuit, angles, Probabilities()) for angles in batches]
    for (out, back), cotangent, (expected, slope) in zip(under_way, cotangents, alone, strict=True):
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(back(cotangent), slope)
    (_, back), cotangent, (_, slope) = under_way[0], cotangents[0], alone[0]
    np.testing.assert_array_equal(
        back(cotangent), slope
    )  # a second way back runs the circuit again
