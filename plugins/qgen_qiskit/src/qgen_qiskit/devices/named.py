"""Noise models named after a device: its stored calibration, with the options of ``ibm-device``."""

from __future__ import annotations

from typing import ClassVar

from qgen_qiskit.devices.calibration import Device, fake_device
from qgen_qiskit.devices.noise import DeviceNoiseModel


class NamedDevice(DeviceNoiseModel):
    """The calibration of one IBM device that is stored in qiskit-ibm-runtime.

    Options and model are those of ``ibm-device``.
    """

    DEVICE: ClassVar[str]

    def _device(self) -> Device:
        return fake_device(self.DEVICE)


class Fez(NamedDevice):
    """``ibm_fez`` (156 qubits, gates rz sx x cz), the noise of Monaco et al. (EPS-HEP 2025).

    Options and model are those of ``ibm-device``; the calibration is that of FakeFez.

    >>> Fez().device.num_qubits
    156
    """

    DEVICE = "ibm_fez"


class Casablanca(NamedDevice):
    """``ibmq_casablanca`` (7 qubits, gates rz sx x cx), the noise of Kiss et al., arXiv:2205.07674.

    Options and model are those of ``ibm-device``; the calibration is that of FakeCasablancaV2.

    >>> Casablanca().device.num_qubits
    7
    """

    DEVICE = "ibm_casablanca"


class Guadalupe(NamedDevice):
    """``ibmq_guadalupe`` (16 qubits, gates rz sx x cx).

    Delgado and Hamilton, arXiv:2203.03578, used it for their 8-qubit runs. Options and model are
    those of ``ibm-device``; the calibration is that of FakeGuadalupeV2.

    >>> Guadalupe().device.num_qubits
    16
    """

    DEVICE = "ibm_guadalupe"


class Cairo(NamedDevice):
    """``ibm_cairo`` (27 qubits, gates rz sx x, cx or ecr).

    Delgado and Hamilton, arXiv:2203.03578, used it for their 12-qubit runs. Options and model are
    those of ``ibm-device``; the calibration is that of FakeCairoV2.

    >>> Cairo().device.num_qubits
    27
    """

    DEVICE = "ibm_cairo"
