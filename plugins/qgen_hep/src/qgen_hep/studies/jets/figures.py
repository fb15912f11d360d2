"""Figures 3 to 11 of document 001 with our results.

Curves of what has not been run are left out.
"""

from __future__ import annotations

from pathlib import Path

from qgen_hep.studies.jets import curves, spectra
from qgen_hep.studies.jets.book import Book
from qgen_hep.studies.style import look, save

FIGURES = {
    3: curves.figure_3,
    4: spectra.figure_4,
    5: spectra.figure_5,
    6: curves.figure_6,
    7: curves.figure_7,
    8: curves.figure_8,
    9: curves.figure_9,
    10: spectra.figure_10,
    11: spectra.figure_11,
}


def draw(book: Book, folder: Path) -> list[Path]:
    """Draw all of them as PNG into a folder."""
    with look():
        return [save(make(book), folder, number) for number, make in FIGURES.items()]
