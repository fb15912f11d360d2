"""The tables of the study ``jets-noise``.

Before and after tuning, the tuning itself, and landscapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from qgen_core.studies import Table
from qgen_hep.studies.jets.book import measured
from qgen_hep.studies.jets.floors import floors
from qgen_hep.studies.jets_noise.book import Book
from qgen_hep.studies.jets_noise.points import SHOTS, Mode
from qgen_hep.studies.seeds import MISSING, NONE, PM, Value, over_seeds, plus_minus

#: When the parameters are looked at, and how.
SIGHTS = (("before", "ideal"), ("before", "noisy"), ("after", "noisy"), ("after", "ideal"))
HEADS = tuple(f"{when}, {how}" for when, how in SIGHTS)
ANGLES = ("first", "second", "third")
#: The quartiles of a normal distribution are so many standard deviations apart.
QUARTILES = 1.349
HEAD = ("qubits", "ansatz", "device", "moves")


def tables(book: Book) -> list[Table]:
    """All of them."""
    return [
        _exact(book, "Jensen-Shannon divergence before and after tuning", "js", _js_notes(book)),
        _sampled(book),
        _exact(book, "D of the marginals before and after tuning", "d", _d_notes(book)),
        _exact(
            book,
            "Correlation of pT and mass before and after tuning",
            "correlation",
            _correlation_notes(book),
        ),
        _iterations(book),
        _landscapes(book),
        floors(book.targets),
    ]


def _heads(book: Book, features: int, ansatz: int, mode: Mode) -> tuple[str, ...]:
    return (str(4 * features), str(ansatz), book.device(features), mode)


def number_of(when: str, how: str, name: str) -> Callable[[Value], float]:
    """The exact value of a measure; the correlation is that of the first two features."""

    def number(value: Value) -> float:
        found = value[when][how]["exact"][name]
        return float(found[0][1] if name == "correlation" else found)

    return number


def _exact(book: Book, title: str, name: str, notes: tuple[str, ...]) -> Table:
    form = "z.3f" if name == "correlation" else ".3g"
    rows = []
    for configuration in book.configurations():
        values = book.seeds(*configuration)
        numbers = [over_seeds(values, number_of(when, how, name), form) for when, how in SIGHTS]
        rows.append((*_heads(book, *configuration), *numbers))
    return Table(title, (*HEAD, *HEADS), tuple(rows), (f"Of exact probabilities. {PM}.", *notes))


def _js_notes(book: Book) -> tuple[str, ...]:
    worst = []
    for features, target in book.targets.items():
        value = book.first(features, 2)
        if value is not None and target is not None:
            numbers = f"{value['uniform']['js']:.3g} and {target['independent']['js']:.3g}"
            worst.append(f"{4 * features} qubits: {numbers}")
    between = "; ".join(worst) or MISSING
    return (
        "Before: trained without noise. After: the parameters of least measured loss among those "
        "the tuning came by.",
        "JS of all outcomes alike, which noise leaves at last, and of the product of the "
        f"marginals: {between}.",
    )


def _d_notes(book: Book) -> tuple[str, ...]:
    found = [
        f"{4 * features} qubits: {plus_minus(target['floors'][str(SHOTS)]['d'])}"
        for features, target in book.targets.items()
        if target is not None
    ]
    return (f"{SHOTS} shots of the target itself have {'; '.join(found) or MISSING}.",)


def _correlation_notes(book: Book) -> tuple[str, ...]:
    target = book.targets.get(2)
    reached = MISSING if target is None else f"{target['binned_correlation'][0][1]:.3f}"
    return (
        f"A perfect model of the bins has {reached}. Ansatz 2 entangles no two features; readout "
        "errors are "
        "independent from wire to wire.",
    )


def _sampled(book: Book) -> Table:
    rows = []
    for configuration in book.configurations():
        values = book.seeds(*configuration)
        target = book.targets.get(configuration[0])
        numbers = [
            measured([v and v[when][how] for v in values], SHOTS, "js") for when, how in SIGHTS
        ]
        floor = MISSING if target is None else plus_minus(target["floors"][str(SHOTS)]["js"])
        rows.append((*_heads(book, *configuration), *numbers, floor))
    note = (
        f"Mean over the seeds and standard deviation over samples of {SHOTS} shots. The floor is "
        "what so many shots of "
        "a perfect model would show."
    )
    return Table(
        f"Jensen-Shannon divergence of {SHOTS} shots",
        (*HEAD, *HEADS, "its floor"),
        tuple(rows),
        (note,),
    )


def _iterations(book: Book) -> Table:
    rows = []
    for configuration in book.configurations():
        values = book.seeds(*configuration)
        texts = [over_seeds(values, number, ".0f") for number in (_groups, _runs, _circuits)]
        losses = [over_seeds(values, number) for number in (_first_loss, _least_loss)]
        best = over_seeds(values, lambda value: value["best"] + 1, ".0f")
        rows.append((*_heads(book, *configuration), *texts, _skipped(values), *losses, best))
    columns = (
        *HEAD,
        "groups",
        "iterations",
        "circuits",
        "skipped (layer, angle)",
        "first loss",
        "least loss",
        "at",
    )
    notes = (
        "A group is one angle of the rotations of one layer; a pass comes to each once, from the "
        "measurement to the "
        "start. Skipped: groups whose noiseless losses vary by less than 5e-7, with the number of "
        "seeds.",
        f"Losses are JS of {SHOTS} shots with half a count in every bin, the mean of as many "
        "unshifted circuits as the "
        f"group has gates; at: the iteration that began there. {PM}.",
        *_devices(book),
    )
    return Table("The tuning", columns, tuple(rows), notes)


def _groups(value: Value) -> float:
    return len(value["groups"])


def _runs(value: Value) -> float:
    return len(value["iterations"]["loss"])


def _circuits(value: Value) -> float:
    return float(sum(value["iterations"]["circuits"]))


def _first_loss(value: Value) -> float:
    return float(value["iterations"]["loss"][0])


def _least_loss(value: Value) -> float:
    return float(min(value["iterations"]["loss"]))


def skipped(value: Value) -> list[tuple[int, int]]:
    """Layer and angle of the groups that no iteration has."""
    lines = value["iterations"]
    done = {
        (int(layer), int(angle))
        for layer, angle in zip(lines["layer"], lines["angle"], strict=True)
    }
    return [
        (layer, angle) for layer, angle in map(tuple, value["groups"]) if (layer, angle) not in done
    ]


def _skipped(values: Sequence[Value | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return MISSING
    found = [group for value in there for group in skipped(value)]
    names = [
        f"{layer} {ANGLES[angle]} ({found.count((layer, angle))})"
        for layer, angle in sorted(set(found))
    ]
    return ", ".join(names) or NONE


def _devices(book: Book) -> Iterator[str]:
    """Which calibration and which qubits the circuits took."""
    for features, ansatz, mode in book.configurations():
        value = book.first(features, ansatz)
        if mode == "jacobi" and value is not None and "device" in value["device"]:
            facts = value["device"]
            yield (
                f"{4 * features} qubits, ansatz {ansatz}: {facts['device']} is emulated, "
                f"{facts['calibration']}; wires "
                f"begin on qubits {', '.join(map(str, facts.get('layout', [])))}."
            )


def _landscapes(book: Book) -> Table:
    rows = []
    for configuration in book.configurations():
        values = book.seeds(*configuration)
        texts = [over_seeds(values, width) for width in WIDTHS]
        rows.append((*_heads(book, *configuration), *texts))
    columns = (
        *HEAD,
        "first, ideal",
        "first, noisy",
        "last, ideal",
        "last, noisy",
        "all, ideal",
        "all, noisy",
        "shots",
    )
    notes = (
        "The distance of the quartiles of the losses of an iteration: the first, the last, and "
        "the median over all. "
        f"Noisy: measured with {SHOTS} shots, which alone would make the distance in the last "
        "column; ideal: exact "
        f"probabilities. {PM}.",
    )
    return Table("Width of the landscape", columns, tuple(rows), notes)


def widths(value: Value, way: str = "") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The distance of the quartiles, iteration by iteration.

    ``way`` reference_ for those without noise.
    """
    lines = value["iterations"]
    return np.asarray(np.subtract(lines[f"{way}q3"], lines[f"{way}q1"]))


def width_of_shots(value: Value) -> float:
    """The interquartile range of a normal distribution with the spread of JS before tuning."""
    return float(QUARTILES * value["before"]["noisy"]["shots"][str(SHOTS)]["js"][1])


WIDTHS: tuple[Callable[[Value], float], ...] = (
    lambda value: float(widths(value, "reference_")[0]),
    lambda value: float(widths(value)[0]),
    lambda value: float(widths(value, "reference_")[-1]),
    lambda value: float(widths(value)[-1]),
    lambda value: float(np.median(widths(value, "reference_"))),
    lambda value: float(np.median(widths(value))),
    width_of_shots,
)
