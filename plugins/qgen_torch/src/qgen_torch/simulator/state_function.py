"""A circuit as a function of torch: angles to state vectors, in one precision."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from qgen_core import Circuit
from qgen_torch.simulator.evolve import MatrixMap, PermutationMap, PhaseMap, StateMap, evolve
from qgen_torch.simulator.passes import (
    Block,
    PassSequence,
    PermutationPass,
    PhasePass,
    arrange_passes,
)
from qgen_torch.simulator.signed_sums import SignedSums
from qgen_torch.simulator.wire_matrices import WireMatrices, kronecker_products, product_state

Tensor = torch.Tensor
Precision = Literal["single", "double"]

REAL = {"single": torch.float32, "double": torch.float64}


class StateFunction:
    """States (B, 2^Q) of a circuit from its angles, differentiable any number of times.

    ``row_columns`` are the angle columns that differ from row to row; the others are shared.
    Runs on the device of the angles. Constants (indices, signs, matrices) are put on a device when
    it is first used.

    >>> from qgen_core import Gate, param
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> function = StateFunction(circuit, np.array([0]), "double")
    >>> function(torch.empty(1, 0), torch.tensor([[0.0], [torch.pi]])).real.round(decimals=6).abs()
    tensor([[1., 0.],
            [0., 1.]], dtype=torch.float64)
    """

    def __init__(
        self, circuit: Circuit, row_columns: NDArray[np.int64], precision: Precision
    ) -> None:
        self._real = REAL[precision]
        self._sequence = arrange_passes(circuit, row_columns)
        shared_columns = np.setdiff1d(np.arange(circuit.num_angles), row_columns)
        #: The place of each column among the shared ones or among those of the rows.
        self._places: dict[int, int] = {}
        for columns in (shared_columns, row_columns):
            for place, column in enumerate(columns):
                self._places[int(column)] = place
        self._row_columns = {int(column) for column in row_columns}
        self._on_device: dict[torch.device, _DeviceStateFunction] = {}

    def __call__(self, shared: Tensor, rows: Tensor | None) -> Tensor:
        """``shared`` is (1, S), ``rows`` (B, O), or None if there are no such columns."""
        shared = shared.to(self._real)
        if rows is not None:
            rows = rows.to(self._real)
        if shared.device not in self._on_device:
            self._on_device[shared.device] = _DeviceStateFunction(
                self._sequence, self._places, self._row_columns, shared.detach()
            )
        return self._on_device[shared.device](shared, rows)


class _DeviceStateFunction:
    """The function with its constants on one device."""

    def __init__(
        self,
        sequence: PassSequence,
        places: dict[int, int],
        row_columns: set[int],
        reference: Tensor,
    ) -> None:
        self._wire_matrices = WireMatrices(sequence.slots, places, reference)
        self._first = self._slot_numbers(sequence.first, reference)
        self._first_differs_by_row = self._differs_by_row(sequence.first)
        #: For each tensor of matrices: whether it differs from row to row, and its slots.
        self._matrices: list[tuple[bool, Tensor]] = []
        self._phases: list[_PhaseTable] = []
        self._maps = self._build_maps(sequence, places, row_columns, reference)

    def __call__(self, shared: Tensor, rows: Tensor | None) -> Tensor:
        shared_matrices, row_matrices = self._wire_matrices(shared, rows)
        if row_matrices is None:
            row_matrices = shared_matrices
        # By whether they differ from row to row.
        matrices = {False: shared_matrices, True: row_matrices}
        state = product_state(matrices[self._first_differs_by_row], self._first)
        if rows is not None:
            state = state.expand(len(rows), -1)
        tensors = []
        for differs, slots in self._matrices:
            tensors.append(kronecker_products(matrices[differs], slots))
        tensors += [phases(shared, rows) for phases in self._phases]
        return evolve(self._maps, state, tensors)

    def _slot_numbers(self, slots: tuple[int | None, ...], reference: Tensor) -> Tensor:
        """Indices into the wire matrices, where the identity follows the shared slots."""
        identity = self._wire_matrices.identity
        numbers = []
        for slot in slots:
            if slot is None:
                numbers.append(identity)
            else:
                numbers.append(slot + (slot >= identity))
        return torch.tensor(numbers, dtype=torch.int64, device=reference.device)

    def _differs_by_row(self, slots: tuple[int | None, ...]) -> bool:
        return any(slot is not None and slot >= self._wire_matrices.identity for slot in slots)

    def _build_maps(
        self,
        sequence: PassSequence,
        places: dict[int, int],
        row_columns: set[int],
        reference: Tensor,
    ) -> tuple[StateMap, ...]:
        """The maps of all passes; fills the lists of matrices and phases that they read."""
        # Matrices of equal kind are computed as one tensor.
        groups: dict[tuple[bool, int], list[Tensor]] = {}
        for block, slots in sequence.blocks():
            groups[self._kind(block, slots)] = []
        maps: list[StateMap] = []
        permutations: dict[bytes, PermutationMap] = {}
        for one in sequence.passes:
            if isinstance(one, PermutationPass):
                key = one.source.tobytes()
                if key not in permutations:
                    source = torch.from_numpy(one.source).to(reference.device)
                    target = torch.from_numpy(one.target).to(reference.device)
                    permutations[key] = PermutationMap(source, target)
                maps.append(permutations[key])
            elif isinstance(one, PhasePass):
                maps.append(PhaseMap(len(groups) + len(self._phases)))
                self._phases.append(
                    _PhaseTable(one, sequence.wires, places, row_columns, reference)
                )
            else:
                for block, slots in one.blocks:
                    kind = self._kind(block, slots)
                    group = groups[kind]
                    maps.append(MatrixMap(list(groups).index(kind), len(group), block.left))
                    group.append(self._slot_numbers(slots, reference))
        for (differs, _), group in groups.items():
            self._matrices.append((differs, torch.stack(group)))
        return tuple(maps)

    def _kind(self, block: Block, slots: tuple[int | None, ...]) -> tuple[bool, int]:
        """Whether a block's matrix differs from row to row, and its number of wires."""
        return self._differs_by_row(slots), block.wires


class _PhaseTable:
    """The phases (1 or B, 2^Q) of a pass as a function of angle columns."""

    def __init__(
        self,
        one: PhasePass,
        wires: int,
        places: dict[int, int],
        row_columns: set[int],
        reference: Tensor,
    ) -> None:
        masks = list(dict.fromkeys(mask for mask, _ in one.terms))
        self._sums = SignedSums(masks, wires, reference)
        constant = np.zeros(len(masks))
        entries: dict[bool, list[tuple[int, int, float]]] = {False: [], True: []}
        for (mask, column), factor in one.terms.items():
            if column < 0:
                constant[masks.index(mask)] += factor
            else:
                entry = (masks.index(mask), places[column], factor)
                entries[column in row_columns].append(entry)
        self._constant = torch.from_numpy(constant).to(reference)[None]
        self._terms: dict[bool, tuple[Tensor, Tensor, Tensor]] = {}
        for differs, found in entries.items():
            if found:
                self._terms[differs] = _term_tensors(found, reference)

    def __call__(self, shared: Tensor, rows: Tensor | None) -> Tensor:
        count = len(rows) if rows is not None and True in self._terms else 1
        values = self._constant.expand(count, -1)
        for differs, (mask, column, factor) in self._terms.items():
            columns = rows if differs else shared
            assert columns is not None
            terms = columns.index_select(1, column) * factor
            values = values.index_add(1, mask, terms.expand(count, -1))
        return self._sums.spread(values)


def _term_tensors(
    entries: list[tuple[int, int, float]], reference: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The masks, columns and factors of terms as tensors."""
    masks, columns, factors = zip(*entries, strict=True)
    mask = torch.tensor(masks, dtype=torch.int64, device=reference.device)
    column = torch.tensor(columns, dtype=torch.int64, device=reference.device)
    return mask, column, torch.tensor(factors, dtype=torch.float64).to(reference)
