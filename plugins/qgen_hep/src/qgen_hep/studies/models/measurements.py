"""The measurements of the study ``models``: evaluations of runs, as the command makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.runs.compare import compared
from qgen_core.runs.evaluation import evaluate
from qgen_core.runs.report import material
from qgen_core.runs.run import Run
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_hep.calorimeters.timing import time_per_shower
from qgen_hep.studies.shared.six_digits import six_digits

#: Batches whose time is measured; that of all generated events is part of the evaluation.
BATCHES = (1, 100)
REPEATS = 3
#: What a result keeps of a number of a metric.
KEPT = ("value", "uncertainty", "floor", "floor_spread")


def benchmarked(
    trial: Trial, simulated: Mapping[str, Any], simulated_metrics: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Train a model and evaluate its run, on held-out events and on those of Geant4.

    The first is what ``qgen evaluate`` stores in the run folder, and the result what ``qgen
    compare`` reads of it. ``simulated`` is the dataset of Geant4.
    """
    run = trial.run
    conditions = run.assembly.parts[2].condition
    assert conditions is not None

    def generate(number: int) -> list[Events]:
        return list(run.generate(number, condition=conditions[:number]))

    timings = time_per_shower(generate, BATCHES, repeats=REPEATS)
    generate(len(conditions))  # so that the evaluation times nothing that happens once
    run.folder.save_evaluation(evaluate(run))
    told = compared(material(run.path))
    told["metrics"] = _kept(told["metrics"])
    known = {name: cost for name, cost in told["cost"].items() if cost is not None}
    told["cost"] |= six_digits(known)
    del told["recipe"]
    others = evaluate(_with_metrics(run, simulated_metrics), reference=_events(simulated))
    return {
        "run": told,
        "simulated": _kept(others["metrics"]),
        "ms": six_digits([[one.batch_size, one.processor] for one in timings]),
    }


def truth(
    trial: Trial,
    simulated: Mapping[str, Any],
    simulated_metrics: Sequence[Mapping[str, Any]],
    encoder: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The same of training events in place of generated ones: what a perfect model would have.

    With an ``encoder`` they are encoded and decoded first, which a model of such codes cannot be
    better than.
    """
    run = trial.run
    train, _, held_out = run.assembly.parts
    chosen = train.take(np.arange(min(len(train), len(held_out))))
    if encoder is not None:
        chosen = _through(encoder, train, chosen, trial.recipe.seed)
    found = evaluate(run, generated=chosen)
    others = evaluate(
        _with_metrics(run, simulated_metrics), generated=chosen, reference=_events(simulated)
    )
    return {
        "run": {"metrics": _kept(found["metrics"]), "bins": found["bins"]["sha256"]},
        "simulated": _kept(others["metrics"]),
    }


def _through(table: Mapping[str, Any], train: Events, events: Events, seed: int) -> Events:
    """Events encoded and decoded by an encoder that is fitted on the training events."""
    supplied = {"column_names": train.columns, "condition_names": train.condition_columns}
    encoder = qgen.build("encoder", table, supplied).fit(train.x, train.condition)
    rng = stream(seed, "models-truth")
    codes = encoder.encode(events.x, events.condition, rng=rng)
    return events.replace(x=encoder.decode(codes, events.condition, rng=rng))


def _with_metrics(run: Run, metrics: Sequence[Mapping[str, Any]]) -> Run:
    """The same run with the same model, evaluated by other metrics."""
    other = copy(run)
    other.recipe = run.recipe.with_values({"metrics": [dict(one) for one in metrics]})
    return other


def _events(dataset: Mapping[str, Any]) -> Events:
    made: Events = qgen.build("dataset", dataset)()
    return made


def _kept(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Numbers of metrics with six digits, without remarks."""
    found = []
    for row in rows:
        numbers = {name: row[name] for name in KEPT}
        found.append({"metric": row["metric"], "name": row["name"], **six_digits(numbers)})
    return found
