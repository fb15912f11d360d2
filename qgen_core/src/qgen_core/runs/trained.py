"""Trainings from Python: the functions ``train``, ``fit``, ``load``, ``compare`` and their results.

They make recipes and run folders, the same as the command line does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.discovery import registry
from qgen_core.discovery.drawing import figure
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.interfaces import History
from qgen_core.runs import compare as comparing
from qgen_core.runs import evaluation, report
from qgen_core.runs.browser import write_browser
from qgen_core.runs.eventfile import write_events
from qgen_core.runs.progress import TrainingProgress
from qgen_core.runs.recipes import REQUIRED, Recipe
from qgen_core.runs.run import Run
from qgen_core.runs.run import train as train_in_folder
from qgen_core.runs.tracking import Trackers, tracked
from qgen_core.support.notebook import ShownInNotebook, paragraph, table
from qgen_core.typing import Array, Floats

#: Where run folders are made if none is given, below the working directory.
RUNS = Path("runs")
#: The file in a run folder with the events that :func:`fit` was given.
GIVEN = "given.h5"
#: The column of that file with the weights of events.
WEIGHT = "weight"
#: The most quantities that the one-line description of an evaluation names.
MOST_TOLD = 4


class Evaluation(ShownInNotebook, dict[str, Any]):
    """The result of an evaluation, as in ``evaluation.json``; a notebook shows it as a table.

    >>> row = {"metric": "js", "name": "js", "value": 0.012, "uncertainty": 0.001}
    >>> Evaluation(metrics=[row])
    Evaluation(js 0.012 ± 0.001)
    """

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A row for each quantity: ``metric``, ``name``, ``value``, ``uncertainty``, ``floor``."""
        rows: list[dict[str, Any]] = self["metrics"]
        return rows

    def to_frame(self) -> Any:
        """The metrics as a pandas DataFrame. Raises BrokenPlugin if pandas is not installed."""
        pandas = import_optional("pandas", "Evaluation.to_frame", "pandas")
        return pandas.DataFrame(self.metrics)

    def __repr__(self) -> str:
        told = []
        for row in self.metrics[:MOST_TOLD]:
            told.append(f"{row['name']} {row['value']:.3g} ± {row['uncertainty']:.1g}")
        more = len(self.metrics) - len(told)
        if more:
            told.append(f"{more} more")
        return f"Evaluation({', '.join(told)})"

    def _details_html(self) -> str:
        rows = []
        for row in self.metrics:
            rows.append([row["name"], comparing.value_of(row), comparing.floor_of(row)])
        return table(["quantity", "value", "floor"], rows)


class Comparison(ShownInNotebook, dict[str, Any]):
    """Metrics of several runs side by side, and the fields in which their recipes differ.

    It holds what :func:`qgen_core.runs.compare.compare` returns; ``str`` of it is a table of text.

    >>> found = {"names": ["a", "b"], "metrics": [], "differences": {"seed": [1, 2]}}
    >>> Comparison(found)
    Comparison(a, b; 0 quantities; recipes differ in seed)
    """

    def __repr__(self) -> str:
        differences = ", ".join(self["differences"]) or "nothing"
        return (
            f"Comparison({', '.join(self['names'])}; {len(self['metrics'])} quantities; "
            f"recipes differ in {differences})"
        )

    def __str__(self) -> str:
        return comparing.as_text(self)

    def html(self, path: str | os.PathLike[str]) -> Path:
        """Write the runs as one HTML page to sort, filter and overlay, and return its path."""
        return write_browser(self, Path(path))

    def _details_html(self) -> str:
        rows = []
        for row in self["metrics"]:
            values = [comparing.value_of(cell) for cell in row["cells"]]
            floors = [comparing.floor_of(cell) for cell in row["cells"]]
            rows += [[row["name"], *values], ["floor", *floors]]
        for key, options in self["differences"].items():
            rows.append([key, *map(str, options)])
        warnings = "".join(paragraph(text) for text in self["warnings"])
        return table(["quantity", *self["names"]], rows) + warnings


class Figures(ShownInNotebook):
    """The figures of a run, each a matplotlib figure; a plugin such as qgen-hep draws them.

    Each raises DataError if the run has nothing to draw in it, e.g. marginal distributions before
    it is evaluated, and BrokenPlugin if no installed plugin draws it.
    """

    def __init__(self, drawn_run: TrainedRun) -> None:
        self._run = drawn_run

    def __repr__(self) -> str:
        return f"Figures of {self._run!r}: marginals, joint, correlation, training, circuit"

    def marginals(self) -> Any:
        """The distribution of each column, generated and reference, and their ratio."""
        return figure("marginals", self._evaluated())

    def joint(self, first: str | None = None, second: str | None = None) -> Any:
        """The joint distribution of two columns, by default the first two: both and their pulls."""
        found = self._evaluated()
        pairs = [set(joint["columns"]) for joint in found["evaluation"]["joints"]]
        pair = {first, second} - {None} or None
        if pair is not None and pair not in pairs:
            there = "; ".join(" and ".join(sorted(each)) for each in pairs) or "none"
            raise DataError(
                f"the evaluation has no joint distribution of {' and '.join(map(str, pair))}; "
                f"pairs of columns: {there}"
            )
        return figure("joint", found | {"pair": pair})

    def correlation(self) -> Any:
        """The correlation matrices: reference, generated and their difference."""
        return figure("correlation", self._evaluated())

    def training(self) -> Any:
        """The loss over the steps, and the largest derivative where there are any."""
        return figure("training", report.material(self._run.path))

    def circuit(self) -> Any:
        """The circuit of the model."""
        circuit = getattr(self._run.assembly.generator, "circuit", None)
        if circuit is None:
            name = self._run.recipe.tables["generator"]["name"]
            raise DataError(f"the generator {name!r} has no circuit to draw")
        return figure("circuit", {"circuit": circuit})

    def _evaluated(self) -> dict[str, Any]:
        found = report.material(self._run.path)
        if found["evaluation"] is None:
            raise DataError(f"{self._run.path} is not evaluated; call evaluate() first")
        return found


class TrainedRun(Run):
    """A trained run, as :func:`train` and :func:`load` return it: sample, evaluate, look at it.

    >>> import tempfile
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.random.default_rng(1).normal(size=(400, 1)), columns=("x",))
    >>> folder = tempfile.TemporaryDirectory()
    >>> model = qgen.fit(events, bits=3, steps=20, run=f"{folder.name}/run", progress=False)
    >>> model.sample(5, seed=1), len(model.history.records)
    (Events(5 of x), 20)
    >>> model.evaluate()  # doctest: +ELLIPSIS
    Evaluation(...)
    >>> folder.cleanup()
    """

    def sample(self, n: int, *, condition: Array | None = None, seed: int | None = None) -> Events:
        """n generated events in physical units, all in memory.

        ``condition`` (1, K) or (n, K); without it conditions are drawn from the test events.
        ``seed`` is that of the recipe by default. Raises DataError as
        :meth:`qgen_core.runs.run.Run.generate` does.
        """
        return Events.joined(list(self.generate(n, seed=seed, condition=condition)))

    def evaluate(
        self, *, reference: Events | None = None, generated: Events | None = None
    ) -> Evaluation:
        """Compare newly generated events with held-out ones, and keep the result in the folder.

        ``reference`` and ``generated`` take the place of either; see ``qgen evaluate``.
        """
        result = evaluation.evaluate(self, generated=generated, reference=reference)
        self.folder.save_evaluation(result)
        return Evaluation(result)

    def report(self, *, latex: bool = False) -> Path:
        """Write ``report.html`` into the folder and return its path."""
        return report.write_report(self.path, latex=latex)

    @property
    def history(self) -> History:
        """The record of each step."""
        return History(
            self.folder.history(),
            stopped=self.record.get("stopped", ""),
            warnings=list(self.record.get("warnings", ())),
        )

    @cached_property
    def plot(self) -> Figures:
        """The figures of this run."""
        return Figures(self)


def train(
    recipe: str | os.PathLike[str] | Mapping[str, Any] | Recipe,
    *,
    run: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    hooks: Sequence[object] = (),
    log: Trackers = (),
) -> TrainedRun:
    """Train a recipe and return the run.

    Args:
        recipe: the path of a recipe, its tables, or a :class:`~qgen_core.runs.recipes.Recipe`.
        run: the run folder; by default a new one below ``runs/``, named after the model.
        resume: whether to continue a training in that folder.
        progress: whether to show the progress on stderr: a bar in a terminal or a notebook.
        hooks: objects with hook methods such as ``on_step``.
        log: what follows the training, e.g. ``"tensorboard"``: a tracker or several, by name, as a
            table with ``name`` and options, or as an object.

    Raises RecipeError for a recipe that is wrong or a folder that holds a run already, and the
    errors of its components.

    >>> import tempfile
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.linspace(0, 1, 64)[:, None] ** 2, columns=("x",))
    >>> qgen.register("dataset", "doctest-front", lambda: events)
    >>> recipe = {
    ...     "dataset": "doctest-front",
    ...     "encoder": {"name": "binning", "bits": 2},
    ...     "generator": {"name": "qcbm", "ansatz": "brick"},
    ...     "loss": "js",
    ...     "trainer": {"name": "adam", "steps": 2},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = qgen.train(recipe, run=f"{folder}/run", progress=False)
    ...     print(trained.history)  # doctest: +ELLIPSIS
    History(2 steps, last loss 0.0..., 'all 2 steps done')
    """
    read = _read(recipe)
    folder = _folder(run, read.tables["generator"]["name"])
    with tracked(log, read, folder) as followers:
        return _trained(read, folder, resume=resume, progress=progress, hooks=[*hooks, *followers])


def fit(
    data: Any,
    generator: str | Mapping[str, Any] = "qcbm",
    *,
    run: str | os.PathLike[str] | None = None,
    bits: int | None = None,
    steps: int | None = None,
    conditions: Sequence[str] = (),
    seed: int = 0,
    progress: bool = True,
    **tables: Any,
) -> TrainedRun:
    """Train a model on data of your own and return the run.

    The data are stored in the run folder, and the recipe, ``run.recipe``, reads them from there, so
    everything that holds for runs holds for this one.

    Args:
        data: numbers (N, columns), a pandas DataFrame, or :class:`~qgen_core.Events`.
        generator: its name, or a table with ``name`` and options.
        run: the run folder; by default a new one below ``runs/``, named after the model.
        bits: of each column, for models of bits; 4 by default.
        steps: of the training.
        conditions: columns that the model is given instead of generating them.
        seed: of everything that is random.
        progress: whether to show the progress on stderr.
        tables: other tables of the recipe, such as ``encoder``, ``loss``, ``trainer``, ``backend``,
            by name or with options. Those that are left out are the generator's usual ones.

    Raises DataError for data that are no table of finite numbers, BadOption if the generator has no
    usual tables for what is left out, and what :func:`train` raises.

    >>> import tempfile
    >>> rng = np.random.default_rng(1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = fit(rng.normal(size=(500, 2)), bits=3, steps=5, run=f"{folder}/r", progress=False)
    ...     run.recipe.tables["encoder"]
    {'name': 'binning', 'bits': 3}
    """
    events = _events_of(data, conditions)
    chosen = _table_of(generator)
    usual = _usual_tables(chosen["name"], conditioned=bool(events.condition_columns))
    chosen = {**usual.pop("generator", {}), **chosen}
    document = {"seed": seed, "generator": chosen, **usual, **tables}
    _set_option(document, "encoder", "bits", bits)
    _set_option(document, "trainer", "steps", steps)
    folder = _folder(run, chosen["name"])
    if (folder / "recipe.toml").exists():
        raise BadOption(f"{folder} already holds a run; choose another folder")
    document["dataset"] = _table_of_stored(events, folder)
    lacking = [name for name in REQUIRED if name not in document]
    if lacking:
        raise BadOption(
            f"the generator {chosen['name']!r} has no usual {' and '.join(lacking)}, so give them: "
            + ", ".join(f"{name}=..." for name in lacking)
        )
    recipe = Recipe.from_dict(document, source="fit")
    _store(events, folder)
    return _trained(recipe, folder, progress=progress)


def load(folder: str | os.PathLike[str]) -> TrainedRun:
    """The run in a folder.

    Raises CheckpointError if there is none or its files are damaged.

    >>> load("no-such-folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.CheckpointError: CheckpointError: no-such-folder is not a run folder: ...
    """
    return TrainedRun(folder)


def compare(runs: Iterable[TrainedRun | str | os.PathLike[str]]) -> Comparison:
    """Compare evaluated runs, given as runs or by their folders.

    A folder of runs stands for all evaluated runs in it. Raises DataError for a run that is not
    evaluated.

    >>> import tempfile
    >>> x = np.random.default_rng(1).normal(size=(400, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     runs = []
    ...     for bits in (2, 3):
    ...         run = fit(x, bits=bits, steps=2, run=f"{folder}/{bits}-bits", progress=False)
    ...         _ = run.evaluate()
    ...         runs.append(run)
    ...     compare(runs)["differences"]["encoder.bits"]
    [2, 3]
    """
    folders = []
    for each in runs:
        folders.append(each.path if isinstance(each, TrainedRun) else Path(each))
    return Comparison(comparing.compare(folders))


def _read(recipe: str | os.PathLike[str] | Mapping[str, Any] | Recipe) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return Recipe.from_dict(recipe)
    return Recipe.read(recipe)


def _folder(given: str | os.PathLike[str] | None, name: str) -> Path:
    """The folder that was given, or a new one named after the model, numbered if need be."""
    if given is not None:
        return Path(given)
    folder = RUNS / name
    number = 1
    while folder.exists():
        number += 1
        folder = RUNS / f"{name}-{number}"
    return folder


def _trained(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    progress: bool = True,
    hooks: Sequence[object] = (),
) -> TrainedRun:
    bar = TrainingProgress()
    shown = [*hooks]
    if progress:
        shown.append(bar)
    try:
        train_in_folder(recipe, folder, resume=resume, hooks=shown)
    finally:
        bar.close()
    return TrainedRun(folder)


def _events_of(data: Any, conditions: Sequence[str]) -> Events:
    """Data of the user as events, of which some columns are conditions."""
    if isinstance(data, Events):
        events = data
    elif hasattr(data, "to_numpy") and hasattr(data, "columns"):
        names = tuple(str(name) for name in data.columns)
        events = Events(data.to_numpy(dtype=np.float64), columns=names)
    else:
        events = Events(np.asarray(data))
    unknown = [name for name in conditions if name not in events.columns]
    if unknown:
        raise DataError(
            f"no column {', '.join(map(repr, unknown))}; the data have {', '.join(events.columns)}"
        )
    if not conditions:
        return events
    if events.condition is not None:
        raise DataError(
            f"the events have the conditions {', '.join(events.condition_columns)} already"
        )
    kept = [number for number, name in enumerate(events.columns) if name not in conditions]
    if not kept:
        raise DataError("all columns are conditions, so there is nothing to generate")
    given = [events.columns.index(name) for name in conditions]
    return events.replace(
        x=events.x[:, kept],
        condition=events.x[:, given],
        columns=tuple(events.columns[number] for number in kept),
        units=tuple(events.units[number] for number in kept),
        condition_columns=tuple(conditions),
    )


def _usual_tables(generator: str, *, conditioned: bool) -> dict[str, Any]:
    """The tables that a generator names as usual; those of conditions only where there are any."""
    _, factory = registry.factory_of("generator", generator)
    usual: dict[str, Any] = {}
    for name, component in getattr(factory, "usual", {}).items():
        if name != "condition_encoder" or conditioned:
            usual[name] = _table_of(component)
    return usual


def _table_of(component: str | Mapping[str, Any]) -> dict[str, Any]:
    """The table of a component that is given by its name or as a table."""
    if isinstance(component, str):
        return {"name": component}
    return dict(component)


def _set_option(document: dict[str, Any], table: str, option: str, value: Any) -> None:
    """Set an option of a table of a recipe, unless it is None."""
    if value is None:
        return
    found = document.get(table)
    if found is None:
        return  # what is missing is said together
    document[table] = {**_table_of(found), option: value}


def _table_of_stored(events: Events, folder: Path) -> dict[str, Any]:
    """The table of a recipe that reads events that are stored in a run folder."""
    table: dict[str, Any] = {
        "name": "saved-events",
        "path": str((folder / GIVEN).absolute()),
        "columns": list(events.columns),
        "units": dict(zip(events.columns, events.units, strict=True)),
    }
    if events.condition is not None:
        table["condition_columns"] = list(events.condition_columns)
    if events.weight is not None:
        table["weight"] = WEIGHT
    return table


def _store(events: Events, folder: Path) -> None:
    """Write events into a run folder."""
    if events.weight is not None:
        events = _with_weights(events)
    folder.mkdir(parents=True, exist_ok=True)
    write_events(iter([events]), folder / GIVEN, events.provenance)


def _with_weights(events: Events) -> Events:
    """The same events with their weights as a column."""
    if events.column(WEIGHT) is not None:
        raise DataError(f"events with weights have no column {WEIGHT!r} besides; rename it")
    weights: Floats = events.weights
    return Events(
        np.column_stack([events.x, weights]),
        events.condition,
        columns=(*events.columns, WEIGHT),
        units=(*events.units, "1"),
        condition_columns=events.condition_columns,
        provenance=events.provenance,
    )
