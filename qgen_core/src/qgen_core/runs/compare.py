"""Comparison of runs: metrics and costs side by side, differences of recipes, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgen_core.errors import BadOption, DataError, QgenError
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import Section, material, page, plugin_sections, section
from qgen_core.support.files import write_durably

#: What a run costs, and the unit in which it is shown.
COSTS = {"parameters": "", "training": "processor s", "generating": "ms an event"}
#: The most names that one message lists.
MOST_LISTED = 5


def compare(folders: Sequence[Path]) -> dict[str, Any]:
    """What :func:`side_by_side` says of evaluated runs, and ``runs``, the material of figures.

    A folder that is no run stands for all evaluated runs below it; ``left out`` says of the other
    runs there what is wrong with them. The plugins of the models need not be installed. Raises
    CheckpointError for a folder without a run, or for a run whose files do not belong together,
    DataError for a run that has not been evaluated and for a folder without evaluated runs.

    >>> from qgen_core.errors import CheckpointError
    >>> try:
    ...     compare([Path("no-such-run")])
    ... except CheckpointError as error:
    ...     print(error)
    CheckpointError: no-such-run is not a run folder: it has no recipe.toml
    """
    found: dict[Path, dict[str, Any]] = {}
    left_out: list[str] = []
    for folder in folders:
        below = sorted(file.parent for file in folder.rglob("*/recipe.toml"))
        if (folder / "recipe.toml").exists() or not below:
            found[folder.resolve()] = _evaluated(folder)
            continue
        for run in below:
            try:
                found[run.resolve()] = _evaluated(run)
            except QgenError as error:
                left_out.append(str(error))
    if not found:
        raise DataError(f"none of the runs is evaluated: {_listed(left_out)}")
    names = _names(list(found))
    runs = list(found.values())
    return {
        **side_by_side(names, [compared(one) for one in runs]),
        "runs": [one | {"name": name} for one, name in zip(runs, names, strict=True)],
        "left out": left_out,
    }


def _evaluated(folder: Path) -> dict[str, Any]:
    """The material of an evaluated run."""
    found = material(folder)
    if found["evaluation"] is None:
        raise DataError(f"{folder} is not evaluated; run: qgen evaluate {folder}")
    return found


def compared(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a comparison needs of an evaluated run, as plain data.

    ``found`` is what :func:`qgen_core.runs.report.material` returns. The ``cost`` holds the number
    of ``parameters``, the ``training`` in processor seconds, and the ``generating`` of an event in
    processor milliseconds; each is None where it is not known.

    >>> evaluation = {"metrics": [], "generated": {"processor ms an event": 0.25}}
    >>> run = {"timed": {"steps": 10, "processor seconds": 2.0}, "steps done": 20}
    >>> found = {"recipe": {}, "run": run, "history": [{"loss": 0.5}], "evaluation": evaluation}
    >>> compared(found)["cost"]
    {'parameters': None, 'training': 4.0, 'generating': 0.25}
    """
    evaluation = found["evaluation"]
    record = found["run"]
    loss: float | None = None
    if found["history"]:
        loss = found["history"][-1]["loss"]
    return {
        "recipe": found["recipe"],
        "metrics": evaluation["metrics"],
        "bins": (evaluation.get("bins") or {}).get("sha256"),
        "loss": loss,
        "cost": {
            "parameters": record.get("model", {}).get("parameters"),
            "training": _training_seconds(record),
            "generating": evaluation.get("generated", {}).get("processor ms an event"),
        },
    }


def _training_seconds(record: Mapping[str, Any]) -> float | None:
    """Processor seconds of all steps, from those that were timed."""
    timed = record.get("timed", {})
    if not timed.get("steps"):
        return None
    seconds: float = timed["processor seconds"] / timed["steps"] * record["steps done"]
    return seconds


def side_by_side(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics of runs, their costs, and the fields in which their recipes differ.

    ``found`` holds what :func:`compared` says of each. In ``metrics`` there is one row for each
    quantity of any run, with a cell (or None) for each run; ``costs`` and ``losses`` have an entry
    for each run. ``warnings`` say which runs were evaluated in other bins than the first: metrics
    that bin cannot be compared with it.

    >>> cell = {"metric": "tv", "name": "joint tv", "value": 0.25, "uncertainty": 0.01}
    >>> tables = {"dataset": "jets", "encoder": "binning", "generator": "qcbm"}
    >>> recipe = tables | {"loss": "js", "trainer": "adam"}
    >>> cost = {"parameters": 8, "training": 2.0, "generating": 0.5}
    >>> a = {"recipe": recipe, "metrics": [cell], "bins": "3e19", "loss": 0.1, "cost": cost}
    >>> b = a | {"recipe": recipe | {"loss": "kl"}, "metrics": [], "bins": "77c0"}
    >>> result = side_by_side(["a", "b"], [a, b])
    >>> result["metrics"][0]["cells"] == [cell, None], result["differences"]
    (True, {'loss.name': ['js', 'kl']})
    >>> result["warnings"][0][:30]
    'b and a have different bins, b'
    """
    recipes = [Recipe.from_dict(one["recipe"]).flat() for one in found]
    return {
        "names": list(names),
        "metrics": _metrics([one["metrics"] for one in found]),
        "differences": _differences(recipes),
        "warnings": _warnings(names, [one["bins"] for one in found]),
        "losses": [one["loss"] for one in found],
        "costs": [one["cost"] for one in found],
    }


def _warnings(names: Sequence[str], checksums: Sequence[str | None]) -> list[str]:
    """Which runs have other bins than the first, or bins that are not known."""
    warnings = []
    others = [name for name, one in zip(names, checksums, strict=True) if one != checksums[0]]
    unknown = [name for name, one in zip(names, checksums, strict=True) if one is None]
    if unknown:
        warnings.append(
            f"the bins of {_listed(unknown)} are not known; evaluate again with qgen evaluate"
        )
    elif others:
        warnings.append(
            f"{_listed(others)} and {names[0]} have different bins, because their references or "
            "recipes differ: metrics that bin cannot be compared; evaluate them with the same "
            "reference (--reference) and the same [evaluation]"
        )
    return warnings


def _names(folders: Sequence[Path]) -> list[str]:
    """The names of the folders, with as many of their parents as make them unique."""
    names: list[str] = []
    for count in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-count:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return names


def _listed(texts: Sequence[str]) -> str:
    """The first of the texts, and how many more there are.

    >>> _listed(["a", "b"]), _listed([str(number) for number in range(9)])
    ('a, b', '0, 1, 2, 3, 4 and 4 more')
    """
    text = ", ".join(texts[:MOST_LISTED])
    more = len(texts) - MOST_LISTED
    if more > 0:
        text += f" and {more} more"
    return text


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
    """The comparison as a table for a terminal: values with errors, floors below them, and costs.

    >>> cell = {"metric": "tv", "name": "joint tv", "value": 0.25, "uncertainty": 0.01}
    >>> cell |= {"floor": 0.1, "floor_spread": 0.02}
    >>> metrics = [{"metric": "tv", "name": "joint tv", "cells": [cell, None]}]
    >>> result = {"names": ["a", "b"], "metrics": metrics, "differences": {"seed": [1, 2]}}
    >>> result |= {"losses": [0.5, None], "warnings": ["b"]}
    >>> known = {"parameters": 24, "training": 1.25, "generating": None}
    >>> for line in as_text(result | {"costs": [known, known]}).splitlines():
    ...     print(line.split())
    ['metric', 'quantity', 'a', 'b']
    ['tv', 'joint', 'tv', '0.25', '±', '0.01']
    ['floor', '0.1', '±', '0.02']
    ['last', 'loss', '0.5']
    ['parameters', '24', '24']
    ['training', 'processor', 's', '1.25', '1.25']
    ['generating', 'ms', 'an', 'event']
    ['seed', '1', '2']
    ['warning:', 'b']
    """
    names = result["names"]
    width = max(24, *(len(name) + 2 for name in names))
    lines = [f"{'metric':<14} {'quantity':<20} " + _aligned(names, width)]
    for row in result["metrics"]:
        values = [value_of(cell) for cell in row["cells"]]
        floors = [floor_of(cell) for cell in row["cells"]]
        lines.append(f"{row['metric']:<14} {row['name']:<20} {_aligned(values, width)}")
        lines.append(f"{'':<14} {'  floor':<20} {_aligned(floors, width)}")
    lines.append(f"{'last loss':<35} {_aligned(_short(result['losses']), width)}")
    for name, unit in COSTS.items():
        numbers = _short([cost[name] for cost in result["costs"]])
        lines.append(f"{name:<14} {unit:<20} {_aligned(numbers, width)}")
    for key, options in result["differences"].items():
        line = f"{key:<35} "
        for option in options:
            text = "-" if option is None else str(option)
            line += f" {text:>{width - 1}}"
        lines.append(line)
    lines += [f"warning: {warning}" for warning in result["warnings"]]
    return "\n".join(lines)


def value_of(row: Mapping[str, Any] | None) -> str:
    """The value of a row of metrics with its uncertainty; nothing without a row.

    >>> value_of({"value": 0.25, "uncertainty": 0.0123})
    '0.25 ± 0.012'
    """
    return _with_error(row, "value", "uncertainty")


def floor_of(row: Mapping[str, Any] | None) -> str:
    """The floor of a row of metrics with its spread; nothing without a row.

    >>> floor_of({"floor": 0.1, "floor_spread": 0.02})
    '0.1 ± 0.02'
    """
    return _with_error(row, "floor", "floor_spread")


def _with_error(row: Mapping[str, Any] | None, value: str, error: str) -> str:
    if row is None:
        return ""
    return f"{row[value]:.4g} ± {row[error]:.2g}"


def _short(numbers: Sequence[float | None]) -> list[str]:
    """Numbers as texts, whole ones in full; nothing for None.

    >>> _short([24889, 0.123456, None])
    ['24889', '0.1235', '']
    """
    texts = []
    for number in numbers:
        if number is None:
            texts.append("")
        elif isinstance(number, int):
            texts.append(str(number))
        else:
            texts.append(f"{number:.4g}")
    return texts


def _aligned(texts: Sequence[str], width: int) -> str:
    return "".join(f"{text:>{width}}" for text in texts)


def write_comparison(result: Mapping[str, Any], path: Path, *, latex: bool = False) -> Path:
    """Write the comparison as one self-contained HTML page and return its path.

    ``latex`` asks the figures to show names of columns as formulas.

    Raises BadOption for a name of another format, ResourceRefused when it cannot be written.

    >>> import tempfile
    >>> result = side_by_side([], []) | {"runs": []}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_comparison(result, Path(folder, "compare.html"))
    ...     "runs compared" in path.read_text()
    True
    """
    if path.suffix.lower() not in ("", ".html", ".htm"):
        raise BadOption(f"{path}: a comparison is a page of HTML; name it .html")
    sections = [section("Metrics", "compare_metrics.html", 10, result=result, costs=COSTS)]
    if result["differences"]:
        sections.append(section("Differences", "compare_differences.html", 20, result=result))
    drawn: list[Section] = plugin_sections({"runs": result["runs"], "latex": latex})
    title = " · ".join(result["names"])
    html = page(title, "runs compared", [*sections, *drawn], figures=bool(drawn))
    write_durably(path, html.encode("utf-8"))
    return path
