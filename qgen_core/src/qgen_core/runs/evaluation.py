"""Evaluation of a run: metrics with floors, and histograms for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np

from qgen_core.circuits.draw import draw
from qgen_core.discovery import registry
from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.interfaces import name_of
from qgen_core.metrics.binning import columns_of
from qgen_core.metrics.correlation import pearson
from qgen_core.metrics.reference_edges import RULE, ReferenceEdges, reference_edges
from qgen_core.metrics.resample import effective_size
from qgen_core.metrics.score import score
from qgen_core.runs.run import SAMPLER_KEYS, WARNING_KEY, Run
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats

MARGINAL_METRICS = ("marginal-d", "marginal-tv", "wasserstein")
JOINT_METRICS = ("tv", "js")
PAIR_METRICS = ("correlation",)
#: Events that are generated for an evaluation: so many, or fewer of many columns, but no fewer than
#: the least number.
EVENTS = 100_000
LEAST_EVENTS = 10_000
VALUES = 2**22
#: Metrics of the joint histogram are in the default table if its cells hold so many reference
#: events on average; with fewer, the floors would be too low.
LEAST_IN_CELL = 5
#: Up to this number of columns an evaluation has all marginals and correlations; above, those of
#: the columns with the largest distance.
MAX_COLUMNS = 32
#: Maps of pairs of columns: all pairs of six columns, with at most so many bins a column. Where
#: the bins follow from the reference, a cell holds so many of its events on average, so that most
#: pulls mean something.
MAX_PAIRS = 15
MAX_PAIR_BINS = 64
IN_CELL_OF_MAP = 20
#: Marginals by condition: of so many conditions and columns; a condition with more than so many
#: values is divided into ranges of equal numbers of events.
MAX_CONDITIONS = 2
MAX_COLUMNS_BY_CONDITION = 6
MAX_RANGES = 6
RANGES = 4


def evaluate(
    run: Run, *, generated: Events | None = None, reference: Events | None = None
) -> dict[str, Any]:
    """Metrics, marginals, joint histogram and correlations of a run, ready for JSON.

    ``generated`` is 100,000 newly generated events by default, fewer of more than 41 columns;
    ``reference`` the test events of the dataset (the training events if there are no test events).
    Reference events outside the window of the encoder are left out and counted. Without a list of
    metrics in the recipe those are taken that the number of columns allows; ``left out`` in the
    result says what is missing for its size. The bins follow from the reference alone, or are those
    that the recipe gives; ``bins`` in the result holds their edges. Raises DataError when the
    columns of both differ, BadOption for bins that do not fit the columns.
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
    edges = _edges(run.recipe.evaluation, reference)
    rng = stream(run.recipe.seed, "evaluate")
    metrics = run.recipe.metrics
    left_out: list[str] = []
    if metrics is None:
        metrics, left_out = default_metrics(edges, len(reference))
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
    marginals = [_marginal(reference, generated, i, edges) for i in range(len(edges))]
    shown = list(range(len(edges)))
    if len(edges) > MAX_COLUMNS:
        shown = _most_different(marginals)
        left_out.append(
            f"marginals and correlations of {len(edges) - MAX_COLUMNS} of {len(edges)} columns; "
            f"the {MAX_COLUMNS} with the largest total variation are kept"
        )
    correlation = _correlations(reference, generated, shown)
    follow_reference = isinstance(edges, ReferenceEdges)
    most_bins = MAX_PAIR_BINS
    if follow_reference:
        by_size = int(np.sqrt(effective_size(reference) / IN_CELL_OF_MAP))
        most_bins = min(max(by_size, 2), MAX_PAIR_BINS)
    coarse = [_coarse(one, most_bins) for one in edges]
    joints = []
    for pair in _worst_pairs(correlation, shown):
        joints.append(_joint(reference, generated, coarse, pair, follow_reference))
    return {
        # A provenance may have an entry "events" of its own: those of the file, not those used.
        "reference": {**reference.provenance, "events": len(reference), "origin": origin},
        "generated": {"events": len(generated), "run": run.path.name, **_told_by(generated)},
        "outside the window": dict(assembly.outside),
        "metrics": rows,
        "bins": _bins(edges, shown),
        "marginals": [marginals[column] for column in shown],
        "joints": joints,
        "pairs of columns": len(edges) * (len(edges) - 1) // 2,
        "by condition": _by_condition(reference, generated, edges, [marginals[i] for i in shown]),
        "correlation": correlation,
        "left out": left_out,
        "circuit": None if circuit is None else draw(circuit),
        "settings": run.recipe.flat(),
    }


def default_metrics(edges: Sequence[Floats], events: int) -> tuple[tuple[str, ...], list[str]]:
    """The metrics of an evaluation whose recipe names none, and what is left out with the reason.

    ``edges`` are those of each column, ``events`` is the number of reference events.

    >>> default_metrics([np.linspace(0.0, 1.0, 17)] * 2, 2000)
    (('marginal-d', 'marginal-tv', 'wasserstein', 'tv', 'js', 'correlation'), [])
    >>> metrics, left_out = default_metrics([np.linspace(0.0, 1.0, 17)] * 40, 2000)
    >>> metrics
    ('marginal-d', 'marginal-tv', 'wasserstein')
    >>> left_out[0]
    'the metrics tv and js: a joint histogram of 40 columns has 1.5e+48 cells for 2000 events'
    """
    metrics: tuple[str, ...] = MARGINAL_METRICS
    left_out: list[str] = []
    log_cells = sum(np.log10(len(one) - 1.0) for one in _joint_edges(edges))
    if log_cells <= np.log10(max(events, 1) / LEAST_IN_CELL):
        metrics += JOINT_METRICS
    else:
        cells = f"{10 ** (log_cells % 1):.2g}e+{int(log_cells)}"
        if log_cells < 6:
            cells = str(round(10**log_cells))
        left_out.append(
            f"the metrics {' and '.join(JOINT_METRICS)}: a joint histogram of {len(edges)} columns "
            f"has {cells} cells for {events} events"
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


def _edges(given: Mapping[str, Any] | None, reference: Events) -> list[Floats]:
    """The edges that the recipe gives; without them, equal-count bins of the reference."""
    if given is None:
        return reference_edges(reference)
    if "edges" in given:
        edges = [np.asarray(one, dtype=np.float64) for one in given["edges"]]
    else:
        edges = [np.linspace(low, high, given["bins"] + 1) for low, high in given["window"]]
    return columns_of(reference, reference, edges, None)


def _joint_edges(edges: Sequence[Floats]) -> Sequence[Floats]:
    """The edges of a joint histogram."""
    if isinstance(edges, ReferenceEdges):
        return edges.joint
    return edges


def _bins(edges: Sequence[Floats], shown: Sequence[int]) -> dict[str, Any]:
    """The edges of all metrics: a checksum of all, and the numbers for the columns shown."""
    joint = _joint_edges(edges)
    digest = sha256()
    for one in (*edges, *joint):
        digest.update(one.astype("<f8").tobytes())
    return {
        "rule": RULE if isinstance(edges, ReferenceEdges) else "given by the recipe",
        "sha256": digest.hexdigest(),
        "edges": [edges[column].tolist() for column in shown],
        "joint edges": [joint[column].tolist() for column in shown],
    }


def _drawn(edges: Floats, values: Array, follow_reference: bool) -> list[float]:
    """Edges for a figure: the outermost bins end at the extremes of the reference values (N,)."""
    drawn = edges.copy()
    if follow_reference and len(edges) > 2:
        drawn[0] = values.min()
        drawn[-1] = values.max()
        if drawn[-1] <= drawn[-2]:  # the greatest value has a bin of its own
            drawn[-1] = drawn[-2] + (drawn[-2] - drawn[0]) / (len(drawn) - 2)
    return [float(edge) for edge in drawn]


def _histogram(values: Floats, weights: Floats, edges: Floats) -> tuple[list[float], list[float]]:
    """Sums of weights in bins, and their statistical errors."""
    counts, _ = np.histogram(values, edges, weights=weights)
    squares, _ = np.histogram(values, edges, weights=weights**2)
    return counts.tolist(), np.sqrt(squares).tolist()


def _marginal(
    reference: Events, generated: Events, column: int, edges: Sequence[Floats]
) -> dict[str, Any]:
    bins = edges[column]
    values = reference.x[:, column]
    expected, expected_error = _histogram(values, reference.weights, bins)
    found, found_error = _histogram(generated.x[:, column], generated.weights, bins)
    return {
        "column": reference.columns[column],
        "unit": reference.units[column],
        "edges": _drawn(bins, values, isinstance(edges, ReferenceEdges)),
        "reference": expected,
        "reference_error": expected_error,
        "generated": found,
        "generated_error": found_error,
    }


def _joint(
    reference: Events,
    generated: Events,
    edges: Sequence[Floats],
    pair: tuple[int, int],
    follow_reference: bool,
) -> dict[str, Any]:
    """The joint histograms of two columns."""
    bins = [edges[column] for column in pair]
    expected, expected_size = _table(reference, bins, pair)
    found, found_size = _table(generated, bins, pair)
    drawn = [
        _drawn(one, reference.x[:, column], follow_reference)
        for one, column in zip(bins, pair, strict=True)
    ]
    return {
        "columns": [reference.columns[column] for column in pair],
        "units": [reference.units[column] for column in pair],
        "edges": drawn,
        "reference": expected.tolist(),
        "generated": found.tolist(),
        "sizes": [expected_size, found_size],
    }


def _table(events: Events, bins: Sequence[Floats], pair: tuple[int, int]) -> tuple[Floats, float]:
    """The joint histogram of two columns, and its effective number of events."""
    first, second = (events.x[:, column] for column in pair)
    counts, _, _ = np.histogram2d(first, second, bins, weights=events.weights)
    squares, _, _ = np.histogram2d(first, second, bins, weights=events.weights**2)
    size = counts.sum() ** 2 / max(squares.sum(), 1e-300)
    return counts, float(size)


def _coarse(edges: Floats, most: int) -> Floats:
    """Some of the edges, of at most ``most`` bins."""
    if len(edges) <= most + 1:
        return edges
    kept = np.linspace(0, len(edges) - 1, most + 1).astype(np.intp)
    return np.asarray(edges[kept])


def _worst_pairs(
    correlation: Mapping[str, Any] | None, columns: Sequence[int]
) -> list[tuple[int, int]]:
    """Up to ``MAX_PAIRS`` pairs of columns, in order: those whose coefficients differ most."""
    if correlation is None:
        return []
    found = np.asarray(correlation["generated"])
    difference = np.abs(found - np.asarray(correlation["reference"]))
    pairs = list(zip(*np.triu_indices(len(columns), 1), strict=True))
    worst = sorted(pairs, key=lambda pair: -difference[pair])[:MAX_PAIRS]
    return [(columns[int(i)], columns[int(j)]) for i, j in sorted(worst)]


def _by_condition(
    reference: Events,
    generated: Events,
    edges: Sequence[Floats],
    whole: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Marginals of the events in ranges of each condition; none without conditions.

    They are of the columns of the marginals of all events, ``whole``, and drawn with their edges.
    """
    if reference.condition is None or generated.condition is None:
        return []
    groups = []
    for number, name in enumerate(reference.condition_columns[:MAX_CONDITIONS]):
        values = reference.condition[:, number]
        for low, high in _ranges(values):
            expected = _inside(reference, number, low, high)
            found = _inside(generated, number, low, high)
            if expected is None or found is None:
                continue
            marginals = []
            for of_all in whole[:MAX_COLUMNS_BY_CONDITION]:
                column = reference.columns.index(of_all["column"])
                one = _marginal(expected, found, column, edges)
                marginals.append(one | {"edges": of_all["edges"]})
            groups.append({"condition": name, "low": low, "high": high, "marginals": marginals})
    return groups


def _inside(events: Events, number: int, low: float, high: float) -> Events | None:
    """The events with a condition in [low, high]; None if their weights do not sum to above 0."""
    assert events.condition is not None
    values = events.condition[:, number]
    inside = (values >= low) & (values <= high)
    if events.weights[inside].sum() <= 0:
        return None
    return events.take(inside)


def _ranges(values: Floats) -> list[tuple[float, float]]:
    """Ranges [low, high] of a condition: its values if they are few, else of equal numbers."""
    distinct = np.unique(values)
    if len(distinct) <= MAX_RANGES:
        return [(float(value), float(value)) for value in distinct]
    bounds = np.quantile(values, np.linspace(0.0, 1.0, RANGES + 1))
    lows = [float(bounds[0]), *(float(np.nextafter(bound, np.inf)) for bound in bounds[1:-1])]
    return list(zip(lows, bounds[1:].tolist(), strict=True))


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
