"""The network ``mlp``: a multilayer perceptron."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from qgen_core.errors import BadOption
from qgen_core.support.resources import require_memory

Activation = Literal["leaky-relu", "relu", "silu", "gelu", "tanh"]
Final = Literal["none", "tanh", "sigmoid", "relu", "softplus"]
Norm = Literal["none", "batch", "layer"]
Init = Literal["torch", "glorot", "he"]

#: Arrays as large as the weights: themselves, their gradients, and two moments of Adam.
COPIES = 4

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky-relu": lambda: nn.LeakyReLU(0.2),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}
FINALS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "softplus": nn.Softplus,
}


def mlp(
    inputs: int,
    outputs: int,
    *,
    widths: tuple[int, ...] = (128, 128, 128),
    activation: Activation = "leaky-relu",
    norm: Norm = "none",
    final: Final = "none",
    init: Init = "torch",
    spectral_norm: bool = False,
) -> nn.Sequential:
    """A multilayer perceptron from (N, inputs) to (N, outputs).

    Args:
        inputs: number of input columns.
        outputs: number of output columns.
        widths: of the hidden layers; without any the network is a linear map.
        activation: after each hidden layer; ``leaky-relu`` has slope 0.2, ``silu`` is also called
            swish.
        norm: ``batch`` or ``layer`` normalisation before each activation. Critics may not use
            ``batch``.
        final: activation of the output layer.
        init: initial weights: torch's default, or ``glorot`` and ``he`` uniform with zero biases.
        spectral_norm: divide each weight matrix by its largest singular value, estimated by one
            power iteration per update (Miyato et al., arXiv:1802.05957).

    Raises BadOption for widths below 1, ResourceRefused for more weights than memory holds.

    >>> import torch
    >>> network = mlp(3, 1, widths=(8, 8), activation="silu")
    >>> network(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    """
    if any(width < 1 for width in widths):
        raise BadOption(f"the widths of mlp must be at least 1, not {list(widths)}")
    sizes = [inputs, *widths, outputs]
    weights = sum(size * following for size, following in pairwise(sizes))
    require_memory(
        COPIES * 4 * weights, f"mlp with {weights} weights, in training,", "take smaller widths"
    )
    layers: list[nn.Module] = []
    for number, (size, following) in enumerate(pairwise(sizes)):
        linear = nn.Linear(size, following)
        _initialise(linear, init)
        layers.append(with_spectral_norm(linear) if spectral_norm else linear)
        if number < len(widths):
            layers += _normalisation(norm, following)
            layers.append(ACTIVATIONS[activation]())
    if final != "none":
        layers.append(FINALS[final]())
    return nn.Sequential(*layers)


def _normalisation(norm: Norm, width: int) -> list[nn.Module]:
    if norm == "none":
        return []
    if norm == "batch":
        return [nn.BatchNorm1d(width)]
    return [nn.LayerNorm(width)]


def _initialise(linear: nn.Linear, init: Init) -> None:
    if init == "torch":
        return
    if init == "glorot":
        nn.init.xavier_uniform_(linear.weight)
    else:
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
