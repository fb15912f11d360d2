"""From a calibration to channels and readout errors, scaled."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.noise_models import channels
from qgen_core.typing import Floats
from qgen_qiskit.devices.calibration import Device, Qubits

Readout = Literal["mean", "asymmetric"]


class Rates:
    """The noise of each gate of a device as one channel, ``scale`` times as strong.

    Thermal relaxation for the time of the gate on each of its qubits, after the depolarizing channel that
    makes up the rest of the gate's error: the model of Qiskit Aer's ``NoiseModel.from_backend``. Modes:

    - ``semigroup``: gates last ``scale`` times as long, the depolarizing rate l becomes 1 - (1 - l)^scale,
      the readout confusion its ``scale``-th matrix power.
    - ``linear``: T1 and T2 are divided by ``scale``, gate errors e become min(scale e, d / (d + 1)), readout
      errors p min(scale p, 1/2); the depolarizing rate follows from these.

    Both are exact at 0, where there is no noise, and at 1, where they are the device.
    """

    def __init__(self, device: Device, scale: float, mode: channels.Mode, readout: Readout) -> None:
        channels.check_scale(scale)
        if readout == "asymmetric" and device.readout is None:
            raise BadOption(f"{device.name} gives one readout error a qubit: take readout = 'mean'")
        self.device, self.scale, self.mode, self.readout = device, scale, mode, readout
        self._known: dict[tuple[str, Qubits], channels.Kraus | None] = {}

    def kraus(self, gate: str, qubits: Qubits) -> channels.Kraus | None:
        """The channel behind a gate, its first qubit most significant; None for none."""
        key = (gate, qubits)
        if key not in self._known:
            self._known[key] = self._kraus(gate, qubits)
        return self._known[key]

    def _kraus(self, gate: str, qubits: Qubits) -> channels.Kraus | None:
        calibration = self.device.gates[gate][qubits]
        if self.scale == 0 or not (calibration.error or calibration.duration):
            return None
        count = len(qubits)
        relaxation = self._relaxation(qubits, calibration.duration * self.scale)
        if self.mode == "linear":
            most = 2**count / (2**count + 1)
            rate = channels.gate_error_to_depolarizing(
                min(self.scale * calibration.error, most), relaxation
            )
        else:
            given = self._relaxation(qubits, calibration.duration)
            rate = channels.gate_error_to_depolarizing(calibration.error, given)
            rate = channels.scale_depolarizing(rate, count, self.scale)
        return channels.compose(channels.depolarizing(rate, count), relaxation)

    def _relaxation(self, qubits: Qubits, time: float) -> channels.Kraus:
        """Dividing T1 and T2 by the scale is the same as multiplying the time."""
        t1, t2 = self.device.t1, np.minimum(self.device.t2, 2 * self.device.t1)
        return channels.tensor(*(channels.thermal_relaxation(t1[q], t2[q], time) for q in qubits))

    def confusion(self, qubits: Qubits) -> Floats:
        """Readout confusion (wires, 2, 2), ``[wire, read, true]``, of wires on these qubits."""
        mean = np.repeat(self.device.mean_readout[:, None], 2, axis=1)
        errors = (
            mean if self.readout == "mean" or self.device.readout is None else self.device.readout
        )
        given = np.array([channels.readout_confusion(*errors[q]) for q in qubits])
        return channels.scale_readout(given, self.scale, self.mode)
