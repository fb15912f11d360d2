"""Pearson correlations of the columns: reference, generated, and their difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.labels import short_name
from qgen_hep.figures.style import figure, image, note, side_by_side

#: Larger matrices are drawn without numbers and names.
MOST_ANNOTATED = 10


def correlation_figures(correlation: dict[str, Any]) -> str:
    """HTML of three matrices; the differences are given with their uncertainty."""
    truth, made = (
        np.asarray(correlation[which], dtype=np.float64) for which in ("reference", "generated")
    )
    error = np.asarray(correlation["uncertainty"], dtype=np.float64)
    names = [short_name(column) for column in correlation["columns"]]
    apart = made - truth
    most = max(0.05, float(np.max(np.abs(apart))))
    values = (
        [[f"{v:+.3f}" for v in row] for row in truth],
        [[f"{v:+.3f}" for v in row] for row in made],
    )
    off = [
        [f"{d:+.3f}\n±{e:.3f}" for d, e in zip(*rows, strict=True)]
        for rows in zip(apart, error, strict=True)
    ]
    for i, row in enumerate(off):
        row[i] = ""
    images = [
        _matrix(truth, names, values[0], "Reference", 1.0),
        _matrix(made, names, values[1], "Generated", 1.0),
        _matrix(apart, names, off, "Generated - reference", most),
    ]
    return side_by_side(images) + note(
        "Pearson coefficients; ± is the statistical error of a difference."
    )


def _matrix(
    values: Floats, names: list[str], texts: list[list[str]], title: str, most: float
) -> str:
    """A matrix with its numbers, blue for negative and red for positive."""
    drawn = figure(4.1, 3.7)
    axes = drawn.subplots()
    shown = axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
    drawn.colorbar(shown, ax=axes, pad=0.02)
    axes.set_title(title, fontsize=12)
    axes.tick_params(which="both", length=0)
    if len(names) <= MOST_ANNOTATED:
        axes.set_xticks(range(len(names)), names, rotation=30 if len(names) > 3 else 0)
        axes.set_yticks(range(len(names)), names)
        size = 12 if len(names) <= 3 else 60 / (2 + len(names))
        for (i, j), value in np.ndenumerate(values):
            colour = "white" if abs(value) > 0.6 * most else "black"
            axes.text(j, i, texts[i][j], ha="center", va="center", color=colour, fontsize=size)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    return image(drawn, f"Correlation matrix: {title.lower()}")
