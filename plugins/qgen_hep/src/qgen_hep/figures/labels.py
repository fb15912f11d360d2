"""Labels of axes: the symbols of known columns, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SYMBOLS = {
    "pt": r"$p_\mathrm{T}$",
    "mass": "mass",
    "eta": r"$\eta$",
    "phi": r"$\phi$",
    "energy": "energy",
    "ht": r"$H_\mathrm{T}$",
    "mjj": r"$m_\mathrm{jj}$",
    "njet": "number of jets",
    "pthat": r"$\hat{p}_\mathrm{T}$",
}
JETS = {"jet1": "leading-jet", "jet2": "subleading-jet"}
OF_THE_JET = ("pt", "mass", "eta", "phi")


def escaped(text: str) -> str:
    """Text escaped so that matplotlib does not parse it as a formula."""
    return text.replace("\\", "/").replace("$", r"\$")


def short_name(column: str) -> str:
    r"""A column's name for the cells of a matrix.

    >>> short_name("mass"), short_name("jet2_pt")
    ('mass', 'subleading-jet $p_\\mathrm{T}$')
    """
    jet, _, rest = column.partition("_")
    if jet in JETS and rest in SYMBOLS:
        return f"{JETS[jet]} {SYMBOLS[rest]}"
    return SYMBOLS.get(column, escaped(column))


def axis_label(column: str, unit: str, recipe: Mapping[str, Any]) -> str:
    """The label of an axis; for columns of the dataset ``jets`` it names the jet.

    >>> axis_label("mass", "GeV", {"dataset": {"name": "jets"}})
    'Leading-jet mass [GeV]'
    """
    dataset = recipe.get("dataset") or {}
    name = short_name(column)
    if str(dataset.get("name", "")).rpartition(":")[2] == "jets" and column in OF_THE_JET:
        name = f"{dataset.get('jet', 'leading')}-jet {name}"
    if not name.startswith("$"):
        name = name[:1].upper() + name[1:]
    if unit in ("", "1"):
        return name
    return f"{name} [{escaped(unit)}]"
