"""The base of backends that measure on a device."""

from __future__ import annotations

from typing import ClassVar

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Measure,
    Probabilities,
    Shots,
    State,
    check_measure,
    require_shots,
)
from qgen_core.errors import Unsupported
from qgen_core.interfaces import Backend
from qgen_core.support.resources import require_memory


class DeviceBackend(Backend):
    """A backend of a device: shots only, no states, and readout errors are its own.

    A subclass has ``name``, as messages say it, and calls :meth:`measurable` before it submits.

    >>> import numpy as np
    >>> from qgen_core.interfaces import Capabilities
    >>> class Coins(DeviceBackend):
    ...     name = "coins"
    ...     capabilities = Capabilities(exact=False)
    ...     def run(self, circuit, angles, measure, shots=None):
    ...         shots = self.measurable(circuit, len(angles), measure, shots)
    ...         return np.full((len(angles), 2), 0.5)
    >>> shots = Shots(10, np.random.default_rng(1))
    >>> try:
    ...     Coins().run(Circuit(1, ()), np.empty((1, 0)), State(), shots)
    ... except Unsupported as error:
    ...     print(error)
    Unsupported: coins has no states: measure bits, probabilities or expectations
    """

    name: ClassVar[str]

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if a table of all outcomes does not fit in memory."""
        if isinstance(measure, Probabilities):
            need = 8 * batch * 2**circuit.num_wires
            require_memory(
                need, f"{batch} rows of 2^{circuit.num_wires} frequencies", "measure Bits"
            )

    def measurable(
        self, circuit: Circuit, batch: int, measure: Measure, shots: Shots | None
    ) -> Shots:
        """The shots of a measurement of so many circuits that a device can make.

        Raises Unsupported for states, readout confusion and a measurement without shots, and what
        :meth:`~qgen_core.interfaces.Backend.check` and :meth:`require` raise.
        """
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        needed = require_shots(shots, self.name)
        if isinstance(measure, State):
            raise Unsupported(
                f"{self.name} has no states: measure bits, probabilities or expectations"
            )
        if measure.confusion is not None:
            raise Unsupported(
                f"{self.name} takes no readout confusion: a device misreads by itself"
            )
        self.require(circuit, measure, batch)
        return needed
