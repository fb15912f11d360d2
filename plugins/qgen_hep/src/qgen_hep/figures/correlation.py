"""Pearson correlations of the columns: reference, generated, and their difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.labels import short_name
from qgen_hep.figures.style import framed_figure, image, note, side_by_side

#: Width and height of a matrix in inches.
SIZE = (3.4, 2.9)
#: Larger matrices are drawn without numbers and names.
MOST_ANNOTATED = 10
#: The names of more columns are rotated.
MOST_UNROTATED = 3


def correlation_figures(correlation: Mapping[str, Any], *, latex: bool = False) -> str:
    """HTML of three matrices; the differences are given with their uncertainty.

    ``correlation`` is that of an evaluation: ``columns``, and the matrices ``reference``,
    ``generated`` and ``uncertainty``.

    >>> matrix = [[1.0, 0.5], [0.5, 1.0]]
    >>> correlation = dict(columns=["pt", "mass"], reference=matrix, generated=matrix)
    >>> correlation_figures(correlation | {"uncertainty": [[0.0, 0.1]] * 2}).count("<img")
    3
    """
    images = []
    for matrix in matrices(correlation, latex=latex):
        drawn = framed_figure(*SIZE)
        draw_matrix(drawn, matrix)
        images.append(image(drawn, f"Correlation matrix: {matrix.title.lower()}"))
    return side_by_side(images) + note(
        "Pearson coefficients; ± is the statistical error of a difference."
    )


@dataclass(frozen=True)
class Matrix:
    """A matrix with the names of its rows, a text in each cell, and its largest colour."""

    values: Floats
    names: list[str]
    texts: list[list[str]]
    title: str
    most: float


def matrices(correlation: Mapping[str, Any], *, latex: bool = False) -> list[Matrix]:
    """The matrices of the reference, of the generated events, and of their differences."""
    reference = np.asarray(correlation["reference"], dtype=np.float64)
    generated = np.asarray(correlation["generated"], dtype=np.float64)
    error = np.asarray(correlation["uncertainty"], dtype=np.float64)
    names = [short_name(column, latex=latex) for column in correlation["columns"]]
    difference = generated - reference
    most = max(0.05, float(np.max(np.abs(difference))))
    texts = _differences(difference, error)
    return [
        Matrix(reference, names, _numbers(reference), "Reference", 1.0),
        Matrix(generated, names, _numbers(generated), "Generated", 1.0),
        Matrix(difference, names, texts, "Generated - reference", most),
    ]


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


def draw_matrix(drawn: Any, matrix: Matrix) -> None:
    """Draw a matrix with its numbers, blue for negative and red for positive."""
    axes = drawn.subplots()
    shown = axes.imshow(matrix.values, cmap="RdBu_r", vmin=-matrix.most, vmax=matrix.most)
    bar = drawn.colorbar(shown, ax=axes, pad=0.04)
    bar.minorticks_off()
    axes.set_title(matrix.title, fontsize=12)
    axes.minorticks_off()
    axes.tick_params(length=0)
    if len(matrix.names) <= MOST_ANNOTATED:
        _annotate(axes, matrix)
    else:
        axes.set_xticks([])
        axes.set_yticks([])


def _annotate(axes: Any, matrix: Matrix) -> None:
    """Write the names beside a matrix and the numbers into its cells."""
    names = matrix.names
    size = 12.0
    rotation = 0
    if len(names) > MOST_UNROTATED:
        size = 60 / (2 + len(names))
        rotation = 30
    axes.set_xticks(range(len(names)), names, rotation=rotation)
    axes.set_yticks(range(len(names)), names)
    for (i, j), value in np.ndenumerate(matrix.values):
        dark = abs(value) > 0.6 * matrix.most
        colour = "white" if dark else "black"
        axes.text(j, i, matrix.texts[i][j], ha="center", va="center", color=colour, fontsize=size)
