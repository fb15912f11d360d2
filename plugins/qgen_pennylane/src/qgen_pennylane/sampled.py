"""PennyLane devices without exact values, which draw their own shots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core import Backend, Bits, Capabilities, Circuit, Expectations, State
from qgen_core.circuits.measures import Measure, Shots, check_measure, confusion_of, require_shots
from qgen_core.errors import Unsupported
from qgen_core.events import bits_to_index
from qgen_core.simulators.base import checked_angles, group_words, parity, to_basis
from qgen_core.typing import Array, Floats
from qgen_pennylane.device_factory import DeviceFactory, seeded
from qgen_pennylane.translate import MAPPED, Translator


class SampledBackend(Backend):
    """A device's own shots, all rows of a batch in one submission; gradients by parameter shift.

    The device gets a seed drawn from the run's generator if it accepts one. It has its own readout,
    so a readout confusion raises Unsupported.

    >>> import pennylane
    >>> from qgen_core import Gate
    >>> backend = SampledBackend(DeviceFactory(pennylane, "lightning.qubit"))
    >>> flipped = Circuit(2, (Gate("x", (1,)),))
    >>> backend.sample(flipped, [], shots=2, seed=1).tolist()
    [[0, 1], [0, 1]]
    """

    def __init__(self, devices: DeviceFactory) -> None:
        self.devices = devices
        self.qml = devices.qml
        self.translator = Translator(devices.qml)
        self.capabilities = Capabilities(gates=MAPPED, exact=False, noise=devices.channels)

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        """Frequencies (B, 2^Q), Expectations (B, words) or Bits (B, shots, Q) from shots.

        Raises Unsupported for State and for a readout confusion, BadOption without shots.
        """
        if isinstance(measure, State):
            raise Unsupported(
                f"PennyLane device {self.devices.name!r} gives shots, not states; measure "
                "probabilities, expectations or bits"
            )
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        shots = require_shots(shots, self.devices.name)
        if confusion_of(measure) is not None:
            raise Unsupported(
                f"PennyLane device {self.devices.name!r} has a readout of its own and takes no "
                "confusion; leave it out"
            )
        if isinstance(measure, Expectations):
            return self._expectations(circuit, angles, measure, shots)
        bits = self._bits([(circuit, angles)], shots)
        if isinstance(measure, Bits):
            return bits
        return _frequencies(bits)

    def _expectations(
        self, circuit: Circuit, angles: Floats, measure: Expectations, shots: Shots
    ) -> Array:
        """Expectations (B, words); words that agree wire by wire share their shots."""
        groups = group_words(measure.paulis)
        rotated = [to_basis(circuit, angles, basis) for basis in groups]
        frequencies = np.split(_frequencies(self._bits(rotated, shots)), len(groups))
        expectations = np.empty((len(angles), len(measure.paulis)))
        for of_group, words in zip(frequencies, groups.values(), strict=True):
            for word in words:
                expectations[:, word] = of_group @ parity(measure.paulis[word])
        return expectations

    def _bits(self, runs: list[tuple[Circuit, Floats]], shots: Shots) -> NDArray[np.int8]:
        """Shots (rows of all runs, shots, Q), in one submission."""
        wires = runs[0][0].num_wires
        measured = [self.qml.sample(wires=range(wires))]
        tapes = []
        for circuit, angles in runs:
            for row in checked_angles(circuit, angles).tolist():
                tapes.append(self.translator.tape(circuit, row, measured, shots=shots.number))
        seed = int(shots.rng.integers(2**31))
        device = self.devices.new_device(wires, seed)
        with seeded(seed), self.devices.refusals():
            results = self.qml.execute(tapes, device, diff_method=None, cache=False)
        bits = [np.asarray(result).reshape(shots.number, wires) for result in results]
        return np.stack(bits).astype(np.int8)


def _frequencies(bits: NDArray[np.int8]) -> Floats:
    """Relative frequencies (B, 2^Q) of shots (B, shots, Q)."""
    _, shots, wires = bits.shape
    counts = [np.bincount(bits_to_index(row), minlength=2**wires) for row in bits]
    return np.asarray(np.stack(counts) / shots)
