"""Make PennyLane devices without touching global random states."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from numpy import random as legacy

from qgen_core.errors import BadOption, BrokenPlugin, Unsupported


class Maker:
    """Makes one PennyLane device by name, once for each number of wires.

    Raises BadOption, with the installed devices, for a name that is none.
    """

    def __init__(self, qml: Any, name: str) -> None:
        qml.refresh_devices()
        if name not in qml.plugin_devices:
            raise BadOption(
                f"no PennyLane device {name!r}; installed: {', '.join(sorted(qml.plugin_devices))}"
            )
        self.qml, self.name = qml, name
        self._made: dict[int, Any] = {}

    def device(self, num_wires: int) -> Any:
        """The device for so many wires; the same object each time."""
        if num_wires not in self._made:
            self._made[num_wires] = self.fresh(num_wires, 0)
        return self._made[num_wires]

    def fresh(self, num_wires: int, seed: int) -> Any:
        """A new device, with this seed if it takes one."""
        given = {"seed": seed} if self._takes_seed else {}
        with seeded(seed), self.refusals():
            try:
                return self.qml.device(self.name, wires=num_wires, **given)
            except (ImportError, TypeError, ValueError) as error:
                raise BrokenPlugin(
                    f"PennyLane device {self.name!r} cannot be made: {error}"
                ) from error

    @cached_property
    def exact(self) -> bool:
        """Whether the device declares, or does not deny, exact probabilities."""
        declared = self.device(1).capabilities
        conditions = declared.measurement_processes.get("ProbabilityMP", ()) if declared else ()
        return self.qml.devices.capabilities.ExecutionCondition.FINITE_SHOTS_ONLY not in conditions

    @property
    def channels(self) -> bool:
        """Whether the device declares that it takes channels."""
        declared = self.device(1).capabilities
        return declared is not None and declared.supports_operation("QubitChannel")

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Raise Unsupported, naming the device, where PennyLane raises an error of its own."""
        errors = self.qml.exceptions
        refused = (
            *(
                errors.DeviceError,
                errors.QuantumFunctionError,
                errors.WireError,
                errors.DecompositionError,
            ),
            *(errors.OperatorPropertyUndefined, errors.AllocationError),
        )
        try:
            yield
        except refused as error:
            raise Unsupported(
                f"PennyLane device {self.name!r}: {' '.join(str(error).split())}"
            ) from error

    @cached_property
    def _takes_seed(self) -> bool:
        made_by = self.qml.plugin_devices[self.name].load()
        return "seed" in inspect.signature(made_by.__init__).parameters


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, which many devices use, and restore its state at the end."""
    before = legacy.get_state()
    legacy.seed(seed)
    try:
        yield
    finally:
        legacy.set_state(before)
