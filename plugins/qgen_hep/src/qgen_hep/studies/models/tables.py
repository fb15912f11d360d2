"""Tables of the study ``models``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.studies import MISSING, NONE, Results, Table, plus_minus
from qgen_hep.studies.models import grid
from qgen_hep.studies.models.selection import (
    SIMULATED,
    TASK_LABELS,
    Benchmark,
    Measured,
    label_of,
    rows_of,
)
from qgen_hep.studies.shared.paired import LEVEL, Paired
from qgen_hep.studies.shared.summary import OVER_SEEDS

#: Costs, by the text of their column, and its format.
COSTS = {
    "parameters": ("parameters", ".0f"),
    "training": ("training, s", ".3g"),
    "batch 1": ("ms, batch 1", ".2g"),
    "batch 100": ("ms, batch 100", ".2g"),
    "generating": ("ms, largest batch", ".2g"),
}
#: Numbers of the tables by task.
NUMBERS: dict[str, tuple[str, ...]] = {
    "energies": (
        "S2(E_tot/E_inc)",
        "S2(E_layer)",
        "energy-sum chi2/ndf",
        "correlation loss",
        "FPD",
        "AUC (low)",
    ),
    "showers": (
        "S2(E_tot/E_inc)",
        "S2(E_layer)",
        "S2(EC_eta)",
        "S2(width_eta)",
        "S2(sparsity)",
        "S2(voxels)",
        "FPD",
        "AUC (low)",
    ),
}
#: Numbers by which quantum models and their twins are compared; smaller is better.
COMPARED = ("S2(E_tot/E_inc)", "S2(E_layer)", "correlation loss", "FPD", "AUC (low)")
#: The number of a network, which a setting may leave out.
OF_NETWORKS = "AUC (low)"
#: What is not measured to Geant4.
NOT_TO_SIMULATED = ("FPD", OF_NETWORKS)
#: With one seed it is not known how much trainings differ.
ONE_SEED = "one seed: not known"
KINDS = {
    "quantum": "quantum",
    "twin": "twin of {of}",
    "frozen": "circuit not trained",
    "classical": "classical",
    "control": "control",
}


def tables(results: Results) -> list[Table]:
    """All of them."""
    found = []
    for task in grid.TASKS:
        found.append(_benchmark(results, task))
    return [
        *found,
        _twins(results),
        *[_simulated(results, task) for task in grid.TASKS],
        _sizes(results),
    ]


def _benchmark(results: Results, task: str) -> Table:
    """Quality and cost of all models of a task."""
    found = Benchmark.of(results, task)
    names = _numbers(results, task)
    rows = []
    for model in rows_of(task):
        costs = [_cost(found, name, model) for name in COSTS]
        numbers = [found.text(number, model) for number in names]
        rows.append((label_of(model), _kind(model), *costs, *numbers))
    columns = ("showers", "what", *[text for text, _ in COSTS.values()], *names)
    notes = [
        "To held-out events of the stand-in; in brackets the floor, the same number between two "
        f"samples of the reference. {_meaning(results)} Costs are of a processor core: seconds of "
        "the training, and milliseconds a shower with decoding, where the largest batch is that of "
        "all generated events. S2 is a separation power; the AUC, which the quick setting leaves "
        "out, is that of a network of energies. The twin of qag has 5 parameters more, those of "
        "the constant condition, which have no effect. The frozen parameters of qag, "
        "hybrid-vae and qinn are not counted, as no training can change them.",
        *[f"Warning: {warning}" for warning in found.warnings],
    ]
    return Table(f"Quality and cost: {TASK_LABELS[task]}", columns, rows, notes)


def _numbers(results: Results, task: str) -> list[str]:
    """The numbers of a task; without that of a network if the setting leaves it out."""
    asked = set()
    for result in results:
        asked |= {metric["name"] for metric in result.cell.recipe["metrics"]}
    names = list(NUMBERS[task])
    if grid.NETWORK not in asked:
        names.remove(OF_NETWORKS)
    return names


def _meaning(results: Results) -> str:
    """What ± is."""
    seeds = {str(result.cell.tags["seed"]) for result in results if result.data() is not None}
    if len(seeds) > 1:
        return f"{OVER_SEEDS}."
    return "± is the uncertainty from the numbers of events alone, since there is one seed."


def _kind(model: str) -> str:
    """What a row is, in words."""
    if model not in grid.MODELS:
        return NONE
    found = grid.MODELS[model]
    return KINDS[found.kind].format(of=found.of)


def _cost(found: Benchmark, name: str, model: str) -> str:
    if model not in grid.MODELS:
        return NONE
    number = found.cost(name, model)
    if number is None:
        return MISSING
    return f"{number:{COSTS[name][1]}}"


def _twins(results: Results) -> Table:
    """Quantum models beside their twins and frozen controls."""
    rows = []
    for task in grid.TASKS:
        found = Benchmark.of(results, task)
        for quantum in grid.OF_TASK[task]:
            if grid.MODELS[quantum].kind != "quantum":
                continue
            for number in _compared(results, task):
                rows.append((TASK_LABELS[task], *_beside(found, quantum, number)))
    columns = (
        "task",
        "model",
        "number",
        "quantum",
        "twin",
        "frozen",
        "quantum - twin",
        "against the twin",
        "quantum - frozen",
        "against the frozen one",
    )
    notes = (
        "A twin has as many parameters as the quantum model, or as nearly so as its layers allow; "
        "frozen: the same model, of which the circuit keeps its first parameters. Differences have "
        "the standard error of paired differences over seeds; one is seen if it is larger than the "
        f"error times the quantile of Student's t for {LEVEL:.0%} and the number of seeds, which "
        f"chance alone does in {1 - LEVEL:.0%} of them. With one seed they have the uncertainty of "
        "both numbers from the numbers of events, and what another training would change is not "
        "known.",
    )
    return Table("Quantum models, twins and frozen circuits", columns, rows, notes)


def _compared(results: Results, task: str) -> list[str]:
    """The numbers of a task by which quantum models and their twins are compared."""
    return [number for number in COMPARED if number in _numbers(results, task)]


def _beside(found: Benchmark, quantum: str, number: str) -> tuple[str, ...]:
    """A number of a quantum model, its twin and its frozen control, and their differences."""
    own = found.measured(number, quantum)
    texts = [grid.MODELS[quantum].label, number, _value(own)]
    differences: list[str] = []
    for name in (grid.TWINS.get(quantum, f"{quantum}-twin"), f"{quantum}-frozen"):
        other = found.measured(number, name)
        texts.append(_value(other))
        differences += _difference(own, other)
    return (*texts, *differences)


def _value(found: Measured | None) -> str:
    if found is None:
        return MISSING
    return plus_minus(found.value, found.uncertainty)


def _difference(own: Measured | None, other: Measured | None) -> list[str]:
    """The difference with its uncertainty, and in words."""
    if own is None or other is None or len(own.values) != len(other.values):
        return [MISSING, MISSING]
    found = Paired.of(own.values, other.values)
    if found.count == 1:
        error = float(np.hypot(own.uncertainty, other.uncertainty))
        return [plus_minus(found.mean, error), ONE_SEED]
    return [plus_minus(found.mean, found.error), found.verdict()]


def _simulated(results: Results, task: str) -> Table:
    """The same numbers to Geant4."""
    found = Benchmark.of(results, task, SIMULATED)
    names = [number for number in NUMBERS[task] if number not in NOT_TO_SIMULATED]
    rows = []
    for model in rows_of(task):
        label = label_of(model)
        if model == grid.TRUTH:
            label = "the stand-in itself"
        rows.append((label, *[found.text(number, model) for number in names]))
    notes = (
        "To showers simulated by Geant4, which no model was trained on. A model of the stand-in "
        "cannot be expected to be nearer than the stand-in itself. Networks are not asked, since "
        "they would tell the generators apart, and the Frechet distance takes too long. "
        f"{_meaning(results)}",
    )
    return Table(f"Distances to Geant4: {TASK_LABELS[task]}", ("showers", *names), rows, notes)


def _sizes(results: Results) -> Table:
    """Networks and trainings of this result and of the full setting."""
    rows = [("all", "seeds, events", _events(results), _full_events())]
    for task in grid.TASKS:
        for model in grid.OF_TASK[task]:
            here = MISSING
            for result in results:
                tags = result.cell.tags
                if tags["task"] == task and tags["model"] == model:
                    here = _training(result.cell.recipe)
            full = _training(grid.recipe(task, model, 1, grid.FULL))
            rows.append((TASK_LABELS[task], label_of(model), here, full))
    notes = (
        "Events: for training, for validation, and held out; as many are generated. Options that "
        "are not named are those by default.",
    )
    columns = ("task", "model", "this result", "full setting")
    return Table("What is reduced", columns, rows, notes)


def _events(results: Results) -> str:
    """Seeds and events of a result."""
    seeds = {str(result.cell.tags["seed"]) for result in results}
    for result in results:
        recipe = result.cell.recipe
        dataset = recipe["dataset"]
        events = dataset.get("of", dataset)["events"]
        parts = [round(share * events) for share in recipe["split"]]
        return f"{len(seeds)}; {parts[0]}, {parts[1]}, {parts[2]}"
    return MISSING


def _full_events() -> str:
    chosen = grid.FULL.calo
    return f"{chosen.seeds}; {chosen.events}, {chosen.validation}, {chosen.held_out}"


def _training(recipe: Mapping[str, Any]) -> str:
    """Options of the model, steps and batches of a recipe.

    >>> model = {"name": "inn", "blocks": 4, "widths": [32, 32]}
    >>> _training({"generator": model, "trainer": {"name": "torch", "steps": 9, "batch_size": 8}})
    'blocks 4, widths 32-32; 9 steps of 8'
    """
    trainer = recipe["trainer"]
    events = trainer.get("batch_size", "all events")
    options = _options(recipe["generator"])
    last = recipe.get("encoder", {}).get("encoders", [{}])[-1]
    if "bits" in last:
        options = f"{last['bits']} bits a column, {options}"
    steps = "1 step"
    if trainer["steps"] > 1:
        steps = f"{trainer['steps']} steps"
    return f"{options}; {steps} of {events}"


def _options(table: Mapping[str, Any]) -> str:
    """Options of a component in words."""
    texts = []
    for name, value in table.items():
        if name == "name" or name == "tokens":
            continue
        if isinstance(value, Mapping):
            texts.append(f"{value['name']}, {_options(value)}")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            texts.append(f"{name} {'-'.join(map(str, value))}")
        else:
            texts.append(f"{name} {value}")
    return ", ".join(texts) or "default options"
