"""Channels and readout errors from a device's calibration, scaled."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.noise_models import channels
from qgen_core.typing import Floats
from qgen_qiskit.devices.calibration import Device, Qubits

Readout = Literal["mean", "asymmetric"]


class GateChannels:
    """The noise of each gate of a device as one channel, scaled by ``scale``.

    A depolarizing channel is followed by thermal relaxation of each qubit for the duration of the
    gate; its rate is such that both together have the gate's calibrated error. This is the model
    of Qiskit Aer's ``NoiseModel.from_backend``. Modes of scaling:

    - ``semigroup``: durations are multiplied by ``scale``, the depolarizing rate l becomes
      1 - (1 - l)^scale, the readout confusion matrix is raised to the power ``scale``.
    - ``linear``: T1 and T2 are divided by ``scale``, gate errors e become
      min(scale e, d / (d + 1)), readout errors p become min(scale p, 1/2); the depolarizing rate
      follows from these.

    Both are exact at 0 (no noise) and at 1 (the device). Raises BadOption for a negative scale,
    and for asymmetric readout of a device without it.

    >>> from qgen_qiskit.devices.calibration import fake_device
    >>> casablanca = fake_device("ibm_casablanca")
    >>> noise = GateChannels(casablanca, 1.0, "semigroup", "mean")
    >>> noise.kraus("cx", (0, 1)).shape[1:]
    (4, 4)
    >>> noise.confusion((0,)).sum(axis=1)  # columns are probabilities
    array([[1., 1.]])
    """

    def __init__(self, device: Device, scale: float, mode: channels.Mode, readout: Readout) -> None:
        channels.check_scale(scale)
        if readout == "asymmetric" and device.readout is None:
            raise BadOption(
                f"{device.name} gives one readout error per qubit: set readout = 'mean'"
            )
        self.device = device
        self.scale = scale
        self.mode = mode
        self.readout = readout
        self._cache: dict[tuple[str, Qubits], channels.Kraus | None] = {}

    def kraus(self, gate: str, qubits: Qubits) -> channels.Kraus | None:
        """The channel after a gate, its first qubit most significant; None without noise."""
        key = (gate, qubits)
        if key not in self._cache:
            self._cache[key] = self._kraus(gate, qubits)
        return self._cache[key]

    def _kraus(self, gate: str, qubits: Qubits) -> channels.Kraus | None:
        calibration = self.device.gates[gate][qubits]
        if self.scale == 0 or not (calibration.error or calibration.duration):
            return None
        count = len(qubits)
        relaxation = self._relaxation(qubits, calibration.duration * self.scale)
        if self.mode == "linear":
            largest_error = 2**count / (2**count + 1)
            error = min(self.scale * calibration.error, largest_error)
            rate = channels.gate_error_to_depolarizing(error, relaxation)
        else:
            unscaled = self._relaxation(qubits, calibration.duration)
            rate = channels.gate_error_to_depolarizing(calibration.error, unscaled)
            rate = channels.scale_depolarizing(rate, count, self.scale)
        return channels.compose(channels.depolarizing(rate, count), relaxation)

    def _relaxation(self, qubits: Qubits, time: float) -> channels.Kraus:
        """Thermal relaxation; dividing T1 and T2 by the scale equals multiplying the time."""
        t1 = self.device.t1
        t2 = np.minimum(self.device.t2, 2 * self.device.t1)
        return channels.tensor(*(channels.thermal_relaxation(t1[q], t2[q], time) for q in qubits))

    def confusion(self, qubits: Qubits) -> Floats:
        """Readout confusion (wires, 2, 2), ``[wire, read, true]``, of wires on these qubits."""
        errors = self.device.readout
        if self.readout == "mean" or errors is None:
            errors = np.repeat(self.device.mean_readout[:, None], 2, axis=1)
        matrices = [channels.readout_confusion(*errors[qubit]) for qubit in qubits]
        return channels.scale_readout(np.array(matrices), self.scale, self.mode)
