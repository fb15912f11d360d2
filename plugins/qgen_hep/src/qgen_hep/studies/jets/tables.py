"""The tables of the study ``jets``.

Those of the paper with ours beside them, and what explains them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from qgen_core.studies import Table
from qgen_hep.studies.jets import published
from qgen_hep.studies.jets.book import (
    START,
    TRAINED,
    Book,
    exact_d,
    exact_js,
    js_floor,
    measured,
    parameters,
)
from qgen_hep.studies.jets.floors import empty_bins, floors
from qgen_hep.studies.jets.points import ANSATZE, COLUMNS, FRACTIONS, SCAN, SHOTS, STARTS
from qgen_hep.studies.seeds import MISSING, NONE, PM, SPACE, Value, over_seeds, plus_minus

SEEDS = f"{PM}; where shots are drawn, over 1000 samples of so many shots."


def tables(book: Book) -> list[Table]:
    """All of them, in the order of the paper."""
    return [
        _distance(book, 2, "Table I: D of the marginals, 8 qubits"),
        _correlation(book, 2, "Table II: correlation of pT and mass, 8 qubits"),
        _distance(book, 3, "Table III: D of the marginals, 12 qubits"),
        _correlation(book, 3, "Table IV: correlations, 12 qubits"),
        _divergence(book),
        floors(book.targets),
        _layers(book),
        _fractions(book),
        empty_bins(book),
    ]


def _distance(book: Book, features: int, title: str) -> Table:
    shots = TRAINED[features]
    rows = []
    for ansatz in ANSATZE:
        for start in STARTS[features]:
            exact = book.seeds(features, ansatz, start)
            sampled = book.seeds(features, ansatz, start, shots=shots)
            paper = published.D.get((features, ansatz, start))
            rows.append(
                (
                    str(ansatz),
                    parameters(exact),
                    START[start],
                    NONE if paper is None else f"{paper:g}",
                    over_seeds(exact, exact_d),
                    over_seeds(sampled, exact_d),
                    measured(sampled, shots, "d"),
                )
            )
    columns = (
        "ansatz",
        "parameters",
        "start",
        "paper",
        "trained exactly",
        f"trained from {shots} shots",
        f"the same, {shots} shots drawn",
    )
    notes = (
        f"D of exact probabilities but for the last column. {SEEDS}",
        _floor_of_d(book, features, shots),
    )
    return Table(title, columns, tuple(rows), notes)


def _floor_of_d(book: Book, features: int, shots: int) -> str:
    target = book.targets.get(features)
    floor = MISSING if target is None else plus_minus(target["floors"][str(shots)]["d"])
    return (
        f"{shots} shots of the target itself have D = {floor}; "
        "the paper does not say how its D was sampled."
    )


def _correlation(book: Book, features: int, title: str) -> Table:
    target = book.targets.get(features)
    shots = TRAINED[features]
    rows = []
    for number, (a, b) in enumerate(combinations(range(features), 2)):
        pair = f"{COLUMNS[features][a]}, {COLUMNS[features][b]}"
        ours = MISSING if target is None else f"{target['correlation'][a][b]:z.3f}"
        rows.append(("events", NONE, pair, published.TARGET[features][number], ours, NONE))
        for ansatz in ANSATZE:
            for start in STARTS[features]:
                paper = published.CORRELATION[features].get((ansatz, start))
                rows.append(
                    (
                        f"ansatz{SPACE}{ansatz}",
                        START[start],
                        pair,
                        NONE if paper is None else paper[number],
                        over_seeds(book.seeds(features, ansatz, start), _entry(a, b), "z.3f"),
                        over_seeds(
                            book.seeds(features, ansatz, start, shots=shots), _entry(a, b), "z.3f"
                        ),
                    )
                )
    columns = (
        "of",
        "start",
        "pair",
        "paper",
        "ours, trained exactly",
        f"ours, trained from {shots} shots",
    )
    notes = ["Ours of exact probabilities, uniform inside the bins. " + PM + ".", _binned(target)]
    if features == 3:
        notes.append(
            "The paper's correlations of its events with eta, of order 1e-11, cannot be those of "
            "three million "
            "sampled events, whose statistical error is 6e-4: they are no value to compare with."
        )
    return Table(title, columns, tuple(rows), tuple(notes))


def _binned(target: Value | None) -> str:
    reached = MISSING if target is None else f"{target['binned_correlation'][0][1]:.3f}"
    return (
        f"A perfect model of the bins has the correlation {reached} of pT and mass. The value of "
        "the events depends on "
        "their window; the paper's is for detector level jets with pile-up after cuts that it "
        "does not give."
    )


def _entry(a: int, b: int) -> Callable[[Value], float]:
    return lambda value: float(value["exact"]["correlation"][a][b])


def _divergence(book: Book) -> Table:
    configurations = [(f, a, start) for f in COLUMNS for a in ANSATZE for start in STARTS[f]]
    rows = [row for configuration in configurations for row in _divergences(book, *configuration)]
    columns = (
        "qubits",
        "ansatz",
        "start",
        "trained from shots",
        "JS exact",
        "JS of so many shots",
        "its floor",
    )
    note = (
        "JS of the trained circuit against all events. The floor is what so many shots of a "
        "perfect model would show. "
        f"{SEEDS}"
    )
    return Table("Jensen-Shannon divergence (figures 3, 8 and 9)", columns, tuple(rows), (note,))


def _divergences(book: Book, features: int, ansatz: int, start: str) -> Iterator[tuple[str, ...]]:
    """One configuration, trained exactly and from shots."""
    name = (str(4 * features), str(ansatz), START[start])
    yield (*name, NONE, over_seeds(book.seeds(features, ansatz, start), exact_js), NONE, NONE)
    for shots in SHOTS[features]:
        values = book.seeds(features, ansatz, start, shots=shots)
        if values:
            seen = measured(values, shots, "js")
            yield (
                *name,
                str(shots),
                over_seeds(values, exact_js),
                seen,
                js_floor(book, features, shots),
            )


def _layers(book: Book) -> Table:
    rows = []
    for ansatz, scan in SCAN.items():
        for layers in scan:
            exact = book.seeds(2, ansatz, layers=layers)
            sampled = book.seeds(2, ansatz, layers=layers, shots=8192)
            texts = (
                over_seeds(exact, exact_js),
                over_seeds(exact, settled, ".0f"),
                over_seeds(sampled, exact_js),
            )
            rows.append((str(ansatz), str(layers), parameters(exact), *texts))
    columns = (
        "ansatz",
        "layers",
        "parameters",
        "JS, trained exactly",
        "settled at step",
        "JS exact, trained from 8192 shots",
    )
    note = (
        "Settled: from this step on the loss of the exact training is within 10 % of its last "
        f"value. {PM}."
    )
    return Table("Number of layers, 8 qubits (figure 6)", columns, tuple(rows), (note,))


def settled(value: Value) -> int:
    """The step from which on the loss stays within 10 % of its last value."""
    losses = np.asarray(value["losses"])
    far = np.flatnonzero(losses > 1.1 * losses[-1])
    return int(far[-1] + 1) if len(far) else 0


def _fractions(book: Book) -> Table:
    rows = []
    for fraction in (*FRACTIONS, 1.0):
        texts = []
        events = NONE
        for ansatz in ANSATZE:
            exact = book.seeds(2, ansatz, fraction=fraction)
            sampled = book.seeds(2, ansatz, fraction=fraction, shots=8192)
            events = next((str(v["events"]) for v in exact if v is not None), events)
            texts += [measured(exact, 8192, "js"), measured(sampled, 8192, "js")]
        rows.append((f"{fraction:g}", events, *texts))
    ways = [f"ansatz {a}, trained {how}" for a in ANSATZE for how in ("exactly", "from 8192 shots")]
    note = (
        "JS of 8192 shots of the trained circuit against all events, mean ± standard deviation "
        "over 1000 samples, "
        f"averaged over seeds. Its floor is {js_floor(book, 2, 8192)}."
    )
    return Table(
        "Part of the events trained on, 8 qubits (figure 7)",
        ("fraction", "events", *ways),
        tuple(rows),
        (note,),
    )
