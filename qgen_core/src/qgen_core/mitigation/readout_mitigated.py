"""The backend ``readout-mitigated``: readout errors inverted, wire by wire."""

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
from qgen_core.mitigation.shared import Mitigation, Negative
from qgen_core.support.random_streams import stream
from qgen_core.typing import AnglePullback, Array, Floats

#: A wire whose read bit says less than this about the true one is not inverted.
LEAST_CONTRAST = 1e-3


@runtime_checkable
class MeasuresReadout(Protocol):
    """A backend that measures the readout of the very qubits on which a circuit ends."""

    def readout(self, circuit: Circuit, shots: int) -> Floats:
        """The confusion (Q, 2, 2) of the circuit's wires, ``[wire, read, true]``."""


class ReadoutMitigated(Mitigation):
    """A backend with its readout errors undone by the inverse of each wire's confusion matrix.

    The confusion is that of the measure, which a noise model (``[noise]``) sets. A backend that
    only has shots, such as hardware, is calibrated instead: |0...0> and |1...1> are measured once
    and kept. Without readout errors nothing changes.

    Probabilities and expectations are unbiased. The price is variance: shots grow by up to the
    square of the product over wires of (1 + |a - b|) / (1 - a - b), with a = p(1 read | 0) and b =
    p(0 read | 1); 2 percent both ways on 12 wires is a factor of 2.7, 10 percent 212. For a Pauli
    word only the wires in it count, but its 2^k sub-words are measured. Errors correlated between
    wires stay.

    Args:
        backend: runs the circuits.
        negative: estimated probabilities below zero: ``project`` to the nearest distribution
        (Smolin et
            al.), a small bias; ``keep`` leaves them, and the estimate unbiased.
        calibration_shots: of each of the two calibration circuits, where they are needed.

    Raises BadOption when a wire's readout says nothing about its bit.

    Source: Maciejewski, Zimboras and Oszmaniec, Quantum 4, 257 (2020), arXiv:1907.08518; Smolin,
    Gambetta and Smith, arXiv:1106.5458.
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
                "a device is calibrated directly: wrap readout-mitigated around it, and others "
                "around both"
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
            read, back = self.backend.forward(circuit, angles, needed, shots)
            return read @ readout.matrix.T, lambda cotangent: back(
                np.asarray(cotangent) @ readout.matrix
            )
        read, back = self.backend.forward(circuit, angles, measure, shots)
        transposed = inverse.transpose(0, 2, 1)
        return confuse(read, inverse), lambda cotangent: back(
            confuse(np.asarray(cotangent), transposed)
        )

    def _calibrated(self, circuit: Circuit) -> Floats:
        if isinstance(self.backend, MeasuresReadout):
            return self.backend.readout(circuit, self.calibration_shots)
        wires = circuit.num_wires
        if wires not in self._measured:
            rng = stream(0, "readout-calibration", wires)
            flips = tuple(Gate("x", (w,)) for w in range(wires))
            self._measured[wires] = confusion_from(
                *(
                    self.backend.run(
                        Circuit(wires, gates),
                        np.empty((1, 0)),
                        Bits(),
                        Shots(self.calibration_shots, rng),
                    )[0]
                    for gates in ((), flips)
                )
            )
        return self._measured[wires]


def confusion_from(zeros: Array, ones: Array) -> Floats:
    """The confusion (Q, 2, 2) from bits (N, Q) read where all were 0, and where all were 1."""
    read_one = np.stack([np.mean(zeros, axis=0), np.mean(ones, axis=0)], axis=1)
    return np.stack([1 - read_one, read_one], axis=1)


def _inverse(confusion: Floats) -> Floats:
    contrast = confusion[:, 0, 0] - confusion[:, 0, 1]
    if np.min(np.abs(contrast)) < LEAST_CONTRAST:
        wire = int(np.argmin(np.abs(contrast)))
        raise BadOption(
            f"wire {wire} reads 0 with probability {confusion[wire, 0, 0]:.3g} from a 0 and "
            f"{confusion[wire, 0, 1]:.3g} from a 1: its readout cannot be inverted; use another "
            "wire or less noise"
        )
    return np.asarray(np.linalg.inv(confusion), dtype=np.float64)
