"""How the loss, and the gradient where there is one, went down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.style import GENERATED, GUIDE, figure, image


def loss_curve(history: Sequence[Mapping[str, Any]]) -> str | None:
    """HTML of the loss over the steps; None without finite losses."""
    steps, losses = _series(history, "loss")
    if not len(losses):
        return None
    grown, gradients = _series(history, "gradient")
    drawn = figure(7.2, 4.6 if len(gradients) else 3.6)
    axes = drawn.subplots(2 if len(gradients) else 1, sharex=True, squeeze=False)[:, 0]
    _curve(axes[0], steps, losses, "Loss", GENERATED)
    best = int(np.argmin(losses))
    axes[0].plot(
        steps[best], losses[best], "o", color=GENERATED, ms=5, label=f"least: {losses[best]:.4g}"
    )
    axes[0].legend(loc="upper right")
    if len(gradients):
        _curve(axes[1], grown, gradients, "Largest\ngradient", GUIDE)
    axes[-1].set_xlabel("Step")
    return image(drawn, f"Loss over {len(losses)} steps, from {losses[0]:.4g} to {losses[-1]:.4g}")


def _series(history: Sequence[Mapping[str, Any]], key: str) -> tuple[Floats, Floats]:
    """Steps and finite values of one entry of the records."""
    pairs = [
        (r["step"], r[key])
        for r in history
        if isinstance(r.get(key), int | float) and np.isfinite(r[key])
    ]
    steps, values = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return steps, values


def _curve(axes: Any, steps: Floats, values: Floats, label: str, colour: str) -> None:
    """A line, on a logarithmic axis if all values are positive."""
    axes.plot(steps, values, color=colour)
    if np.all(values > 0):
        axes.set_yscale("log")
    axes.set_ylabel(label)
    axes.set_xlim(steps[0], max(steps[-1], steps[0] + 1))
