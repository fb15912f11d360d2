"""Evaluation of a run: metrics with floors, and histograms for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from qgen_core.circuits.draw import draw
from qgen_core.discovery import registry
from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.interfaces import Encoder, name_of
from qgen_core.metrics.correlation import pearson
from qgen_core.metrics.resample import effective_size
from qgen_core.metrics.score import score
from qgen_core.runs.run import SAMPLER_KEYS, WARNING_KEY, Run
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats

MARGINAL_METRICS = ("marginal-d", "marginal-tv")
JOINT_METRICS = ("tv", "js")
PAIR_METRICS = ("correlation",)
#: Events that are generated for an evaluation: so many, or fewer of many columns, but no fewer than
#: the least number.
EVENTS = 100_000
LEAST_EVENTS = 10_000
VALUES = 2**22
BINS = 30
#: Metrics of the joint histogram are in the default table up to this number of cells; above, nearly
#: all cells are empty.
MAX_CELLS = 2**20
#: Up to this number of columns an evaluation has all marginals and correlations; above, those of
#: the columns with the largest distance.
MAX_COLUMNS = 32


def evaluate(
    run: Run, *, generated: Events | None = None, reference: Events | None = None
) -> dict[str, Any]:
    """Metrics, marginals, joint histogram and correlations of a run, ready for JSON.

    ``generated`` is 100,000 newly generated events by default, fewer of more than 41 columns;
    ``reference`` the test events of the dataset (the training events if there are no test events).
    Reference events outside the window of the encoder are left out and counted. Without a list of
    metrics in the recipe those are taken that the number of columns allows; ``left out`` in the
    result says what is missing for its size. Raises DataError when the columns of both differ.
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
        wanted = max(LEAST_EVENTS, VALUES // len(reference.columns))
        generated = _join(list(run.generate(min(EVENTS, wanted))))
    if reference.columns != generated.columns:
        raise DataError(
            f"the reference has the columns {', '.join(reference.columns)}, "
            f"the generated events {', '.join(generated.columns)}"
        )
    edges = _edges(assembly.encoder, reference)
    rng = stream(run.recipe.seed, "evaluate")
    metrics = run.recipe.metrics
    left_out: list[str] = []
    if metrics is None:
        metrics, left_out = default_metrics(edges)
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
    marginals = [_marginal(reference, generated, i, edges[i]) for i in range(len(edges))]
    shown = list(range(len(edges)))
    if len(edges) > MAX_COLUMNS:
        shown = _most_different(marginals)
        left_out.append(
            f"marginals and correlations of {len(edges) - MAX_COLUMNS} of {len(edges)} columns; "
            f"the {MAX_COLUMNS} with the largest total variation are kept"
        )
    return {
        # A provenance may have an entry "events" of its own: those of the file, not those used.
        "reference": {**reference.provenance, "events": len(reference), "origin": origin},
        "generated": {"events": len(generated), "run": run.path.name, **_told_by(generated)},
        "outside the window": dict(assembly.outside),
        "metrics": rows,
        "marginals": [marginals[column] for column in shown],
        "joint": _joint(reference, generated, edges),
        "correlation": _correlations(reference, generated, shown),
        "left out": left_out,
        "circuit": None if circuit is None else draw(circuit),
        "settings": run.recipe.flat(),
    }


def default_metrics(edges: Sequence[Floats]) -> tuple[tuple[str, ...], list[str]]:
    """The metrics of an evaluation whose recipe names none, and what is left out with the reason.

    >>> default_metrics([np.linspace(0.0, 1.0, 17)] * 2)
    (('marginal-d', 'marginal-tv', 'tv', 'js', 'correlation'), [])
    >>> metrics, left_out = default_metrics([np.linspace(0.0, 1.0, 17)] * 40)
    >>> metrics
    ('marginal-d', 'marginal-tv')
    >>> left_out[0]
    'the metrics tv and js: a joint histogram of 40 columns would have 1.6e+50 cells'
    """
    metrics: tuple[str, ...] = MARGINAL_METRICS
    left_out: list[str] = []
    log_cells = sum(np.log10(len(one) + 1.0) for one in edges)
    if log_cells <= np.log10(MAX_CELLS):
        metrics += JOINT_METRICS
    else:
        cells = f"{10 ** (log_cells % 1):.2g}e+{int(log_cells)}"
        left_out.append(
            f"the metrics {' and '.join(JOINT_METRICS)}: a joint histogram of {len(edges)} columns "
            f"would have {cells} cells"
        )
    if len(edges) <= MAX_COLUMNS:
        metrics += PAIR_METRICS
    else:
        pairs = len(edges) * (len(edges) - 1) // 2
        left_out.append(f"the metric {PAIR_METRICS[0]}: there are {pairs} pairs of columns")
    return metrics, left_out


def _most_different(marginals: Sequence[Mapping[str, Any]]) -> list[int]:
    """The columns whose marginals have the largest total variation, in the order of the columns."""
    distances = []
    for marginal in marginals:
        expected = np.asarray(marginal["reference"])
        found = np.asarray(marginal["generated"])
        difference = expected / max(expected.sum(), 1e-300) - found / max(found.sum(), 1e-300)
        distances.append(float(np.abs(difference).sum()))
    order = np.argsort(distances, kind="stable")
    return sorted(order[-MAX_COLUMNS:].tolist())


def _told_by(events: Events) -> dict[str, str]:
    """What the provenance of events says of the sampler that drew them and of lost parts."""
    keys = (*SAMPLER_KEYS, WARNING_KEY)
    return {key: events.provenance[key] for key in keys if key in events.provenance}


def _join(pieces: Sequence[Events]) -> Events:
    first = pieces[0]
    condition = None
    if first.condition is not None:
        conditions = [piece.condition for piece in pieces if piece.condition is not None]
        condition = np.concatenate(conditions)
    # The provenance of the last piece names the samplers of all.
    return pieces[-1].replace(x=np.concatenate([piece.x for piece in pieces]), condition=condition)


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

    expected, expected_size = _table(reference, edges)
    found, found_size = _table(generated, edges)
    return {
        "columns": list(reference.columns[:2]),
        "units": list(reference.units[:2]),
        "edges": [edges[0].tolist(), edges[1].tolist()],
        "reference": expected.tolist(),
        "generated": found.tolist(),
        "sizes": [expected_size, found_size],
    }


def _table(events: Events, edges: Sequence[Floats]) -> tuple[Floats, float]:
    """The joint histogram of the first two columns, and its effective number of events."""
    first = events.x[:, 0]
    second = events.x[:, 1]
    counts, _, _ = np.histogram2d(first, second, edges[:2], weights=events.weights)
    squares, _, _ = np.histogram2d(first, second, edges[:2], weights=events.weights**2)
    size = counts.sum() ** 2 / max(squares.sum(), 1e-300)
    return counts, float(size)


def _correlations(
    reference: Events, generated: Events, columns: Sequence[int]
) -> dict[str, Any] | None:
    """Pearson coefficients of all pairs of some columns."""
    if len(columns) < 2:
        return None
    expected = pearson(_selected(reference, columns))
    found = pearson(_selected(generated, columns))
    variance = 1 / effective_size(reference) + 1 / effective_size(generated)
    return {
        "columns": [reference.columns[column] for column in columns],
        "reference": expected.tolist(),
        "generated": found.tolist(),
        # large-sample standard error of a difference, for normally distributed columns
        "uncertainty": ((1 - expected**2) * np.sqrt(variance)).tolist(),
    }


def _selected(events: Events, columns: Sequence[int]) -> Events:
    """The events with some of their columns, in float64."""
    return events.replace(
        x=events.x[:, columns].astype(np.float64),
        columns=tuple(events.columns[column] for column in columns),
        units=tuple(events.units[column] for column in columns),
    )
