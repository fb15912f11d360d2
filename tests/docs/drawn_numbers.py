"""The numbers that the figures of the studies show, summed up line by line.

``python tests/docs/drawn_numbers.py`` rewrites drawn_numbers.json after a figure was changed on
purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_suffix(".json")
STUDIES = (
    "jets",
    "jets-noise",
    "mfc",
    "qag",
    "caloqvae",
    "calo",
    "reversible",
    "models",
    "qinn",
    "hits",
    "claims",
)


def figures(study: str) -> Iterator[tuple[str, Any]]:
    """Name and matplotlib figure of each figure of a study, drawn from its committed results."""
    from qgen_core.studies import Results
    from qgen_hep.studies.shared.style import look

    module = import_module(f"qgen_hep.studies.{study.replace('-', '_')}.figures")
    results = Results.read(ROOT / "docs" / "studies" / study / "results.json")
    with look():
        for number, make in module.FIGURES.items():
            yield f"{study}/figure-{number:02d}.png", make(results)


def numbers_of(figure: Any) -> list[dict[str, Any]]:
    """The texts of each axes, and the label, count and sums of x and y of all that is drawn."""
    found = []
    for axes in figure.axes:
        drawn = []
        for artist in (*axes.lines, *axes.patches, *axes.collections):
            drawn.append([_label(artist), *_sums(_points(artist))])
        found.append(
            {
                "title": axes.get_title(loc="left"),
                "labels": [axes.get_xlabel(), axes.get_ylabel()],
                "scales": [axes.get_xscale(), axes.get_yscale()],
                "drawn": drawn,
            }
        )
    return found


def _label(artist: Any) -> str:
    """The name in the legend; matplotlib's own names begin with an underscore."""
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def _points(artist: Any) -> Any:
    """The points (n, 2) of a line, of a histogram, or of the outlines of areas and error bars."""
    if hasattr(artist, "get_xydata"):
        return artist.get_xydata()
    if hasattr(artist, "get_paths"):
        return np.concatenate([np.empty((0, 2)), *[path.vertices for path in artist.get_paths()]])
    return artist.get_path().vertices


def _sums(points: Any) -> list[float]:
    values = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    values = values[np.isfinite(values).all(axis=1)]
    return [len(values), *[float(f"{total:.9g}") for total in values.sum(axis=0)]]


def main() -> None:
    """Write the numbers of all figures."""
    found = {}
    for study in STUDIES:
        for name, figure in figures(study):
            found[name] = numbers_of(figure)
    lines = [f"{json.dumps(name)}: {json.dumps(axes)}" for name, axes in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
