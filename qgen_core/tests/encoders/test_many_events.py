"""What is fast for many events gives the same numbers as the plain way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qgen_core import events as events_module
from qgen_core.encoders import binning
from qgen_core.encoders.binning import BinningEncoder
from qgen_core.errors import DataError
from qgen_core.events import Events, Space, bits_to_index, index_to_bits
from qgen_core.support.random_streams import stream


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 12, 16, 20, 24, 40, 62])
@pytest.mark.parametrize("dtype", [np.int8, np.bool_, np.int64, np.float64])
def test_numbers_of_bits(width: int, dtype: Any) -> None:
    bits = np.random.default_rng(width).integers(0, 2, (events_module.AT_ONCE + 3, width))
    expected = [int("".join(map(str, row)), 2) for row in bits[-50:]]
    given = bits.astype(dtype)
    assert bits_to_index(given)[-50:].tolist() == expected
    strided = np.repeat(given, 2, axis=1)[:, ::2]
    assert np.array_equal(bits_to_index(strided), bits_to_index(given))
    assert np.array_equal(index_to_bits(bits_to_index(given), width), bits)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_all_numbers_of_bits_and_back(width: int) -> None:
    numbers = np.arange(2**width)
    bits = index_to_bits(numbers, width)
    assert np.array_equal(bits, (numbers[:, None] >> np.arange(width)[::-1]) & 1)
    assert np.array_equal(bits_to_index(bits), numbers)
    assert bits_to_index(bits.reshape(2, -1, width)).shape == (2, 2 ** (width - 1))
    assert bits_to_index(bits[:0]).shape == (0,)


def test_taking_events() -> None:
    events = Events(np.arange(8.0).reshape(4, 2), np.arange(4)[:, None], np.arange(1.0, 5.0))
    for index in ([2, 0], np.array([-1, 1]), np.array([True, False, False, True]), [3]):
        taken = events.take(np.asarray(index))
        assert np.array_equal(taken.x, events.x[index])
        assert np.array_equal(taken.condition, events.condition[index])
        assert np.array_equal(taken.weights, events.weights[index])
    assert len(Events(events.x).take(np.array([]))) == 0
    with pytest.raises(DataError, match="mask"):
        events.take(np.array([True, False]))


def test_a_split_is_that_of_a_permutation() -> None:
    events = Events(np.arange(1000)[:, None])
    order = stream(7, "split").permutation(1000)
    parts = events.split(7)
    assert np.concatenate([part.x[:, 0] for part in parts]).tolist() == order.tolist()


@pytest.mark.parametrize("conditions", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_targets_counted_in_pieces(
    conditions: bool, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "LARGE_PIECE", 7)
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, (500, 3)).astype(np.int8)
    number = rng.integers(0, 2, 500)
    weight = rng.random(500)
    condition = number[:, None] - 0.5
    events = Events(x, condition if conditions else None, weight if weighted else None)
    expected = np.zeros((2 if conditions else 1, 8))
    for row, bits, w in zip(number, x, weight, strict=True):
        expected[row if conditions else 0, int("".join(map(str, bits)), 2)] += w if weighted else 1
    found_conditions, target = events.target(Space("bits", 3))
    assert target == pytest.approx(expected / expected.sum(axis=1, keepdims=True), rel=1e-14)
    if conditions:
        assert found_conditions is not None and found_conditions.tolist() == [[-0.5], [0.5]]


@pytest.mark.parametrize("spacing", ["equal-width", "quantile"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("few", [0, 63])
def test_bins_are_those_of_a_search(
    spacing: Any, dtype: Any, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binning, "FEW_EDGES", few)
    monkeypatch.setattr(binning, "AT_ONCE", 100)
    x = np.random.default_rng(2).gamma(2.0, size=(1001, 2)).astype(dtype)
    encoder = BinningEncoder(bits=[4, 2], spacing=spacing).fit(x)
    on_edges = np.array([[encoder.edges[0][i], encoder.edges[1][i // 4]] for i in range(17)])
    inside = encoder.accepts(on_edges.astype(dtype))
    for events in (x, on_edges.astype(dtype)[inside]):
        bits = encoder.encode(events)
        for i, columns in enumerate((slice(0, 4), slice(4, 6))):
            inner = encoder.edges[i][1:-1].astype(dtype)
            expected = np.searchsorted(inner, events[:, i], side="right")
            assert np.array_equal(bits_to_index(bits[:, columns]), expected)


@pytest.mark.parametrize("most_bits", [1, 62])
def test_decoded_values_are_those_of_a_plain_formula(
    most_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binning, "MOST_BITS_AT_ONCE", most_bits)
    monkeypatch.setattr(binning, "AT_ONCE", 100)
    encoder = BinningEncoder(bits=[4, 2], spacing="quantile")
    encoder.fit(np.random.default_rng(2).gamma(2.0, size=(1001, 2)))
    z = np.random.default_rng(3).integers(0, 2, (1001, 6)).astype(np.int8)
    found = encoder.decode(z, rng=np.random.default_rng(4))
    uniform = np.random.default_rng(4).random((1001, 2))
    for i, columns in enumerate((slice(0, 4), slice(4, 6))):
        index = bits_to_index(z[:, columns])
        low, high = encoder.edges[i][index], encoder.edges[i][index + 1]
        expected = np.minimum(low + uniform[:, i] * (high - low), np.nextafter(high, low))
        assert np.array_equal(found[:, i], expected)
