"""Figures that notebooks show."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class ShownFigure(Figure):
    r"""A figure that a notebook shows, whether matplotlib's pyplot was imported or not.

    >>> from matplotlib.backends.backend_agg import FigureCanvasAgg
    >>> drawn = ShownFigure(figsize=(1.0, 1.0))
    >>> _ = FigureCanvasAgg(drawn)
    >>> drawn._repr_png_().startswith(b"\x89PNG")
    True
    """

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", bbox_inches="tight")
        return png.getvalue()
