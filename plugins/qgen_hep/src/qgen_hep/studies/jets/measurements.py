"""The measurements of the study ``jets``: of the events alone, and of a trained circuit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
from qgen_hep.studies.jets.statistics import (
    correlations,
    independent,
    js,
    marginals,
    mean_distance,
    resampled,
)
from qgen_hep.studies.shared.born_machines import bin_edges_of, circuit_of, theta_of
from qgen_hep.studies.shared.six_digits import six_digits


@dataclass(frozen=True)
class Reference:
    """All events of the dataset, trained on or not, as a table (K,) over the encoder's bins."""

    table: Floats
    edges: list[Floats]
    events: int
    correlation: Floats
    provenance: dict[str, str]


_known: dict[str, Reference] = {}


def reference_of(trial: Trial) -> Reference:
    """The reference of a trial's dataset and encoder, computed once in a process."""
    tables = trial.recipe.tables
    key = json.dumps([tables["dataset"], tables["encoder"]])
    if key not in _known:
        assembly = trial.assembly
        inside = assembly.accepted(assembly.events, "all")
        _, table = assembly.encoded(inside, "all").target(assembly.encoder.space)
        edges = bin_edges_of(assembly)
        correlation = np.asarray(np.corrcoef(inside.x.astype(np.float64), rowvar=False))
        _known[key] = Reference(table[0], edges, len(inside), correlation, dict(inside.provenance))
    return _known[key]


def target(trial: Trial, shots: list[int], resamples: int, pseudo_counts: float) -> dict[str, Any]:
    """The events alone, and the floors: JS and D of a perfect model with finite shots and events.

    ``js_smoothed`` is JS with ``pseudo_counts`` added to every bin, as a training from shots
    measures it. ``independent`` is close to the least JS of a model without correlations between
    the features.
    """
    reference = reference_of(trial)
    p = reference.table
    edges = reference.edges
    rng = stream(trial.recipe.seed, "jets-floors")

    def floor(n: int) -> dict[str, Any]:
        smoothed = resampled(p, p, edges, n, resamples, rng, pseudo_counts=pseudo_counts)
        return {**resampled(p, p, edges, n, resamples, rng), "js_smoothed": smoothed["js"]}

    return {
        "events": reference.events,
        "provenance": reference.provenance,
        "cells": len(p),
        "occupied": int(np.count_nonzero(p)),
        "edges": six_digits(edges),
        "marginals": six_digits(marginals(p, edges)),
        "correlation": six_digits(reference.correlation),
        "binned_correlation": six_digits(correlations(p, edges)),
        "independent": {"js": six_digits(js(independent(p, edges), p))},
        "floors": {str(n): floor(n) for n in (*shots, reference.events)},
    }


def trained(trial: Trial, shots: list[int], resamples: int) -> dict[str, Any]:
    """Losses, and the trained circuit against all events: exactly, and measured with shots."""
    reference = reference_of(trial)
    assembly = trial.run.assembly
    theta = theta_of(assembly)
    p = assembly.backend.probabilities(circuit_of(assembly), theta)
    rng = stream(trial.recipe.seed, "jets-shots")
    sampled = {}
    for n in shots:
        sampled[str(n)] = resampled(p, reference.table, reference.edges, n, resamples, rng)
    return {
        "parameters": len(theta),
        "events": trial.run.record["data"]["events"]["train"],
        "losses": six_digits([record["loss"] for record in trial.history]),
        "exact": compared(p, reference),
        "shots": sampled,
    }


def compared(p: Floats, reference: Reference) -> dict[str, Any]:
    """Probabilities (K,) against all events: JS, D, and their own correlations and marginals."""
    return {
        "js": six_digits(js(p, reference.table)),
        "d": six_digits(mean_distance(p, reference.table, reference.edges)),
        "correlation": six_digits(correlations(p, reference.edges)),
        "marginals": six_digits(marginals(p, reference.edges)),
    }
