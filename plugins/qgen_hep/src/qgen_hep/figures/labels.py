"""Labels of axes: the names of columns as they are given, or as formulas, with their units."""

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
    """Text that matplotlib shows as it is, and does not parse as a formula.

    >>> escaped("pt")
    'pt'
    """
    return text.replace("$", r"\$")


def short_name(column: str, *, latex: bool = False) -> str:
    r"""A column's name as it is given; with ``latex`` as a formula.

    With ``latex``, known columns have their symbols, and a name that is a formula of matplotlib's
    is drawn as one.

    >>> short_name("jet2_pt"), short_name("$m_X$")
    ('jet2_pt', '\\$m_X\\$')
    >>> short_name("jet2_pt", latex=True), short_name("$m_X$", latex=True)
    ('subleading-jet $p_\\mathrm{T}$', '$m_X$')
    """
    if not latex:
        return escaped(column)
    jet, _, rest = column.partition("_")
    if jet in JETS and rest in SYMBOLS:
        return f"{JETS[jet]} {SYMBOLS[rest]}"
    if column in SYMBOLS:
        return SYMBOLS[column]
    if _is_formula(column):
        return column
    return escaped(column)


def axis_label(column: str, unit: str, recipe: Mapping[str, Any], *, latex: bool = False) -> str:
    """The label of an axis: the column's name with its unit.

    With ``latex`` it is that of :func:`short_name`, and for columns of the dataset ``jets`` it
    names the jet.

    >>> recipe = {"dataset": {"name": "jets"}}
    >>> axis_label("mass", "GeV", recipe), axis_label("mass", "GeV", recipe, latex=True)
    ('mass [GeV]', 'Leading-jet mass [GeV]')
    """
    name = short_name(column, latex=latex)
    if latex:
        dataset = recipe.get("dataset") or {}
        if str(dataset.get("name", "")).rpartition(":")[2] == "jets" and column in OF_THE_JET:
            name = f"{dataset.get('jet', 'leading')}-jet {name}"
        if not name.startswith("$"):
            name = name[:1].upper() + name[1:]
    if unit in ("", "1"):
        return name
    return f"{name} [{escaped(unit)}]"


def _is_formula(text: str) -> bool:
    """Whether matplotlib can draw a text with formulas between dollar signs."""
    from matplotlib.mathtext import MathTextParser

    if text.count("$") < 2 or text.count("$") % 2:
        return False
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True
