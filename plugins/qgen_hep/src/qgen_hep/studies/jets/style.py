"""The look of the study's figures, and what several of them do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qgen_hep.studies.jets.book import Book
from qgen_hep.studies.seeds import Value
from qgen_hep.studies.style import BLUE, GREY, GUIDE, RED

#: As in the paper: ansatz 1 blue, ansatz 2 red.
COLOUR = {1: BLUE, 2: RED}
LABEL = {"pt": "$p_T$ [GeV]", "mass": "mass [GeV]", "eta": r"$\eta$"}


def from_shots(
    book: Book, shots: int, features: int, ansatz: int, start: str = "zero", **fields: Any
) -> list[Value]:
    """Trainings from so many shots; exact ones where none has been run."""
    found = book.whole(features, ansatz, start, shots=shots, **fields)
    return found or book.whole(features, ansatz, start, **fields)


def how(book: Book, shots: int, features: int, **fields: Any) -> str:
    """How the trainings that :func:`from_shots` finds were done."""
    some = any(book.whole(features, ansatz, shots=shots, **fields) for ansatz in COLOUR)
    return f"trained from {shots} shots" if some else "trained exactly"


def curve(axes: Any, values: Sequence[Value], **style: Any) -> None:
    """Mean loss by step over the seeds, and a band from the least to the greatest."""
    if not values:
        return
    shortest = min(len(value["losses"]) for value in values)
    losses = np.array([value["losses"][:shortest] for value in values])
    steps = np.arange(shortest)
    axes.plot(steps, losses.mean(axis=0), **style)
    if len(losses) > 1:
        axes.fill_between(
            steps, losses.min(axis=0), losses.max(axis=0), color=style["color"], alpha=0.15, lw=0
        )


def steps_axes(axes: Any, title: str = "") -> None:
    """The axes of a loss curve."""
    axes.set_yscale("log")
    axes.set_xlim(0, 300)
    axes.set_xlabel("optimiser step")
    axes.set_ylabel(r"$JS(P\,|\,\tilde{P})$")
    axes.set_title(title, loc="left")


def floor_line(axes: Any, book: Book, features: int, shots: int, **style: Any) -> None:
    """The loss that a perfect model would show.

    JS of so many shots and half a count in every bin.
    """
    target = book.targets.get(features)
    if target is not None:
        level = target["floors"][str(shots)]["js_smoothed"][0]
        axes.axhline(
            level,
            **{"color": GUIDE, "ls": ":", "lw": 1.1, "label": f"floor of {shots} shots", **style},
        )


def independent_line(axes: Any, book: Book, features: int) -> None:
    """The exact JS of the product of the marginals."""
    target = book.targets.get(features)
    if target is not None:
        level = target["independent"]["js"]
        axes.axhline(level, color=GREY, ls="-.", lw=1.1, label="product of the marginals, exact")
