"""The look of the figures of all studies."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qgen_core.studies import Results
from qgen_core.support.files import write_durably
from qgen_hep.figures.style import GENERATED, GUIDE, REFERENCE, figure

BLACK = "#1c1f24"
GREY = REFERENCE
BLUE = GENERATED
RED = "#c23b22"
GREEN = "#3b8a4e"
SETTINGS: dict[Any, Any] = {
    "font.size": 11.0,
    "axes.labelsize": 12.0,
    "axes.titlesize": 11.0,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "lines.linewidth": 1.3,
    "figure.constrained_layout.use": True,
}
DPI = 110

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "GUIDE",
    "RED",
    "draw",
    "figure",
    "legend",
    "legend_below",
    "look",
]


def draw(
    figures: Mapping[int, Callable[[Results], Any]], results: Results, folder: Path
) -> list[Path]:
    """Draw each figure of the results and write it as ``figure-NN.png``; returns the files."""
    paths = []
    with look():
        for number, make in figures.items():
            path = folder / f"figure-{number:02d}.png"
            png = io.BytesIO()
            make(results).savefig(png, format="png", dpi=DPI, metadata={"Software": None})
            write_durably(path, png.getvalue())
            paths.append(path)
    return paths


@contextmanager
def look() -> Iterator[None]:
    """Matplotlib's settings for the figures of studies, within the block."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        yield


def legend(axes: Any, **options: Any) -> None:
    """A legend, or the word missing if nothing is drawn that has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**options)
    else:
        axes.text(
            0.5, 0.5, "missing", transform=axes.transAxes, ha="center", va="center", color=GUIDE
        )


def legend_below(made: Any, axes: Any, columns: int = 4) -> None:
    """One legend for all axes of a figure, with the labels of one of them, in so many columns."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        legend(axes)
        return
    made.legend(handles, labels, loc="outside lower center", ncols=columns)
