"""The sections of a report that hold figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgen_core.runs.report import Section
from qgen_hep.figures.correlation import correlation_figures
from qgen_hep.figures.joint import joint_figures
from qgen_hep.figures.labels import short_name
from qgen_hep.figures.marginals import marginal_figure
from qgen_hep.figures.overlay import overlays
from qgen_hep.figures.style import note, page_style, side_by_side
from qgen_hep.figures.training import loss_curve

#: Marginals of a report, and of one whose evaluation holds more columns than LEAST_OF_MANY.
MOST_MARGINALS = 12
MOST_OF_MANY = 6
LEAST_OF_MANY = 24


def sections(material: Mapping[str, Any]) -> list[Section]:
    """Marginals, joint distribution, correlations and training, as far as there are data.

    ``material`` comes from :func:`qgen_core.runs.report.material`, or holds several of these under
    ``runs``, which are then overlaid. With an entry ``latex`` that is true, names of columns are
    drawn as formulas.

    >>> sections({"recipe": {}, "evaluation": None, "history": []})
    []
    """
    if "runs" in material:
        return overlays(material["runs"], latex=bool(material.get("latex")))
    evaluation = material.get("evaluation") or {}
    recipe = material.get("recipe") or {}
    latex = bool(material.get("latex"))
    correlation = evaluation.get("correlation")
    found: list[Section] = []

    def add(title: str, body: str | None, order: int) -> None:
        if body:
            found.append(Section(title, body, order))

    with page_style():
        add("Marginal distributions", _marginals(evaluation, recipe, latex), 10)
        add("Marginals by condition", _by_condition(evaluation, recipe, latex), 15)
        add("Joint distribution", _joints(evaluation, recipe, latex), 20)
        if correlation:
            add("Correlations", correlation_figures(correlation, latex=latex), 30)
        add("Training", loss_curve(material.get("history") or []), 50)
    return found


def _joints(evaluation: Mapping[str, Any], recipe: Mapping[str, Any], latex: bool) -> str | None:
    """The maps of all pairs of columns that the evaluation holds, and which pairs it lacks."""
    bodies = []
    joints = evaluation.get("joints") or []
    for joint in joints:
        body = joint_figures(joint, recipe, latex=latex)
        if body is not None:
            bodies.append(body)
    if not bodies:
        return None
    pairs = evaluation.get("pairs of columns", len(joints))
    if pairs > len(joints):
        text = (
            f"{len(joints)} of {pairs} pairs of columns: those whose Pearson coefficients differ "
            "most between generated and reference."
        )
        bodies.append(note(text))
    return "".join(bodies)


def _by_condition(
    evaluation: Mapping[str, Any], recipe: Mapping[str, Any], latex: bool
) -> str | None:
    """Marginals of the events in ranges of a condition."""
    kind = str((evaluation.get("reference") or {}).get("kind", ""))
    rows = []
    for group in evaluation.get("by condition") or ():
        name = short_name(group["condition"], latex=latex)
        title = f"{name} = {group['low']:.4g}"
        if group["high"] > group["low"]:
            title = f"{name} from {group['low']:.4g} to {group['high']:.4g}"
        images = []
        for marginal in group["marginals"]:
            drawn = marginal_figure(marginal, recipe, kind, latex=latex, title=title)
            if drawn is not None:
                images.append(drawn)
        rows.append(side_by_side(images))
    if not any(rows):
        return None
    return "".join(rows)


def _marginals(evaluation: Mapping[str, Any], recipe: Mapping[str, Any], latex: bool) -> str | None:
    marginals = evaluation.get("marginals") or []
    kind = str((evaluation.get("reference") or {}).get("kind", ""))
    most = MOST_MARGINALS
    if len(marginals) > LEAST_OF_MANY:
        most = MOST_OF_MANY
    images = []
    for marginal in marginals[:most]:
        drawn = marginal_figure(marginal, recipe, kind, latex=latex)
        if drawn is not None:
            images.append(drawn)
    if not images:
        return None
    text = (
        "Unit area; the bands are the statistical error of the reference, "
        "the dotted lines are at 0.9 and 1.1."
    )
    if len(marginals) > most:
        text += f" The first {most} of {len(marginals)} columns."
    return side_by_side(images) + note(text)
