"""The network ``mlp``: dense layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from qgen_core.errors import BadOption

Activation = Literal["leaky-relu", "relu", "silu", "gelu", "tanh"]
Final = Literal["none", "tanh", "sigmoid", "relu", "softplus"]
Norm = Literal["none", "batch", "layer"]
Init = Literal["torch", "glorot", "he"]

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
    """Dense layers of these widths, from (N, inputs) to (N, outputs).

    Args:
        inputs: columns that come in.
        outputs: columns that go out.
        widths: of the layers between; none makes a linear map.
        activation: after each layer but the last; ``leaky-relu`` has the slope 0.2, ``silu`` is
            also called swish.
        norm: ``batch`` or ``layer`` normalisation between a layer and its activation. A critic
            takes no ``batch``.
        final: after the last layer.
        init: first weights: torch's own, or ``glorot`` and ``he`` uniform with biases of 0.
        spectral_norm: every layer's weight is divided by its largest singular value (Miyato et
            al., arXiv:1802.05957), followed by one power iteration an update.

    Raises BadOption for widths below 1.
    """
    if any(width < 1 for width in widths):
        raise BadOption(f"the widths of mlp are at least 1, not {list(widths)}")
    sizes = [inputs, *widths, outputs]
    layers: list[nn.Module] = []
    for number, (size, following) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        linear = nn.Linear(size, following)
        _start(linear, init)
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
    return [nn.BatchNorm1d(width) if norm == "batch" else nn.LayerNorm(width)]


def _start(linear: nn.Linear, init: Init) -> None:
    if init == "torch":
        return
    if init == "glorot":
        nn.init.xavier_uniform_(linear.weight)
    else:
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
