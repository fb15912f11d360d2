"""The look that the figures of all studies share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qgen_hep.figures.style import GUIDE, figure

BLACK, GREY = "#1c1f24", "#8b95a3"
BLUE, RED, GREEN = "#1f5fa8", "#c23b22", "#3b8a4e"
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

__all__ = ["BLACK", "BLUE", "GREEN", "GREY", "GUIDE", "RED", "figure", "legend", "look", "save"]


@contextmanager
def look() -> Iterator[None]:
    """Matplotlib's settings while in the block."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        yield


def save(made: Any, folder: Path, number: int) -> Path:
    """Write the figure of this number."""
    path = folder / f"figure-{number:02d}.png"
    made.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def legend(axes: Any, **options: Any) -> None:
    """A legend of what is drawn; where nothing is, the word missing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**options)
    else:
        axes.text(
            0.5, 0.5, "missing", transform=axes.transAxes, ha="center", va="center", color=GUIDE
        )
