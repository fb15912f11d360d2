"""The tables of the study ``jets-noise``.

Before and after tuning, the tuning itself, and landscapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from qgen_core.studies import MISSING, NONE, Results, Table, plus_minus
from qgen_core.typing import Floats
from qgen_hep.studies.jets.floors import floors
from qgen_hep.studies.jets.grid import COLUMNS, NUMBER
from qgen_hep.studies.jets.selection import Data, binned_correlation, floor_text, target_data
from qgen_hep.studies.jets_noise.grid import CONFIGURATIONS, SHOTS, Mode
from qgen_hep.studies.jets_noise.selection import (
    Configuration,
    beside,
    configurations,
    device_of,
    tunings,
)
from qgen_hep.studies.shared.summary import OVER_SEEDS, mean_of_pairs


@dataclass(frozen=True)
class View:
    """One column: a model, and where the evaluation that is shown lies in its data."""

    column: str
    measured: str
    path: tuple[str, ...] = ()

    def results(self, results: Results, configuration: Configuration) -> Results:
        """The seeds of the model that belong to a configuration."""
        wires, ansatz, mode = configuration
        if self.measured == "tuned":
            return tunings(results, wires, ansatz, mode)
        return beside(results, self.measured, wires, ansatz)

    def evaluation(self, data: Data) -> Data:
        """What was measured: exactly and of shots."""
        found: Any = data
        for key in self.path:
            found = found[key]
        return cast("Data", found)


BEFORE_IDEAL = View("before, ideal", "tuned", ("before", "ideal"))
BEFORE_NOISY = View("before, noisy", "tuned", ("before", "noisy"))
AFTER_NOISY = View("after, noisy", "tuned", ("after", "noisy"))
AFTER_IDEAL = View("after, ideal", "tuned", ("after", "ideal"))
TWIN = View("twin", "twin")
FROZEN_IDEAL = View("frozen, ideal", "frozen", ("ideal",))
FROZEN_NOISY = View("frozen, noisy", "frozen", ("noisy",))
VIEWS = (
    BEFORE_IDEAL,
    BEFORE_NOISY,
    AFTER_NOISY,
    AFTER_IDEAL,
    TWIN,
    FROZEN_IDEAL,
    FROZEN_NOISY,
)
VIEW_COLUMNS = tuple(view.column for view in VIEWS)
#: The first columns of each table.
HEAD = ("qubits", "ansatz", "device", "moves")
ANGLES = ("first", "second", "third")
#: The distance of the quartiles of a normal distribution in standard deviations.
QUARTILE_DISTANCE = 1.349


def tables(results: Results) -> list[Table]:
    """All of them."""
    return [
        _gains(results),
        _exact(
            results,
            "Jensen-Shannon divergence before and after tuning",
            "js",
            _js_notes(results),
        ),
        _sampled(results),
        _exact(results, "D of the marginals before and after tuning", "d", _d_notes(results)),
        _exact(
            results,
            "Correlation of pT and mass before and after tuning",
            "correlation",
            _correlation_notes(results),
        ),
        _iterations(results),
        _landscapes(results),
        floors(results),
    ]


def _head(results: Results, wires: int, ansatz: str, mode: Mode) -> tuple[str, ...]:
    return str(wires), str(NUMBER[ansatz]), device_of(results, wires), mode


def _exact_number(view: View, name: str) -> Callable[[Any], float]:
    """JS, D, or the correlation of the first two features, of exact probabilities."""

    def number(data: Data) -> float:
        found = view.evaluation(data)["exact"][name]
        if name == "correlation":
            found = found[0][1]
        return float(found)

    return number


def _sampled_js(view: View) -> Callable[[Any], Any]:
    return lambda data: view.evaluation(data)["shots"][str(SHOTS)]["js"]


def _difference(first: View, second: View) -> Callable[[Any], float]:
    """The exact JS of one evaluation less that of another, of the same seed."""
    js_of_first = _exact_number(first, "js")
    js_of_second = _exact_number(second, "js")
    return lambda data: js_of_first(data) - js_of_second(data)


#: What noise adds to JS.
_COST = _difference(BEFORE_NOISY, BEFORE_IDEAL)
#: What tuning takes off it.
_GAIN = _difference(BEFORE_NOISY, AFTER_NOISY)


def _gains(results: Results) -> Table:
    rows = []
    for configuration in configurations(results):
        found = tunings(results, *configuration)
        rows.append(
            (
                *_head(results, *configuration),
                found.summary(_COST).text(),
                found.summary(_GAIN).text(),
                _improved(found),
                found.summary(lambda data: _GAIN(data) / _COST(data)).text("z.2f"),
                _times_twin(results, configuration, BEFORE_IDEAL),
                _times_twin(results, configuration, AFTER_NOISY),
            )
        )
    columns = (
        *HEAD,
        "added by noise",
        "regained by tuning",
        "seeds that improve",
        "share regained",
        "before, ideal / twin",
        "after, noisy / twin",
    )
    notes = (
        f"JS of exact probabilities. {OVER_SEEDS}; differences and shares are of one seed each.",
        "Twin: the classical model `nade` on the same events and bins, trained as the Born machine "
        "is before the tuning (JS of exact probabilities, Adam at 0.01, 300 steps, as many seeds). "
        f"Parameters: {_parameters(results)}. It meets neither noise nor shots and is not "
        "tuned. The last two columns are ratios of means.",
    )
    return Table("What noise costs and tuning regains", columns, tuple(rows), notes)


def _improved(results: Results) -> str:
    """How many seeds have a lower JS after the tuning."""
    gains = [_GAIN(data) for data in results.values()]
    if not gains:
        return MISSING
    return f"{sum(gain > 0 for gain in gains)} of {len(gains)}"


def _times_twin(results: Results, configuration: Configuration, view: View) -> str:
    """How many times the mean JS of the twin that of a Born machine is."""
    ours = view.results(results, configuration).summary(_exact_number(view, "js"))
    twins = TWIN.results(results, configuration).summary(_exact_number(TWIN, "js"))
    if ours.count and twins.count:
        return f"{ours.mean / twins.mean:.2g}"
    return MISSING


def _parameters(results: Results) -> str:
    """The numbers of parameters of the Born machines and of their twins."""
    texts = []
    for wires, ansatz in CONFIGURATIONS:
        ours = tunings(results, wires, ansatz).first()
        theirs = beside(results, "twin", wires, ansatz).first()
        if ours is not None and theirs is not None:
            texts.append(
                f"{wires} qubits, ansatz {NUMBER[ansatz]}: {ours['parameters']} angles, twin "
                f"{theirs['parameters']}"
            )
    return "; ".join(texts) or MISSING


def _exact(results: Results, title: str, name: str, notes: tuple[str, ...]) -> Table:
    form = "z.3f" if name == "correlation" else ".3g"
    rows = []
    for configuration in configurations(results):
        row = [*_head(results, *configuration)]
        for view in VIEWS:
            found = view.results(results, configuration)
            row.append(found.summary(_exact_number(view, name)).text(form))
        rows.append(tuple(row))
    notes = (f"Of exact probabilities. {OVER_SEEDS}.", *notes)
    return Table(title, (*HEAD, *VIEW_COLUMNS), tuple(rows), notes)


def _js_notes(results: Results) -> tuple[str, ...]:
    worst = []
    for wires in COLUMNS:
        data = tunings(results, wires, "tree").first()
        target = target_data(results, wires)
        if data is not None and target is not None:
            numbers = f"{data['uniform']['js']:.3g} and {target['independent']['js']:.3g}"
            worst.append(f"{wires} qubits: {numbers}")
    between = "; ".join(worst) or MISSING
    return (
        "Before: trained without noise. After: the parameters of least measured loss among those "
        "the tuning came by. Frozen: the parameters that the training started from.",
        "JS of all outcomes alike, which noise leaves at last, and of the product of the "
        f"marginals: {between}.",
    )


def _d_notes(results: Results) -> tuple[str, ...]:
    found = []
    for wires in COLUMNS:
        target = target_data(results, wires)
        if target is not None:
            found.append(f"{wires} qubits: {plus_minus(*target['floors'][str(SHOTS)]['d'])}")
    return (f"{SHOTS} shots of the target itself have {'; '.join(found) or MISSING}.",)


def _correlation_notes(results: Results) -> tuple[str, ...]:
    return (
        f"A perfect model of the bins has {binned_correlation(results, 8)}. Ansatz 2 entangles no "
        "two features; readout errors are independent from wire to wire.",
    )


def _sampled(results: Results) -> Table:
    rows = []
    for configuration in configurations(results):
        row = [*_head(results, *configuration)]
        for view in VIEWS:
            found = view.results(results, configuration)
            row.append(mean_of_pairs(found, _sampled_js(view)))
        row.append(floor_text(results, configuration[0], SHOTS, "js"))
        rows.append(tuple(row))
    note = (
        f"Mean over the seeds and standard deviation over samples of {SHOTS} shots. The floor is "
        "what so many shots of a perfect model would show."
    )
    title = f"Jensen-Shannon divergence of {SHOTS} shots"
    columns = (*HEAD, *VIEW_COLUMNS, "its floor")
    return Table(title, columns, tuple(rows), (note,))


def _iterations(results: Results) -> Table:
    rows = []
    for configuration in configurations(results):
        found = tunings(results, *configuration)
        rows.append(
            (
                *_head(results, *configuration),
                found.summary(_groups).text(".0f"),
                found.summary(_iteration_count).text(".0f"),
                found.summary(_circuits).text(".0f"),
                _skipped_text(found),
                found.summary(_first_loss).text(),
                found.summary(_least_loss).text(),
                found.summary(_best_iteration).text(".0f"),
            )
        )
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
        "measurement to the start. Skipped: groups whose noiseless losses vary by less than 5e-7, "
        "with the number of seeds.",
        f"Losses are JS of {SHOTS} shots with half a count in every bin, the mean of as many "
        "unshifted circuits as the group has gates; at: the iteration that began there. "
        f"{OVER_SEEDS}.",
        *_device_notes(results),
    )
    return Table("The tuning", columns, tuple(rows), notes)


def _groups(data: Data) -> float:
    return len(data["groups"])


def _iteration_count(data: Data) -> float:
    return len(data["iterations"]["loss"])


def _circuits(data: Data) -> float:
    return float(sum(data["iterations"]["circuits"]))


def _first_loss(data: Data) -> float:
    return float(data["iterations"]["loss"][0])


def _least_loss(data: Data) -> float:
    return float(min(data["iterations"]["loss"]))


def _best_iteration(data: Data) -> float:
    return float(data["best"] + 1)


def skipped(data: Data) -> list[tuple[int, int]]:
    """Layer and angle of the groups that no iteration has.

    >>> skipped({"groups": [[0, 0], [0, 1]], "iterations": {"layer": [0], "angle": [1]}})
    [(0, 0)]
    """
    iterations = data["iterations"]
    done = set(zip(iterations["layer"], iterations["angle"], strict=True))
    return [(layer, angle) for layer, angle in data["groups"] if (layer, angle) not in done]


def _skipped_text(results: Results) -> str:
    """The skipped groups, each with the number of seeds that skipped it."""
    data = results.values()
    if not data:
        return MISSING
    seeds_of: Counter[tuple[int, int]] = Counter()
    for one in data:
        seeds_of.update(skipped(one))
    names = []
    for (layer, angle), count in sorted(seeds_of.items()):
        names.append(f"{layer} {ANGLES[angle]} ({count})")
    return ", ".join(names) or NONE


def _device_notes(results: Results) -> Iterator[str]:
    """Which calibration and which qubits the circuits used."""
    for wires, ansatz, mode in configurations(results):
        data = tunings(results, wires, ansatz).first()
        if mode == "jacobi" and data is not None and "device" in data["device"]:
            facts = data["device"]
            qubits = ", ".join(map(str, facts.get("layout", [])))
            yield (
                f"{wires} qubits, ansatz {NUMBER[ansatz]}: {facts['device']} is emulated, "
                f"{facts['calibration']}; wires begin on qubits {qubits}."
            )


def _landscapes(results: Results) -> Table:
    rows = []
    for configuration in configurations(results):
        found = tunings(results, *configuration)
        texts = [found.summary(width).text() for width in WIDTHS]
        rows.append((*_head(results, *configuration), *texts))
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
        f"the median over all. Noisy: measured with {SHOTS} shots, which alone would make the "
        "distance in the last column; ideal: exact "
        f"probabilities. {OVER_SEEDS}.",
    )
    return Table("Width of the landscape", columns, tuple(rows), notes)


def widths(data: Data, prefix: str = "") -> Floats:
    """The distance of the quartiles of the losses of each iteration.

    ``prefix`` is ``reference_`` for the losses without noise.

    >>> widths({"iterations": {"q1": [1.0, 1.0], "q3": [1.5, 3.0]}}).tolist()
    [0.5, 2.0]
    """
    iterations = data["iterations"]
    return np.asarray(np.subtract(iterations[f"{prefix}q3"], iterations[f"{prefix}q1"]))


def width_of_shots(data: Data) -> float:
    """The interquartile range of a normal distribution with the spread of JS before tuning."""
    _, deviation = data["before"]["noisy"]["shots"][str(SHOTS)]["js"]
    return float(QUARTILE_DISTANCE * deviation)


WIDTHS: tuple[Callable[[Any], float], ...] = (
    lambda data: float(widths(data, "reference_")[0]),
    lambda data: float(widths(data)[0]),
    lambda data: float(widths(data, "reference_")[-1]),
    lambda data: float(widths(data)[-1]),
    lambda data: float(np.median(widths(data, "reference_"))),
    lambda data: float(np.median(widths(data))),
    width_of_shots,
)
