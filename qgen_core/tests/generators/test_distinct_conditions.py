"""Distinct conditions of batches are those that sorting each batch gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qgen_core.events import Batch, Events, Taken, distinct_rows


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("different", [3, 400], ids=["few", "many"])
@pytest.mark.parametrize("size", [1, 5, 300])
def test_batches_agree_with_sorting_their_conditions(
    columns: int, different: int, size: int
) -> None:
    rng = np.random.default_rng(4)
    condition = rng.normal(size=(different, columns)).round(1)[rng.integers(different, size=1000)]
    events = Events(rng.normal(size=(1000, 1)), condition)
    index = rng.integers(1000, size=size)
    given = events.x[index], condition[index]
    batch = Batch(*given, taken=Taken(events, index, given[1]))
    expected, number = np.unique(condition[index], axis=0, return_inverse=True)
    for found in (batch.distinct_conditions(), Batch(*given).distinct_conditions()):
        conditions, found_number = found
        assert conditions is not None
        assert np.array_equal(conditions, expected)
        assert np.array_equal(found_number, number.reshape(size))


def test_conditions_of_all_events_are_sorted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events(np.zeros((4, 1)), np.array([[2.0], [1.0], [2.0], [3.0]]))
    first = Batch(
        events.x, events.condition, taken=Taken(events, None, events.condition)
    ).distinct_conditions()
    monkeypatch.setattr(np, "unique", None)
    again = Batch(
        events.x, events.condition, step=1, taken=Taken(events, None, events.condition)
    ).distinct_conditions()
    assert again[0] is first[0] and again[1] is first[1]
    assert again[1].tolist() == [1, 0, 1, 2]


def test_batches_without_conditions() -> None:
    assert Batch().distinct_conditions()[0] is None
    conditions, number = Batch(np.zeros((3, 1))).distinct_conditions()
    assert conditions is None and number.tolist() == [0, 0, 0]
    # a batch of probabilities has its conditions, a row for each
    rows = np.array([[2.0], [1.0]])
    assert Batch(condition=rows).distinct_conditions()[0] is rows


def test_a_part_of_a_batch_has_its_own_conditions() -> None:
    events = Events(np.zeros((3, 1)), np.array([[2.0], [1.0], [2.0]]))
    batch = Batch(events.x, events.condition, taken=Taken(events, None, events.condition))
    part = replace(batch, x=events.x[1:2], condition=events.condition[1:2])
    conditions, number = part.distinct_conditions()
    assert conditions is not None and conditions.tolist() == [[1.0]] and number.tolist() == [0]


def test_rows_rise() -> None:
    rows = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0], [0.0, -1.0]])
    different, number = distinct_rows(rows)
    assert different.tolist() == [[0.0, -1.0], [0.0, 5.0], [1.0, 2.0]]
    assert np.array_equal(different[number], rows)
