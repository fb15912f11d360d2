"""PennyLane devices that have no exact values: their own shots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core import Backend, Bits, Capabilities, Circuit, Expectations, State
from qgen_core.circuits.measures import Measure, Shots, check_measure, confusion_of, require_shots
from qgen_core.errors import Unsupported
from qgen_core.events import bits_to_index
from qgen_core.simulators.base import checked_angles, group_words, parity, to_basis
from qgen_core.typing import Array, Floats
from qgen_pennylane.making import Maker, seeded
from qgen_pennylane.translate import MAPPED, Translator


class SampledBackend(Backend):
    """A device's own shots, all rows of a batch in one submission; gradients by parameter shift.

    The device gets a seed drawn from the run's generator where it takes one. Its readout is its
    own, so a readout confusion is refused.
    """

    def __init__(self, maker: Maker) -> None:
        self.maker, self.qml = maker, maker.qml
        self.translator = Translator(maker.qml)
        self.capabilities = Capabilities(gates=MAPPED, exact=False, noise=maker.channels)

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        if isinstance(measure, State):
            raise Unsupported(f"PennyLane device {self.maker.name!r} gives shots, not states")
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        shots = require_shots(shots, self.maker.name)
        if confusion_of(measure) is not None:
            raise Unsupported(
                f"PennyLane device {self.maker.name!r} has a readout of its own and takes no "
                "confusion"
            )
        if isinstance(measure, Expectations):
            return self._words(circuit, angles, measure, shots)
        bits = self._bits([(circuit, angles)], shots)
        return bits if isinstance(measure, Bits) else _frequencies(bits)

    def _words(
        self, circuit: Circuit, angles: Floats, measure: Expectations, shots: Shots
    ) -> Array:
        """Expectations; words that agree wire by wire are read from the same shots."""
        groups = group_words(measure.paulis)
        bits = self._bits([to_basis(circuit, angles, basis) for basis in groups], shots)
        out = np.empty((len(angles), len(measure.paulis)))
        for rows, members in zip(
            np.split(_frequencies(bits), len(groups)), groups.values(), strict=True
        ):
            for member in members:
                out[:, member] = rows @ parity(measure.paulis[member])
        return out

    def _bits(self, runs: list[tuple[Circuit, Floats]], shots: Shots) -> NDArray[np.int8]:
        """Shots (rows of all runs, shots, Q), in one submission."""
        wires = runs[0][0].num_wires
        measured = [self.qml.sample(wires=range(wires))]
        tapes = [
            self.translator.tape(circuit, row, measured, shots=shots.number)
            for circuit, angles in runs
            for row in checked_angles(circuit, angles).tolist()
        ]
        seed = int(shots.rng.integers(2**31))
        device = self.maker.fresh(wires, seed)
        with seeded(seed), self.maker.refusals():
            found = self.qml.execute(tapes, device, diff_method=None, cache=False)
        return np.stack([np.asarray(one).reshape(shots.number, wires) for one in found]).astype(
            np.int8
        )


def _frequencies(bits: NDArray[np.int8]) -> Floats:
    """Relative frequencies (B, 2^Q) of shots (B, shots, Q)."""
    counts = [np.bincount(bits_to_index(row), minlength=2 ** bits.shape[2]) for row in bits]
    return np.asarray(np.stack(counts) / bits.shape[1])
