"""Tables of the study ``calo``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qgen_core.studies import MISSING, NONE, Cell, Results, Table, plus_minus
from qgen_hep.calorimeters.distances import BATCH, LEAST_DRAWN, MOST_DRAWN
from qgen_hep.calorimeters.telling_apart import OTHER_SPLIT, PROTOCOL, SPLITS
from qgen_hep.studies.calo import grid, published
from qgen_hep.studies.calo.selection import (
    MODEL_LABELS,
    PLACES,
    SAMPLE_LABELS,
    TASK_LABELS,
    TRUTH,
    Place,
    measure,
    milliseconds,
    protocols,
    seeds_of,
    separation,
)
from qgen_hep.studies.shared.paired import LEVEL, difference
from qgen_hep.studies.shared.summary import OVER_SEEDS

TO_STAND_IN = "to stand-in"
TO_SIMULATED = "to simulated"
NEIGHBOURS = ("precision", "recall", "density", "coverage")
#: Distances are published in units of this.
THOUSANDTH = 1000.0
#: What the protocol asks for, in the table of sizes.
ASKED_NEIGHBOURS = 5_000
FAMILIES = (
    "E_tot/E_inc",
    "E_layer",
    "EC_eta",
    "EC_phi",
    "width_eta",
    "width_phi",
    "EC_r",
    "width_r",
    "sparsity",
    "voxels",
)


def tables(results: Results) -> list[Table]:
    """All of them."""
    found = [_measures(results, place) for place in PLACES]
    return [
        *found,
        _to_floor(results),
        _families(results),
        _simulated(results),
        _protocol(results),
        _sizes(results),
        _reductions(results),
    ]


def _measures(results: Results, place: Place) -> Table:
    """Every measure of a sample and a task."""
    rows = [_measured(results, place, model) for model in place.rows]
    notes = [
        "To held-out events of the stand-in: S2, the mean separation power over the families of "
        "histograms, and the share of values outside of their bins; AUC and JSD of networks of "
        "voxels (low) and of high-level features (high); FPD and KPD times 1000. Last two columns: "
        "to showers of Geant4; in the row of true events the stand-in's own distance to them. "
        f"{OVER_SEEDS}. ms: processor time for a shower, decoding included; the largest batch is "
        "that of all generated events. The table of sizes says what is smaller than the "
        "CaloChallenge asks for; the floor is at the same sizes.",
    ]
    if place == Place("photons", "showers"):
        rows += [_submitted(one) for one in published.SUBMISSIONS]
        notes.append(
            f"Published rows: {published.SOURCE}, **of other data**: Geant4 showers of data set 1 "
            "(photons of 15 energies) and 2 (electrons), with full samples and the full protocol, "
            "on other computers. They cannot be compared with our rows one by one."
        )
    columns = (
        "showers",
        "S2",
        "outside",
        "AUC, low",
        "AUC, high",
        "JSD, low",
        "JSD, high",
        "FPD",
        "KPD",
        *NEIGHBOURS,
        "ms, batch 1",
        "ms, batch 100",
        "ms, largest batch",
        "S2 to Geant4",
        "FPD to Geant4",
    )
    return Table(f"Measures: {place.text}", columns, rows, notes)


def _measured(results: Results, place: Place, model: str) -> tuple[str, ...]:
    found = seeds_of(results, place, model)
    texts = [
        found.summary(separation(place.task, TO_STAND_IN)).text(),
        found.summary(separation(place.task, TO_STAND_IN, 2)).text(),
    ]
    for name in ("AUC low", "AUC high", "JSD low", "JSD high"):
        texts.append(found.summary(measure(TO_STAND_IN, name)).text(".3f"))
    for name in ("FPD", "KPD"):
        texts.append(found.summary(measure(TO_STAND_IN, name, THOUSANDTH)).text())
    for name in NEIGHBOURS:
        texts.append(found.summary(measure(TO_STAND_IN, name)).text(".3f"))
    for batch in range(3):
        if model == TRUTH:
            texts.append(NONE)
        else:
            texts.append(found.summary(milliseconds(batch)).text(".2g"))
    texts.append(found.summary(separation(place.task, TO_SIMULATED)).text())
    texts.append(found.summary(measure(TO_SIMULATED, "FPD", THOUSANDTH)).text())
    return (MODEL_LABELS[model], *texts)


def _to_floor(results: Results) -> Table:
    """Each model minus true events, seed by seed."""
    rows: list[tuple[str, ...]] = []
    for place in PLACES:
        floor = seeds_of(results, place, TRUTH)
        numbers = {
            "S2": separation(place.task, TO_STAND_IN),
            "AUC, low": measure(TO_STAND_IN, "AUC low"),
            "AUC, high": measure(TO_STAND_IN, "AUC high"),
            "FPD": measure(TO_STAND_IN, "FPD", THOUSANDTH),
        }
        for model in grid.MODELS[place.task]:
            found = seeds_of(results, place, model)
            texts = [difference(found, floor, number).text() for number in numbers.values()]
            sample = SAMPLE_LABELS[place.sample]
            rows.append((sample, TASK_LABELS[place.task], MODEL_LABELS[model], *texts))
    columns = ("sample", "task", "showers", "S2", "AUC, low", "AUC, high", "FPD")
    notes = (
        "The model minus true events, both to the same held-out events of the stand-in; less is "
        "better. Mean over the seeds and its standard error. A difference is seen if it is larger "
        f"than the error times the quantile of Student's t for {LEVEL:.0%} and the number of "
        f"seeds, which chance alone does in {1 - LEVEL:.0%} of them; one seed has no verdict.",
    )
    return Table("Against true events", columns, rows, notes)


def _submitted(one: published.Submission) -> tuple[str, ...]:
    """A published row."""
    name = f"published, data set {one.data_set}: {one.model}"
    times = [NONE] * 3
    if one.milliseconds is not None:
        times = [f"{milliseconds:g}" for milliseconds in one.milliseconds]
    auc = [f"{value:.3f}" for value in one.auc]
    distances = (f"{one.fpd:g}", f"{one.kpd:g}")
    return (name, NONE, NONE, *auc, NONE, NONE, *distances, *[NONE] * 4, *times, NONE, NONE)


def _families(results: Results) -> Table:
    """The separation power by families of histograms, in full showers."""
    rows: list[tuple[str, ...]] = []
    for sample, label in SAMPLE_LABELS.items():
        place = Place(sample, "showers")
        for model in place.rows:
            found = seeds_of(results, place, model)
            texts = [found.summary(_family(family)).text() for family in FAMILIES]
            rows.append((label, MODEL_LABELS[model], *texts))
    for model, powers in published.SEPARATIONS.items():
        texts = []
        for family in FAMILIES:
            texts.append(f"{powers[family]:g}" if family in powers else NONE)
        rows.append(("data set 1", f"published: {model}", *texts))
    notes = (
        "Mean over the layers, to held-out events of the stand-in; full showers. "
        f"{OVER_SEEDS}. Published: {published.SOURCE}, of other data (data set 1, 15 energies).",
    )
    return Table("Separation power by feature", ("sample", "showers", *FAMILIES), rows, notes)


def _family(name: str) -> Any:
    return lambda data: float(data[TO_STAND_IN]["S2"][name][0])


def _simulated(results: Results) -> Table:
    """Every measure to Geant4 but those of networks."""
    rows: list[tuple[str, ...]] = []
    for place in PLACES:
        for model in place.rows:
            found = seeds_of(results, place, model)
            texts = [found.summary(separation(place.task, TO_SIMULATED)).text()]
            for name in ("FPD", "KPD"):
                texts.append(found.summary(measure(TO_SIMULATED, name, THOUSANDTH)).text())
            for name in NEIGHBOURS:
                texts.append(found.summary(measure(TO_SIMULATED, name)).text(".3f"))
            label = MODEL_LABELS[model]
            if model == TRUTH:
                label = "the stand-in itself"
            sample = SAMPLE_LABELS[place.sample]
            rows.append((sample, TASK_LABELS[place.task], label, *texts))
    columns = ("sample", "task", "showers", "S2", "FPD", "KPD", *NEIGHBOURS)
    notes = (
        "To showers simulated by Geant4, which no model was trained on; FPD and KPD times 1000. A "
        "model of the stand-in cannot be expected to be nearer than the stand-in itself. Networks "
        f"are not asked: they would tell the generators apart. {OVER_SEEDS}.",
    )
    return Table("Distances to Geant4", columns, rows, notes)


def _protocol(results: Results) -> Table:
    """The networks of the CaloChallenge in full size, for one seed of one model."""
    rows: list[tuple[str, ...]] = []
    for result in protocols(results):
        level = str(result.cell.measurements["protocol"]["level"])
        label = MODEL_LABELS[str(result.cell.tags["model"])]
        data = result.data()
        if data is None:
            rows.append((label, level, MISSING, MISSING, NONE, NONE))
            continue
        texts = []
        for name in ("AUC", "JSD"):
            value, error = data[name]
            texts.append(plus_minus(value, error, ".3f"))
        parts = "/".join(map(str, data["split"]))
        rows.append((label, level, *texts, parts, str(data["batch"])))
    if not rows:
        rows.append(("left out in this setting", *[NONE] * 5))
    columns = ("showers", "network of", "AUC", "JSD", "train/test/judge", "batch")
    widths = "-".join(map(str, PROTOCOL.widths))
    notes = (
        f"Photons, full showers, seed 1: hidden layers {widths}, {PROTOCOL.epochs} epochs, "
        f"{PROTOCOL.precision}; ± is the error of the judged events alone. Parts and batches are "
        f"smaller in proportion than {'/'.join(map(str, SPLITS['photon']))} in batches of "
        f"{PROTOCOL.batch_size}.",
    )
    return Table("The full protocol of the classifiers", columns, rows, notes)


def _sizes(results: Results) -> Table:
    """How large samples and their parts are, and what the protocol asks for."""
    rows: list[tuple[str, ...]] = []
    for place in PLACES:
        data = seeds_of(results, place, TRUTH).first()
        if data is None:
            rows.append((place.text, MISSING, *[NONE] * 7))
            continue
        found = data[TO_STAND_IN]
        train, held_out, generated = data["events"]
        rows.append(
            (
                place.text,
                f"{train}",
                f"{held_out} and {generated}",
                "/".join(map(str, found["split"])),
                f"{found['batch']}",
                "{} to {}".format(*found["subsets"]),
                f"{found['kernel batch']}",
                f"{found['neighbours']}",
                f"{data['simulated events']}",
            )
        )
    photons = "/".join(map(str, SPLITS["photon"]))
    others = "/".join(map(str, OTHER_SPLIT))
    rows.append(
        (
            "CaloChallenge",
            "121000",
            "121000 and 121000",
            f"{photons} (photons), {others} (others)",
            f"{PROTOCOL.batch_size}",
            f"{LEAST_DRAWN} to {MOST_DRAWN}",
            f"{BATCH}",
            f"{ASKED_NEIGHBOURS}",
            NONE,
        )
    )
    columns = (
        "sample",
        "training events",
        "held out and generated",
        "classifiers: train/test/judge",
        "their batch",
        "FPD: subsets",
        "KPD: batch",
        "neighbours among",
        "Geant4",
    )
    here = _classifiers([result.cell for result in results])
    full = _classifiers(grid.truths(grid.FULL, 1))
    notes = (
        "Events of each sample. The last row is that of photons in data set 1. Classifiers: "
        f"{here} here, {full} in the full setting, "
        f"{'-'.join(map(str, PROTOCOL.widths))}, {PROTOCOL.epochs} epochs and "
        f"{PROTOCOL.precision} in the CaloChallenge.",
    )
    return Table("Sizes of samples", columns, rows, notes)


def _classifiers(cells: Sequence[Cell]) -> str:
    """The networks of a setting."""
    for cell in cells:
        if cell.tags["part"] == "truth":
            options = cell.measurements["truth"]["measures"]
            widths = "-".join(map(str, options["widths"]))
            return f"{widths}, {options['epochs']} epochs and float32"
    return MISSING


def _reductions(results: Results) -> Table:
    """Networks and trainings of full showers beside those of the papers."""
    full = {}
    for model in grid.MODELS["showers"]:
        full[model] = grid.recipe("photons", "showers", model, 1, grid.FULL)
    rows: list[tuple[str, ...]] = []
    place = Place("photons", "showers")
    for model, network in published.NETWORKS.items():
        found = seeds_of(results, place, model)
        here = MISSING
        trained = MISSING
        if len(found):
            recipe = found[0].cell.recipe
            here = _network(recipe["generator"], recipe["loss"])
            trained = _training(recipe)
        label = MODEL_LABELS[model]
        of_full = _network(full[model]["generator"], full[model]["loss"])
        rows.append((label, "network", network, of_full, here))
        rows.append(
            (label, "training", published.TRAININGS[model], _training(full[model]), trained)
        )
        parameters = found.summary(lambda data: float(data["parameters"])).text(".0f")
        rows.append((label, "parameters", NONE, NONE, parameters))
    seeds = {int(str(result.cell.tags["seed"])) for result in results}
    rows.append(("all", "seeds", NONE, str(grid.FULL.seeds), str(len(seeds))))
    columns = ("model", "what", "paper", "full setting", "this result")
    share = grid.FULL.sizes["showers", "wgan"].steps / 1e6
    notes = (
        "Photons, full showers. Papers: CaloINN (arXiv:2312.09290), its settings for pions of data "
        "set 1; CaloDREAM (arXiv:2405.09629), data set 2; FastCaloGAN (ATL-SOFT-PUB-2020-006), "
        f"whose learning rate is 1e-4. The full setting of wgan has {share:g} of its iterations. "
        "All models are in float32.",
    )
    return Table("Against the papers", columns, rows, notes)


def _network(generator: Mapping[str, Any], loss: Mapping[str, Any]) -> str:
    """A generator in words."""
    name = generator["name"]
    if name == "staged":
        energies = _network(generator["energies"], loss)
        return f"energies: {energies}; shapes: {_network(generator['shapes'], loss)}"
    if name == "wgan":
        critic = loss["critic"]["widths"]
        return f"50-100-200, critic {_widths(critic)}"
    if name == "dit":
        tokens = sum(number for number, _ in generator["tokens"])
        solver = f"{generator['solver']} of {generator['steps']} steps"
        features = generator["features"]
        return f"width {features}, {generator['blocks']} blocks, {tokens} tokens, {solver}"
    if name == "cfm":
        solver = f"{generator['solver']} of {generator['steps']} steps"
        return f"{_widths(generator['widths'])}, {solver}"
    couplings = generator.get("univariate", "splines of 8 bins")
    return f"{generator['blocks']} blocks, {_widths(generator['widths'])}, {couplings}"


def _widths(widths: Sequence[int]) -> str:
    """Layers of equal width in short.

    >>> _widths([64, 64]), _widths([64])
    ('2 x 64', '1 x 64')
    """
    return f"{len(widths)} x {widths[0]}"


def _training(recipe: Mapping[str, Any]) -> str:
    """Steps, batches and epochs of a recipe."""
    trainer = recipe["trainer"]
    dataset = recipe["dataset"]
    events = round(recipe["split"][0] * dataset.get("of", dataset)["events"])
    epochs = trainer["steps"] * trainer["batch_size"] / events
    text = f"{trainer['steps']} steps, batches of {trainer['batch_size']}, {epochs:.3g} epochs"
    if recipe["loss"]["name"] == "adversarial":
        rate = trainer["learning_rate"]
        text += f", {recipe['loss']['updates']} critic updates a step, learning rate {rate:g}"
    return text
