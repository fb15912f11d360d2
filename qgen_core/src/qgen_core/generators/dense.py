"""Small trainable maps in plain numpy, with exact derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from qgen_core.typing import Array, Floats

#: What is applied to the output of a map.
Activation = Literal["none", "tanh"]


def activated(total: Floats, activation: Activation) -> tuple[Floats, Callable[[Array], Floats]]:
    """An activation, and its pullback from the cotangent of the result to that of ``total``.

    >>> values, pullback = activated(np.array([0.0, 1.0]), "tanh")
    >>> values.round(3), pullback(np.ones(2)).round(3)
    (array([0.   , 0.762]), array([1.  , 0.42]))
    """
    if activation == "none":
        return total, lambda cotangent: np.asarray(cotangent, dtype=np.float64)
    values: Floats = np.tanh(total)
    slope = 1.0 - values * values
    return values, lambda cotangent: np.asarray(cotangent * slope)


class Head:
    """``y = f(z W^T + b)`` of each event, at first y = f(z): a classical layer after a circuit.

    ``weight`` (width, width) and ``bias`` (width,) are its parameters, f the activation.

    >>> head = Head(2, "none")
    >>> values, pullback = head(np.array([[0.5, -0.5]]), head.weight, head.bias)
    >>> values.tolist()
    [[0.5, -0.5]]
    >>> d_z, gradient = pullback(np.ones((1, 2)))
    >>> d_z.tolist(), gradient["head_bias"].tolist()
    ([[1.0, 1.0]], [1.0, 1.0])
    """

    def __init__(self, width: int, activation: Activation) -> None:
        self.activation: Activation = activation
        self.weight = np.eye(width)
        self.bias = np.zeros(width)

    def parameters(self) -> dict[str, Array]:
        """The arrays that are trained, by name."""
        return {"head_weight": self.weight, "head_bias": self.bias}

    def __call__(
        self, z: Floats, weight: Floats, bias: Floats
    ) -> tuple[Floats, Callable[[Array], tuple[Floats, dict[str, Array]]]]:
        """Values (N, width), and the pullback to d loss / d z and the parameters' gradients."""
        values, of_total = activated(z @ weight.T + bias, self.activation)

        def pullback(cotangent: Array) -> tuple[Floats, dict[str, Array]]:
            d_total = of_total(cotangent)
            gradient: dict[str, Array] = {
                "head_weight": d_total.T @ z,
                "head_bias": d_total.sum(axis=0),
            }
            return d_total @ weight, gradient

        return values, pullback
