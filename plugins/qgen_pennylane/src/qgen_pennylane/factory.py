"""The backend ``pennylane``: any installed PennyLane device, by the adapter that fits it."""

from __future__ import annotations

from qgen_core import Backend
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_pennylane.device import DeviceBackend
from qgen_pennylane.making import Maker
from qgen_pennylane.numerical import NumericalBackend
from qgen_pennylane.sampled import SampledBackend


def pennylane(*, device: str = "default.qubit", exact: bool | None = None) -> Backend:
    """Any installed PennyLane device, by name.

    ``default.qubit`` and ``default.mixed`` (density matrices, the one with channels) take a batch
    at once, by PennyLane's parameter broadcasting, and differentiate by backpropagation: in torch
    where that is installed, else in autograd. Other exact devices run row by row and differentiate
    by their adjoint method if they have one, else by parameter shift. Devices that only sample give
    their own shots, seeded from the run where they take a seed. For ``lightning.qubit`` the backend
    ``lightning`` is much quicker. Further arguments of a device, such as the address of a machine,
    stand in PennyLane's configuration file.

    Args:
        device: The name of an installed PennyLane device.
        exact: Whether the device has exact values; without it, as the device declares.
    """
    maker = Maker(import_optional("pennylane", "backend 'pennylane'", "pennylane"), device)
    if device in NumericalBackend.DEVICES:
        if exact is False:
            raise BadOption(
                f"device {device!r} is exact; its shots are drawn from exact probabilities"
            )
        return NumericalBackend(maker)
    if maker.exact if exact is None else exact:
        return DeviceBackend(maker)
    return SampledBackend(maker)
