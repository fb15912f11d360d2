"""The sections of a report that need drawing."""

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
    """Marginals, joint distribution, correlations and the training, as far as there is material.

    ``material`` is what :func:`qgen_core.runs.report.material` gives, or holds several of them under
    ``runs``, which are then laid over each other.
    """
    if "runs" in material:
        return overlays(material["runs"])
    evaluation, recipe = material.get("evaluation") or {}, material.get("recipe") or {}
    joint, correlation = evaluation.get("joint"), evaluation.get("correlation")
    with page_style():
        bodies = (
            ("Marginal distributions", _marginals(evaluation, recipe), 10),
            ("Joint distribution", joint_figures(joint, recipe) if joint else None, 20),
            ("Correlations", correlation_figures(correlation) if correlation else None, 30),
            ("Training", loss_curve(material.get("history") or []), 50),
        )
    return [Section(title, body, order) for title, body, order in bodies if body]


def _marginals(evaluation: Mapping[str, Any], recipe: Mapping[str, Any]) -> str | None:
    marginals = evaluation.get("marginals") or []
    kind = str((evaluation.get("reference") or {}).get("kind", ""))
    images = [marginal_figure(m, recipe, kind) for m in marginals[:MOST_MARGINALS]]
    if not any(images):
        return None
    text = "Unit area; the bands are the statistical error of the reference, the dotted lines are at 0.9 and 1.1."
    if len(marginals) > MOST_MARGINALS:
        text += f" The first {MOST_MARGINALS} of {len(marginals)} columns."
    return side_by_side([i for i in images if i]) + note(text)
