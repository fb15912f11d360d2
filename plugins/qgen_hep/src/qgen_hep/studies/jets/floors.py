"""The tables that explain the others: floors of shots and events, and bins without shots."""

from __future__ import annotations

from collections.abc import Mapping

from qgen_core.studies import Table
from qgen_hep.studies.jets import published
from qgen_hep.studies.jets.book import TRAINED, Book, exact_d, exact_js, measured
from qgen_hep.studies.jets.points import ANSATZE, Empty
from qgen_hep.studies.seeds import MISSING, PM, Value, over_seeds, plus_minus


def floors(targets: Mapping[int, Value | None]) -> Table:
    """What shots and finite events alone make of JS and D, by the number of features."""
    rows = []
    for features, target in targets.items():
        if target is None:
            rows.append((str(4 * features), *[MISSING] * 8))
            continue
        cells, occupied = target["cells"], target["occupied"]
        for name, floor in sorted(target["floors"].items(), key=lambda item: int(item[0])):
            what = "events of the target" if int(name) == target["events"] else "shots"
            rows.append(
                (
                    str(4 * features),
                    f"{name} {what}",
                    f"{cells}, {occupied}",
                    f"{(cells - 1) / (8 * int(name)):.3g}",
                    f"{(occupied - 1) / (8 * int(name)):.3g}",
                    plus_minus(floor["js"]),
                    plus_minus(floor["js_smoothed"]),
                    plus_minus(floor["d"]),
                    f"{target['independent']['js']:.3g}",
                )
            )
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
        "standard deviation "
        "over 1000 samples. So many events of the target itself: the distance between what was "
        "trained on and the "
        "distribution it was drawn from. JS without correlations: the product of the target's "
        "marginals.",
        "With half a count in every bin is what the loss of a perfect model would be in our "
        "trainings from shots.",
        "The formula holds where every cell expects several counts; in nearly empty cells JS "
        "grows more slowly.",
    )
    return Table("Floors", columns, tuple(rows), notes)


def empty_bins(book: Book) -> Table:
    """What the treatment of bins without shots makes of a training."""
    rows = []
    ways: tuple[tuple[Empty, str], ...] = (
        ("half", "half a count in every bin"),
        ("clip", "logarithm clipped at half a count"),
        ("raw", "clipped at 1e-12"),
    )
    for features, shots in TRAINED.items():
        for ansatz in ANSATZE:
            for empty, text in ways:
                values = book.seeds(features, ansatz, shots=shots, empty=empty)
                if values:
                    paper = f"{published.D[features, ansatz, 'zero']:g}"
                    numbers = (
                        over_seeds(values, exact_js),
                        over_seeds(values, exact_d),
                        measured(values, shots, "d"),
                    )
                    rows.append((str(4 * features), str(ansatz), text, *numbers, paper))
    columns = (
        "qubits",
        "ansatz",
        "empty bins",
        "JS exact",
        "D exact",
        "D of the shots",
        "D of the paper",
    )
    note = (
        "Trained from 8192 (8 qubits) or 20000 shots (12 qubits), start zero. The gradient's "
        "weight log(p/M) is "
        "infinite where a bin got no shots, so something must be done; the paper does not say "
        "what it did. "
        f"The tables above use the first way. {PM}."
    )
    return Table("What becomes of bins without shots", columns, tuple(rows), (note,))
