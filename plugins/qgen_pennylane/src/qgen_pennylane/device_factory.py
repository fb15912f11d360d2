"""Creating PennyLane devices without changing the global random state of numpy."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from numpy import random as legacy

from qgen_core.errors import BadOption, BrokenPlugin, Unsupported


class DeviceFactory:
    """Creates the PennyLane device of one name, once for each number of wires.

    ``qml`` is the module ``pennylane``. Raises BadOption, with the names of installed devices, for
    an unknown name.

    >>> import pennylane
    >>> devices = DeviceFactory(pennylane, "default.qubit")
    >>> devices.device(2) is devices.device(2), devices.exact
    (True, True)
    """

    def __init__(self, qml: Any, name: str) -> None:
        qml.refresh_devices()
        if name not in qml.plugin_devices:
            installed = ", ".join(sorted(qml.plugin_devices))
            raise BadOption(f"no PennyLane device {name!r}; installed: {installed}")
        self.qml = qml
        self.name = name
        self._devices: dict[int, Any] = {}

    def device(self, num_wires: int) -> Any:
        """The device with this number of wires, the same object at each call."""
        if num_wires not in self._devices:
            self._devices[num_wires] = self.new_device(num_wires, 0)
        return self._devices[num_wires]

    def new_device(self, num_wires: int, seed: int) -> Any:
        """A new device, with this seed if its constructor has such an argument.

        Raises BrokenPlugin if PennyLane cannot create it.
        """
        options: dict[str, int] = {}
        if self._takes_seed:
            options["seed"] = seed
        with seeded(seed), self.refusals():
            try:
                return self.qml.device(self.name, wires=num_wires, **options)
            except (ImportError, TypeError, ValueError) as error:
                raise BrokenPlugin(
                    f"PennyLane device {self.name!r} cannot be created: {error}"
                ) from error

    @cached_property
    def exact(self) -> bool:
        """Whether the device has exact probabilities: it does not restrict them to finite shots."""
        declared = self.device(1).capabilities
        if not declared:
            return True
        conditions = declared.measurement_processes.get("ProbabilityMP", ())
        shots_only = self.qml.devices.capabilities.ExecutionCondition.FINITE_SHOTS_ONLY
        return shots_only not in conditions

    @property
    def channels(self) -> bool:
        """Whether the device declares that it runs channels."""
        declared = self.device(1).capabilities
        return declared is not None and declared.supports_operation("QubitChannel")

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Raise PennyLane's own errors as Unsupported, with the name of the device."""
        errors = self.qml.exceptions
        refused = (
            errors.DeviceError,
            errors.QuantumFunctionError,
            errors.WireError,
            errors.DecompositionError,
            errors.OperatorPropertyUndefined,
            errors.AllocationError,
        )
        try:
            yield
        except refused as error:
            on_one_line = " ".join(str(error).split())
            raise Unsupported(f"PennyLane device {self.name!r}: {on_one_line}") from error

    @cached_property
    def _takes_seed(self) -> bool:
        device_class = self.qml.plugin_devices[self.name].load()
        return "seed" in inspect.signature(device_class.__init__).parameters


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, which many devices use, and restore its state at the end.

    >>> before = legacy.get_state()[1].tolist()
    >>> with seeded(1):
    ...     draw = legacy.rand()
    >>> legacy.get_state()[1].tolist() == before
    True
    """
    before = legacy.get_state()
    legacy.seed(seed)
    try:
        yield
    finally:
        legacy.set_state(before)
