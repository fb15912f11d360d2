"""The backend ``pennylane``: any installed PennyLane device, by the adapter that suits it."""

from __future__ import annotations

from qgen_core import Backend
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_pennylane.device import DeviceBackend
from qgen_pennylane.device_factory import DeviceFactory
from qgen_pennylane.numerical import NumericalBackend
from qgen_pennylane.sampled import SampledBackend


def pennylane(*, device: str = "default.qubit", exact: bool | None = None) -> Backend:
    """Any installed PennyLane device, by name.

    ``default.qubit`` and ``default.mixed`` (density matrices, the only one with channels) run a
    batch at once, by PennyLane's parameter broadcasting, and differentiate by backpropagation: in
    torch where that is installed, else in autograd. Other exact devices run row by row and
    differentiate by their adjoint method if they have one, else by parameter shift. Devices without
    exact values draw their own shots, with a seed from the run's generator if they accept one. For
    ``lightning.qubit`` the backend ``lightning`` is much faster. Further arguments of a device,
    such as the address of a machine, are set in PennyLane's configuration file.

    Args:
        device: the name of an installed PennyLane device.
        exact: whether the device has exact values; None: as the device declares.

    Raises BadOption for a device that is not installed, and for ``exact=False`` of a device whose
    values are always exact.

    >>> from qgen_core import Circuit, Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> pennylane(device="default.qubit").probabilities(bell, []).round(3)
    array([0.5, 0. , 0. , 0.5])
    """
    qml = import_optional("pennylane", "backend 'pennylane'", "pennylane")
    devices = DeviceFactory(qml, device)
    if device in NumericalBackend.DEVICES:
        if exact is False:
            raise BadOption(
                f"device {device!r} is exact; its shots are drawn from exact probabilities"
            )
        return NumericalBackend(devices)
    if exact is None:
        exact = devices.exact
    if exact:
        return DeviceBackend(devices)
    return SampledBackend(devices)
