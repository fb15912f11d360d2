"""Counts of jobs, checked before they are used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.remote import bad_result


def outcomes(result: Any, rows: int, shots: int, wires: int) -> NDArray[np.int64]:
    """The outcome of each shot (rows, shots) as integers, wire 0 the most significant bit.

    Counts have no order, so the outcomes of a row are sorted. qBraid's keys show the first bit
    last on every gate-model device (since its release of September 2026,
    https://github.com/qBraid/qBraid/pull/1327), so each key is reversed. Raises BadResult.

    >>> from types import SimpleNamespace
    >>> counted = SimpleNamespace(resultData={"measurementCounts": {"01": 3, "00": 1}})
    >>> outcomes(counted, rows=1, shots=4, wires=2)
    array([[0, 2, 2, 2]])
    """
    results = getattr(result, "results", [result])
    if len(results) != rows:
        raise bad_result(f"{len(results)} results for {rows} circuits")
    found = []
    for one in results:
        counts = one.resultData.get("measurementCounts")
        found.append(_outcomes_of(counts, shots, wires))
    return np.stack(found)


def _outcomes_of(counts: Any, shots: int, wires: int) -> NDArray[np.int64]:
    if not isinstance(counts, dict):
        raise bad_result(f"{type(counts).__name__} instead of counts")
    numbers: dict[int, int] = {}
    for key, number in counts.items():
        if len(key) != wires or set(key) - {"0", "1"}:
            raise bad_result(f"the outcome {key!r} on {wires} wires")
        if not isinstance(number, int) or number < 0:
            raise bad_result(f"the count {number!r} of the outcome {key!r}")
        numbers[int(key[::-1], 2)] = number
    total = sum(numbers.values())
    if total != shots:
        raise bad_result(f"{total} shots instead of {shots}")
    ordered = sorted(numbers)
    return np.repeat(np.array(ordered, dtype=np.int64), [numbers[outcome] for outcome in ordered])
