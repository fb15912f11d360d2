"""The backend ``statevector``: exact states and adjoint gradients by the compiled engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Probabilities, State
from qgen_core.errors import BadOption
from qgen_core.interfaces import Capabilities
from qgen_core.simulators.base import Simulator, checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import UNCHECKED_MEMORY, require_qubits
from qgen_core.typing import AnglePullback, Array, Floats

if TYPE_CHECKING:
    from qgen_core.simulators.connected_parts import Part
    from qgen_core.simulators.statevector.program import StatevectorProgram


#: Rows times steps times amplitudes (about 0.15 ms of work) that each thread must have to be worth
#: starting.
WORTH_ROWS = 2**16
#: The same where threads share the blocks of one state, which they exchange at every stage.
WORTH_BLOCKS = 2**21
#: From this number of wires on, unconnected parts are faster one by one; below, the more calls
#: cost more than they save.
WORTH_PARTS = 10
#: Up to this number of amplitudes the memory check is skipped, because it always passes.
SMALL = UNCHECKED_MEMORY // 64


class StatevectorBackend(Simulator):
    """Pure states in memory; gradients by one adjoint sweep, whatever the number of outputs.

    Args:
        precision: ``double`` for complex128, ``single`` for complex64 (half the time and memory,
            errors of about 1e-6).
        threads: number of threads. None: one for little work, else all cores. Results do not depend
            on it.
        parts: whether unconnected parts of a circuit are simulated one by one, which is exact.
            None: from 10 wires on, where it is faster.

    Raises BadOption for other values.

    >>> from qgen_core import Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> StatevectorBackend().probabilities(bell, []).round(3)
    array([0.5, 0. , 0. , 0.5])
    """

    capabilities = Capabilities(gradients="adjoint")

    def __init__(
        self,
        *,
        precision: Literal["double", "single"] = "double",
        threads: int | None = None,
        parts: bool | None = None,
    ) -> None:
        if precision not in ("double", "single"):
            raise BadOption(f"precision is 'double' or 'single', not {precision!r}")
        if threads is not None and threads < 1:
            raise BadOption(f"threads must be at least 1, not {threads}")
        self.precision: Literal["double", "single"] = precision
        self.threads = threads
        self.parts = parts
        self._local: int | None = None  # set by tests, to get small blocks
        self._split: Remembered[Circuit, tuple[Part, ...]] = Remembered()
        self._programs: Remembered[Circuit, dict[bool, StatevectorProgram]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs more memory than is free."""
        self._require(circuit, measure, batch, train=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q)."""
        return self._evaluate(circuit, angles, measure, train=False)[0]

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and as pullback an adjoint sweep that starts from the final state.

        The sweep overwrites the state; a second call runs the circuit again.
        """
        return self._evaluate(circuit, angles, measure, train=True)

    def _evaluate(
        self, circuit: Circuit, angles: Floats, measure: Measure, *, train: bool
    ) -> tuple[Array, AnglePullback]:
        angles = checked_angles(circuit, angles)
        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        if len(angles) << circuit.num_wires > SMALL:
            self._require(circuit, measure, len(angles), train=train)
        if not parts:
            return self._connected(circuit, angles, measure)
        return self._combined(parts, angles, measure)

    def _find_parts(self, circuit: Circuit) -> tuple[Part, ...]:
        """The unconnected parts; empty where there is only one or they are not wanted."""
        from qgen_core.simulators.connected_parts import find_parts

        wanted = self.parts
        if wanted is None:
            wanted = circuit.num_wires >= WORTH_PARTS
        if not wanted:
            return ()
        parts = find_parts(circuit)
        if len(parts) == 1:
            return ()
        return parts

    def _connected(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        program = self._program(circuit, measure)
        return program.forward(angles, measure, self._threads_for(program, len(angles)))

    def _combined(
        self, parts: tuple[Part, ...], angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        from qgen_core.simulators.connected_parts import combined, restrict

        results = []
        for part in parts:
            columns = np.ascontiguousarray(angles[:, part.columns])
            results.append(self._connected(part.circuit, columns, restrict(measure, part)))
        return combined(parts, results, angles, words=isinstance(measure, Expectations))

    def _program(self, circuit: Circuit, measure: Measure) -> StatevectorProgram:
        last_phases = not isinstance(measure, Probabilities)
        known = self._programs.get(circuit, dict)
        if last_phases not in known:
            from qgen_core.simulators.statevector.program import StatevectorProgram

            known[last_phases] = StatevectorProgram(
                circuit, self.precision, last_phases=last_phases, local=self._local
            )
        return known[last_phases]

    def _threads_for(self, program: StatevectorProgram, batch: int) -> int:
        if self.threads is not None:
            return self.threads
        work = batch * len(program.plan.steps) << program.plan.bits
        if work < 2 * WORTH_ROWS:
            return 1
        from qgen_core.support.resources import usable_threads

        if program.plan.blocks > 1 and work >= WORTH_BLOCKS:
            return usable_threads()
        return max(min(usable_threads(), work // WORTH_ROWS, batch // 2), 1)

    def _require(self, circuit: Circuit, measure: Measure, batch: int, *, train: bool) -> None:
        """Raise ResourceRefused, with the numbers, where more memory is needed than is free.

        A state takes 16 * 2^n bytes (8 in single precision) for the n wires of the widest part;
        training holds two. Probabilities of Q wires take 8 * 2^Q bytes, an output state 16 * 2^Q.
        """
        wires = circuit.num_wires
        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        widest = max((len(part.wires) for part in parts), default=wires)
        per_amplitude = 16 if self.precision == "double" else 8
        purpose = ""
        if train:
            per_amplitude *= 2
            purpose = " to train"
        if batch > 1:
            purpose += f" for a batch of {batch}"
        per_output = {Probabilities: 8, State: 16}.get(type(measure), 0)

        def needed(n: int) -> int:
            return batch * ((per_amplitude << max(n - wires + widest, 0)) + (per_output << n))

        require_qubits(wires, needed, purpose)
