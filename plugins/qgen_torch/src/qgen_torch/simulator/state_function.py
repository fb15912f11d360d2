"""A circuit and a measure as one function of torch, in one precision."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from qgen_core import Circuit
from qgen_torch.simulator.evolve import Permute, Shift, Step, Turn, evolve
from qgen_torch.simulator.passes import Block, MovePass, PhasePass, Plan, TurnPass, make_plan
from qgen_torch.simulator.signed_sums import Signs
from qgen_torch.simulator.wire_matrices import TurnMaker, krons, product_state

Tensor = torch.Tensor
Precision = Literal["single", "double"]

REAL = {"single": torch.float32, "double": torch.float64}


class Program:
    """States (B, 2^Q) from angle columns; ``own`` columns differ from row to row, the rest do not.

    A function of torch: differentiable any number of times, on the device of its angles. What it
    needs there (indices, signs, constants) is made at the first call.
    """

    def __init__(self, circuit: Circuit, own: NDArray[np.int64], precision: Precision) -> None:
        self._real = REAL[precision]
        self._plan = make_plan(circuit, own)
        shared = np.setdiff1d(np.arange(circuit.num_angles), own)
        self._places = {int(c): n for columns in (shared, own) for n, c in enumerate(columns)}
        self._own = {int(c) for c in own}
        self._placed: dict[torch.device, _Placed] = {}

    def __call__(self, shared: Tensor, own: Tensor | None) -> Tensor:
        """``shared`` is (1, S), ``own`` (B, O), or None where there are no such columns."""
        shared, own = shared.to(self._real), None if own is None else own.to(self._real)
        if shared.device not in self._placed:
            self._placed[shared.device] = _Placed(
                self._plan, self._places, self._own, shared.detach()
            )
        return self._placed[shared.device](shared, own)


class _Placed:
    """The program on one device."""

    def __init__(self, plan: Plan, places: dict[int, int], own: set[int], like: Tensor) -> None:
        self._maker = TurnMaker(plan.turns, places, like)
        self._first = self._slots(plan.first, like)
        self._first_own = any(
            slot is not None and slot >= self._maker.identity for slot in plan.first
        )
        #: For each tensor that the steps read: which slots, or which phases.
        self._matrices: list[tuple[bool, Tensor]] = []
        self._phases: list[_Phases] = []
        self._steps = self._make_steps(plan, places, own, like)

    def __call__(self, shared: Tensor, own: Tensor | None) -> Tensor:
        made, made_own = self._maker(shared, own)
        rows = made if made_own is None else made_own
        state = product_state(rows if self._first_own else made, self._first)
        if own is not None:
            state = state.expand(len(own), -1)
        tensors = [krons(rows if is_own else made, slots) for is_own, slots in self._matrices]
        tensors += [phases(shared, own) for phases in self._phases]
        return evolve(self._steps, state, tensors)

    def _slots(self, slots: tuple[int | None, ...], like: Tensor) -> Tensor:
        """Numbers of slots in what the maker makes: the identity stands between shared ones and those of rows."""
        still = self._maker.identity
        numbers = [still if slot is None else slot + (slot >= still) for slot in slots]
        return torch.tensor(numbers, dtype=torch.int64, device=like.device)

    def _make_steps(
        self, plan: Plan, places: dict[int, int], own: set[int], like: Tensor
    ) -> tuple[Step, ...]:
        blocks = [found for one in plan.passes if isinstance(one, TurnPass) for found in one.blocks]
        groups: dict[tuple[bool, int], list[Tensor]] = {self._kind(*found): [] for found in blocks}
        steps: list[Step] = []
        moves: dict[bytes, Permute] = {}
        for one in plan.passes:
            if isinstance(one, MovePass):
                key = one.source.tobytes()
                if key not in moves:
                    moves[key] = Permute(
                        *(torch.from_numpy(a).to(like.device) for a in (one.source, one.target))
                    )
                steps.append(moves[key])
            elif isinstance(one, PhasePass):
                steps.append(Shift(len(groups) + len(self._phases)))
                self._phases.append(_Phases(one, plan.wires, places, own, like))
            else:
                for block, slots in one.blocks:
                    kind = self._kind(block, slots)
                    steps.append(Turn(list(groups).index(kind), len(groups[kind]), block.left))
                    groups[kind].append(self._slots(slots, like))
        self._matrices = [(rows, torch.stack(group)) for (rows, _), group in groups.items()]
        return tuple(steps)

    def _kind(self, block: Block, slots: tuple[int | None, ...]) -> tuple[bool, int]:
        """Whether the matrix of a block differs from row to row, and its wires: equal kinds are one tensor."""
        return any(slot is not None and slot >= self._maker.identity for slot in slots), block.wires


class _Phases:
    """Phases (1 or B, 2^Q) of a pass, from angle columns."""

    def __init__(
        self, one: PhasePass, wires: int, places: dict[int, int], own: set[int], like: Tensor
    ) -> None:
        masks = list(dict.fromkeys(mask for mask, _ in one.terms))
        self._signs = Signs(masks, wires, like)
        constant = np.zeros(len(masks))
        entries: dict[bool, list[tuple[int, int, float]]] = {False: [], True: []}
        for (mask, column), factor in one.terms.items():
            if column < 0:
                constant[masks.index(mask)] += factor
            else:
                entries[column in own].append((masks.index(mask), places[column], factor))
        self._constant = torch.from_numpy(constant).to(like)[None]
        self._maps = {rows: _linear(found, like) for rows, found in entries.items() if found}

    def __call__(self, shared: Tensor, own: Tensor | None) -> Tensor:
        count = len(own) if own is not None and True in self._maps else 1
        values = self._constant.expand(count, -1)
        for rows, (mask, column, factor) in self._maps.items():
            columns = own if rows else shared
            assert columns is not None
            values = values.index_add(
                1, mask, (columns.index_select(1, column) * factor).expand(count, -1)
            )
        return self._signs.spread(values)


def _linear(entries: list[tuple[int, int, float]], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    masks, columns, factors = zip(*entries, strict=True)
    mask, column = (
        torch.tensor(n, dtype=torch.int64, device=like.device) for n in (masks, columns)
    )
    return mask, column, torch.tensor(factors, dtype=torch.float64).to(like)
