"""Tables of the study ``reversible``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qgen_core.studies import MISSING, NONE, Results, Summary, Table
from qgen_hep.studies.reversible import grid
from qgen_hep.studies.shared.paired import LEVEL
from qgen_hep.studies.shared.summary import OVER_SEEDS

SAMPLE_LABELS = {"energies": "Layer energies", "mass": "Z mass"}
COLUMNS = {"energies": ("layer 1", "layer 2"), "mass": ("mass",)}
LABELS = {grid.TRUTH: "true events (floor)"}
MEASURES = ("W1", "S2", "chi2")
TEXTS = {"W1": "W1", "S2": "S2", "chi2": "chi2/ndf"}


def tables(results: Results) -> list[Table]:
    """All of them."""
    found = [_measures(results, sample) for sample in grid.SAMPLES]
    return [*found, _inversion(results), _differences(results), _sizes(results)]


def label_of(model: str) -> str:
    """The name of a row."""
    return LABELS.get(model, model)


def seeds_of(results: Results, sample: str, model: str) -> Results:
    """The seeds of a row."""
    return results.where(sample=sample, model=model)


def source_of(results: Results) -> str:
    """Where the masses come from, in words."""
    for result in results.where(sample="mass"):
        if "sha256" in result.cell.recipe["dataset"]:
            return "pairs of muons measured by CMS (2011, 7 TeV, open data)"
    return "a **stand-in**: Breit-Wigner with a resolution, no file was given"


def normalised_nll(data: Any) -> float:
    """NLL of the density divided by its integral."""
    return float(data["nll"] + np.log(data.get("integral", 1.0)))


def _measures(results: Results, sample: str) -> Table:
    rows = []
    for model in (grid.TRUTH, *grid.MODELS):
        found = seeds_of(results, sample, model)
        texts = [label_of(model)]
        if model == grid.TRUTH:
            texts += [NONE] * 3
        else:
            texts.append(found.summary(lambda data: float(data["parameters"])).text(".0f"))
            texts.append(found.summary(lambda data: float(data["nll"])).text(".3f"))
            texts.append(found.summary(normalised_nll).text(".3f"))
        for measure in MEASURES:
            for place in range(len(COLUMNS[sample])):
                texts.append(found.summary(_number(measure, place)).text())
        if sample == "energies":
            texts.append(found.summary(_number("correlation", 1)).text(".3f"))
        texts.append(found.summary(_outside).text())
        rows.append(tuple(texts))
    columns = ["events", "parameters", "NLL", "NLL, normalised"]
    for measure in MEASURES:
        columns += [f"{TEXTS[measure]}, {name}" for name in COLUMNS[sample]]
    if sample == "energies":
        columns.append("correlation")
        source = "Geant4, layers 1 and 2 of `calo-photons`, 65.536 GeV"
    else:
        source = source_of(results)
    columns.append("outside")
    notes = (
        f"Source: {source}. Against held-out events: NLL in nats, 0 for a flat density in the "
        "window; normalised: of the density divided by its integral, which is 1 for all but giqnn. "
        "W1 in standard deviations, separation power S2 and chi2/ndf in 30 equal bins of the "
        "window; the share of generated events outside of it. "
        f"{OVER_SEEDS}; no ± where there is one seed.",
    )
    return Table(f"{SAMPLE_LABELS[sample]}: measures", tuple(columns), rows, notes)


def _number(measure: str, place: int) -> Callable[[Any], float]:
    return lambda data: float(data[measure][place])


def _outside(data: Any) -> float:
    return float(max(data["outside"]))


def _inversion(results: Results) -> Table:
    rows = []
    for sample, name in SAMPLE_LABELS.items():
        for model in grid.MODELS:
            if not model.startswith("giqnn"):
                continue
            found = seeds_of(results, sample, model)
            texts = [name, model]
            for number, form in (
                ("mean fidelity", ".5f"),
                ("worst round trip", ".3g"),
                ("min |det J|", ".3g"),
                ("folded", ".3g"),
            ):
                texts.append(found.summary(_of_inversion(number)).text(form))
            texts.append(found.summary(lambda data: float(data["integral"])).text(".3f"))
            verdicts = sorted({str(data["verdict"]) for data in found.values()})
            texts.append(" or ".join(verdicts) or MISSING)
            rows.append(tuple(texts))
    columns = (
        "sample",
        "model",
        "mean fidelity",
        "worst round trip",
        "min abs(det J)",
        "folded",
        "integral",
        "verdict",
    )
    notes = (
        "On held-out events, in encoded units (standard deviations). Folded: the share of events "
        "where det J has the sign of fewer events. Integral of the density over +-12 standard "
        "deviations: below 1 where circuits do not reach all latents, above 1 where maps fold. A "
        f"model is called invertible when its worst round trip is at most 0.001. {OVER_SEEDS}.",
    )
    return Table("How far giqnn is invertible", columns, rows, notes)


def _of_inversion(number: str) -> Callable[[Any], float]:
    return lambda data: float(data["invertibility"][number])


def _differences(results: Results) -> Table:
    rows = []
    for sample, name in SAMPLE_LABELS.items():
        for model in grid.QUANTUM:
            texts = [name, model]
            for other in (model + grid.FROZEN, *grid.CLASSICAL):
                texts.append(_difference(results, sample, model, other))
            rows.append(tuple(texts))
    columns = ("sample", "model", "less frozen", "less inn", "less histogram")
    notes = (
        "The difference of normalised NLL, seed by seed on the same held-out events: below 0 the "
        f"model is better. {OVER_SEEDS}; a difference is seen if it is larger than the standard "
        "error of the mean (± / sqrt of the seeds) times the quantile of Student's t for "
        f"{LEVEL:.0%} and the number of seeds.",
    )
    return Table("Differences of NLL", columns, rows, notes)


def _difference(results: Results, sample: str, model: str, other: str) -> str:
    found: list[float | None] = []
    for (seed,), of_model in seeds_of(results, sample, model).groups("seed").items():
        first = of_model.first()
        second = results.where(sample=sample, model=other, seed=seed).first()
        if first is None or second is None:
            found.append(None)
        else:
            found.append(normalised_nll(first) - normalised_nll(second))
    return Summary.of(found).text(".3f")


def _sizes(results: Results) -> Table:
    rows = []
    for model in grid.MODELS:
        texts = [model]
        for sample in grid.SAMPLES:
            found = seeds_of(results, sample, model)
            if model == "histogram" or not len(found):
                texts += [NONE, NONE]
                continue
            trainer = found[0].cell.recipe["trainer"]
            trained = found[0].cell.measurements["compared"]["trained"]
            if not trained:
                texts += ["not trained", NONE]
                continue
            texts.append(f"{trainer['steps']} steps of {trainer['batch_size']}")
            texts.append(found.summary(lambda data: float(data["seconds"])).text(".2g"))
        rows.append(tuple(texts))
    columns = ["model"]
    for sample in grid.SAMPLES:
        columns += [f"{SAMPLE_LABELS[sample]}: training", "processor s"]
    full = ", ".join(
        f"{SAMPLE_LABELS[sample]} {'/'.join(map(str, parts))}"
        for sample, parts in grid.FULL.parts.items()
    )
    here = []
    for sample in grid.SAMPLES:
        found = seeds_of(results, sample, "inn")
        if len(found):
            here.append(f"{SAMPLE_LABELS[sample]} {_parts(found[0].cell.recipe)}")
    notes = (
        f"Training/validation/held-out events: {', '.join(here) or MISSING} here, {full} in the "
        f"full setting, which has {grid.FULL.seeds} seeds and {grid.FULL.steps[0]} steps of "
        f"circuits, {grid.FULL.steps[1]} of giqnn and {grid.FULL.steps[2]} of inn.",
    )
    return Table("Trainings", tuple(columns), rows, notes)


def _parts(recipe: Any) -> str:
    """The number of events in each part."""
    dataset = recipe["dataset"]
    events = dataset.get("of", dataset)["events"]
    return "/".join(str(round(share * events)) for share in recipe["split"])
