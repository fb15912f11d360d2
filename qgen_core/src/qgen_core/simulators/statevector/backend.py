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
from qgen_core.support.resources import ALWAYS_THERE, require_qubits
from qgen_core.typing import AnglePullback, Array, Floats

if TYPE_CHECKING:
    from qgen_core.simulators.connected_parts import Part
    from qgen_core.simulators.statevector.program import Program


#: Rows times steps times amplitudes that a thread must have (about 0.15 ms), or another costs more
#: than it gives.
WORTH_ROWS = 2**16
#: The same for the blocks of one state, which are handed over at every stage.
WORTH_BLOCKS = 2**21
#: Wires from which unconnected parts are quicker apart; below, more calls cost more than they save.
WORTH_PARTS = 10
#: Amplitudes up to which nobody asks for memory: they need less than what is taken without asking.
SMALL = ALWAYS_THERE // 64


class StatevectorBackend(Simulator):
    """Pure states in memory; gradients by one adjoint sweep, whatever the number of outputs.

    ``precision`` "double" holds complex128, "single" complex64 (half the time and memory,
    errors of about 1e-6). ``threads`` None takes one thread for small work, else all cores;
    results do not depend on it. ``parts`` simulates unconnected parts of a circuit apart,
    which is exact; None does so where it pays, from 10 wires on.
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
        self.threads, self.parts = threads, parts
        self._local: int | None = None  # tests force small blocks
        self._split: Remembered[Circuit, tuple[Part, ...]] = Remembered()
        self._programs: Remembered[Circuit, dict[bool, Program]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs memory that is not there."""
        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        widest = max((len(part.wires) for part in parts), default=circuit.num_wires)
        require_state_memory(widest, circuit.num_wires, batch, measure, self.precision, train=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q)."""
        return self._evaluate(circuit, angles, measure, train=False)[0]

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and the adjoint sweep from the state that it keeps.

        The sweep uses the state up; a second call runs the circuit again.
        """
        return self._evaluate(circuit, angles, measure, train=True)

    def _evaluate(
        self, circuit: Circuit, angles: Floats, measure: Measure, *, train: bool
    ) -> tuple[Array, AnglePullback]:
        angles = checked_angles(circuit, angles)
        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        if len(angles) << circuit.num_wires > SMALL:
            widest = max((len(part.wires) for part in parts), default=circuit.num_wires)
            require_state_memory(
                widest, circuit.num_wires, len(angles), measure, self.precision, train=train
            )
        if not parts:
            return self._connected(circuit, angles, measure)
        return self._combined(parts, angles, measure)

    def _find_parts(self, circuit: Circuit) -> tuple[Part, ...]:
        """The unconnected parts; empty where there is only one or they are not wanted."""
        from qgen_core.simulators.connected_parts import find_parts

        wanted = circuit.num_wires >= WORTH_PARTS if self.parts is None else self.parts
        found = find_parts(circuit) if wanted else ()
        return found if len(found) > 1 else ()

    def _connected(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        program = self._program(circuit, measure)
        return program.forward(angles, measure, self._threads_for(program, len(angles)))

    def _combined(
        self, parts: tuple[Part, ...], angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        from qgen_core.simulators import connected_parts as combine

        runs = [
            self._connected(
                p.circuit, np.ascontiguousarray(angles[:, p.columns]), combine.restrict(measure, p)
            )
            for p in parts
        ]
        return combine.combined(parts, runs, angles, words=isinstance(measure, Expectations))

    def _program(self, circuit: Circuit, measure: Measure) -> Program:
        last_phases = not isinstance(measure, Probabilities)
        known = self._programs.get(circuit, dict)
        if last_phases not in known:
            from qgen_core.simulators.statevector.program import Program

            known[last_phases] = Program(
                circuit, self.precision, last_phases=last_phases, local=self._local
            )
        return known[last_phases]

    def _threads_for(self, program: Program, batch: int) -> int:
        if self.threads is not None:
            return self.threads
        work = batch * len(program.plan.steps) << program.plan.bits
        if work < 2 * WORTH_ROWS:
            return 1
        from qgen_core.simulators.simd.threads import cores

        if program.plan.blocks > 1 and work >= WORTH_BLOCKS:
            return cores()
        return max(min(cores(), work // WORTH_ROWS, batch // 2), 1)


def require_state_memory(
    widest: int, wires: int, batch: int, measure: Measure, precision: str, *, train: bool
) -> None:
    """Raise ResourceRefused, with the numbers, before memory is taken that is not there.

    A state takes 16 * 2^n bytes (8 in single precision), two of them to train; the output
    of probabilities 8 * 2^Q, of a state 16 * 2^Q.
    """
    amplitude = 16 if precision == "double" else 8
    states = (2 if train else 1) * amplitude
    per_output = {Probabilities: 8, State: 16}.get(type(measure), 0)

    def needed(n: int) -> int:
        return batch * ((states << max(n - wires + widest, 0)) + (per_output << n))

    rows = f" for a batch of {batch}" if batch > 1 else ""
    require_qubits(wires, needed, (" to train" if train else "") + rows)
