"""Evaluation of a run: metrics with floors, and histograms for the report."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import MOST_DRAWN, Circuit
from qgen_core.circuits.draw import draw
from qgen_core.circuits.svg import svg
from qgen_core.discovery import registry
from qgen_core.errors import DataError, RemoteError, Unsupported
from qgen_core.events import Events
from qgen_core.interfaces import Backend, Generator, Metric, Model, name_of
from qgen_core.metrics.binning import columns_of
from qgen_core.metrics.reference_edges import RULE, ReferenceEdges, reference_edges
from qgen_core.metrics.resample import Source, effective_size
from qgen_core.metrics.score import Score, scores
from qgen_core.runs import histograms
from qgen_core.runs.assembly import Assembly, level_of
from qgen_core.runs.eventfile import check_made_by
from qgen_core.runs.reading import Layout, contents, read_file, read_pair, read_reference
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import SAMPLER_KEYS, WARNING_KEY, Run, drawn_conditions
from qgen_core.support.cuts import Cut
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats

log = logging.getLogger("qgen")

#: Metrics of single columns in the default table.
MARGINAL_METRICS = ("marginal-d", "marginal-tv", "wasserstein")
#: Metrics of the joint distribution in the default table.
JOINT_METRICS = ("tv", "js")
#: Metrics of pairs of columns in the default table.
PAIR_METRICS = ("correlation",)
#: Events that are generated for an evaluation: so many, or fewer of many columns, but no fewer than
#: the least number.
EVENTS = 100_000
#: The least number of events that are generated for an evaluation, and that of a model whose
#: circuits or samples come from a device, where each measurement takes time and may cost money.
LEAST_EVENTS = 10_000
#: About so many values are generated for an evaluation of many columns.
VALUES = 2**22
#: Metrics in the default table of a model that cannot be sampled.
MODEL_METRICS = ("covariance", "correlators", "bit-mmd", "bit-marginals")
#: Of circuits of more instructions only the numbers of gates are kept.
MOST_WRITTEN = 10_000
#: Metrics of the joint histogram are in the default table if its cells hold so many reference
#: events on average; with fewer, the floors would be too low.
LEAST_IN_CELL = 5
#: Up to this number of columns an evaluation has all marginals and correlations; above, those of
#: the columns with the largest distance.
MAX_COLUMNS = 32
#: Maps of pairs of columns have at most so many bins a column. Where the bins follow from the
#: reference, a cell holds so many of its events on average, so that most pulls mean something.
MAX_PAIR_BINS = 64
#: Reference events in a cell of such a map, on average.
IN_CELL_OF_MAP = 20


@dataclass(frozen=True)
class _Sides:
    """The two samples of an evaluation, held to the same cuts and windows.

    ``origin`` says in words what the reference is, ``dropped`` what was left out of each side and
    why, ``outside`` how many events of which sample an encoder did not accept.
    """

    reference: Events
    generated: Events
    origin: str
    dropped: dict[str, list[str]]
    outside: dict[str, int]


def evaluate(
    run: Run, *, generated: Events | None = None, reference: Events | None = None
) -> dict[str, Any]:
    """Metrics, marginals, joint histogram and correlations of a run, ready for JSON.

    ``generated`` are newly generated events by default: as many as the recipe's table [evaluation]
    says, otherwise 100,000, fewer of more than 41 columns and 10,000 from a device or a backend of
    shots alone; the processor time of one of them is in the result. For a model that offers no
    samples there are none: its metrics are those of expectations, and the result has no marginals.
    ``reference`` is that of the table, otherwise the test events of the dataset (the training
    events if there are no test events). The cuts of the dataset and those that either side has
    passed are applied to both, and so are the windows of the encoders; ``dropped`` in the result
    says what each side lost. Conditions are drawn from the reference. Without a list of metrics in
    the recipe those are taken that the number of columns allows; ``left out`` in the result says
    what is missing for its size. The bins follow from the reference alone, or are those that the
    recipe gives; ``bins`` in the result holds their edges. Raises DataError when the columns of
    both differ, BadOption for bins that do not fit the columns, Unsupported for metrics of samples
    of a model that has none.

    >>> import tempfile
    >>> import qgen_core as qgen
    >>> from qgen_core.runs.run import train
    >>> events = qgen.Events(np.linspace(0, 1, 200)[:, None] ** 2, columns=("x",))
    >>> qgen.register("dataset", "doctest-to-evaluate", lambda: events)
    >>> recipe = Recipe.parse('''
    ... dataset = "doctest-to-evaluate"
    ... encoder = { name = "binning", bits = 2 }
    ... generator = { name = "qcbm", ansatz = "brick" }
    ... loss = "js"
    ... trainer = { name = "adam", steps = 2 }
    ... metrics = ["tv"]
    ... evaluation = { events = 50 }
    ... ''')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(recipe, f"{folder}/run")
    ...     found = evaluate(Run(f"{folder}/run"))
    >>> found["generated"]["events"], [row["name"] for row in found["metrics"]]
    (50, ['joint tv'])
    """
    assembly = run.assembly
    layout = Layout.of_run(run.recipe.tables["dataset"], run.record["data"])
    given = (run.recipe.evaluation or {}).get("reference")
    if reference is None and given is not None:
        reference = read_reference(given, layout, run.recipe.seed)
    which = "reference"
    if reference is None:
        which, reference = _held_back(assembly)
        origin = f"{which} events of {run.recipe.tables['dataset']['name']}"
    else:
        origin = reference.described
    cuts = [*layout.cuts, *reference.cuts]
    if generated is not None:
        cuts += generated.cuts
    reference, reference_dropped = _passing(reference, cuts, which)
    reference, outside_windows = _accepted(reference, assembly, which)
    milliseconds: float | None = None
    measured = generated is None
    if generated is None and not _can_be_sampled(assembly.generator):
        dropped = {"reference": reference_dropped + outside_windows, "generated": []}
        return _result_of_model(reference, origin, dropped, run)
    if generated is None:
        start = time.process_time()
        generated = _generated(run, reference)
        milliseconds = 1000 * (time.process_time() - start) / len(generated)
    _check_columns(reference, generated)
    generated, generated_dropped = _passing(generated, cuts, "generated")
    generated, generated_outside = _accepted(generated, assembly, "generated")
    dropped = {
        "reference": reference_dropped + outside_windows,
        "generated": generated_dropped + generated_outside,
    }
    sides = _Sides(reference, generated, origin, dropped, dict(assembly.outside))
    result = _result(sides, run.recipe, assembly.model)
    result["generated"]["run"] = run.path.name
    if milliseconds is not None:
        result["generated"]["processor ms an event"] = milliseconds
    return result | _drawn(assembly, measured=measured)


def _drawn(assembly: Assembly, *, measured: bool) -> dict[str, str]:
    """The circuit of a model as text, as a picture if it is small, and its size on a device.

    A device over the network is asked only after it has measured the events that are compared.
    """
    circuit = getattr(assembly.generator, "circuit", None)
    if circuit is None:
        return {}
    backend = getattr(assembly.generator, "backend", assembly.backend)
    found = _written(circuit)
    if backend.capabilities.remote and not measured:
        return found
    try:
        transpiled = backend.device_circuit(circuit)
    except (RemoteError, Unsupported) as error:
        return found | {"device circuit": f"not transpiled for {name_of(backend)}: {error}"}
    if transpiled is None:
        return found
    return found | {"device circuit": f"transpiled for {name_of(backend)}: {transpiled}"}


def _written(circuit: Circuit) -> dict[str, str]:
    """A circuit as text, and as a picture if it is small."""
    if len(circuit.instructions) > MOST_WRITTEN:
        gates = ", ".join(f"{number} {name}" for name, number in circuit.counts.items())
        return {"circuit": f"{circuit.num_wires} wires, depth {circuit.depth}: {gates}"}
    if len(circuit.instructions) > MOST_DRAWN:
        return {"circuit": draw(circuit)}
    return {"circuit": draw(circuit), "circuit svg": svg(circuit)}


def evaluate_file(
    path: Path, settings: Sequence[str] = (), *, untrained: bool = False
) -> dict[str, Any]:
    """The evaluation of a file of events.

    Where the file names the run folder that it was generated from, this is :func:`evaluate` with
    its events. Any other file is compared with the reference of the ``settings``, in the columns
    that both have and with the cuts of the reference; there is no model.

    Raises DataError for a file that cannot be read, that was generated by another training, or that
    names no run where there is no reference.

    >>> import tempfile
    >>> from qgen_core.runs.eventfile import write_events
    >>> events = Events(np.linspace(0, 1, 200)[:, None], columns=("x",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "events.h5")
    ...     _ = write_events(iter([events]), path, {})
    ...     found = evaluate_file(path, [f"evaluation.reference={path}"])
    >>> found["metrics"][0]["metric"], found["metrics"][0]["value"]
    ('marginal-d', 0.0)
    """
    attributes = contents(path).attributes
    folder = attributes.get("run")
    if folder is not None and Path(folder).is_dir():
        run = Run(folder, settings, untrained=untrained)
        check_made_by(path, attributes, run)
        layout = Layout.of_run(run.recipe.tables["dataset"], run.record["data"])
        return evaluate(run, generated=read_file(path, layout))
    recipe = Recipe.without_run(settings)
    if recipe.evaluation is None or "reference" not in recipe.evaluation:
        raise DataError(
            f"{path} does not name an existing run folder (attribute 'run': {folder!r}); give the "
            "file or dataset to compare it with by --reference"
        )
    if folder is not None:
        log.warning("the run folder %s is not there: its windows are not applied", folder)
    reference, events = read_pair(path, recipe.evaluation["reference"], recipe.seed)
    _check_columns(reference, events)
    cuts = [*reference.cuts, *events.cuts]
    reference, reference_dropped = _passing(reference, cuts, "reference")
    events, dropped = _passing(events, cuts, "generated")
    both = {"reference": reference_dropped, "generated": dropped}
    return _result(_Sides(reference, events, reference.described, both, {}), recipe, None)


def _result(sides: _Sides, recipe: Recipe, model: Model | None) -> dict[str, Any]:
    """The evaluation of two samples, ready for JSON."""
    # Metrics and histograms share what is computed of the events.
    reference = Source(sides.reference)
    generated = Source(sides.generated)
    edges = _edges(recipe.evaluation, reference)
    rng = stream(recipe.seed, "evaluate")
    metrics = recipe.metrics
    left_out: list[str] = []
    if metrics is None:
        metrics, left_out = default_metrics(edges, round(effective_size(reference)))
    built = [registry.build("metric", entry) for entry in metrics]
    found = scores(built, reference, generated, edges=edges, rng=rng, model=model)
    rows = _rows(built, found)
    marginals = [histograms.marginal(reference, generated, i, edges) for i in range(len(edges))]
    shown = list(range(len(edges)))
    most_pairs = histograms.MAX_PAIRS
    most_by_condition = histograms.MAX_COLUMNS_BY_CONDITION
    if len(edges) > MAX_COLUMNS:
        shown = _most_different(marginals)
        most_pairs = histograms.PAIRS_OF_MANY
        most_by_condition = histograms.COLUMNS_BY_CONDITION_OF_MANY
        left_out.append(
            f"marginals and correlations of {len(edges) - MAX_COLUMNS} of {len(edges)} columns; "
            f"the {MAX_COLUMNS} with the largest total variation are kept"
        )
    correlation = histograms.correlations(reference, generated, shown)
    follow_reference = isinstance(edges, ReferenceEdges)
    most_bins = MAX_PAIR_BINS
    if follow_reference:
        by_size = int(np.sqrt(effective_size(reference) / IN_CELL_OF_MAP))
        most_bins = min(max(by_size, 2), MAX_PAIR_BINS)
    coarse = [histograms.coarse(one, most_bins) for one in edges]
    joints = []
    for pair in histograms.worst_pairs(correlation, shown, most_pairs):
        joints.append(histograms.joint(reference, generated, coarse, pair, follow_reference))
    whole = [marginals[column] for column in shown]
    by_condition = histograms.by_condition(reference, generated, edges, whole, most_by_condition)
    return {
        # A provenance may have an entry "events" of its own: those of the file, not those used.
        "reference": {
            **reference.provenance,
            "events": len(reference),
            "origin": sides.origin,
        },
        "generated": {
            "events": len(generated),
            "origin": generated.described,
            **_told_by(generated),
        },
        "dropped": sides.dropped,
        "outside the window": sides.outside,
        "metrics": rows,
        "bins": _bins(edges, shown),
        "marginals": whole,
        "joints": joints,
        "pairs of columns": len(edges) * (len(edges) - 1) // 2,
        "by condition": by_condition,
        "correlation": correlation,
        "left out": left_out,
        "circuit": None,
        "settings": recipe.flat(),
    }


def _can_be_sampled(generator: Generator) -> bool:
    """Whether there are events: every model has them, but one of correlators alone."""
    return "samples" in generator.outputs or "correlators" not in generator.outputs


def _result_of_model(
    reference: Events, origin: str, dropped: dict[str, list[str]], run: Run
) -> dict[str, Any]:
    """The evaluation of a model that cannot be sampled, ready for JSON."""
    assembly = run.assembly
    metrics = run.recipe.metrics or MODEL_METRICS
    built = [registry.build("metric", entry) for entry in metrics]
    rng = stream(run.recipe.seed, "evaluate")
    found = scores(built, reference, None, rng=rng, model=assembly.model)
    model = name_of(assembly.generator)
    result = {
        "reference": {**reference.provenance, "events": len(reference), "origin": origin},
        "generated": {
            "events": 0,
            "origin": f"events: expectations of {model} are compared",
            "run": run.path.name,
        },
        "dropped": dropped,
        "outside the window": dict(assembly.outside),
        "metrics": _rows(built, found),
        "bins": None,
        "marginals": [],
        "joints": [],
        "by condition": [],
        "correlation": None,
        "left out": [f"marginals, maps and metrics of samples: {model} cannot be sampled here"],
        "circuit": None,
        "settings": run.recipe.flat(),
    }
    return result | _drawn(assembly, measured=False)


def _rows(metrics: Sequence[Metric], found: Sequence[Sequence[Score]]) -> list[dict[str, Any]]:
    """The scores of metrics as rows of a table."""
    rows = []
    for metric, of_metric in zip(metrics, found, strict=True):
        for one_score in of_metric:
            row = {"metric": name_of(metric), **asdict(one_score)}
            if not one_score.note:
                del row["note"]
            rows.append(row)
    return rows


def _held_back(assembly: Assembly) -> tuple[str, Events]:
    """The test events of the dataset, or the training events where there are none."""
    training, _, test = assembly.parts
    if len(test):
        return "test", test
    return "train", training


def _generated(run: Run, reference: Events) -> Events:
    """Newly generated events, with conditions that are drawn from the reference."""
    n = (run.recipe.evaluation or {}).get("events")
    if n is None and _is_on_device(run.assembly.generator):
        n = LEAST_EVENTS
        log.info("%d events are measured on a device; evaluation.events is another number", n)
    elif n is None:
        n = min(EVENTS, max(LEAST_EVENTS, VALUES // len(reference.columns)))
    conditions = None
    if reference.condition is not None:
        conditions = drawn_conditions(reference, n, run.recipe.seed)
    return Events.joined(list(run.generate(n, condition=conditions)))


def _is_on_device(generator: Generator) -> bool:
    """Whether events come from a device, or from a backend that has shots alone as devices do."""
    if generator.sampler is not None and generator.sampler.remote:
        return True
    backend: Backend | None = getattr(generator, "backend", None)
    if backend is None:
        return False
    return backend.capabilities.remote or not backend.capabilities.exact


def _check_columns(reference: Events, generated: Events) -> None:
    if reference.columns != generated.columns:
        raise DataError(
            f"the {reference.described} have the columns {', '.join(reference.columns)}, "
            f"the {generated.described} {', '.join(generated.columns)}"
        )


def _passing(events: Events, cuts: Sequence[Cut], which: str) -> tuple[Events, list[str]]:
    """The events that pass the cuts on columns that they have, and what was dropped so far.

    Raises DataError when none passes.
    """
    dropped = _dropped_in_reading(events, which)
    kept = events
    for cut in dict.fromkeys(cuts):
        values = kept.column(cut.column)
        if values is None:
            continue
        passes = cut.keeps(values)
        if np.all(passes):
            continue
        if not np.any(passes):
            raise DataError(f"none of the {len(kept)} {events.described} has {cut}")
        number = int(np.sum(~passes))
        text = f"not {cut}: {number} of {len(kept)} {events.described}"
        log.log(level_of(number / len(kept)), "%s: dropped %s", which, text)
        dropped.append(text)
        kept = kept.take(passes)
    return kept, dropped


def _dropped_in_reading(events: Events, which: str) -> list[str]:
    """What the dataset dropped when it read the events, unless the training has said so."""
    if which not in ("reference", "generated"):
        return []
    found = []
    for key in ("dropped", "outside", "cuts"):
        text = events.provenance.get(key, "")
        if text and not text.startswith(("none", "0 of ")):
            found.append(f"{key} in reading {events.described}: {text}")
    for text in found:
        log.info("%s: %s", which, text)
    return found


def _accepted(events: Events, assembly: Assembly, which: str) -> tuple[Events, list[str]]:
    """The events that the encoders accept, and what was dropped for that."""
    kept = assembly.accepted(events, which)
    if which not in assembly.notes:
        return kept, []
    share, text = assembly.notes[which]
    log.log(level_of(share), text)
    return kept, [text]


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
    """What the provenance of events says of their origin, their sampler and of lost parts."""
    keys = ("kind", "file", "sha256", *SAMPLER_KEYS, WARNING_KEY)
    return {key: events.provenance[key] for key in keys if key in events.provenance}


def _edges(given: Mapping[str, Any] | None, reference: Events) -> list[Floats]:
    """The edges that the recipe gives; without them, equal-count bins of the reference."""
    if given is None or not {"edges", "bins"} & set(given):
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
