"""Comparing generated events with the reference: metrics with floors, and histograms to draw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.circuits.draw import draw
from qgen_core.discovery import registry
from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.interfaces import name_of
from qgen_core.metrics.score import score
from qgen_core.runs.run import Run
from qgen_core.support.checkpoint import write_durably
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats

DEFAULT_METRICS = ("marginal-d", "marginal-tv", "tv", "js", "correlation")
EVENTS = 100_000
BINS = 30


def evaluate(
    run: Run, *, generated: Events | None = None, reference: Events | None = None
) -> dict[str, Any]:
    """Metrics, marginals, joint histogram and correlations of a run, as plain data.

    ``generated`` defaults to 100,000 fresh events, ``reference`` to the test events of the
    run's dataset inside the encoder's window.
    """
    assembly = run.assembly
    if reference is None:
        parts = assembly.parts
        which = "test" if len(parts[2]) else "train"
        reference = assembly.accepted(parts[2] if len(parts[2]) else parts[0], which)
        origin = f"{which} events of {run.recipe.tables['dataset']['name']}"
    else:
        reference = assembly.accepted(reference, "reference")
        origin = "a given file"
    if generated is None:
        generated = _join(list(run.generate(EVENTS)))
    if reference.columns != generated.columns:
        raise DataError(
            f"the reference has the columns {', '.join(reference.columns)}, "
            f"the generated events {', '.join(generated.columns)}"
        )
    known = getattr(assembly.encoder, "edges", None)
    edges = [np.asarray(e) for e in known] if known is not None else _edges(reference)
    rng = stream(run.recipe.seed, "evaluate")
    metrics = run.recipe.metrics if run.recipe.metrics is not None else DEFAULT_METRICS
    rows = []
    for ref in metrics:
        metric = registry.build("metric", ref)
        name = name_of(metric)
        for line in score(metric, reference, generated, edges=edges, rng=rng):
            rows.append({"metric": name, **asdict(line)})
    circuit = getattr(assembly.generator, "circuit", None)
    return {
        "reference": {"events": len(reference), "origin": origin, **reference.provenance},
        "generated": {"events": len(generated), "run": run.path.name},
        "outside the window": dict(assembly.outside),
        "metrics": rows,
        "marginals": [_marginal(reference, generated, i, edges[i]) for i in range(len(edges))],
        "joint": _joint(reference, generated, edges),
        "correlation": _correlations(reference, generated),
        "circuit": None if circuit is None else draw(circuit),
        "settings": run.recipe.flat(),
    }


def save(result: dict[str, Any], path: Path) -> None:
    """Write an evaluation as JSON."""
    write_durably(path, json.dumps(result, indent=1).encode())


def load(path: Path) -> dict[str, Any] | None:
    """Read a saved evaluation; None if there is none. Raises DataError when it is damaged."""
    if not path.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}; evaluate the run again") from error
    return result


def _join(pieces: Sequence[Events]) -> Events:
    first = pieces[0]
    condition = None
    if first.condition is not None:
        condition = np.concatenate([p.condition for p in pieces if p.condition is not None])
    return first.replace(x=np.concatenate([p.x for p in pieces]), condition=condition)


def _edges(reference: Events) -> list[Floats]:
    low, high = reference.x.min(axis=0), reference.x.max(axis=0)
    return [
        np.linspace(a, b if b > a else a + 1.0, BINS + 1) for a, b in zip(low, high, strict=True)
    ]


def _histogram(values: Floats, weights: Floats, edges: Floats) -> tuple[list[float], list[float]]:
    counts, _ = np.histogram(values, edges, weights=weights)
    squares, _ = np.histogram(values, edges, weights=weights**2)
    return counts.tolist(), np.sqrt(squares).tolist()


def _marginal(reference: Events, generated: Events, column: int, edges: Floats) -> dict[str, Any]:
    truth, truth_error = _histogram(reference.x[:, column], reference.weights, edges)
    made, made_error = _histogram(generated.x[:, column], generated.weights, edges)
    return {
        "column": reference.columns[column],
        "unit": reference.units[column],
        "edges": edges.tolist(),
        "reference": truth,
        "reference_error": truth_error,
        "generated": made,
        "generated_error": made_error,
    }


def _joint(reference: Events, generated: Events, edges: Sequence[Floats]) -> dict[str, Any] | None:
    if len(edges) < 2:
        return None

    def counts(events: Events) -> list[list[float]]:
        table, _, _ = np.histogram2d(
            events.x[:, 0], events.x[:, 1], [edges[0], edges[1]], weights=events.weights
        )
        return table.tolist()

    return {
        "columns": list(reference.columns[:2]),
        "units": list(reference.units[:2]),
        "edges": [edges[0].tolist(), edges[1].tolist()],
        "reference": counts(reference),
        "generated": counts(generated),
    }


def _correlations(reference: Events, generated: Events) -> dict[str, Any] | None:
    if reference.x.shape[1] < 2:
        return None
    truth, made = _pearson(reference), _pearson(generated)
    smaller = min(len(reference), len(generated))
    return {
        "columns": list(reference.columns),
        "reference": truth.tolist(),
        "generated": made.tolist(),
        # large-sample error of a Pearson coefficient of near-normal columns
        "uncertainty": ((1 - truth**2) / np.sqrt(max(smaller - 1, 1))).tolist(),
    }


def _pearson(events: Events) -> Floats:
    covariance = np.atleast_2d(
        np.cov(events.x.astype(np.float64), rowvar=False, aweights=np.abs(events.weights))
    )
    scale = np.sqrt(np.diag(covariance))
    scale[scale == 0] = 1.0
    result: Floats = covariance / np.outer(scale, scale)
    return result
