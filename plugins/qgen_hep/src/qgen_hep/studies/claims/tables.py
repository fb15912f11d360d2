"""The tables of the study ``claims``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qgen_core.studies import MISSING, NONE, Results, Table, plus_minus
from qgen_hep.studies.claims import grid
from qgen_hep.studies.claims.selection import (
    CAPACITY_LABELS,
    MODEL_LABELS,
    PART_LABELS,
    capacities,
    control_capacities,
    parameters_of,
    seeds_of,
    strengths,
)
from qgen_hep.studies.claims.verdicts import (
    BETTER,
    LEVEL,
    WORSE,
    Difference,
    comparisons,
    count,
    differences,
    of_codes,
    quality,
    under_noise,
    verdict,
    without_noise,
)
from qgen_hep.studies.shared.paired import UNSEEN
from qgen_hep.studies.shared.summary import OVER_SEEDS, mean_of_pairs

#: Models that learn nothing.
UNTRAINED = (grid.FROZEN, grid.GAUSSIAN)
OF_DISTANCES = (
    "MMD² is unbiased, with a Gaussian kernel of the median distance; W1 is the mean over columns. "
    "Both are against held-out events, in standard deviations of each column. True events: "
    "training events in place of generated ones, where ± is the mean of their deviation over "
    f"draws. Else {OVER_SEEDS}."
)
SOURCES: dict[grid.Part, str] = {
    "angle": "Events: electrons of 225 to 275 GeV in 8 pixels (`clic`, Geant4), a **stand-in** for "
    "those of document 004, as is the ansatz clic8. Noise: that of ibm_fez (emulated), times x. "
    "Exact expectations.",
    "style": "Events: pT, mass and eta of QCD jets (`jets`, PYTHIA 8), a **stand-in** for the top "
    "pairs of arXiv:2110.06933.",
    "latent": "Events: photons of 65.536 GeV in 368 voxels (`calo-photons`, Geant4), a "
    "**stand-in** for the images of arXiv:2406.02668. Circuits of "
    f"{grid.LATENT_LAYERS} layers; latents of square roots of energies.",
}


def tables(results: Results) -> list[Table]:
    """All of them."""
    return [
        _angle(results),
        _distances(results, "style"),
        _distances(results, "latent"),
        _differences(results),
        _verdicts(results),
        _trainings(results),
    ]


def _angle(results: Results) -> Table:
    floors = seeds_of(results, "angle", 0, grid.TRUTH)
    gaussian = seeds_of(results, "angle", 0, grid.GAUSSIAN).summary(quality)
    rows = [
        (NONE, MODEL_LABELS[grid.TRUTH], NONE, NONE, _mean_of(floors, "mmd2"), *[NONE] * 3),
        (NONE, MODEL_LABELS[grid.GAUSSIAN], NONE, NONE, gaussian.text(), *[NONE] * 3),
    ]
    for capacity in capacities(results, "angle"):
        for model in grid.MODELS:
            for strength in strengths(results):
                rows.append(_angle_row(results, capacity, model, strength))
    columns = (
        "layers",
        "model",
        "parameters",
        "x",
        "MMD² without noise",
        "MMD², trained without, under noise",
        "MMD², trained under noise",
        "a",
    )
    notes = (
        SOURCES["angle"],
        OF_DISTANCES,
        "Noise cannot act on the network. Where the circuit has noise, its numbers y are a y + b "
        "instead: the line nearest to the noisy expectations of the circuit with its first "
        f"parameters, which has {_least_share(results)} of their variance or more.",
    )
    return Table(PART_LABELS["angle"], columns, rows, notes)


def _angle_row(results: Results, capacity: int, model: str, strength: float) -> tuple[str, ...]:
    found = seeds_of(results, "angle", capacity, model)
    trained = NONE
    if model not in UNTRAINED:
        trained = found.summary(under_noise(strength, "trained")).text()
    slope = NONE
    if model == grid.TWIN:
        slope = found.summary(_slope(strength)).text()
    return (
        f"{capacity}",
        MODEL_LABELS[model],
        parameters_of(found),
        f"{strength:g}",
        found.summary(without_noise).text(),
        found.summary(under_noise(strength, "exposed")).text(),
        trained,
        slope,
    )


def _least_share(results: Results) -> str:
    """The least share of the variance of noisy expectations that a line has."""
    shares = []
    for capacity in capacities(results, "angle"):
        for data in seeds_of(results, "angle", capacity, grid.TWIN).values():
            shares += [told["effect"][2] for told in data["strengths"].values()]
    if not shares:
        return MISSING
    return f"{min(shares):.3f}"


def _slope(strength: float) -> Callable[[Any], float]:
    return lambda data: float(data["strengths"][f"{strength:g}"]["effect"][0])


def _distances(results: Results, part: grid.Part) -> Table:
    rows: list[tuple[str, ...]] = []
    for capacity in control_capacities(results, part):
        rows.append(_floor_row(results, part, capacity))
        if part == "latent":
            rows.append(_decoded_row(results, capacity))
        rows.append(_distance_row(results, part, capacity, grid.GAUSSIAN))
    for capacity in capacities(results, part):
        for model in grid.MODELS:
            rows.append(_distance_row(results, part, capacity, model))
    columns = [CAPACITY_LABELS[part], "events", "parameters", "MMD²", "W1"]
    if part == "latent":
        columns.append("MMD² of latents")
    return Table(PART_LABELS[part], columns, rows, _notes(results, part))


def _floor_row(results: Results, part: grid.Part, capacity: int) -> tuple[str, ...]:
    found = seeds_of(results, part, capacity, grid.TRUTH)
    texts = [_shown(capacity), MODEL_LABELS[grid.TRUTH], NONE]
    for name in ("mmd2", "W1"):
        texts.append(_mean_of(found, name))
    if part == "latent":
        texts.append(mean_of_pairs(found, lambda data: data["codes"]["mmd2"]))
    return tuple(texts)


def _mean_of(found: Results, name: str) -> str:
    return mean_of_pairs(found, lambda data: data[name])


def _decoded_row(results: Results, capacity: int) -> tuple[str, ...]:
    found = seeds_of(results, "latent", capacity, grid.TRUTH)
    return (
        _shown(capacity),
        "true events, encoded and decoded",
        NONE,
        found.summary(lambda data: quality(data["decoded"])).text(),
        found.summary(lambda data: float(data["decoded"]["W1"])).text(),
        NONE,
    )


def _shown(capacity: int) -> str:
    """The capacity of a row; a dash for 0, which stands for all."""
    if capacity:
        return f"{capacity}"
    return NONE


def _distance_row(results: Results, part: grid.Part, capacity: int, model: str) -> tuple[str, ...]:
    found = seeds_of(results, part, capacity, model)
    parameters = NONE
    if model != grid.GAUSSIAN:
        parameters = parameters_of(found)
    texts = [
        _shown(capacity),
        MODEL_LABELS[model],
        parameters,
        found.summary(quality).text(),
        found.summary(lambda data: float(data["W1"])).text(),
    ]
    if part == "latent":
        texts.append(found.summary(of_codes).text())
    return tuple(texts)


def _notes(results: Results, part: grid.Part) -> list[str]:
    notes = [SOURCES[part], OF_DISTANCES]
    if part == "latent":
        lost = []
        for capacity in control_capacities(results, part):
            found = seeds_of(results, part, capacity, grid.TRUTH)
            share = found.summary(lambda data: float(data["unexplained"])).text()
            lost.append(f"{share} with {capacity} latents")
        notes.append(
            "Encoded and decoded: held-out events through the autoencoder. A model that knows the "
            "distribution of the latents exactly makes these. Of the variance of the energies the "
            f"autoencoder loses a share of {', '.join(lost) or NONE}."
        )
    return notes


def _differences(results: Results) -> Table:
    rows = []
    for comparison in comparisons(results):
        for one in differences(results, comparison):
            rows.append(
                (
                    PART_LABELS[comparison.part],
                    comparison.quantity,
                    comparison.against,
                    f"{one.capacity}",
                    one.parameters,
                    _mean_and_error(one),
                    _probability(one),
                    one.verdict,
                )
            )
    columns = (
        "part",
        "quantity",
        "circuit minus",
        "capacity",
        "parameters",
        "difference",
        "p",
        "circuit is",
    )
    notes = (
        "The mean over seeds of the difference, with its standard error: below 0 the circuit is "
        "better. Pairs with one seed have the same events. p: how often chance alone shows as much "
        "(Student's t), adjusted by Holm's rule for the capacities of the comparison. A difference "
        f"is seen if p is at most {LEVEL:g}.",
    )
    return Table("Differences", columns, rows, notes)


def _mean_and_error(one: Difference) -> str:
    if not one.paired.count:
        return NONE
    if one.paired.count == 1:
        return f"{one.paired.mean:.3g}"
    return plus_minus(one.paired.mean, one.paired.error, of_error=".2g")


def _probability(one: Difference) -> str:
    if one.paired.count < 2:
        return NONE
    return f"{one.probability:.2g}"


def _verdicts(results: Results) -> Table:
    rows = []
    for comparison in comparisons(results):
        found = differences(results, comparison)
        rows.append(
            (
                PART_LABELS[comparison.part],
                comparison.quantity,
                comparison.against,
                *(f"{count(found, word)}" for word in (BETTER, WORSE, UNSEEN)),
                verdict(found),
            )
        )
    columns = ("part", "quantity", "circuit against", BETTER, WORSE, UNSEEN, "verdict")
    notes = (
        "At how many capacities the circuit is better or worse by the table of differences. There "
        f"is a verdict with {grid.LEAST_SEEDS} seeds of every row. For an advantage the "
        "circuit has to be better than the network of equal size: a frozen circuit only says "
        "whether training helps.",
    )
    return Table("Verdicts", columns, rows, notes)


def _trainings(results: Results) -> Table:
    full = grid.FULL
    rows = []
    for part in grid.PARTS:
        sizes = capacities(results, part)
        here = NONE
        seeds = NONE
        if sizes:
            circuits = seeds_of(results, part, sizes[0], grid.CIRCUIT)
            here = f"{circuits[0].cell.recipe['trainer']['steps']}"
            seeds = f"{len(circuits)}"
        rows.append(
            (
                PART_LABELS[part],
                CAPACITY_LABELS[part],
                _joined(sizes),
                _joined(full.capacities[part]),
                seeds,
                f"{full.seeds}",
                here,
                f"{full.steps[part]}",
            )
        )
    columns = (
        "part",
        "capacity",
        "here",
        "full setting",
        "seeds",
        "full setting, seeds",
        "steps",
        "full setting, steps",
    )
    strength = _joined(strengths(results))
    notes = (
        f"Noise x: {strength} here, {_joined(full.strengths)} in the full setting. Angle "
        f"generators: adam, {grid.IMAGES} images a step. The others: WGAN with a gradient penalty, "
        f"{grid.CRITIC_UPDATES} updates of the critic before each step, {grid.BATCH} events.",
    )
    return Table("Trainings", columns, rows, notes)


def _joined(numbers: Any) -> str:
    return ", ".join(f"{number:g}" for number in numbers) or NONE
