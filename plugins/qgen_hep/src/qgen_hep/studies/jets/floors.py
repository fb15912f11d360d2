"""The table of floors: JS and D that finite shots and events alone give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qgen_core.studies import MISSING, Results, Table, plus_minus


def floors(results: Results) -> Table:
    """The floors of each target, by the number of qubits."""
    rows: list[tuple[str, ...]] = []
    for (wires,), found in results.where(measured="target").groups("wires").items():
        target = found.first()
        if target is None:
            rows.append((str(wires), *[MISSING] * 8))
        else:
            rows += [(str(wires), *texts) for texts in _floors_of(target)]
    columns = (
        "qubits",
        "sample",
        "cells, occupied",
        "(K-1)/(8N)",
        "occupied cells only",
        "JS measured",
        "JS with half a count in every bin",
        "D measured",
        "JS without correlations",
    )
    notes = (
        "What a perfect model shows: JS and D of samples of the target against the target, mean ± "
        "standard deviation over 1000 samples. So many events of the target itself: the distance "
        "between what was trained on and the distribution it was drawn from. JS without "
        "correlations: the product of the target's marginals.",
        "With half a count in every bin is what the loss of a perfect model would be in our "
        "trainings from shots.",
        "The formula holds where every cell expects several counts; in nearly empty cells JS "
        "grows more slowly.",
    )
    return Table("Floors", columns, tuple(rows), notes)


def _floors_of(target: Any) -> Iterator[tuple[str, ...]]:
    """The texts of each sample size of one target."""
    cells = target["cells"]
    occupied = target["occupied"]
    for size in sorted(map(int, target["floors"])):
        floor = target["floors"][str(size)]
        kind = "events of the target" if size == target["events"] else "shots"
        yield (
            f"{size} {kind}",
            f"{cells}, {occupied}",
            f"{(cells - 1) / (8 * size):.3g}",
            f"{(occupied - 1) / (8 * size):.3g}",
            plus_minus(*floor["js"]),
            plus_minus(*floor["js_smoothed"]),
            plus_minus(*floor["d"]),
            f"{target['independent']['js']:.3g}",
        )
