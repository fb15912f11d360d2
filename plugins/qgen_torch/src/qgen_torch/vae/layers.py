"""Hidden layers that encoders and decoders share."""

from __future__ import annotations

from torch import nn

from qgen_torch.networks.mlp import ACTIVATIONS, Activation, mlp


def hidden_layers(inputs: int, widths: tuple[int, ...], activation: Activation) -> nn.Sequential:
    """Linear maps to ``widths``, each followed by the activation; none without widths.

    >>> print(hidden_layers(2, (3,), "relu"))
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """
    if not widths:
        return nn.Sequential()
    layers = mlp(inputs, widths[-1], widths=widths[:-1], activation=activation)
    layers.append(ACTIVATIONS[activation]())
    return layers


def last_width(inputs: int, widths: tuple[int, ...]) -> int:
    """The columns that come out of :func:`hidden_layers`.

    >>> last_width(2, (5, 3)), last_width(2, ())
    (3, 2)
    """
    if not widths:
        return inputs
    return widths[-1]
