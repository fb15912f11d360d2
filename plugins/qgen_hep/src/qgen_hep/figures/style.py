"""The style of the figures of reports, and their embedding in a page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REFERENCE = "#8b95a3"
GENERATED = "#1f5fa8"
GUIDE = "#5b6675"
SPARSE = "#d5d9de"
#: Sizes for a page; the style of mplhep is meant for slides.
PAGE: dict[Any, Any] = {
    "font.size": 12.0,
    "axes.labelsize": 13.0,
    "legend.fontsize": 11.0,
    "axes.linewidth": 1.0,
    "xtick.major.size": 6.0,
    "ytick.major.size": 6.0,
    "xtick.minor.size": 3.0,
    "ytick.minor.size": 3.0,
    # Ticks take most of the time of a figure. A logarithmic axis has minor ones nevertheless.
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "lines.linewidth": 1.4,
    "figure.constrained_layout.use": True,
}
DPI = 160
#: Inches around the axes of a figure for an image: left, right, below, above. What texts leave of
#: them is cut off.
MARGINS = (1.4, 1.2, 1.0, 0.6)
#: Inches to the right of axes without a bar of colours, where several are in a row.
WITHOUT_BAR = 0.3
#: Pixels that are kept around what is drawn.
RIM = 6


@contextmanager
def page_style() -> Iterator[None]:
    """Matplotlib's settings for a report, within the block."""
    import matplotlib
    import mplhep

    with matplotlib.rc_context({**mplhep.style.CMS, **PAGE}):
        yield


def figure(width: float, height: float, *, layout: Any = None) -> Any:
    """An empty figure of a size in inches, which pyplot does not manage and notebooks show.

    ``layout`` names a layout engine of matplotlib; by default it is that of the style.

    >>> figure(4.0, 3.0).get_size_inches().tolist()
    [4.0, 3.0]
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from qgen_hep.figures.shown import ShownFigure

    made = ShownFigure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(made)
    return made


def framed_figure(width: float, height: float) -> Any:
    """An empty figure for :func:`image` whose axes have a size in inches, with room for texts.

    A layout that measures the texts would draw every figure three times.

    >>> drawn = framed_figure(4.0, 3.0)
    >>> box = drawn.subplots().get_position()
    >>> [round(float(side), 6) for side in (box.width, box.height) * drawn.get_size_inches()]
    [4.0, 3.0]
    """
    made = figure(*_with_margins(width, height), layout="none")
    _frame(made, width, height)
    return made


def framed_figures(
    number: int, width: float, height: float, *, in_row: int = 3, right: float = MARGINS[1]
) -> tuple[Any, list[Any]]:
    """One figure with several parts as :func:`framed_figure` makes them, and the parts.

    ``right`` are the inches to the right of the axes of each part.

    >>> drawn, parts = framed_figures(4, 3.0, 2.0, in_row=2)
    >>> len(parts), drawn.get_size_inches().round(1).tolist()
    (4, [11.2, 7.2])
    """
    columns = min(number, in_row)
    rows = -(-number // columns)
    part_width, part_height = _with_margins(width, height, right)
    made = figure(columns * part_width, rows * part_height, layout="none")
    parts = made.subfigures(rows, columns, squeeze=False).ravel().tolist()
    for part in parts:
        _frame(part, width, height, right)
    return made, parts[:number]


def _with_margins(width: float, height: float, right: float = MARGINS[1]) -> tuple[float, float]:
    """The size in inches of a figure whose axes have this size."""
    left, _, below, above = MARGINS
    return left + width + right, below + height + above


def _frame(drawn: Any, width: float, height: float, right: float = MARGINS[1]) -> None:
    """Put the axes of a figure, or of a part of one, between the margins."""
    left, _, below, above = MARGINS
    whole_width, whole_height = _with_margins(width, height, right)
    drawn.subplots_adjust(
        left=left / whole_width,
        right=1 - right / whole_width,
        bottom=below / whole_height,
        top=1 - above / whole_height,
        hspace=0.06,
    )


def image(drawn: Any, alt: str) -> str:
    """HTML with a figure as PNG, with ``alt`` escaped.

    White margins are cut off. PNG is smaller than SVG for all figures of a report.
    """
    import numpy as np
    from PIL import Image, ImageOps

    drawn.set_dpi(DPI)
    drawn.canvas.draw()
    pixels = Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())).convert("RGB")
    pixels = ImageOps.expand(pixels.crop(ImageOps.invert(pixels).getbbox()), RIM, "white")
    png = io.BytesIO()
    pixels.save(png, format="png")
    data = base64.b64encode(png.getvalue()).decode("ascii")
    width, height = (pixels_along * 100 / DPI for pixels_along in pixels.size)
    least = min(width, 288)
    return (
        f'<figure style="flex:1 1 {least:.0f}px;max-width:{width:.0f}px;min-width:0;margin:0">'
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto"></figure>'
    )


def side_by_side(images: list[str]) -> str:
    """HTML that puts figures beside each other, below each other on a narrow screen."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:1rem">{"".join(images)}</div>'


def note(text: str) -> str:
    """HTML of a remark, escaped.

    >>> note("a < b")
    '<p class="note">a &lt; b</p>'
    """
    return f'<p class="note">{html.escape(text)}</p>'
