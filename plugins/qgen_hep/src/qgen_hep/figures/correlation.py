"""Pearson correlations of the columns: reference, generated, and their difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.labels import short_name
from qgen_hep.figures.style import framed_figure, image, note, side_by_side

#: Larger matrices are drawn without numbers and names.
MOST_ANNOTATED = 10
#: The names of more columns are rotated.
MOST_UNROTATED = 3


def correlation_figures(correlation: dict[str, Any], *, latex: bool = False) -> str:
    """HTML of three matrices; the differences are given with their uncertainty.

    ``correlation`` is that of an evaluation: ``columns``, and the matrices ``reference``,
    ``generated`` and ``uncertainty``.

    >>> matrix = [[1.0, 0.5], [0.5, 1.0]]
    >>> correlation = dict(columns=["pt", "mass"], reference=matrix, generated=matrix)
    >>> correlation_figures(correlation | {"uncertainty": [[0.0, 0.1]] * 2}).count("<img")
    3
    """
    reference = np.asarray(correlation["reference"], dtype=np.float64)
    generated = np.asarray(correlation["generated"], dtype=np.float64)
    error = np.asarray(correlation["uncertainty"], dtype=np.float64)
    names = [short_name(column, latex=latex) for column in correlation["columns"]]
    difference = generated - reference
    most = max(0.05, float(np.max(np.abs(difference))))
    texts = _differences(difference, error)
    images = [
        _matrix(reference, names, _numbers(reference), "Reference", 1.0),
        _matrix(generated, names, _numbers(generated), "Generated", 1.0),
        _matrix(difference, names, texts, "Generated - reference", most),
    ]
    return side_by_side(images) + note(
        "Pearson coefficients; ± is the statistical error of a difference."
    )


def _numbers(values: Floats) -> list[list[str]]:
    return [[f"{value:+.3f}" for value in row] for row in values]


def _differences(difference: Floats, error: Floats) -> list[list[str]]:
    """Differences with their errors; the diagonal is empty."""
    texts = []
    for i, (row, row_error) in enumerate(zip(difference, error, strict=True)):
        line = [f"{d:+.3f}\n±{e:.3f}" for d, e in zip(row, row_error, strict=True)]
        line[i] = ""
        texts.append(line)
    return texts


def _matrix(
    values: Floats, names: list[str], texts: list[list[str]], title: str, most: float
) -> str:
    """A matrix with its numbers, blue for negative and red for positive."""
    drawn = framed_figure(3.4, 2.9)
    axes = drawn.subplots()
    shown = axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
    bar = drawn.colorbar(shown, ax=axes, pad=0.04)
    bar.minorticks_off()
    axes.set_title(title, fontsize=12)
    axes.minorticks_off()
    axes.tick_params(length=0)
    if len(names) <= MOST_ANNOTATED:
        _annotate(axes, values, names, texts, most)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    return image(drawn, f"Correlation matrix: {title.lower()}")


def _annotate(
    axes: Any, values: Floats, names: list[str], texts: list[list[str]], most: float
) -> None:
    """Write the names beside a matrix and the numbers into its cells."""
    size = 12.0
    rotation = 0
    if len(names) > MOST_UNROTATED:
        size = 60 / (2 + len(names))
        rotation = 30
    axes.set_xticks(range(len(names)), names, rotation=rotation)
    axes.set_yticks(range(len(names)), names)
    for (i, j), value in np.ndenumerate(values):
        dark = abs(value) > 0.6 * most
        colour = "white" if dark else "black"
        axes.text(j, i, texts[i][j], ha="center", va="center", color=colour, fontsize=size)
