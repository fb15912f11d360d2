"""The figures of a run for Python, each one matplotlib figure of all its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qgen_hep.figures import correlation, joint, marginals, training
from qgen_hep.figures.circuit import circuit_figure
from qgen_hep.figures.style import WITHOUT_BAR, framed_figures, page_style

Material = Mapping[str, Any]


def figure_of_run(name: str, material: Material) -> Any:
    """A figure by name, from the material of a run's report; None if this package draws no such.

    >>> history = [{"step": 0, "loss": 0.5}, {"step": 1, "loss": 0.25}]
    >>> len(figure_of_run("training", {"history": history}).axes)
    1
    """
    draw = FIGURES.get(name)
    if draw is None:
        return None
    with page_style():
        return draw(material)


def _marginals(material: Material) -> Any:
    evaluation = material["evaluation"]
    shown = [one for one in evaluation["marginals"] if marginals.has_events(one)]
    if not shown:
        return None
    kind = str(evaluation["reference"].get("kind", ""))
    drawn, parts = framed_figures(len(shown), *marginals.SIZE, right=WITHOUT_BAR)
    for part, marginal in zip(parts, shown, strict=True):
        marginals.draw_marginal(part, marginal, material["recipe"], kind)
    return drawn


def _joint(material: Material) -> Any:
    """The pair of columns that is asked for, in either order; by default the first one."""
    chosen = None
    for pair in material["evaluation"]["joints"]:
        if material["pair"] is None or material["pair"] == set(pair["columns"]):
            chosen = pair
            break
    if chosen is None:
        return None
    maps = joint.maps_of(chosen, material["recipe"], latex=False)
    if maps is None:
        return None
    drawn, parts = framed_figures(3, *joint.SIZE)
    for part, title in zip(parts, maps.densities, strict=False):
        joint.draw_density(part, maps, title)
    joint.draw_pulls(parts[-1], maps)
    return drawn


def _correlation(material: Material) -> Any:
    found = material["evaluation"].get("correlation")
    if not found:
        return None
    drawn, parts = framed_figures(3, *correlation.SIZE)
    for part, matrix in zip(parts, correlation.matrices(found), strict=True):
        correlation.draw_matrix(part, matrix)
    return drawn


def _training(material: Material) -> Any:
    return training.loss_figure(material["history"])


def _circuit(material: Material) -> Any:
    return circuit_figure(material["circuit"])


#: What draws each figure.
FIGURES: Mapping[str, Callable[[Material], Any]] = {
    "marginals": _marginals,
    "joint": _joint,
    "correlation": _correlation,
    "training": _training,
    "circuit": _circuit,
}
