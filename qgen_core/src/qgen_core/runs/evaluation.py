"""Evaluation of a run: metrics with floors, and histograms for the report."""

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
from qgen_core.interfaces import Encoder, name_of
from qgen_core.metrics.score import score
from qgen_core.runs.run import SAMPLER_KEYS, Run
from qgen_core.support.checkpoint import write_durably
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats

DEFAULT_METRICS = ("marginal-d", "marginal-tv", "tv", "js", "correlation")
EVENTS = 100_000
BINS = 30


def evaluate(
    run: Run, *, generated: Events | None = None, reference: Events | None = None
) -> dict[str, Any]:
    """Metrics, marginals, joint histogram and correlations of a run, ready for JSON.

    ``generated`` is 100,000 newly generated events by default; ``reference`` the test events of the
    dataset (the training events if there are no test events). Reference events outside the
    window of the encoder are left out and counted. Raises DataError when the columns of both
    differ.
    """
    assembly = run.assembly
    if reference is None:
        training, _, test = assembly.parts
        if len(test):
            which = "test"
            reference = assembly.accepted(test, which)
        else:
            which = "train"
            reference = assembly.accepted(training, which)
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
    edges = _edges(assembly.encoder, reference)
    rng = stream(run.recipe.seed, "evaluate")
    metrics = run.recipe.metrics
    if metrics is None:
        metrics = DEFAULT_METRICS
    rows = []
    for entry in metrics:
        metric = registry.build("metric", entry)
        name = name_of(metric)
        scores = score(metric, reference, generated, edges=edges, rng=rng, model=assembly.model)
        for one_score in scores:
            row = {"metric": name, **asdict(one_score)}
            if not one_score.note:
                del row["note"]
            rows.append(row)
    circuit = getattr(assembly.generator, "circuit", None)
    return {
        "reference": {"events": len(reference), "origin": origin, **reference.provenance},
        "generated": {"events": len(generated), "run": run.path.name, **_sampler_of(generated)},
        "outside the window": dict(assembly.outside),
        "metrics": rows,
        "marginals": [_marginal(reference, generated, i, edges[i]) for i in range(len(edges))],
        "joint": _joint(reference, generated, edges),
        "correlation": _correlations(reference, generated),
        "circuit": None if circuit is None else draw(circuit),
        "settings": run.recipe.flat(),
    }


def save(result: dict[str, Any], path: Path) -> None:
    """Write an evaluation as JSON.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"metrics": []}, Path(folder, "evaluation.json"))
    ...     load(Path(folder, "evaluation.json"))
    {'metrics': []}
    """
    write_durably(path, json.dumps(result, indent=1).encode())


def load(path: Path) -> dict[str, Any] | None:
    """Read a saved evaluation; None if the file does not exist. Raises DataError if it is damaged.

    >>> load(Path("no such folder/evaluation.json")) is None
    True
    """
    if not path.exists():
        return None
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}; evaluate the run again") from error
    return result


def _sampler_of(events: Events) -> dict[str, str]:
    """What the provenance of events says of the sampler that drew them."""
    return {key: events.provenance[key] for key in SAMPLER_KEYS if key in events.provenance}


def _join(pieces: Sequence[Events]) -> Events:
    first = pieces[0]
    condition = None
    if first.condition is not None:
        conditions = [piece.condition for piece in pieces if piece.condition is not None]
        condition = np.concatenate(conditions)
    return first.replace(x=np.concatenate([piece.x for piece in pieces]), condition=condition)


def _edges(encoder: Encoder, reference: Events) -> list[Floats]:
    """The edges of the encoder's bins; without them, bins of equal width over each column."""
    known = getattr(encoder, "edges", None)
    if known is not None:
        return [np.asarray(one) for one in known]
    edges = []
    for low, high in zip(reference.x.min(axis=0), reference.x.max(axis=0), strict=True):
        upper = high if high > low else low + 1.0
        edges.append(np.linspace(low, upper, BINS + 1))
    return edges


def _histogram(values: Floats, weights: Floats, edges: Floats) -> tuple[list[float], list[float]]:
    """Sums of weights in bins, and their statistical errors."""
    counts, _ = np.histogram(values, edges, weights=weights)
    squares, _ = np.histogram(values, edges, weights=weights**2)
    return counts.tolist(), np.sqrt(squares).tolist()


def _marginal(reference: Events, generated: Events, column: int, edges: Floats) -> dict[str, Any]:
    expected, expected_error = _histogram(reference.x[:, column], reference.weights, edges)
    found, found_error = _histogram(generated.x[:, column], generated.weights, edges)
    return {
        "column": reference.columns[column],
        "unit": reference.units[column],
        "edges": edges.tolist(),
        "reference": expected,
        "reference_error": expected_error,
        "generated": found,
        "generated_error": found_error,
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
    expected = _pearson(reference)
    found = _pearson(generated)
    smaller = min(len(reference), len(generated))
    return {
        "columns": list(reference.columns),
        "reference": expected.tolist(),
        "generated": found.tolist(),
        # large-sample standard error of a Pearson coefficient of normally distributed columns
        "uncertainty": ((1 - expected**2) / np.sqrt(max(smaller - 1, 1))).tolist(),
    }


def _pearson(events: Events) -> Floats:
    covariance = np.atleast_2d(
        np.cov(events.x.astype(np.float64), rowvar=False, aweights=np.abs(events.weights))
    )
    scale = np.sqrt(np.diag(covariance))
    scale[scale == 0] = 1.0
    result: Floats = covariance / np.outer(scale, scale)
    return result
