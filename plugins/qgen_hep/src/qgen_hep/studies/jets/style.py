"""Colours and names in the figures and tables of the paper's circuits."""

from __future__ import annotations

from qgen_hep.studies.shared.style import BLUE, RED

#: As in the paper: ansatz 1 blue, ansatz 2 red.
COLOUR = {"brick": BLUE, "tree": RED}
START = {"zero": "zero", "bell": "Bell", "ghz": "GHZ", "plus": "plus"}
LABEL = {"pt": "$p_T$ [GeV]", "mass": "mass [GeV]", "eta": r"$\eta$"}
JS_LABEL = r"$JS(P\,|\,\tilde{P})$"
