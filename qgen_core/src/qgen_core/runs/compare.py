"""Comparing runs: their metrics side by side, where their recipes differ, curves laid over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgen_core.errors import CheckpointError, DataError
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import Section, material, page, plugin_sections, section
from qgen_core.support.checkpoint import write_durably


def compare(folders: Sequence[Path]) -> dict[str, Any]:
    """Metrics of evaluated runs and the recipe fields in which they differ; needs no plugin.

    Raises CheckpointError for a folder without a run, DataError for one not yet evaluated.
    """
    found = []
    for folder in folders:
        if not (folder / "recipe.toml").exists():
            raise CheckpointError(f"{folder} is no run folder: it has no recipe.toml")
        one = material(folder)
        if one["evaluation"] is None:
            raise DataError(f"{folder} is not evaluated; run: qgen evaluate {folder}")
        found.append(one)
    names = _names([folder.resolve() for folder in folders])
    return {
        "names": names,
        "metrics": _metrics([one["evaluation"]["metrics"] for one in found]),
        "differences": _differences([Recipe.from_dict(one["recipe"]).flat() for one in found]),
        "losses": [one["history"][-1]["loss"] if one["history"] else None for one in found],
        "runs": [one | {"name": name} for one, name in zip(found, names, strict=True)],
    }


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with their parents where those alone are the same."""
    short = [folder.name for folder in folders]
    return (
        short
        if len(set(short)) == len(short)
        else ["/".join(folder.parts[-2:]) for folder in folders]
    )


def _metrics(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One row per quantity that any run has, with a cell (or None) for each run."""
    indexed = [{(row["metric"], row["name"]): row for row in table} for table in tables]
    keys = dict.fromkeys(key for table in indexed for key in table)
    return [
        {"metric": metric, "name": name, "cells": [table.get((metric, name)) for table in indexed]}
        for metric, name in keys
    ]


def _differences(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    rows = {key: [recipe.get(key) for recipe in recipes] for key in keys}
    return {key: values for key, values in rows.items() if any(v != values[0] for v in values)}


def as_text(result: Mapping[str, Any]) -> str:
    """The tables for a terminal."""
    names = result["names"]
    width = max(14, *(len(name) + 2 for name in names))
    lines = [f"{'metric':<14} {'quantity':<20} " + "".join(f"{name:>{width}}" for name in names)]
    for row in result["metrics"]:
        cells = "".join(
            f"{cell['value']:>{width}.4g}" if cell else " " * width for cell in row["cells"]
        )
        lines.append(f"{row['metric']:<14} {row['name']:<20} {cells}")
    final = "".join(
        f"{loss:>{width}.4g}" if loss is not None else " " * width for loss in result["losses"]
    )
    lines.append(f"{'last loss':<14} {'':<20} {final}")
    for key, values in result["differences"].items():
        lines.append(
            f"{key:<35} " + "".join(f" {'-' if v is None else str(v):>{width - 1}}" for v in values)
        )
    return "\n".join(lines)


def write_comparison(result: Mapping[str, Any], path: Path) -> Path:
    """Write the comparison as one self-contained HTML page and return its path."""
    sections = [section("Metrics", "compare_metrics.html", 10, result=result)]
    if result["differences"]:
        sections.append(section("Differences", "compare_differences.html", 20, result=result))
    drawn: list[Section] = plugin_sections({"runs": result["runs"]})
    title = " · ".join(result["names"])
    html = page(title, "runs compared", [*sections, *drawn], figures=bool(drawn))
    write_durably(path, html.encode("utf-8"))
    return path
