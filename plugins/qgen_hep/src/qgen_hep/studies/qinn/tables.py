"""Tables of the study ``qinn``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qgen_core.studies import MISSING, NONE, Results, Table
from qgen_hep.studies.qinn import grid, published
from qgen_hep.studies.qinn.grid import Row
from qgen_hep.studies.qinn.selection import (
    FAMILIES,
    KIND_LABELS,
    TO_SIMULATED,
    VARIANT_LABELS,
    VERDICTS,
    comparisons,
    distance,
    frechet,
    label,
    measures_of,
    nll,
    seeds_of,
    shower_separation,
    staged_seeds,
    step_milliseconds,
    training_seconds,
)
from qgen_hep.studies.shared.paired import LEVEL, UNSEEN, Paired, difference, quantile
from qgen_hep.studies.shared.summary import OVER_SEEDS, of_first

DISTANCES = ("S2", "chi2/ndf", "W1", "S2 of layers", "W1 of layers")
MEASURES = (
    "S2: separation power of the total energy in 100 bins of E_tot/E_inc from 0.5 to 1.5; "
    "chi2/ndf: of the same in 30 bins over the range of the held-out events; W1: of the same, in "
    "standard deviations; S2 and W1 of layers: means over the layers."
)
PAIRED = (
    "Difference of the circuit minus the other row, over the seeds of both, ± its standard error; "
    "less is better for every measure. A difference is seen if it is larger than the error times "
    f"the quantile of Student's t for {LEVEL:.0%} and the number of seeds"
)


def tables(results: Results) -> list[Table]:
    """All of them."""
    return [
        _measures(results),
        _verdicts(results),
        _others(results),
        _staged(results),
        _pions(results),
        _document(results),
    ]


def _measures(results: Results) -> Table:
    """Every row at the document's capacity."""
    rows = [_measured(results, "truth", row) for row in (grid.TRUTH, grid.GAUSSIAN)]
    rows += [_measured(results, "length", row) for row in grid.at_length()]
    rows += [_measured(results, "controls", row) for row in grid.controls()]
    columns = (
        "model",
        "epochs",
        "parameters",
        "of these in cores",
        *DISTANCES,
        "NLL",
        "NLL, training events",
        "training, s",
        "step, ms",
        f"step / {published.ITERATION:g} ms",
        "S2 to Geant4",
        "W1 to Geant4",
    )
    notes = (
        f"To held-out events of the sample. {MEASURES} NLL: mean of -log p of held-out events, in "
        "nats, of energies in MeV; that of training events shows how much was learned by heart. "
        f"{OVER_SEEDS}; an epoch is 1,000 events. The floor has as many true events as are "
        "generated; in its columns to Geant4 it is the stand-in's own distance. Times: of a "
        "processor, data and evaluation not included.",
        f"{published.ITERATION:g} ms: the document's {published.MINUTES:g} minutes for "
        f"{published.ITERATIONS:,} iterations, on another computer.",
    )
    return Table("Layer energies of photons", columns, rows, notes)


def _measured(results: Results, part: str, row: Row) -> tuple[str, ...]:
    found = seeds_of(results, part, row)
    distances = [found.summary(distance(name)).text() for name in DISTANCES]
    to_simulated = [found.summary(distance(name, TO_SIMULATED)).text() for name in ("S2", "W1")]
    if row.kind in ("truth", "gaussian"):
        return (label(row), NONE, NONE, NONE, *distances, *[NONE] * 5, *to_simulated)
    epochs = NONE
    if found:
        epochs = f"{_epochs(found[0].cell.recipe):g}"
    likelihoods = [NONE, NONE]
    if row.kind == "C":
        likelihoods = [found.summary(nll(which)).text(".3f") for which in (0, 1)]
    milliseconds = found.summary(step_milliseconds)
    return (
        label(row),
        epochs,
        _size(found, "parameters"),
        _size(found, "in cores"),
        *distances,
        *likelihoods,
        found.summary(training_seconds).text(),
        milliseconds.text(),
        _part_of_iteration(milliseconds.mean),
        *to_simulated,
    )


def _size(found: Results, name: str) -> str:
    """A number that all seeds have in common."""
    return of_first(found, lambda data: data[name]) or MISSING


def _part_of_iteration(milliseconds: float) -> str:
    if milliseconds != milliseconds:
        return MISSING
    return f"{milliseconds / published.ITERATION:.2g}"


def _epochs(recipe: Mapping[str, Any]) -> float:
    """Epochs of 1,000 events."""
    trainer = recipe["trainer"]
    return float(trainer["steps"] * trainer["batch_size"] / grid.EVENTS)


def _verdicts(results: Results) -> Table:
    """The circuit as run against each control, seed by seed."""
    rows: list[tuple[str, ...]] = []
    every: list[Paired] = []
    for part, first, second in comparisons():
        mine = seeds_of(results, part, first)
        other = seeds_of(results, part, second)
        if not other and part == "length":
            continue  # a twin that this setting does not have
        texts = []
        names = measures_of(first.kind)
        for name in VERDICTS:
            if name not in names:
                texts.append(NONE)
                continue
            found = difference(mine, other, VERDICTS[name])
            texts.append(found.text())
            every.append(found)
        epochs = NONE
        if mine:
            epochs = f"{_epochs(mine[0].cell.recipe):g}"
        seeds = str(difference(mine, other, VERDICTS["S2"]).count)
        place = (KIND_LABELS[first.kind], epochs, VARIANT_LABELS[second.variant], seeds)
        rows.append((*place, *texts))
    columns = ("model", "epochs", "against", "seeds", *VERDICTS)
    notes = (f"{PAIRED}. {_counted(every)}",)
    return Table("Does the circuit differ from its controls?", columns, rows, notes)


def _counted(every: list[Paired]) -> str:
    """How many differences are seen, and how many chance alone would show."""
    judged = [one for one in every if one.count > 1]
    seen = sum(one.verdict() != UNSEEN for one in judged)
    by_chance = (1 - LEVEL) * len(judged)
    counts = sorted({one.count for one in judged})
    factors = ", ".join(f"{quantile(count):.3g} of {count} seeds" for count in counts)
    text = f"Of {len(judged)} differences {seen} are seen; chance alone shows {by_chance:.1f} "
    text += "on average."
    if factors:
        text += f" Quantiles: {factors}."
    return text


def _others(results: Results) -> Table:
    """Other capacities, batches and numbers of events, beside the document's."""
    rows: list[tuple[str, ...]] = []
    for kind in ("C", "B"):
        start = Row(kind, "ring")
        rows += _pair(results, "controls", start)
        for wires, layers in grid.CAPACITIES:
            rows += _pair(results, "others", replace(start, wires=wires, layers=layers))
        rows += _pair(results, "others", replace(start, batch_size=grid.LARGE_BATCH))
        if kind == "C":
            for events in _numbers(results):
                rows += _pair(results, "others", replace(start, events=events))
    columns = (
        "model",
        "wires, layers",
        "batch",
        "training events",
        "steps",
        "in cores",
        "S2",
        "W1",
        "W1 of layers",
        "NLL",
        "NLL, training events",
        "circuit - twin: S2",
        "circuit - twin: W1 of layers",
        "circuit - twin: NLL",
    )
    notes = (
        f"As in the first table, {OVER_SEEDS}. Rows with other numbers of training events have "
        "equally many steps, so an event is seen less often; other batches have equally many "
        f"epochs, so fewer steps. {PAIRED}.",
    )
    return Table("Other circuits, batches and numbers of events", columns, rows, notes)


def _numbers(results: Results) -> list[int]:
    """The other numbers of training events in the results."""
    found = {int(str(result.cell.tags.get("events", grid.EVENTS))) for result in results}
    return sorted(found - {grid.EVENTS})


def _pair(results: Results, part: str, row: Row) -> list[tuple[str, ...]]:
    """The rows of a circuit and its twin, with their difference beside the first."""
    mine = seeds_of(results, part, row)
    twin = replace(row, variant="network")
    other = seeds_of(results, part, twin)
    differences = []
    for name in ("S2", "W1 of layers", "NLL"):
        if name in measures_of(row.kind):
            differences.append(difference(mine, other, VERDICTS[name]).text())
        else:
            differences.append(NONE)
    return [
        (*_other(row, mine), *differences),
        (*_other(twin, other), *[NONE] * 3),
    ]


def _other(row: Row, found: Results) -> tuple[str, ...]:
    likelihoods = [NONE, NONE]
    if row.kind == "C":
        likelihoods = [found.summary(nll(which)).text(".3f") for which in (0, 1)]
    steps = NONE
    if found:
        steps = str(found[0].cell.recipe["trainer"]["steps"])
    return (
        label(row),
        f"{row.wires}, {row.layers}",
        str(row.batch_size),
        str(row.events),
        steps,
        _size(found, "in cores"),
        found.summary(distance("S2")).text(),
        found.summary(distance("W1")).text(),
        found.summary(distance("W1 of layers")).text(),
        *likelihoods,
    )


def _staged(results: Results) -> Table:
    """Full showers in two stages."""
    rows: list[tuple[str, ...]] = []
    for row in (grid.STAGED_TRUTH, *grid.STAGED):
        found = staged_seeds(results, row)
        texts = [found.summary(shower_separation("all")).text()]
        texts += [found.summary(shower_separation(name)).text() for name in FAMILIES]
        texts.append(found.summary(frechet()).text())
        texts.append(found.summary(shower_separation("all", TO_SIMULATED)).text())
        sizes = [NONE, NONE]
        if row != grid.STAGED_TRUTH:
            sizes = [
                _size(found, "parameters"),
                found.summary(training_seconds).text(),
            ]
        compared = NONE
        if row.variant == "ring":
            twin = staged_seeds(results, replace(row, variant="network"))
            compared = difference(found, twin, shower_separation("all")).text()
        rows.append((label(row), *sizes, *texts, compared))
    columns = (
        "showers",
        "parameters",
        "training, s",
        "S2",
        *FAMILIES,
        "FPD",
        "S2 to Geant4",
        "circuit - twin: S2",
    )
    notes = (
        "Full showers of photons by `staged`; the other stage is an `inn` with affine couplings of "
        "equal size. S2: mean over all families of histograms, to held-out events; FPD times 1000. "
        f"{OVER_SEEDS}. {PAIRED}.",
    )
    return Table("Full showers in two stages", columns, rows, notes)


def _pions(results: Results) -> Table:
    """The flow on pions, if their file was given."""
    rows: list[tuple[str, ...]] = []
    columns = ("model", *DISTANCES, "NLL", "circuit - twin: W1 of layers", "circuit - twin: NLL")
    for row in grid.of_pions():
        found = seeds_of(results, "pions", row)
        if not found:
            continue
        texts = [found.summary(distance(name)).text() for name in DISTANCES]
        likelihood = NONE
        differences = [NONE, NONE]
        if row.kind == "C":
            likelihood = found.summary(nll()).text(".3f")
        if row.variant == "ring":
            twin = seeds_of(results, "pions", replace(row, variant="network"))
            differences = []
            for name in ("W1 of layers", "NLL"):
                differences.append(difference(found, twin, VERDICTS[name]).text())
        rows.append((label(row), *texts, likelihood, *differences))
    if not rows:
        rows.append(("missing: the file of pions was not given", *[NONE] * (len(columns) - 1)))
    notes = (
        f"Charged pions of {grid.INCIDENT / 1000:g} GeV in 7 layers, of data set 1 of the "
        f"CaloChallenge (option `pions`). {MEASURES} {OVER_SEEDS}.",
    )
    return Table("Layer energies of pions", columns, rows, notes)


def _document(results: Results) -> Table:
    """The document's run beside the full setting and what was run."""
    full = grid.FULL
    rows: list[tuple[str, ...]] = []

    def epochs(length: str) -> str:
        for result in results:
            if result.cell.tags.get("length") == length and "C" in str(result.cell.tags["kind"]):
                return f"{_epochs(result.cell.recipe):g}"
        return MISSING

    def seeds(part: str) -> str:
        of_part = [result.cell.tags for result in results if result.cell.tags["part"] == part]
        return str(len({tags["seed"] for tags in of_part}))

    def size(*names: str) -> str:
        """A number of the recipe of the first circuit."""
        found: Any = MISSING
        for result in results:
            if result.cell.tags["kind"] == "B":
                found = result.cell.recipe
                for name in names:
                    found = found[name]
                break
        return str(found)

    floor = seeds_of(results, "truth", grid.TRUTH).first()
    compared = MISSING
    if floor is not None:
        compared = str(floor["events"][1])
    numbers = ", ".join(map(str, _numbers(results))) or NONE
    rate = full.gan_rate
    rows = [
        ("photons", "Geant4, ATLAS open data", "stand-in, GFlash", "stand-in, GFlash"),
        ("training events", "1000", "1000", "1000"),
        ("held-out and generated events", NONE, str(full.held_out), compared),
        ("epochs, rows at full length", "2000", str(full.epochs["full"]), epochs("full")),
        ("epochs, all other rows", NONE, str(full.epochs["short"]), epochs("short")),
        ("seeds at full length", "1 (A)", str(full.seeds), seeds("length")),
        ("seeds of controls", NONE, str(full.seeds), seeds("controls")),
        ("seeds of other circuits and sizes", NONE, str(full.other_seeds), seeds("others")),
        ("other numbers of events", NONE, ", ".join(map(str, full.numbers)), numbers),
        ("batch, noise, penalty", "10, 10, 20", "10, 10, 20", "10, 10, 20"),
        ("wires, layers", "6, 2", "6, 2; 4, 1; 8, 3", "6, 2; 4, 1; 8, 3"),
        ("widths of the perceptron", "100, 64", "100, 64", "100, 64"),
        ("critic, its updates a step", "not given", "100, 64; 1", "100, 64; 1"),
        ("learning rate of the GAN", "not given", f"{rate:g}", size("trainer", "learning_rate")),
        ("what is generated", "energies (not said of what)", "5 layers", "5 layers"),
    ]
    notes = (
        "Full length: A, B and C with the circuit as run, and their twins. The other controls have "
        "the short length; other capacities and batches are those of B and C, other numbers of "
        "events of C alone.",
    )
    columns = ("what", "document 003", "full setting", "this result")
    return Table("Against the document", columns, rows, notes)
