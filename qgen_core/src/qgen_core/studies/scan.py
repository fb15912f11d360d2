"""The study ``scan``: a recipe over a grid of its values, or over the trials of a search."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from qgen_core.discovery.hooks import manager
from qgen_core.errors import BadOption, Diverged, RecipeError
from qgen_core.runs.evaluation import evaluate
from qgen_core.runs.recipes import Recipe, apply_settings
from qgen_core.studies.cells import Cell, Tag, canonical
from qgen_core.studies.results import Results
from qgen_core.studies.search import Search
from qgen_core.studies.study import Study, build
from qgen_core.studies.summary import MISSING, SPACE, Summary
from qgen_core.studies.tables import Table
from qgen_core.studies.trial import Trial

#: The number that every training has: the loss of its last step.
LOSS = "loss"
MOST_CELLS = 100_000
MOST_BYTES = 2**20


def scores(trial: Trial) -> dict[str, Any]:
    """The last loss of a training and the metrics of its recipe, by heading.

    A training that diverges has no numbers, but the reason.
    """
    try:
        numbers = {LOSS: trial.history[-1]["loss"]}
    except Diverged as error:
        return {"numbers": {}, "diverged": str(error.args[0])}
    if trial.recipe.metrics:
        rows = evaluate(trial.run)["metrics"]
        names = [row["metric"] for row in rows]
        for row in rows:
            heading = row["metric"]
            if names.count(heading) > 1:
                heading += f" {row['name']}"
            if heading in numbers:
                raise BadOption(f"two metrics are headed {heading!r}; scan them one at a time")
            numbers[heading] = row["value"]
    return {"numbers": numbers, "diverged": ""}


class Scan(Study):
    """Trains a recipe at all points of a grid, or of a search, each with several seeds.

    ``qgen scan FILE`` reads the options from a study file.

    Args:
        recipe: the tables of the recipe.
        axes: lists of values by dotted key of the recipe, e.g. ``trainer.learning_rate``. All
            combinations are trained.
        search: instead of axes, what optuna searches: the options of
            :class:`qgen_core.studies.search.Search`.
        repeats: how many seeds each point is trained with, beginning with the recipe's.
        metrics: the metrics to tabulate beside the last loss; None: those that the recipe names.
        quick: values by dotted key that replace those of the recipe with ``--quick``, which trains
            one seed of each point, and one batch of a search.
        title: what the results are headed with.

    A training that diverges counts as a result. Raises BadOption, naming the key, for axes and
    searches that cannot be run.

    >>> recipe = {"dataset": "jets", "encoder": "binning", "generator": "qcbm", "loss": "js"}
    >>> recipe["trainer"] = {"name": "adam", "steps": 10}
    >>> scan = Scan(recipe=recipe, axes={"trainer.learning_rate": [0.1, 0.2]}, repeats=2)
    >>> for cell in scan.cells(quick=False):
    ...     print(cell.place, cell.recipe["trainer"]["learning_rate"])
     (trainer.learning_rate = 0.1, seed = 0) 0.1
     (trainer.learning_rate = 0.1, seed = 1) 0.1
     (trainer.learning_rate = 0.2, seed = 0) 0.2
     (trainer.learning_rate = 0.2, seed = 1) 0.2
    """

    measurements = {"scores": scores}

    def __init__(
        self,
        *,
        recipe: dict[str, Any],
        axes: dict[str, Any] | None = None,
        search: dict[str, Any] | None = None,
        repeats: int = 1,
        metrics: list[str | dict[str, Any]] | None = None,
        quick: dict[str, Any] | None = None,
        title: str = "scan",
    ) -> None:
        self.title = title
        self.recipe = Recipe.from_dict(recipe)
        if metrics is None:
            metrics = list(self.recipe.metrics or ())
        self.recipe = self.recipe.with_values({"metrics": metrics})
        self.repeats = repeats
        self.quick = dict(_leaves(quick or {}))
        self.search: Search | None = None
        self.axes: dict[str, Mapping[Tag, Any]] = {}
        if repeats < 1:
            raise BadOption(f"repeats is at least 1, not {repeats}")
        if axes and search is not None:
            raise BadOption("a study has [axes] or a [search], not both; remove one of them")
        where = "axes"
        values = dict(_leaves(axes or {}))
        if search is not None:
            where = "search.space"
            space = search.get("space", {})
            if not isinstance(space, Mapping):
                raise BadOption(f"search.space is a table of keys of the recipe, not {space!r}")
            values = dict(_leaves(space))
        for key, choices in values.items():
            if not isinstance(choices, Mapping):
                self.axes[key] = _labelled(choices, f"{where} {key!r}")
        if search is not None:
            labels = {key: list(choices) for key, choices in self.axes.items()}
            self.search = Search.of(search, {**values, **labels})
            self._check_metric(self.search.metric)
        else:
            for key, choices in values.items():
                if isinstance(choices, Mapping):
                    raise BadOption(f"axes {key!r} is a list of values, not {choices!r}")
        self._keys = list(values)
        if "seed" in values:
            raise BadOption(f"{where} 'seed' is no axis; give the number of seeds as repeats")
        count = repeats * math.prod(len(choices) for choices in self.axes.values())
        if self.search is not None:
            count = repeats * self.search.trials
        if count > MOST_CELLS:
            raise BadOption(f"these are {count} trainings, and {MOST_CELLS} at most are run")

    def _check_metric(self, metric: str) -> None:
        """The first word of a heading is a metric; the whole is known once one is measured."""
        known = [LOSS]
        for entry in self.recipe.metrics or ():
            known.append(entry if isinstance(entry, str) else entry["name"])
        if not any(metric == name or metric.startswith(f"{name} ") for name in known):
            raise BadOption(
                f"search.metric {metric!r} is not measured; there are {', '.join(known)}: "
                "add it to metrics"
            )

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        if self.search is not None:
            return self.more_cells(Results(), quick=quick)
        points = [dict(zip(self.axes, chosen, strict=True)) for chosen in self._combinations]
        return self._cells(points, quick)

    @cached_property
    def _combinations(self) -> list[tuple[Tag, ...]]:
        return list(itertools.product(*self.axes.values()))

    def more_cells(self, results: Results, *, quick: bool) -> Sequence[Cell]:
        if self.search is None:
            return ()
        trials = self.search.trials
        if quick:
            trials = min(trials, self.search.batch)
        metric = self.search.metric

        def value_of(point: Mapping[str, Tag]) -> float | None:
            found = results.where(**point)
            if not found or found.missing:
                return None
            return _summary(found, metric, required=True).mean

        return self._cells(self.search.asked(value_of, trials), quick)

    def _cells(self, points: Sequence[Mapping[str, Tag]], quick: bool) -> list[Cell]:
        """The cells of points, which are labels or numbers by key."""
        base = self.recipe
        repeats = self.repeats
        if quick:
            repeats = 1
            base = base.with_values(self.quick)
        found = []
        for point in points:
            values = {}
            for key, label in point.items():
                values[key] = self.axes.get(key, {}).get(label, label)
            try:
                recipe = base.with_values(values).to_dict()
            except RecipeError as error:
                place = Cell({}, {}, point).place
                raise type(error)(f"{error.args[0]}{place}") from error
            for seed in range(base.seed, base.seed + repeats):
                found.append(
                    Cell({**recipe, "seed": seed}, {"scores": {}}, {**point, "seed": seed})
                )
        return found

    def tables(self, results: Results) -> Sequence[Table]:
        headings = _headings(results)
        rows = []
        notes = []
        for point, found in self._points(results):
            texts = [_text(found, heading) for heading in headings]
            rows.append([*(_shown(label) for label in point.values()), *texts])
            reasons = _reasons(found)
            if reasons:
                place = Cell({}, {}, point).place
                notes.append(
                    f"{len(reasons)} of {len(found)} trainings diverged{place}: {reasons[0]}"
                )
        best = self._best(results)
        if best is not None:
            point, summary = best
            settings = ", ".join(f"{key} = {_shown(label)}" for key, label in point.items())
            assert self.search is not None
            notes.append(f"Best {self.search.metric}: {summary.text()} at {settings}.")
        title = f"{self.title}: mean ± standard deviation over seeds"
        return [Table(title, [*self._keys, *headings], rows, notes)]

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        """What the plugins that draw make of the points, see the hook ``scan_figures``."""
        headings = _headings(results)
        points = []
        for point, found in self._points(results):
            summaries = {}
            for heading in headings:
                summary = _summary(found, heading)
                if summary.count:
                    summaries[heading] = {
                        "mean": summary.mean,
                        "deviation": summary.deviation,
                        "count": summary.count,
                    }
            points.append({"values": dict(point), "summaries": summaries})
        material = {"title": self.title, "axes": self._keys, "metrics": headings, "points": points}
        paths: list[Path] = []
        for drawn in manager().scan_figures(material=material, folder=folder):
            paths.extend(drawn)
        return paths

    def _points(self, results: Results) -> list[tuple[Mapping[str, Tag], Results]]:
        """The results of each point, in order."""
        found: list[tuple[Mapping[str, Tag], Results]] = []
        for labels, group in results.groups(*self._keys).items():
            found.append((dict(zip(self._keys, labels, strict=True)), group))
        return found

    def _best(self, results: Results) -> tuple[Mapping[str, Tag], Summary] | None:
        """The best point of a search, among those of which all seeds have a number."""
        if self.search is None:
            return None
        best = None
        for point, found in self._points(results):
            summary = _summary(found, self.search.metric)
            if summary.count < len(found):
                continue
            value = summary.mean
            if self.search.direction == "maximize":
                value = -value
            if best is None or value < best[0]:
                best = (value, point, summary)
        if best is None:
            return None
        return best[1], best[2]


def read_scan(path: str | Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    r"""The table with which the study ``scan`` is built, from a study file.

    Args:
        path: a TOML file with the options of :class:`Scan`; ``recipe`` is a table, or the path of a
            recipe relative to the file.
        settings: changes ``key.sub=value`` of the file.

    The title is the file's name. Raises RecipeError, with the file and the key, for a file that
    cannot be read or run.

    >>> import tempfile
    >>> text = 'axes."trainer.steps" = [10, 20]\n[recipe]\ndataset = "jets"\nencoder = "binning"\n'
    >>> text += 'generator = "qcbm"\nloss = "js"\ntrainer = "adam"\n'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "steps.toml")
    ...     written = path.write_text(text)
    ...     ref = read_scan(path, ["repeats=3"])
    >>> ref["name"], ref["title"], ref["axes"], ref["repeats"]
    ('scan', 'steps', {'trainer.steps': [10, 20]}, 3)
    """
    file = Path(path)
    document = _document(file)
    recipe = document.get("recipe")
    if isinstance(recipe, str):
        document["recipe"] = Recipe.read(file.parent / recipe).to_dict()
    for reserved in ("name", "title"):
        if reserved in document:
            raise RecipeError(f"{file} has the key {reserved!r}; its results take the file's name")
    ref = {"name": "scan", "title": file.stem, **apply_settings(document, settings)}
    try:
        study = build(ref)
        study.cells(quick=True)
        study.cells(quick=False)
    except RecipeError as error:
        raise type(error)(f"{file}: {error.args[0]}") from error
    return ref


def _document(file: Path) -> dict[str, Any]:
    try:
        if file.is_file() and file.stat().st_size > MOST_BYTES:
            raise RecipeError(f"{file} has more than {MOST_BYTES} bytes; it is not a study file")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{file} is not TOML: {error}") from error


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted keys; a range and a component with a name are values."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and not _is_value(value):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_value(table: Mapping[str, Any]) -> bool:
    """Whether a table is a range or a component, and not the keys below a dotted one."""
    return "low" in table or "high" in table or isinstance(table.get("name"), str)


def _labelled(values: Any, where: str) -> dict[Tag, Any]:
    """Values by their labels. Raises BadOption for what is no list, and for a value twice."""
    if not isinstance(values, list) or not values:
        raise BadOption(f"{where} is a list of values, e.g. [0.01, 0.1], not {values!r}")
    found: dict[Tag, Any] = {}
    for value in values:
        label = _label(value, where)
        if label in found:
            raise BadOption(f"{where} has the value {label!r} twice; give each one once")
        found[label] = value
    return found


def _label(value: Any, where: str) -> Tag:
    """A value as a tag: text and numbers as they are, tables by their name and options."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return value
    try:
        if isinstance(value, Mapping) and "name" in value:
            options = [f"{key}={canonical(each)}" for key, each in value.items() if key != "name"]
            return " ".join([str(value["name"]), *options])
        return canonical(value)
    except (TypeError, ValueError) as error:
        raise BadOption(f"{where} has the value {value!r}, which no recipe can hold") from error


def _headings(results: Results) -> list[str]:
    """The headings of all numbers that were measured, in order of appearance."""
    found = {LOSS: None}
    for data in results.values():
        found.update(dict.fromkeys(data["numbers"]))
    return list(found)


def _summary(results: Results, heading: str, *, required: bool = False) -> Summary:
    """The summary of a number over the trainings that did not diverge.

    Raises BadOption if it is ``required`` and a training has others only.
    """
    numbers: list[float | None] = [None] * results.missing
    for data in results.values():
        if heading in data["numbers"]:
            numbers.append(data["numbers"][heading])
        elif required and not data["diverged"]:
            raise BadOption(
                f"search.metric {heading!r} is not one of {', '.join(data['numbers'])}; "
                "name one of these"
            )
    return Summary.of(numbers)


def _reasons(results: Results) -> list[str]:
    """Why trainings diverged."""
    return [data["diverged"] for data in results.values() if data["diverged"]]


def _text(results: Results, heading: str) -> str:
    summary = _summary(results, heading)
    diverged = len(_reasons(results))
    if not diverged:
        return summary.text()
    if not summary.count:
        return MISSING if summary.missing else "diverged"
    return f"{summary.text()}{SPACE}({diverged} diverged)"


def _shown(label: Tag) -> str:
    if isinstance(label, float):
        return f"{label:.4g}"
    return str(label)
