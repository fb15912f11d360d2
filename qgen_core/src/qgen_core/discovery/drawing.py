"""Figures that plugins draw, and circuits as text or pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.draw import draw as as_text
from qgen_core.circuits.svg import svg
from qgen_core.discovery.hooks import manager
from qgen_core.discovery.install_hints import source_of
from qgen_core.errors import BadOption, BrokenPlugin

#: How a circuit is drawn.
Style = Literal["text", "svg", "mpl"]


def draw(circuit: Circuit, style: Style = "text", *, width: int | None = None) -> Any:
    """Draw a circuit.

    Args:
        circuit: the circuit.
        style: ``text`` for lines of text; ``svg`` for the text of an SVG picture; ``mpl`` for a
            matplotlib figure, which a plugin such as qgen-hep draws.
        width: where lines are broken: 100 characters of text, 960 pixels of SVG by default.

    Raises BadOption for another style, BrokenPlugin if no installed plugin draws with matplotlib.

    >>> import qgen_core as qgen
    >>> circuit = qgen.Circuit(2, (qgen.Gate("h", (0,)), qgen.Gate("cx", (0, 1))))
    >>> print(qgen.draw(circuit))
    0: ─H─●─
    1: ───⊕─
    >>> qgen.draw(circuit, "svg").startswith("<svg")
    True
    """
    if style == "mpl":
        return figure("circuit", {"circuit": circuit})
    if style not in ("text", "svg"):
        raise BadOption(f"a circuit is drawn as 'text', 'svg' or 'mpl', not {style!r}")
    draw_it = svg if style == "svg" else as_text
    if width is None:
        return draw_it(circuit)
    return draw_it(circuit, width=width)


def figure(name: str, material: Mapping[str, Any]) -> Any:
    """The figure of a run that an installed plugin draws; see the hook ``run_figures``.

    Raises BrokenPlugin if none does.
    """
    for figures in manager().run_figures(name=name, material=material):
        for found in figures:
            return found
    raise BrokenPlugin(
        f"no installed plugin draws the figure {name!r} of this; {source_of('qgen-hep')} draws it"
    )
