"""What the study ``jets`` measures: of the data alone, and of a trained circuit."""

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
from qgen_hep.studies.plain import plain


@dataclass(frozen=True)
class Truth:
    """All events of the dataset, trained on or not, as a table (K,) over the encoder's bins."""

    table: Floats
    edges: list[Floats]
    events: int
    correlation: Floats
    provenance: dict[str, str]


_known: dict[str, Truth] = {}


def truth_of(trial: Trial) -> Truth:
    """The truth of a trial, worked out once a process."""
    tables = trial.recipe.tables
    key = json.dumps([tables["dataset"], tables["encoder"]])
    if key not in _known:
        assembly = trial.assembly
        inside = assembly.accepted(assembly.events, "all")
        _, table = assembly.encoded(inside, "all").target(assembly.encoder.space)
        edges = [np.asarray(e) for e in getattr(assembly.encoder, "edges")]  # noqa: B009 (only binning has them)
        correlation = np.asarray(np.corrcoef(inside.x.astype(np.float64), rowvar=False))
        _known[key] = Truth(table[0], edges, len(inside), correlation, dict(inside.provenance))
    return _known[key]


def target(trial: Trial, shots: list[int], resamples: int, pseudo_counts: float) -> dict[str, Any]:
    """The data and its floors.

    What a perfect model would be given, with finite shots and finite events.

    ``js_smoothed`` is the JS with so many pseudo-counts in every bin, which a training from shots
    sees; ``independent`` is about the best that a model without correlations between the features
    can do.
    """
    truth = truth_of(trial)
    p, edges = truth.table, truth.edges
    rng = stream(trial.recipe.seed, "jets-floors")

    def floor(n: int) -> dict[str, Any]:
        smoothed = resampled(p, p, edges, n, resamples, rng, pseudo_counts=pseudo_counts)
        return {**resampled(p, p, edges, n, resamples, rng), "js_smoothed": smoothed["js"]}

    return {
        "events": truth.events,
        "provenance": truth.provenance,
        "cells": len(p),
        "occupied": int(np.count_nonzero(p)),
        "edges": [plain(e) for e in edges],
        "marginals": [plain(m) for m in marginals(p, edges)],
        "correlation": plain(truth.correlation),
        "binned_correlation": plain(correlations(p, edges)),
        "independent": {"js": plain(js(independent(p, edges), p))},
        "floors": {str(n): floor(n) for n in (*shots, truth.events)},
    }


def trained(trial: Trial, shots: list[int], resamples: int) -> dict[str, Any]:
    """Loss curve, and the trained circuit against all events: exactly, and measured with shots."""
    truth = truth_of(trial)
    assembly = trial.run.assembly
    circuit = getattr(assembly.generator, "circuit")  # noqa: B009 (only circuit models have one)
    theta = assembly.generator.parameters()["theta"]
    p = assembly.backend.probabilities(circuit, theta)
    rng = stream(trial.recipe.seed, "jets-shots")
    return {
        "parameters": len(theta),
        "events": trial.run.record["data"]["events"]["train"],
        "losses": plain([record["loss"] for record in trial.history]),
        "exact": compared(p, truth),
        "shots": {str(n): resampled(p, truth.table, truth.edges, n, resamples, rng) for n in shots},
    }


def compared(p: Floats, truth: Truth) -> dict[str, Any]:
    """Probabilities (K,) against all events: JS, D, and their own correlations and marginals."""
    return {
        "js": plain(js(p, truth.table)),
        "d": plain(mean_distance(p, truth.table, truth.edges)),
        "correlation": plain(correlations(p, truth.edges)),
        "marginals": [plain(m) for m in marginals(p, truth.edges)],
    }
