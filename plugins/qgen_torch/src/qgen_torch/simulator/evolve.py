"""Passes over a batch of states, and their way back without stored states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from qgen_core.support.resources import ALWAYS_THERE

Tensor = torch.Tensor
Tensors = Sequence[Tensor]


@dataclass(frozen=True)
class Turn:
    """A matrix on neighbouring wires: number ``index`` of the matrices (1 or B, G, K, K) at ``source``."""

    source: int
    index: int
    left: int

    def there(self, state: Tensor, made: Tensors) -> Tensor:
        """The states (B, 2^Q) behind the pass."""
        return self._apply(made[self.source][:, self.index], state)

    def back(self, state: Tensor, made: Tensors) -> Tensor:
        """The states, or their adjoints, before it."""
        return self._apply(made[self.source][:, self.index].mH, state)

    def pull(
        self,
        before: Tensor,
        adjoint: Tensor,
        behind: Tensor,
        made: Tensors,
        slopes: Sequence[Tensor],
    ) -> None:
        """Write d loss / d matrix, given the states before and the adjoint behind the pass."""
        shape = made[self.source].shape
        size, rows = shape[-1], shape[0]
        if rows == 1 and before.shape[1] == size << self.left:
            slopes[self.source][0, self.index] = (
                adjoint.reshape(-1, size).mT @ before.reshape(-1, size).conj()
            )
            return
        slope = self._columns(adjoint, size) @ self._columns(before, size).mH
        slopes[self.source][:, self.index] = slope.sum(dim=0) if rows == 1 else slope

    def _apply(self, matrix: Tensor, state: Tensor) -> Tensor:
        size, left = matrix.shape[-1], 1 << self.left
        if state.shape[1] == size * left:  # the last wires
            if len(matrix) == 1:
                return (state.reshape(len(state) * left, size) @ matrix[0].mT).view(state.shape)
            return (state.reshape(len(state), left, size) @ matrix.mT).view(state.shape)
        found = matrix @ self._columns(state, size)
        if self.left:
            found = found.view(len(state), size, left, state.shape[1] // (left * size)).transpose(
                1, 2
            )
        return found.reshape(state.shape)

    def _columns(self, state: Tensor, size: int) -> Tensor:
        """The states (B, 2^Q) as vectors of the wires that turn, (B, K, 2^Q / K)."""
        left = 1 << self.left
        split = state.reshape(len(state), left, size, state.shape[1] // (left * size))
        return split[:, 0] if not self.left else split.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class Shift:
    """Phases (1 or B, 2^Q) of the basis states, at ``source``."""

    source: int

    def there(self, state: Tensor, made: Tensors) -> Tensor:
        """The states behind the pass."""
        return state * _unit(made[self.source])

    def back(self, state: Tensor, made: Tensors) -> Tensor:
        """The states, or their adjoints, before it."""
        return state * _unit(-made[self.source])

    def pull(
        self,
        before: Tensor,
        adjoint: Tensor,
        behind: Tensor,
        made: Tensors,
        slopes: Sequence[Tensor],
    ) -> None:
        """Write d loss / d phases."""
        slope = (adjoint * behind.conj()).imag
        slopes[self.source].copy_(
            slope if len(slopes[self.source]) > 1 else slope.sum(dim=0, keepdim=True)
        )


@dataclass(frozen=True, eq=False)
class Permute:
    """Basis states change places: ``new[x] = old[source[x]]``."""

    source: Tensor
    target: Tensor

    def there(self, state: Tensor, made: Tensors) -> Tensor:
        """The states behind the pass."""
        return gathered(state, self.source, self.target)

    def back(self, state: Tensor, made: Tensors) -> Tensor:
        """The states, or their adjoints, before it."""
        return state.index_select(1, self.target)

    def pull(
        self,
        before: Tensor,
        adjoint: Tensor,
        behind: Tensor,
        made: Tensors,
        slopes: Sequence[Tensor],
    ) -> None:
        """There is nothing to differentiate by."""


Step = Turn | Shift | Permute


class _Gather(torch.autograd.Function):
    """Reading columns in another order; unlike torch's own, the way back reads too and adds nothing up."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, source: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(source, target)
        return state.index_select(1, source)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        source, target = ctx.saved_tensors
        return gathered(cotangent, target, source), None, None


def gathered(state: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """``state[:, source]``, with the inverse permutation ``target`` for the way back."""
    found: Tensor = _GATHER(state, source, target)
    return found


def evolve(steps: Sequence[Step], state: Tensor, made: Tensors) -> Tensor:
    """The states behind all steps; those between are held for the way back if they are small."""
    held = len(steps) * state.numel() * state.element_size()
    if held <= ALWAYS_THERE:
        return plain(steps, state, made)
    found: Tensor = _EVOLVE(steps, state, *made)
    return found


def plain(steps: Sequence[Step], state: Tensor, made: Tensors) -> Tensor:
    """The states behind all steps, for torch to differentiate any number of times."""
    for step in steps:
        state = step.there(state, made)
    return state


class _Evolve(torch.autograd.Function):
    """:func:`plain` with a backward pass that runs the steps back: it holds two states, not one for every step.

    Where the backward pass is to be differentiated itself, it is that of :func:`plain`.
    """

    @staticmethod
    def forward(ctx: Any, steps: Sequence[Step], state: Tensor, *made: Tensor) -> Tensor:
        ctx.steps = steps
        found = plain(steps, state, made)
        ctx.save_for_backward(state, found, *made)
        return found

    @staticmethod
    def backward(ctx: Any, adjoint: Tensor) -> tuple[Tensor | None, ...]:
        first, state, *made = ctx.saved_tensors
        if torch.is_grad_enabled():
            wanted = [
                t
                for t, needed in zip((first, *made), ctx.needs_input_grad[1:], strict=True)
                if needed
            ]
            found = iter(
                torch.autograd.grad(
                    plain(ctx.steps, first, made), wanted, adjoint, create_graph=True
                )
            )
            return None, *(next(found) if needed else None for needed in ctx.needs_input_grad[1:])
        slopes = [torch.zeros_like(t) for t in made]
        for step in reversed(ctx.steps):
            before = step.back(state, made)
            step.pull(before, adjoint, state, made, slopes)
            adjoint, state = step.back(adjoint, made), before
        return None, adjoint, *slopes


# torch leaves ``apply`` without types.
_GATHER: Any = _Gather.apply
_EVOLVE: Any = _Evolve.apply


def _unit(phases: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(phases), phases)
