"""The sections of a report that hold figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgen_core.runs.report import Section
from qgen_hep.figures.correlation import correlation_figures
from qgen_hep.figures.joint import joint_figures
from qgen_hep.figures.marginals import marginal_figure
from qgen_hep.figures.overlay import overlays
from qgen_hep.figures.style import note, page_style, side_by_side
from qgen_hep.figures.training import loss_curve

MOST_MARGINALS = 12


def sections(material: Mapping[str, Any]) -> list[Section]:
    """Marginals, joint distribution, correlations and training, as far as there are data.

    ``material`` comes from :func:`qgen_core.runs.report.material`, or holds several of these under
    ``runs``, which are then overlaid.

    >>> sections({"recipe": {}, "evaluation": None, "history": []})
    []
    """
    if "runs" in material:
        return overlays(material["runs"])
    evaluation = material.get("evaluation") or {}
    recipe = material.get("recipe") or {}
    joint = evaluation.get("joint")
    correlation = evaluation.get("correlation")
    found: list[Section] = []

    def add(title: str, body: str | None, order: int) -> None:
        if body:
            found.append(Section(title, body, order))

    with page_style():
        add("Marginal distributions", _marginals(evaluation, recipe), 10)
        if joint:
            add("Joint distribution", joint_figures(joint, recipe), 20)
        if correlation:
            add("Correlations", correlation_figures(correlation), 30)
        add("Training", loss_curve(material.get("history") or []), 50)
    return found


def _marginals(evaluation: Mapping[str, Any], recipe: Mapping[str, Any]) -> str | None:
    marginals = evaluation.get("marginals") or []
    kind = str((evaluation.get("reference") or {}).get("kind", ""))
    images = []
    for marginal in marginals[:MOST_MARGINALS]:
        drawn = marginal_figure(marginal, recipe, kind)
        if drawn is not None:
            images.append(drawn)
    if not images:
        return None
    text = (
        "Unit area; the bands are the statistical error of the reference, "
        "the dotted lines are at 0.9 and 1.1."
    )
    if len(marginals) > MOST_MARGINALS:
        text += f" The first {MOST_MARGINALS} of {len(marginals)} columns."
    return side_by_side(images) + note(text)
