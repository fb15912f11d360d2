"""The backend ``readout-mitigated``: readout errors are inverted, wire by wire."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    LinearReadout,
    Probabilities,
    Shots,
    confuse,
    confusion_of,
)
from qgen_core.errors import BadOption
from qgen_core.interfaces import Backend
from qgen_core.mitigation.base import Mitigation, Negative
from qgen_core.support.random_streams import stream
from qgen_core.typing import AnglePullback, Array, Floats

#: The least |p(0 read | 0) - p(0 read | 1)| of a wire whose readout can be inverted.
LEAST_CONTRAST = 1e-3


@runtime_checkable
class MeasuresReadout(Protocol):
    """A backend that measures the readout errors of the qubits on which a circuit ends.

    >>> class Device:
    ...     def readout(self, circuit, shots):
    ...         return np.tile([[0.99, 0.03], [0.01, 0.97]], (circuit.num_wires, 1, 1))
    >>> isinstance(Device(), MeasuresReadout)
    True
    """

    def readout(self, circuit: Circuit, shots: int) -> Floats:
        """The confusion (Q, 2, 2) of the circuit's wires, ``[wire, read, true]``."""


class ReadoutMitigated(Mitigation):
    """A backend whose readout errors are inverted by the inverse confusion matrix of each wire.

    The confusion is that of the measure, which a noise model (``[noise]``) sets. A backend that has
    only shots, such as hardware, is calibrated instead: the states |0...0> and |1...1> are measured
    once, and the result is kept. Without readout errors nothing changes.

    Estimates of probabilities and expectations are unbiased. Their variance grows by up to the
    square of the product over wires of (1 + |a - b|) / (1 - a - b), with a = p(1 read | 0) and b =
    p(0 read | 1), so as many times more shots are needed: 2.7 times for errors of 2 percent both
    ways on 12 wires, 212 times for 10 percent. For a Pauli word only its own wires count, but its
    2^k sub-words are measured. Errors that are correlated between wires remain.

    Args:
        backend: runs the circuits.
        negative: ``project`` replaces estimated probabilities by the nearest distribution (Smolin
            et al.), which has a small bias; ``keep`` keeps negative ones, without bias.
        calibration_shots: shots of each of the two calibration circuits, where they are needed.

    Raises BadOption for fewer than one calibration shot, and at a run when the readout of a wire
    cannot be inverted.

    Source: Maciejewski, Zimboras and Oszmaniec, Quantum 4, 257 (2020), arXiv:1907.08518; Smolin,
    Gambetta and Smith, arXiv:1106.5458.

    >>> import qgen_core as qgen
    >>> from qgen_core.noise_models.noisy import NoisyBackend
    >>> noisy = NoisyBackend(qgen.backend("statevector"), qgen.noise("readout", p01=0.1))
    >>> mitigated = qgen.backend("readout-mitigated", backend=noisy)
    >>> circuit = Circuit(1, ())
    >>> noisy.probabilities(circuit, []), mitigated.probabilities(circuit, []).round(6)
    (array([0.9, 0.1]), array([1., 0.]))
    """

    def __init__(
        self, *, backend: Backend, negative: Negative = "project", calibration_shots: int = 8192
    ) -> None:
        if calibration_shots < 1:
            raise BadOption(f"calibration_shots is at least 1, not {calibration_shots}")
        super().__init__(backend, negative)
        self.calibration_shots = calibration_shots
        self._measured: dict[int, Floats] = {}
        if isinstance(self.backend, Mitigation) and not self.capabilities.exact:
            raise BadOption(
                "readout-mitigated must be directly around a device, which it calibrates; wrap "
                "other mitigations around readout-mitigated"
            )

    def mitigated(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Probabilities | Expectations,
        shots: Shots | None,
    ) -> tuple[Array, AnglePullback]:
        confusion = confusion_of(measure)
        if confusion is None and not self.capabilities.exact:
            confusion = self._calibrated(circuit)
        if confusion is None:
            return self.backend.forward(circuit, angles, measure, shots)
        inverse = _inverse(confusion)
        if isinstance(measure, Expectations):
            readout = LinearReadout.through(measure.paulis, inverse)
            needed = Expectations(readout.measure.paulis, measure.confusion)
            read, of_read = self.backend.forward(circuit, angles, needed, shots)
            estimate = read @ readout.matrix.T
            return estimate, lambda cotangent: of_read(np.asarray(cotangent) @ readout.matrix)
        read, of_read = self.backend.forward(circuit, angles, measure, shots)
        transposed = inverse.transpose(0, 2, 1)

        def pullback(cotangent: Array) -> Floats:
            return of_read(confuse(np.asarray(cotangent), transposed))

        return confuse(read, inverse), pullback

    def _calibrated(self, circuit: Circuit) -> Floats:
        """The measured confusion (Q, 2, 2) of the wires of a circuit."""
        if isinstance(self.backend, MeasuresReadout):
            return self.backend.readout(circuit, self.calibration_shots)
        wires = circuit.num_wires
        if wires not in self._measured:
            shots = Shots(self.calibration_shots, stream(0, "readout-calibration", wires))
            flips = tuple(Gate("x", (wire,)) for wire in range(wires))
            no_angles = np.empty((1, 0))
            zeros = self.backend.run(Circuit(wires, ()), no_angles, Bits(), shots)[0]
            ones = self.backend.run(Circuit(wires, flips), no_angles, Bits(), shots)[0]
            self._measured[wires] = confusion_from(zeros, ones)
        return self._measured[wires]


def confusion_from(zeros: Array, ones: Array) -> Floats:
    """The confusion (Q, 2, 2) from bits (N, Q) read where all were 0, and where all were 1.

    >>> confusion_from(np.array([[0], [1]]), np.array([[1], [1]]))
    array([[[0.5, 0. ],
            [0.5, 1. ]]])
    """
    read_one = np.stack([np.mean(zeros, axis=0), np.mean(ones, axis=0)], axis=1)
    return np.stack([1 - read_one, read_one], axis=1)


def _inverse(confusion: Floats) -> Floats:
    """The inverse of each wire's confusion matrix, (Q, 2, 2)."""
    contrast = confusion[:, 0, 0] - confusion[:, 0, 1]
    if np.min(np.abs(contrast)) < LEAST_CONTRAST:
        wire = int(np.argmin(np.abs(contrast)))
        raise BadOption(
            f"wire {wire} reads 0 with probability {confusion[wire, 0, 0]:.3g} from a 0 and "
            f"{confusion[wire, 0, 1]:.3g} from a 1: its readout cannot be inverted; use another "
            "wire or less noise"
        )
    return np.asarray(np.linalg.inv(confusion), dtype=np.float64)
