"""Comparison of runs: metrics side by side, differences of the recipes, overlaid distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgen_core.errors import BadOption, DataError
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import Section, material, page, plugin_sections, section
from qgen_core.support.files import write_durably


def compare(folders: Sequence[Path]) -> dict[str, Any]:
    """Metrics of evaluated runs, and the recipe fields in which they differ.

    ``warnings`` say which runs were evaluated in other bins than the first: metrics that bin cannot
    be compared with it. The plugins of the models need not be installed. Raises CheckpointError for
    a folder without a run or whose files do not belong together, DataError for a run that has not
    been evaluated.
    """
    found = []
    for folder in folders:
        one = material(folder)
        if one["evaluation"] is None:
            raise DataError(f"{folder} is not evaluated; run: qgen evaluate {folder}")
        found.append(one)
    names = _names([folder.resolve() for folder in folders])
    recipes = [Recipe.from_dict(one["recipe"]).flat() for one in found]
    return {
        "names": names,
        "metrics": _metrics([one["evaluation"]["metrics"] for one in found]),
        "differences": _differences(recipes),
        "warnings": _warnings(names, [one["evaluation"] for one in found]),
        "losses": [_last_loss(one["history"]) for one in found],
        "runs": [one | {"name": name} for one, name in zip(found, names, strict=True)],
    }


def _warnings(names: Sequence[str], evaluations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which runs have other bins than the first, or bins that are not known."""
    checksums = []
    for evaluation in evaluations:
        checksums.append((evaluation.get("bins") or {}).get("sha256"))
    warnings = []
    others = [name for name, one in zip(names, checksums, strict=True) if one != checksums[0]]
    unknown = [name for name, one in zip(names, checksums, strict=True) if one is None]
    if unknown:
        warnings.append(
            f"the bins of {', '.join(unknown)} are not known; evaluate again with qgen evaluate"
        )
    elif others:
        warnings.append(
            f"{', '.join(others)} and {names[0]} have different bins, because their references or "
            "recipes differ: metrics that bin cannot be compared; evaluate them with the same "
            "reference (--reference) and the same [evaluation]"
        )
    return warnings


def _last_loss(history: Sequence[Mapping[str, Any]]) -> float | None:
    if not history:
        return None
    loss: float = history[-1]["loss"]
    return loss


def _names(folders: Sequence[Path]) -> list[str]:
    """The names of the folders, with those of their parents if the names alone are not unique."""
    short = [folder.name for folder in folders]
    if len(set(short)) == len(short):
        return short
    return ["/".join(folder.parts[-2:]) for folder in folders]


def _metrics(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One row for each quantity of any run, with a cell (or None) for each run."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for run, table in enumerate(tables):
        for cell in table:
            key = (cell["metric"], cell["name"])
            if key not in rows:
                empty = [None] * len(tables)
                rows[key] = {"metric": cell["metric"], "name": cell["name"], "cells": empty}
            rows[key]["cells"][run] = cell
    return list(rows.values())


def _differences(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values in each recipe (or None) of every field in which they are not all equal."""
    keys: dict[str, None] = {}
    for recipe in recipes:
        keys |= dict.fromkeys(recipe)
    differences = {}
    for key in keys:
        values = [recipe.get(key) for recipe in recipes]
        if any(value != values[0] for value in values):
            differences[key] = values
    return differences


def as_text(result: Mapping[str, Any]) -> str:
    """The comparison as a table for a terminal: values with errors, and floors below them.

    >>> cell = {"metric": "tv", "name": "joint tv", "value": 0.25, "uncertainty": 0.01}
    >>> cell |= {"floor": 0.1, "floor_spread": 0.02}
    >>> metrics = [{"metric": "tv", "name": "joint tv", "cells": [cell, None]}]
    >>> result = {"names": ["a", "b"], "metrics": metrics, "differences": {"seed": [1, 2]}}
    >>> for line in as_text(result | {"losses": [0.5, None], "warnings": ["b"]}).splitlines():
    ...     print(line.split())
    ['metric', 'quantity', 'a', 'b']
    ['tv', 'joint', 'tv', '0.25', '±', '0.01']
    ['floor', '0.1', '±', '0.02']
    ['last', 'loss', '0.5']
    ['seed', '1', '2']
    ['warning:', 'b']
    """
    names = result["names"]
    width = max(24, *(len(name) + 2 for name in names))
    lines = [f"{'metric':<14} {'quantity':<20} " + _aligned(names, width)]
    for row in result["metrics"]:
        values = [_with_error(cell, "value", "uncertainty") for cell in row["cells"]]
        floors = [_with_error(cell, "floor", "floor_spread") for cell in row["cells"]]
        lines.append(f"{row['metric']:<14} {row['name']:<20} {_aligned(values, width)}")
        lines.append(f"{'':<14} {'  floor':<20} {_aligned(floors, width)}")
    losses = []
    for loss in result["losses"]:
        losses.append("" if loss is None else f"{loss:.4g}")
    lines.append(f"{'last loss':<14} {'':<20} {_aligned(losses, width)}")
    for key, options in result["differences"].items():
        line = f"{key:<35} "
        for option in options:
            text = "-" if option is None else str(option)
            line += f" {text:>{width - 1}}"
        lines.append(line)
    lines += [f"warning: {warning}" for warning in result["warnings"]]
    return "\n".join(lines)


def _with_error(cell: Mapping[str, Any] | None, value: str, error: str) -> str:
    """A number of a cell with its error; nothing without a cell."""
    if cell is None:
        return ""
    return f"{cell[value]:.4g} ± {cell[error]:.2g}"


def _aligned(texts: Sequence[str], width: int) -> str:
    return "".join(f"{text:>{width}}" for text in texts)


def write_comparison(result: Mapping[str, Any], path: Path, *, latex: bool = False) -> Path:
    """Write the comparison as one self-contained HTML page and return its path.

    ``latex`` asks the figures to show names of columns as formulas.

    Raises BadOption for a name of another format, ResourceRefused when it cannot be written.
    """
    if path.suffix.lower() not in ("", ".html", ".htm"):
        raise BadOption(f"{path}: a comparison is a page of HTML; name it .html")
    sections = [section("Metrics", "compare_metrics.html", 10, result=result)]
    if result["differences"]:
        sections.append(section("Differences", "compare_differences.html", 20, result=result))
    drawn: list[Section] = plugin_sections({"runs": result["runs"], "latex": latex})
    title = " · ".join(result["names"])
    html = page(title, "runs compared", [*sections, *drawn], figures=bool(drawn))
    write_durably(path, html.encode("utf-8"))
    return path
