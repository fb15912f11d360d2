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
    "lines.linewidth": 1.4,
    "figure.constrained_layout.use": True,
}
DPI = 160
#: Colours of an image; more cannot be told apart in the figures of a report.
COLOURS = 256


@contextmanager
def page_style() -> Iterator[None]:
    """Matplotlib's settings for a report, within the block."""
    import matplotlib
    import mplhep

    with matplotlib.rc_context({**mplhep.style.CMS, **PAGE}):
        yield


def figure(width: float, height: float) -> Any:
    """An empty figure of a size in inches, which pyplot does not manage.

    >>> figure(4.0, 3.0).get_size_inches().tolist()
    [4.0, 3.0]
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height))
    FigureCanvasAgg(made)
    return made


def image(drawn: Any, alt: str) -> str:
    """HTML with a figure as PNG of 256 colours, with ``alt`` escaped.

    PNG is smaller than SVG for all figures of a report, and a palette makes it smaller still.
    """
    import numpy as np
    from PIL import Image

    drawn.set_dpi(DPI)
    drawn.canvas.draw()
    pixels = Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())).convert("RGB")
    png = io.BytesIO()
    pixels.quantize(COLOURS).save(png, format="png")
    data = base64.b64encode(png.getvalue()).decode("ascii")
    width, height = drawn.get_size_inches() * 100
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
