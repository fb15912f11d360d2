"""Noise models named after a device: its fake device's calibration, with the options of ``ibm-device``."""

from __future__ import annotations

from typing import ClassVar

from qgen_qiskit.devices.calibration import Device, fake_device
from qgen_qiskit.devices.noise import DeviceMap


class NamedDevice(DeviceMap):
    """The stored calibration of one device of IBM that comes with qiskit-ibm-runtime.

    Options and model are those of ``ibm-device``.
    """

    DEVICE: ClassVar[str]

    def _device(self) -> Device:
        return fake_device(self.DEVICE)


class Fez(NamedDevice):
    """``ibm_fez`` (156 qubits, gates rz sx x cz), whose noise Monaco et al. (EPS-HEP 2025) take.

    Options and model are those of ``ibm-device``; the calibration is that of FakeFez.
    """

    DEVICE = "ibm_fez"


class Casablanca(NamedDevice):
    """``ibmq_casablanca`` (7 qubits, gates rz sx x cx), whose noise Kiss et al., arXiv:2205.07674, take.

    Options and model are those of ``ibm-device``; the calibration is that of FakeCasablancaV2.
    """

    DEVICE = "ibm_casablanca"


class Guadalupe(NamedDevice):
    """``ibmq_guadalupe`` (16 qubits, gates rz sx x cx): the 8-qubit runs of Delgado and Hamilton, arXiv:2203.03578.

    Options and model are those of ``ibm-device``; the calibration is that of FakeGuadalupeV2.
    """

    DEVICE = "ibm_guadalupe"


class Cairo(NamedDevice):
    """``ibm_cairo`` (27 qubits, gates rz sx x, cx or ecr): the 12-qubit runs of Delgado and Hamilton, arXiv:2203.03578.

    Options and model are those of ``ibm-device``; the calibration is that of FakeCairoV2.
    """

    DEVICE = "ibm_cairo"
