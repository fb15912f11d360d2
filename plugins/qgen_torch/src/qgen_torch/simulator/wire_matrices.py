"""The 2x2 matrices of all one-wire operations of a circuit at once, and products of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from qgen_torch.simulator.passes import SlotTable

Tensor = torch.Tensor


class WireMatrices:
    """Computes the matrices of all slots from angle columns, in the dtype of ``reference``.

    ``places`` is the place of each angle column among the shared ones or among those of the rows.
    """

    def __init__(self, table: SlotTable, places: dict[int, int], reference: Tensor) -> None:
        self._reference = reference
        gates = table.gates
        shared = table.shared_gates
        self._shared_gates = shared
        self._columns = self._indices([places[gate.column] for gate in gates])
        self._rates = self._reals([gate.rate for gate in gates])
        parts = np.array([gate.parts for gate in gates], dtype=np.complex128)
        parts = parts.reshape(len(gates), 3, 4)
        self._parts = self._reals(parts.view(np.float64)).unbind(1)
        constants = self._reals(np.array(table.constants).view(np.float64))
        self._constants = torch.view_as_complex(constants.reshape(1, len(table.constants), 2, 2, 2))
        #: The index of the identity, which follows the shared slots.
        self.identity = table.shared_slots
        row_gates = len(gates) - shared
        identity_slot = (len(gates) + len(table.constants) - 1,)

        # Shared slots read the list (shared gates, constants).
        def place_for_shared(number: int) -> int:
            if number < shared:
                return number
            return number - row_gates

        # Slots of rows read the list (gates of rows, shared gates, constants).
        def place_for_rows(number: int) -> int:
            if number < shared:
                return number + row_gates
            if number < len(gates):
                return number - shared
            return number

        shared_slots = [*table.slots[: table.shared_slots], identity_slot]
        self._shared_products = self._product_indices(shared_slots, place_for_shared)
        row_slots = table.slots[table.shared_slots :]
        self._row_products = self._product_indices(row_slots, place_for_rows)

    def __call__(self, shared: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Matrices of the shared slots and the identity (1, n + 1, 2, 2), and of all slots.

        The second result holds the same followed by the m slots of the rows, (B, n + 1 + m, 2, 2);
        None if there are none.
        """
        cut = self._shared_gates
        sources = self._constants
        if cut:
            sources = torch.cat([self._gates(shared, slice(0, cut)), sources], dim=1)
        matrices = _products(sources, self._shared_products)
        if rows is None or not self._row_products:
            return matrices, None
        batch = len(rows)
        row_sources = torch.cat(
            [self._gates(rows, slice(cut, None)), sources.expand(batch, -1, -1, -1)], dim=1
        )
        row_matrices = torch.cat(
            [matrices.expand(batch, -1, -1, -1), _products(row_sources, self._row_products)], dim=1
        )
        return matrices, row_matrices

    def _gates(self, columns: Tensor, part: slice) -> Tensor:
        """The matrices of gates with an angle, (B, n, 2, 2)."""
        angle = columns.index_select(1, self._columns[part]) * self._rates[part]
        angle = angle.unsqueeze(-1)
        constant, of_cos, of_sin = self._parts
        real = torch.addcmul(constant[part], angle.cos(), of_cos[part])
        real = torch.addcmul(real, angle.sin(), of_sin[part])
        return torch.view_as_complex(real.view(*real.shape[:2], 2, 2, 2))

    def _product_indices(
        self, slots: Sequence[tuple[int, ...]], place: Callable[[int], int]
    ) -> list[Tensor]:
        """The k-th tensor holds the k-th factor of every slot, padded with the identity."""
        depth = max((len(slot) for slot in slots), default=0)
        identity = len(self._columns) + self._constants.shape[1] - 1
        padded = []
        for slot in slots:
            factors = [*slot, *[identity] * (depth - len(slot))]
            padded.append([place(number) for number in factors])
        return [self._indices(numbers) for numbers in zip(*padded, strict=True)]

    def _indices(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.int64, device=self._reference.device)

    def _reals(self, numbers: object) -> Tensor:
        return torch.from_numpy(np.array(numbers, dtype=np.float64)).to(self._reference)


def _products(matrices: Tensor, indices: list[Tensor]) -> Tensor:
    """The product of the matrices of each slot; the first index acts first."""
    product: Tensor = matrices.index_select(1, indices[0])
    for numbers in indices[1:]:
        product = matrices.index_select(1, numbers) @ product
    return product


def kronecker_products(matrices: Tensor, slots: Tensor) -> Tensor:
    """Kronecker products (B, G, 2^k, 2^k) of the slots (G, k), the first most significant.

    >>> flip = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> kronecker_products(flip[None, None], torch.tensor([[0, 0]]))[0, 0]
    tensor([[0., 0., 0., 1.],
            [0., 0., 1., 0.],
            [0., 1., 0., 0.],
            [1., 0., 0., 0.]])
    """
    count, width = slots.shape
    selected = matrices.index_select(1, slots.flatten())
    factors = selected.view(len(matrices), count, width, 2, 2).unbind(2)
    product: Tensor = factors[0]
    for factor in factors[1:]:
        size = 2 * product.shape[-1]
        outer = product[..., :, None, :, None] * factor[..., None, :, None, :]
        product = outer.reshape(len(product), count, size, size)
    return product


def product_state(matrices: Tensor, slots: Tensor) -> Tensor:
    """|0...0> (B, 2^Q) with the slot of each wire (Q,) applied.

    Wires are multiplied in pairs, then pairs of pairs, and so on.

    >>> identity = torch.eye(2)
    >>> flip = identity.flip(0)
    >>> product_state(torch.stack([identity, flip])[None], torch.tensor([0, 1]))  # |01>
    tensor([[0., 1., 0., 0.]])
    """
    state = matrices[..., 0].index_select(1, slots)
    remainder: Tensor | None = None
    while state.shape[1] > 1:
        if state.shape[1] % 2:
            remainder = _outer_product(state[:, -1], remainder)
            state = state[:, :-1]
        state = (state[:, 0::2, :, None] * state[:, 1::2, None, :]).flatten(2)
    return _outer_product(state[:, 0], remainder)


def _outer_product(first: Tensor, second: Tensor | None) -> Tensor:
    if second is None:
        return first
    return (first[:, :, None] * second[:, None, :]).flatten(1)
