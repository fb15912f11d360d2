"""The run browser: any number of evaluated runs on one page, to sort, to filter and to overlay.

The page is one file that needs no network. It holds the numbers as JSON; the scripts among the
templates of this package make the table and the figures of them in a browser.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qgen_core.errors import BadOption
from qgen_core.runs.compare import COSTS
from qgen_core.runs.pages import rendered, short
from qgen_core.runs.recipes import Recipe
from qgen_core.support.files import write_durably

#: Fields of recipes that come first, where recipes differ in them.
FIRST_FIELDS = ("dataset.name", "generator.name", "backend.name", "sampler.name", "noise.name")
#: So many fields and metrics are columns from the start; the others are added on the page.
MOST_FIELDS = 7
MOST_METRICS = 6
#: The most points that the page holds of a number of a history.
MOST_POINTS = 300


def write_browser(result: Mapping[str, Any], path: Path) -> Path:
    """Write the run browser as one self-contained HTML page and return its path.

    ``result`` is what :func:`qgen_core.runs.compare.compare` returns.

    Raises BadOption for a name of another format, ResourceRefused when it cannot be written.

    >>> import tempfile
    >>> from qgen_core.runs.compare import side_by_side
    >>> result = side_by_side([], []) | {"runs": [], "left out": []}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_browser(result, Path(folder, "runs.html"))
    ...     "0 runs" in path.read_text()
    True
    """
    if path.suffix.lower() not in ("", ".html", ".htm"):
        raise BadOption(f"{path}: the run browser is a page of HTML; name it .html")
    html = rendered(
        "browser.html",
        data=browser_data(result),
        warnings=result["warnings"],
        left_out=result["left out"],
        shared=_shared(result),
        count=len(result["runs"]),
        version=version("qgen-core"),
    )
    write_durably(path, html.encode("utf-8"))
    return path


def browser_data(result: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of the page, ready for JSON.

    ``columns`` have an ``id``, a ``title``, a ``kind`` (text, number, or score: a row of the
    metrics of an evaluation) and whether they are ``shown`` from the start. ``runs`` have ``cells``
    by the id of their column, ``marks``, what there is to know of the run, the ``history`` (steps
    and values by name), and the ``marginals``. A marginal names one of the ``references``,
    which runs that were evaluated on the same events share. Numbers that are not finite are None.

    >>> from qgen_core.runs.compare import side_by_side
    >>> browser_data(side_by_side([], []) | {"runs": []})["columns"][0]["title"]
    'last loss'
    """
    columns = _Columns()
    groups = _groups([_checksum(run) for run in result["runs"]])
    if len(set(groups)) > 1:
        columns.add("bins", groups, shown=True)
    differences = result["differences"]
    first = [key for key in FIRST_FIELDS if key in differences]
    for number, key in enumerate(dict.fromkeys([*first, *differences])):
        columns.add(key.removesuffix(".name"), differences[key], shown=number < MOST_FIELDS)
    for number, row in enumerate(result["metrics"]):
        columns.add_scores(row, shown=number < MOST_METRICS)
    columns.add("last loss", result["losses"], shown=True)
    for name, unit in COSTS.items():
        values = [cost[name] for cost in result["costs"]]
        columns.add(f"{name} [{unit}]".removesuffix(" []"), values, shown=True)
    references = _References()
    runs = []
    for number, run in enumerate(result["runs"]):
        runs.append(
            {
                "name": run["name"],
                "marks": _marks(run),
                "cells": columns.cells_of(number),
                "history": _series(run["history"]),
                "marginals": references.without(run["evaluation"].get("marginals", [])),
            }
        )
    found = {"columns": columns.described, "runs": runs, "references": references.distinct}
    plain: dict[str, Any] = _finite(found)
    return plain


class _Columns:
    """The columns of the table."""

    def __init__(self) -> None:
        self.described: list[dict[str, Any]] = []
        self._cells: list[Sequence[Any]] = []

    def __len__(self) -> int:
        return len(self.described)

    def add(self, title: str, values: Sequence[Any], *, shown: bool) -> None:
        """A column of numbers, if all values are numbers or None, else one of texts."""
        if all(value is None or _is_number(value) for value in values):
            self._append(title, "number", values, shown)
        else:
            self._append(title, "text", [_text(value) for value in values], shown)

    def add_scores(self, row: Mapping[str, Any], *, shown: bool) -> None:
        """A column of a quantity of the evaluations."""
        self._append(row["name"], "score", row["cells"], shown)
        self.described[-1]["metric"] = row["metric"]

    def cells_of(self, run: int) -> dict[str, Any]:
        """What stands in the row of a run, by the id of the column."""
        cells = {}
        for column, values in zip(self.described, self._cells, strict=True):
            cells[column["id"]] = values[run]
        return cells

    def _append(self, title: str, kind: str, cells: Sequence[Any], shown: bool) -> None:
        column = {"id": f"c{len(self)}", "title": title, "kind": kind, "shown": shown}
        self.described.append(column)
        self._cells.append(cells)


class _References:
    """The reference histograms of all runs, each distinct one once."""

    def __init__(self) -> None:
        self.distinct: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}

    def without(self, marginals: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The marginals of a run, with the number of a reference in the place of its histogram."""
        found = []
        for marginal in marginals:
            own = dict(marginal)
            shared = {name: own.pop(name) for name in ("edges", "reference", "reference_error")}
            number = self._numbers.setdefault(json.dumps(shared), len(self.distinct))
            if number == len(self.distinct):
                self.distinct.append(shared)
            found.append(own | {"reference": number})
        return found


def _shared(result: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have the same value in all recipes."""
    if not result["runs"]:
        return {}
    recipe = Recipe.from_dict(result["runs"][0]["recipe"]).flat()
    return {key: value for key, value in recipe.items() if key not in result["differences"]}


def _checksum(run: Mapping[str, Any]) -> str | None:
    checksum: str | None = (run["evaluation"].get("bins") or {}).get("sha256")
    return checksum


def _groups(checksums: Sequence[str | None]) -> list[str]:
    """A name for each set of bins, in the order in which they occur first.

    >>> _groups(["3e19", "77c0", None, "3e19"])
    ['bins 1', 'bins 2', 'not known', 'bins 1']
    """
    numbers: dict[str, str] = {}
    groups = []
    for checksum in checksums:
        if checksum is None:
            groups.append("not known")
        else:
            groups.append(numbers.setdefault(checksum, f"bins {len(numbers) + 1}"))
    return groups


def _marks(run: Mapping[str, Any]) -> list[str]:
    """What there is to know of a run: the kind of its data, who drew samples, and warnings."""
    evaluation = run["evaluation"]
    generated = evaluation.get("generated", {})
    marks = [f"{run['run'].get('data', {}).get('kind', 'unknown')} data"]
    kind_of_reference = evaluation.get("reference", {}).get("kind")
    if kind_of_reference and f"{kind_of_reference} data" not in marks:
        marks.append(f"{kind_of_reference} reference")
    marks += run["run"].get("sampler", {}).get("sources", [])
    marks.append(generated.get("sampler source", ""))
    marks += [generated.get("warning", ""), *run["lost"], *run["run"].get("warnings", [])]
    return list(dict.fromkeys(mark for mark in marks if mark))


def _series(history: Sequence[Mapping[str, Any]]) -> dict[str, list[list[float]]]:
    """The steps and the values of each number of a history, thinned out."""
    series: dict[str, list[list[float]]] = {}
    for record in history:
        for name, value in record.items():
            if name != "step":
                steps, values = series.setdefault(name, [[], []])
                steps.append(record["step"])
                values.append(value)
    for name, (steps, values) in series.items():
        kept = thinned(values)
        series[name] = [[steps[place] for place in kept], [values[place] for place in kept]]
    return series


def thinned(values: Sequence[float], most: int = MOST_POINTS) -> list[int]:
    """The places of at most ``most`` values that a curve is drawn through.

    Of each of equal stretches these are the places of the least and of the greatest value, so that
    no peak is lost.

    >>> thinned([0.0, 1.0, 2.0, 9.0, 2.0, 3.0, 4.0, 5.0], most=4)
    [0, 3, 4, 7]
    """
    if len(values) <= most:
        return list(range(len(values)))
    kept = set()
    stretches = most // 2
    for stretch in range(stretches):
        first = stretch * len(values) // stretches
        places = range(first, (stretch + 1) * len(values) // stretches)
        kept |= {min(places, key=values.__getitem__), max(places, key=values.__getitem__)}
    return sorted(kept)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return short(value)


def _finite(node: Any) -> Any:
    """Plain data in which None stands for numbers that are not finite: JSON has none of these."""
    if isinstance(node, Mapping):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return node
