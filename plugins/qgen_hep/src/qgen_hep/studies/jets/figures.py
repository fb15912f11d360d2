"""Figures 3 to 11 of document 001 with our results.

Curves of what has not been run are left out.
"""

from __future__ import annotations

from qgen_hep.studies.jets import curves, spectra

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
