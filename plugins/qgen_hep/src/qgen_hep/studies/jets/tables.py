"""The tables of the study ``jets``.

Those of the paper with ours beside them, and tables that explain them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from qgen_core.studies import MISSING, NONE, SPACE, Results, Table
from qgen_hep.studies.jets import published
from qgen_hep.studies.jets.floors import floors
from qgen_hep.studies.jets.grid import (
    ANSATZE,
    COLUMNS,
    FRACTIONS,
    NUMBER,
    SCAN,
    SHOTS,
    STARTS,
    TRAINING_SHOTS,
    EmptyBins,
)
from qgen_hep.studies.jets.selection import (
    Data,
    binned_correlation,
    floor_text,
    target_data,
    trainings,
)
from qgen_hep.studies.jets.style import START
from qgen_hep.studies.shared.summary import (
    OVER_SEEDS,
    absent,
    mean_of_pairs,
    of_first,
    published_text,
)

SPREADS = f"{OVER_SEEDS}; where shots are drawn, over 1000 samples of so many shots."


def tables(results: Results) -> list[Table]:
    """All of them, in the order of the paper."""
    return [
        _distance(results, 8, "Table I: D of the marginals, 8 qubits"),
        _correlation(results, 8, "Table II: correlation of pT and mass, 8 qubits"),
        _distance(results, 12, "Table III: D of the marginals, 12 qubits"),
        _correlation(results, 12, "Table IV: correlations, 12 qubits"),
        _divergence(results),
        floors(results),
        _layers(results),
        _fractions(results),
        _empty_bins(results),
    ]


def exact_js(data: Data) -> float:
    """JS of the exact probabilities against all events."""
    return float(data["exact"]["js"])


def exact_d(data: Data) -> float:
    """D of the exact probabilities against all events."""
    return float(data["exact"]["d"])


def sampled(results: Results, shots: int, name: str) -> str:
    """JS or D measured with shots, as text: mean over the seeds, deviation over samples."""
    return mean_of_pairs(results, lambda data: data["shots"][str(shots)][name])


def settled(data: Data) -> int:
    """The step from which on the loss stays within 10 % of its last value.

    >>> settled({"losses": [5.0, 1.0, 1.2, 1.05, 1.0]})
    3
    """
    losses = np.asarray(data["losses"])
    far = np.flatnonzero(losses > 1.1 * losses[-1])
    if not len(far):
        return 0
    return int(far[-1] + 1)


def _parameters(results: Results) -> str:
    """The number of parameters of a configuration, as text."""
    return of_first(results, lambda data: data["parameters"]) or absent(results)


def _distance(results: Results, wires: int, title: str) -> Table:
    shots = TRAINING_SHOTS[wires]
    rows = []
    for ansatz in ANSATZE:
        for start in STARTS[wires]:
            exact = trainings(results, wires, ansatz, start=start)
            from_shots = trainings(results, wires, ansatz, start=start, shots=shots)
            paper = published.D.get((wires, ansatz, start))
            rows.append(
                (
                    str(NUMBER[ansatz]),
                    _parameters(exact),
                    START[start],
                    published_text(paper),
                    exact.summary(exact_d).text(),
                    from_shots.summary(exact_d).text(),
                    sampled(from_shots, shots, "d"),
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
        f"D of exact probabilities but for the last column. {SPREADS}",
        f"{shots} shots of the target itself have D = {floor_text(results, wires, shots, 'd')}; "
        "the paper does not say how its D was sampled.",
    )
    return Table(title, columns, tuple(rows), notes)


def _correlation(results: Results, wires: int, title: str) -> Table:
    rows: list[tuple[str, ...]] = []
    for number, (a, b) in enumerate(combinations(range(len(COLUMNS[wires])), 2)):
        rows += _correlations_of_pair(results, wires, number, a, b)
    columns = (
        "of",
        "start",
        "pair",
        "paper",
        "ours, trained exactly",
        f"ours, trained from {TRAINING_SHOTS[wires]} shots",
    )
    notes = [
        f"Ours of exact probabilities, uniform inside the bins. {OVER_SEEDS}.",
        "A perfect model of the bins has the correlation "
        f"{binned_correlation(results, wires)} of pT and mass. The value of the events depends on "
        "their window; the paper's is for detector level jets with pile-up after cuts that it "
        "does not give.",
    ]
    if wires == 12:
        notes.append(
            "The paper's correlations of its events with eta, of order 1e-11, cannot be those of "
            "three million sampled events, whose statistical error is 6e-4: they are no value to "
            "compare with."
        )
    return Table(title, columns, tuple(rows), tuple(notes))


def _correlations_of_pair(
    results: Results, wires: int, number: int, a: int, b: int
) -> Iterator[tuple[str, ...]]:
    """The rows of features a and b, the pair of this number."""
    pair = f"{COLUMNS[wires][a]}, {COLUMNS[wires][b]}"
    target = target_data(results, wires)
    ours = MISSING if target is None else f"{target['correlation'][a][b]:z.3f}"
    yield "events", NONE, pair, published.TARGET[wires][number], ours, NONE
    entry = _exact_correlation(a, b)
    shots = TRAINING_SHOTS[wires]
    for ansatz in ANSATZE:
        for start in STARTS[wires]:
            paper = published.CORRELATION[wires].get((ansatz, start))
            exact = trainings(results, wires, ansatz, start=start)
            from_shots = trainings(results, wires, ansatz, start=start, shots=shots)
            yield (
                f"ansatz{SPACE}{NUMBER[ansatz]}",
                START[start],
                pair,
                NONE if paper is None else paper[number],
                exact.summary(entry).text("z.3f"),
                from_shots.summary(entry).text("z.3f"),
            )


def _exact_correlation(a: int, b: int) -> Callable[[Any], float]:
    return lambda data: float(data["exact"]["correlation"][a][b])


def _divergence(results: Results) -> Table:
    rows: list[tuple[str, ...]] = []
    for wires in COLUMNS:
        for ansatz in ANSATZE:
            for start in STARTS[wires]:
                name = (str(wires), str(NUMBER[ansatz]), START[start])
                found = _divergences(results, wires, ansatz, start)
                rows += [(*name, *texts) for texts in found]
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
        f"perfect model would show. {SPREADS}"
    )
    return Table("Jensen-Shannon divergence (figures 3, 8 and 9)", columns, tuple(rows), (note,))


def _divergences(
    results: Results, wires: int, ansatz: str, start: str
) -> Iterator[tuple[str, ...]]:
    """One configuration, trained exactly and from shots."""
    exact = trainings(results, wires, ansatz, start=start)
    yield NONE, exact.summary(exact_js).text(), NONE, NONE
    for shots in SHOTS[wires]:
        found = trainings(results, wires, ansatz, start=start, shots=shots)
        if found:
            yield (
                str(shots),
                found.summary(exact_js).text(),
                sampled(found, shots, "js"),
                floor_text(results, wires, shots, "js"),
            )


def _layers(results: Results) -> Table:
    rows = []
    for ansatz, scan in SCAN.items():
        for layers in scan:
            exact = trainings(results, 8, ansatz, layers=layers)
            from_shots = trainings(results, 8, ansatz, layers=layers, shots=8192)
            rows.append(
                (
                    str(NUMBER[ansatz]),
                    str(layers),
                    _parameters(exact),
                    exact.summary(exact_js).text(),
                    exact.summary(settled).text(".0f"),
                    from_shots.summary(exact_js).text(),
                )
            )
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
        f"value. {OVER_SEEDS}."
    )
    return Table("Number of layers, 8 qubits (figure 6)", columns, tuple(rows), (note,))


def _fractions(results: Results) -> Table:
    rows = []
    for fraction in (*FRACTIONS, 1.0):
        texts = []
        events = NONE
        for ansatz in ANSATZE:
            exact = trainings(results, 8, ansatz, fraction=fraction)
            from_shots = trainings(results, 8, ansatz, fraction=fraction, shots=8192)
            events = of_first(exact, lambda data: data["events"]) or events
            texts.append(sampled(exact, 8192, "js"))
            texts.append(sampled(from_shots, 8192, "js"))
        rows.append((f"{fraction:g}", events, *texts))
    columns = ["fraction", "events"]
    for ansatz in ANSATZE:
        columns.append(f"ansatz {NUMBER[ansatz]}, trained exactly")
        columns.append(f"ansatz {NUMBER[ansatz]}, trained from 8192 shots")
    note = (
        "JS of 8192 shots of the trained circuit against all events, mean ± standard deviation "
        "over 1000 samples, averaged over seeds. Its floor is "
        f"{floor_text(results, 8, 8192, 'js')}."
    )
    title = "Part of the events trained on, 8 qubits (figure 7)"
    return Table(title, tuple(columns), tuple(rows), (note,))


def _empty_bins(results: Results) -> Table:
    """What the treatment of bins without shots changes in a training."""
    rows = []
    treatments: dict[EmptyBins, str] = {
        "half": "half a count in every bin",
        "clip": "logarithm clipped at half a count",
        "raw": "clipped at 1e-12",
    }
    for wires, shots in TRAINING_SHOTS.items():
        for ansatz in ANSATZE:
            paper = published_text(published.D[wires, ansatz, "zero"])
            for empty_bins, text in treatments.items():
                found = trainings(results, wires, ansatz, shots=shots, empty_bins=empty_bins)
                if found:
                    rows.append(
                        (
                            str(wires),
                            str(NUMBER[ansatz]),
                            text,
                            found.summary(exact_js).text(),
                            found.summary(exact_d).text(),
                            sampled(found, shots, "d"),
                            paper,
                        )
                    )
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
        "weight log(p/M) is infinite where a bin got no shots, so something must be done; the "
        "paper does not say what it did. The tables above use the first way. "
        f"{OVER_SEEDS}."
    )
    return Table("What becomes of bins without shots", columns, tuple(rows), (note,))
