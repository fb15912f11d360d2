"""Coupling flows on zuko: blocks of a normalisation, a rotation and a coupling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Literal, Protocol, cast

import torch
from torch import nn

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_core.support.resources import require_memory
from qgen_torch.flows.spline import RationalQuadraticSpline
from qgen_torch.networks.columns import deviations
from qgen_torch.networks.mlp import ACTIVATIONS, COPIES, Activation

Tensor = torch.Tensor
#: What is between two couplings.
Mixing = Literal["permutation", "rotation", "none"]


@dataclass(frozen=True)
class Splines:
    """Splines as the univariate maps of couplings: their bins, and the end of the first and last.

    >>> Splines(bins=4).numbers
    11
    """

    bins: int = 8
    bound: float = 5.0

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the numbers of one map."""
        return (self.bins,), (self.bins,), (self.bins - 1,)

    @property
    def numbers(self) -> int:
        """How many numbers one map has."""
        return 3 * self.bins - 1

    def function(self) -> Any:
        """The class of the maps, with the options that are not computed from events."""
        return partial(RationalQuadraticSpline, bound=self.bound)


@dataclass(frozen=True)
class Affine:
    """``exp(s) x + t`` as the univariate maps of couplings."""

    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((), ())
    numbers: ClassVar[int] = 2

    def function(self) -> Any:
        """The class of the maps, of zuko, which limits s to +-6.9."""
        return _zuko().transforms.MonotonicAffineTransform


#: The splines of a flow unless others are asked for.
SPLINES = Splines()


def univariate_maps(name: Literal["spline", "affine"], bins: int, bound: float) -> Splines | Affine:
    """The maps of this name; ``bins`` and ``bound`` are those of splines.

    >>> univariate_maps("affine", 8, 5.0).numbers
    2
    """
    if name == "affine":
        return Affine()
    return Splines(bins, bound)


def check_couplings(
    model: str, blocks: int, bins: int, bound: float, widths: tuple[int, ...]
) -> None:
    """Raise BadOption, naming the model, for numbers that a coupling flow cannot have.

    >>> check_couplings("inn", 8, 8, 5.0, (64, 64))
    """
    if blocks < 1 or bins < 2 or not bound > 0 or any(size < 1 for size in widths):
        raise BadOption(
            f"{model} needs blocks and widths of at least 1, at least 2 bins and a bound above 0, "
            f"not {blocks}, {list(widths)}, {bins} and {bound:g}"
        )


class Conditioners(Protocol):
    """Builds the networks that compute the numbers of the maps; these are 0 at first."""

    def layer_sizes(self, inputs: int, outputs: int) -> list[int]:
        """The widths of the layers of a network, with its inputs and outputs."""

    def build(self, inputs: int, outputs: int) -> nn.Module:
        """A network from (N, inputs) to (N, outputs)."""


@dataclass(frozen=True)
class Perceptrons(Conditioners):
    """Perceptrons as conditioners: the widths of their hidden layers, and the activation.

    >>> Perceptrons((8,)).build(2, 3)(torch.ones(1, 2))
    tensor([[0., 0., 0.]], grad_fn=<AddmmBackward0>)
    """

    widths: tuple[int, ...] = (64, 64)
    activation: Activation = "relu"

    def layer_sizes(self, inputs: int, outputs: int) -> list[int]:
        return [inputs, *self.widths, outputs]

    def build(self, inputs: int, outputs: int) -> nn.Module:
        network: nn.Sequential = _zuko().nn.MLP(
            inputs,
            outputs,
            hidden_features=self.widths,
            activation=ACTIVATIONS[self.activation],
        )
        zeros_at_first(network[-1])
        return network


#: The conditioners of a flow unless others are asked for.
PERCEPTRONS = Perceptrons()


class ActNorm(nn.Module):
    """``y = (x - centre) / spread * exp(log_scale) + shift``, column by column.

    The centre and the spread are those of the first batch, and are kept as buffers; the others are
    parameters, 0 at first. Source: Kingma and Dhariwal, arXiv:1807.03039, section 3.1, where the
    statistics of the first batch are the first values of the parameters themselves.

    >>> norm = ActNorm(2)
    >>> norm.fit(torch.tensor([[0.0, 5.0], [4.0, 5.0]]))
    >>> y, log_det = norm.to_latent(torch.tensor([[4.0, 6.0]]))
    >>> y, norm.to_data(y)
    (tensor([[1., 1.]], grad_fn=<AddBackward0>), tensor([[4., 6.]], grad_fn=<AddBackward0>))
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(width))
        self.shift = nn.Parameter(torch.zeros(width))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def fit(self, x: Tensor) -> None:
        """Take the centre and the spread from a batch (N, width); a constant has the spread 1."""
        self.get_buffer("centre").copy_(x.mean(dim=0))
        self.get_buffer("spread").copy_(deviations(x))

    def to_latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, and the logarithm of the determinant, a scalar."""
        spread = self.get_buffer("spread")
        y = (x - self.get_buffer("centre")) * (self.log_scale.exp() / spread) + self.shift
        return y, (self.log_scale - spread.log()).sum()

    def to_data(self, y: Tensor) -> Tensor:
        """x of y."""
        scale = (-self.log_scale).exp() * self.get_buffer("spread")
        return (y - self.shift) * scale + self.get_buffer("centre")


class Flow(nn.Module, ABC):
    """A map between events and latents (N, width), given conditions (N, K), with its determinant.

    A flow has ``numbers``: how many numbers an event takes in a graph, which limits the size of
    graphs.

    >>> issubclass(CouplingFlow, Flow)
    True
    """

    numbers: int

    @abstractmethod
    def to_latent(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Latents (N, width) of events, and the logarithms (N,) of |det d latents / d events|."""

    @abstractmethod
    def to_data(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Events of latents (N, width)."""

    @abstractmethod
    def fit_norms(self, x: Tensor, condition: Tensor | None) -> None:
        """Fit the normalisations to events, each to what reaches it."""


class CouplingFlow(Flow):
    """An invertible map between events and latents (N, width), given conditions (N, K).

    A block is a normalisation (:class:`ActNorm`), a fixed random rotation, and a coupling: half of
    the columns is mapped by univariate functions whose numbers are computed from the other half and
    the condition. The halves of blocks 0 and 1 are complements, as are those of 2 and 3 etc. With
    ``permutation`` they are drawn at random, which is what permutations between the blocks give,
    without moving columns. A single column is mapped by functions of the condition alone.

    The output of each conditioner is 0 at first. So without normalisation and rotations the flow
    starts as the identity.

    Args:
        width: the number of columns.
        given: the number of columns of the conditions.
        blocks: the number of blocks.
        univariate: the maps of the columns.
        conditioners: the networks that compute the numbers of the maps.
        mixing: ``permutation``, ``rotation`` or ``none``.
        act_norm: whether there are normalisations.

    Raises BrokenPlugin without zuko, ResourceRefused for more weights than memory holds.

    >>> flow = CouplingFlow(3, 0, blocks=2)
    >>> x = torch.tensor([[0.1, 0.2, 0.3]])
    >>> z, log_det = flow.to_latent(x, None)
    >>> torch.allclose(z, x), abs(log_det.item()) < 1e-6
    (True, True)
    """

    rotations: Tensor | None

    def __init__(
        self,
        width: int,
        given: int,
        *,
        blocks: int,
        univariate: Splines | Affine = SPLINES,
        conditioners: Conditioners = PERCEPTRONS,
        mixing: Mixing = "permutation",
        act_norm: bool = False,
    ) -> None:
        super().__init__()
        half = -(-width // 2)
        #: How many numbers of maps an event has in all blocks.
        self.numbers = blocks * half * univariate.numbers
        _require_memory(blocks, conditioners.layer_sizes(half + given, half * univariate.numbers))
        self.couplings = nn.ModuleList()
        for mask in _masks(width, blocks, mixing):
            self.couplings.append(_coupling(mask, given, univariate, conditioners))
        self.norms = nn.ModuleList()
        if act_norm:
            self.norms.extend(ActNorm(width) for _ in range(blocks))
        self.register_buffer("rotations", None)
        if mixing == "rotation":
            rotations, _ = torch.linalg.qr(torch.randn(blocks, width, width, dtype=torch.float64))
            self.register_buffer("rotations", rotations)

    def to_latent(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for number, coupling in enumerate(self.couplings):
            norm = self.norm(number)
            if norm is not None:
                x, log_det = norm.to_latent(x)
                total = total + log_det
            x = self._rotated(x, number)
            x, log_det = coupling(condition).call_and_ladj(x)
            total = total + log_det
        return x, total

    def to_data(self, z: Tensor, condition: Tensor | None) -> Tensor:
        for number in reversed(range(len(self.couplings))):
            z = self.couplings[number](condition).inv(z)
            if self.rotations is not None:
                z = z @ self.rotations[number]
            norm = self.norm(number)
            if norm is not None:
                z = norm.to_data(z)
        return z

    def fit_norms(self, x: Tensor, condition: Tensor | None) -> None:
        for number, coupling in enumerate(self.couplings):
            norm = self.norm(number)
            if norm is None:
                return
            norm.fit(x)
            x = self._rotated(norm.to_latent(x)[0], number)
            x = coupling(condition)(x)

    def norm(self, number: int) -> ActNorm | None:
        """The normalisation of a block; None without normalisations."""
        if not len(self.norms):
            return None
        return cast(ActNorm, self.norms[number])

    def _rotated(self, x: Tensor, number: int) -> Tensor:
        if self.rotations is None:
            return x
        return x @ self.rotations[number].T


def _masks(width: int, blocks: int, mixing: Mixing) -> list[Tensor]:
    """Which columns each coupling leaves as they are, (width,) truth values."""
    masks: list[Tensor] = []
    even = torch.arange(width) % 2 == 0
    for number in range(blocks):
        if number % 2:
            masks.append(~masks[-1])
        elif mixing == "permutation":
            masks.append(even[torch.randperm(width)])
        else:
            masks.append(even)
    return masks


def _coupling(
    mask: Tensor, given: int, univariate: Splines | Affine, conditioners: Conditioners
) -> nn.Module:
    """The coupling that leaves the columns of a mask as they are, with a conditioner of its own."""
    width = len(mask)
    with torch.random.fork_rng(devices=[]):  # zuko initialises a network, which is replaced
        coupling: nn.Module = _zuko().flows.coupling.GeneralCouplingTransform(
            width,
            given,
            mask,
            univariate=univariate.function(),
            shapes=univariate.shapes,
            hidden_features=(),
        )
    inputs = given
    outputs = univariate.numbers
    if width > 1:
        inputs += int(mask.sum())
        outputs *= width - int(mask.sum())
    if inputs:
        coupling.hyper = conditioners.build(inputs, outputs)
    else:
        zeros_at_first(coupling)  # the numbers themselves are parameters
    return coupling


def zeros_at_first(module: nn.Module) -> None:
    """Make the parameters of a module 0.

    >>> linear = nn.Linear(1, 1)
    >>> zeros_at_first(linear)
    >>> linear.bias.item()
    0.0
    """
    for values in module.parameters():
        nn.init.zeros_(values)


def _require_memory(blocks: int, sizes: Sequence[int]) -> None:
    """Raise ResourceRefused for conditioners of these layer sizes that memory does not hold."""
    weights = blocks * sum(size * following for size, following in pairwise(sizes))
    require_memory(
        COPIES * 4 * weights,
        f"{blocks} couplings with {weights} weights, in training,",
        "take smaller widths or fewer blocks",
    )


def _zuko() -> Any:
    return import_optional("zuko", "a coupling flow", "qgen-torch[flows]")
