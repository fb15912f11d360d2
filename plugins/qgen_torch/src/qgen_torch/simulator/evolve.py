"""Maps of a batch of states, and their adjoints, which need no stored states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from qgen_core.support.resources import UNCHECKED_MEMORY

Tensor = torch.Tensor
Tensors = Sequence[Tensor]


@dataclass(frozen=True)
class MatrixMap:
    """A matrix on neighbouring wires, of which ``left`` wires stand to the left.

    The matrix is number ``index`` of those in tensor ``source``, (1 or B, G, K, K).

    >>> flip = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    >>> MatrixMap(0, 0, left=1).apply(torch.tensor([[1.0, 0.0, 0.0, 0.0]]), [flip])
    tensor([[0., 1., 0., 0.]])
    """

    source: int
    index: int
    left: int

    def apply(self, state: Tensor, tensors: Tensors) -> Tensor:
        """The states (B, 2^Q) after the map."""
        return self._apply(tensors[self.source][:, self.index], state)

    def apply_adjoint(self, state: Tensor, tensors: Tensors) -> Tensor:
        """The states before the map from those after it; likewise for cotangents."""
        return self._apply(tensors[self.source][:, self.index].mH, state)

    def store_gradient(
        self,
        before: Tensor,
        cotangent: Tensor,
        after: Tensor,
        tensors: Tensors,
        gradients: Tensors,
    ) -> None:
        """Write d loss / d matrix, from the states before and after and the cotangent after."""
        shape = tensors[self.source].shape
        size = shape[-1]
        rows = shape[0]
        if rows == 1 and before.shape[1] == size << self.left:
            gradients[self.source][0, self.index] = (
                cotangent.reshape(-1, size).mT @ before.reshape(-1, size).conj()
            )
            return
        gradient = self._columns(cotangent, size) @ self._columns(before, size).mH
        if rows == 1:
            gradient = gradient.sum(dim=0)
        gradients[self.source][:, self.index] = gradient

    def _apply(self, matrix: Tensor, state: Tensor) -> Tensor:
        size = matrix.shape[-1]
        left = 1 << self.left
        if state.shape[1] == size * left:  # the matrix acts on the last wires
            if len(matrix) == 1:
                return (state.reshape(len(state) * left, size) @ matrix[0].mT).view(state.shape)
            return (state.reshape(len(state), left, size) @ matrix.mT).view(state.shape)
        product = matrix @ self._columns(state, size)
        if self.left:
            right = state.shape[1] // (left * size)
            product = product.view(len(state), size, left, right).transpose(1, 2)
        return product.reshape(state.shape)

    def _columns(self, state: Tensor, size: int) -> Tensor:
        """The states (B, 2^Q) as vectors of the matrix's wires, (B, K, 2^Q / K)."""
        left = 1 << self.left
        split = state.reshape(len(state), left, size, state.shape[1] // (left * size))
        if not self.left:
            return split[:, 0]
        return split.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class PhaseMap:
    """Phases of the basis states, in tensor ``source``, (1 or B, 2^Q).

    >>> state = torch.tensor([[1.0, 2.0]])
    >>> PhaseMap(0).apply(state, [torch.tensor([[0.0, torch.pi]])]).real
    tensor([[ 1., -2.]])
    """

    source: int

    def apply(self, state: Tensor, tensors: Tensors) -> Tensor:
        """The states (B, 2^Q) after the map."""
        return state * _phase_factors(tensors[self.source])

    def apply_adjoint(self, state: Tensor, tensors: Tensors) -> Tensor:
        """The states before the map from those after it; likewise for cotangents."""
        return state * _phase_factors(-tensors[self.source])

    def store_gradient(
        self,
        before: Tensor,
        cotangent: Tensor,
        after: Tensor,
        tensors: Tensors,
        gradients: Tensors,
    ) -> None:
        """Write d loss / d phases."""
        gradient = (cotangent * after.conj()).imag
        if len(gradients[self.source]) == 1:
            gradient = gradient.sum(dim=0, keepdim=True)
        gradients[self.source].copy_(gradient)


@dataclass(frozen=True, eq=False)
class PermutationMap:
    """A permutation of the basis states: ``new[x] = old[source[x]]``; ``target`` is its inverse.

    >>> cycle = PermutationMap(torch.tensor([2, 0, 1]), torch.tensor([1, 2, 0]))
    >>> state = torch.tensor([[1.0, 2.0, 3.0]])
    >>> cycle.apply(state, [])
    tensor([[3., 1., 2.]])
    >>> cycle.apply_adjoint(cycle.apply(state, []), [])
    tensor([[1., 2., 3.]])
    """

    source: Tensor
    target: Tensor

    def apply(self, state: Tensor, tensors: Tensors) -> Tensor:
        """The states (B, 2^Q) after the map."""
        return gathered(state, self.source, self.target)

    def apply_adjoint(self, state: Tensor, tensors: Tensors) -> Tensor:
        """The states before the map from those after it; likewise for cotangents."""
        return gathered(state, self.target, self.source)

    def store_gradient(
        self,
        before: Tensor,
        cotangent: Tensor,
        after: Tensor,
        tensors: Tensors,
        gradients: Tensors,
    ) -> None:
        """A permutation reads no tensor, so there is nothing to store."""


StateMap = MatrixMap | PhaseMap | PermutationMap


class _Gather(torch.autograd.Function):
    """Columns in another order. Its backward pass gathers, where torch's own would scatter-add."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, source: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(source, target)
        return state.index_select(1, source)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        source, target = ctx.saved_tensors
        return gathered(cotangent, target, source), None, None


def gathered(state: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """``state[:, source]``; the backward pass uses the inverse permutation ``target``."""
    found: Tensor = _GATHER(state, source, target)
    return found


def evolve(maps: Sequence[StateMap], state: Tensor, tensors: Tensors) -> Tensor:
    """The states after all maps.

    States between the maps are stored for the backward pass if they are small, else recomputed.

    >>> phases = torch.tensor([[0.0, torch.pi / 2]])
    >>> evolve([PhaseMap(0), PhaseMap(0)], torch.tensor([[1.0, 1.0]]), [phases]).real
    tensor([[ 1., -1.]])
    """
    stored_bytes = len(maps) * state.numel() * state.element_size()
    if stored_bytes <= UNCHECKED_MEMORY:
        return apply_maps(maps, state, tensors)
    found: Tensor = _EVOLVE(maps, state, *tensors)
    return found


def apply_maps(maps: Sequence[StateMap], state: Tensor, tensors: Tensors) -> Tensor:
    """The states after all maps, differentiated by torch, which stores the states between."""
    for one in maps:
        state = one.apply(state, tensors)
    return state


class _Evolve(torch.autograd.Function):
    """:func:`apply_maps` whose backward pass undoes the maps, so that it stores two states only.

    If the backward pass is itself to be differentiated, that of :func:`apply_maps` is used.
    """

    @staticmethod
    def forward(ctx: Any, maps: Sequence[StateMap], state: Tensor, *tensors: Tensor) -> Tensor:
        ctx.maps = maps
        final = apply_maps(maps, state, tensors)
        ctx.save_for_backward(state, final, *tensors)
        return final

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            return None, *_differentiable_gradients(ctx, cotangent)
        _, state, *tensors = ctx.saved_tensors
        gradients = [torch.zeros_like(tensor) for tensor in tensors]
        for one in reversed(ctx.maps):
            before = one.apply_adjoint(state, tensors)
            one.store_gradient(before, cotangent, state, tensors, gradients)
            cotangent = one.apply_adjoint(cotangent, tensors)
            state = before
        return None, cotangent, *gradients


def _differentiable_gradients(ctx: Any, cotangent: Tensor) -> list[Tensor | None]:
    """The gradients of :func:`apply_maps` by torch, themselves differentiable."""
    first, _, *tensors = ctx.saved_tensors
    needed = ctx.needs_input_grad[1:]
    required = []
    for tensor, is_needed in zip((first, *tensors), needed, strict=True):
        if is_needed:
            required.append(tensor)
    output = apply_maps(ctx.maps, first, tensors)
    gradients = iter(torch.autograd.grad(output, required, cotangent, create_graph=True))
    found: list[Tensor | None] = []
    for is_needed in needed:
        gradient: Tensor | None = None
        if is_needed:
            gradient = next(gradients)
        found.append(gradient)
    return found


# torch leaves ``apply`` untyped.
_GATHER: Any = _Gather.apply
_EVOLVE: Any = _Evolve.apply


def _phase_factors(phases: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(phases), phases)
