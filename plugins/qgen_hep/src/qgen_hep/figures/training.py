"""The loss, and the gradient where there is one, over the steps of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.figures.style import GENERATED, GUIDE, framed_figure, image


def loss_curve(history: Sequence[Mapping[str, Any]]) -> str | None:
    """HTML of the loss over the steps; None without finite losses.

    ``history`` has a record a step with ``step``, ``loss`` and perhaps ``gradient``.

    >>> loss_curve([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]).count("<img")
    1
    >>> print(loss_curve([]))
    None
    """
    drawn = loss_figure(history)
    if drawn is None:
        return None
    _, losses = _series(history, "loss")
    return image(drawn, f"Loss over {len(losses)} steps, from {losses[0]:.4g} to {losses[-1]:.4g}")


def loss_figure(history: Sequence[Mapping[str, Any]]) -> Any:
    """The figure of :func:`loss_curve`; None without finite losses."""
    steps, losses = _series(history, "loss")
    if not len(losses):
        return None
    gradient_steps, gradients = _series(history, "gradient")
    if len(gradients):
        drawn = framed_figure(6.3, 3.9)
        axes, lower = drawn.subplots(2, sharex=True)
        _curve(lower, gradient_steps, gradients, "Largest\ngradient", GUIDE)
    else:
        drawn = framed_figure(6.3, 2.9)
        axes = lower = drawn.subplots()
    _curve(axes, steps, losses, "Loss", GENERATED)
    best = int(np.argmin(losses))
    label = f"least: {losses[best]:.4g}"
    axes.plot(steps[best], losses[best], "o", color=GENERATED, ms=5, label=label)
    axes.legend(loc="upper right")
    lower.set_xlabel("Step")
    return drawn


def _series(history: Sequence[Mapping[str, Any]], key: str) -> tuple[Floats, Floats]:
    """Steps and finite values of one entry of the records."""
    steps = []
    values = []
    for record in history:
        value = record.get(key)
        if isinstance(value, int | float) and np.isfinite(value):
            steps.append(record["step"])
            values.append(value)
    return np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)


def _curve(axes: Any, steps: Floats, values: Floats, label: str, colour: str) -> None:
    """A line, on a logarithmic axis if all values are positive."""
    axes.plot(steps, values, color=colour)
    if np.all(values > 0):
        axes.set_yscale("log")
    axes.set_ylabel(label)
    axes.set_xlim(steps[0], max(steps[-1], steps[0] + 1))
