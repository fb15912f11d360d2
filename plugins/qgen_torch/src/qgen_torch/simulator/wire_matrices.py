"""The 2x2 matrices of all turns of a circuit at once, and products of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from qgen_torch.simulator.passes import Turns

Tensor = torch.Tensor


class TurnMaker:
    """Makes the matrices of all slots from angle columns, in the type and on the device of ``like``.

    ``places`` says where a column stands among the shared ones, or among those of the rows.
    """

    def __init__(self, turns: Turns, places: dict[int, int], like: Tensor) -> None:
        self._like = like
        gates, cut = turns.gates, turns.shared_gates
        own, total = len(gates) - cut, len(gates) + len(turns.constants)
        self._cut = cut
        self._columns = self._indices([places[turn.column] for turn in gates])
        self._rates = self._reals([turn.rate for turn in gates])
        parts = np.array([turn.parts for turn in gates], dtype=np.complex128).reshape(
            len(gates), 3, 4
        )
        self._parts = self._reals(parts.view(np.float64)).unbind(1)
        constants = self._reals(np.array(turns.constants).view(np.float64))
        self._constants = torch.view_as_complex(constants.reshape(1, len(turns.constants), 2, 2, 2))
        #: Where the matrix that changes nothing is, behind the shared slots.
        self.identity = turns.shared_slots
        slots = turns.slots
        still = (total - 1,)
        # Shared slots find shared gates and constants in their list; slots of rows own gates before these.
        self._shared = self._grid(
            [*slots[: turns.shared_slots], still], lambda n: n if n < cut else n - own
        )
        self._own = self._grid(
            slots[turns.shared_slots :],
            lambda n: n + own if n < cut else n - cut if n < len(gates) else n,
        )

    def __call__(self, shared: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shared slots and the identity (1, n + 1, 2, 2); with slots of rows behind them (B, n + 1 + m, 2, 2)."""
        cut = self._cut
        known = (
            torch.cat([self._gates(shared, slice(0, cut)), self._constants], dim=1)
            if cut
            else self._constants
        )
        made = _products(known, self._shared)
        if own is None or not self._own:
            return made, None
        gates = torch.cat(
            [self._gates(own, slice(cut, None)), known.expand(len(own), -1, -1, -1)], dim=1
        )
        return made, torch.cat(
            [made.expand(len(own), -1, -1, -1), _products(gates, self._own)], dim=1
        )

    def _gates(self, columns: Tensor, part: slice) -> Tensor:
        """Turns with an angle, (B, n, 2, 2)."""
        t = (columns.index_select(1, self._columns[part]) * self._rates[part]).unsqueeze(-1)
        still, cos, sin = (p[part] for p in self._parts)
        real = torch.addcmul(torch.addcmul(still, t.cos(), cos), t.sin(), sin)
        return torch.view_as_complex(real.view(*real.shape[:2], 2, 2, 2))

    def _grid(self, slots: Sequence[tuple[int, ...]], place: Callable[[int], int]) -> list[Tensor]:
        """For each step of the products the gate of every slot; short slots end with the last constant."""
        depth = max((len(slot) for slot in slots), default=0)
        last = len(self._columns) + self._constants.shape[1] - 1
        padded = [[place(n) for n in (*slot, *[last] * (depth - len(slot)))] for slot in slots]
        return [self._indices(step) for step in zip(*padded, strict=True)]

    def _indices(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.int64, device=self._like.device)

    def _reals(self, numbers: object) -> Tensor:
        return torch.from_numpy(np.array(numbers, dtype=np.float64)).to(self._like)


def _products(gates: Tensor, grid: list[Tensor]) -> Tensor:
    made: Tensor = gates.index_select(1, grid[0])
    for numbers in grid[1:]:
        made = gates.index_select(1, numbers) @ made
    return made


def krons(slots: Tensor, wires: Tensor) -> Tensor:
    """Kronecker products (B, G, 2^k, 2^k) of the slots whose numbers are (G, k), the first most significant."""
    count, width = wires.shape
    factors = slots.index_select(1, wires.flatten()).view(len(slots), count, width, 2, 2).unbind(2)
    made: Tensor = factors[0]
    for factor in factors[1:]:
        size = 2 * made.shape[-1]
        made = (made[..., :, None, :, None] * factor[..., None, :, None, :]).reshape(
            len(made), count, size, size
        )
    return made


def product_state(slots: Tensor, wires: Tensor) -> Tensor:
    """|0...0> (B, 2^Q) with the slot of each wire (Q,) applied: pairs of wires, then pairs of pairs."""
    state = slots[..., 0].index_select(1, wires)
    rest: Tensor | None = None
    while state.shape[1] > 1:
        if state.shape[1] % 2:
            rest = _joined(state[:, -1], rest)
            state = state[:, :-1]
        state = (state[:, 0::2, :, None] * state[:, 1::2, None, :]).flatten(2)
    return _joined(state[:, 0], rest)


def _joined(first: Tensor, second: Tensor | None) -> Tensor:
    return first if second is None else (first[:, :, None] * second[:, None, :]).flatten(1)
