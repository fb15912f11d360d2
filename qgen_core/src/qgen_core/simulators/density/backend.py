"""The backend ``density``: exact density matrices, gates and channels together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Probabilities, State
from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import Capabilities
from qgen_core.simulators.base import Simulator, checked_angles
from qgen_core.simulators.density import outputs
from qgen_core.simulators.density.plan import Kept, make_plan
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits, usable_threads
from qgen_core.typing import AnglePullback, Array, Floats

if TYPE_CHECKING:
    from qgen_core.simulators.connected_parts import Part
    from qgen_core.simulators.density.program import DensityProgram


#: From this number of rows times coefficients in all passes on (2 ms of work), several threads
#: are faster than one.
WORTH_THREADS = 2**20


class DensityBackend(Simulator):
    """Exact density matrices: 4^n real numbers of 8 bytes for n connected wires.

    Runs any channel of up to 5 wires; gradients are computed by one adjoint sweep. Unconnected
    parts of a circuit are simulated one by one, and a wire takes memory only from its first
    two-wire gate to its last.

    Args:
        threads: number of threads. None: one for little work, else all cores. Results do not depend
            on it.
        parts: false to simulate the whole circuit in one density matrix.

    Raises BadOption for fewer than one thread.

    >>> from qgen_core import Channel, Gate
    >>> damped = np.array([[[1, 0], [0, 0.6]], [[0, 0.8], [0, 0]]])  # decays with probability 0.64
    >>> circuit = Circuit(1, (Gate("x", (0,)), Channel(damped, (0,))))
    >>> DensityBackend().probabilities(circuit, []).round(3)
    array([0.64, 0.36])
    """

    capabilities = Capabilities(noise=True, gradients="adjoint")

    def __init__(self, *, threads: int | None = None, parts: bool = True) -> None:
        if threads is not None and threads < 1:
            raise BadOption(f"threads must be at least 1, not {threads}")
        self.threads = threads
        self.parts = parts
        self._split: Remembered[Circuit, tuple[Part, ...]] = Remembered()
        self._programs: Remembered[Circuit, dict[Kept, DensityProgram]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs more memory than is free."""
        self._require(circuit, measure, batch, train=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q) or Expectations (B, words). Raises Unsupported for State()."""
        rows, parts = self._checked(circuit, angles, measure, train=False)
        if not parts:
            return self._values(circuit, rows, measure)
        from qgen_core.simulators.connected_parts import combined_output

        outputs = []
        for part in parts:
            columns, of_part = _restricted(part, rows, measure)
            outputs.append(self._values(part.circuit, columns, of_part))
        return combined_output(parts, outputs, words=isinstance(measure, Expectations))

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and as pullback an adjoint sweep through the density matrices it keeps."""
        rows, parts = self._checked(circuit, angles, measure, train=True)
        if not parts:
            return self._forward(circuit, rows, measure)
        from qgen_core.simulators.connected_parts import combined

        results = []
        for part in parts:
            columns, of_part = _restricted(part, rows, measure)
            results.append(self._forward(part.circuit, columns, of_part))
        return combined(parts, results, rows, words=isinstance(measure, Expectations))

    def _checked(
        self, circuit: Circuit, angles: Floats, measure: Measure, *, train: bool
    ) -> tuple[Floats, tuple[Part, ...]]:
        """The angles as rows, and the parts to run; empty for the whole circuit."""
        if isinstance(measure, State):
            raise Unsupported(
                "density holds mixed states, which no state vector describes; use e.g. "
                "'statevector'"
            )
        rows = checked_angles(circuit, angles)
        self._require(circuit, measure, len(rows), train=train)
        return rows, self._split.get(circuit, lambda: self._find_parts(circuit))

    def _find_parts(self, circuit: Circuit) -> tuple[Part, ...]:
        """The unconnected parts; empty where there is only one or they are not wanted."""
        from qgen_core.simulators.connected_parts import find_parts

        if not self.parts:
            return ()
        parts = find_parts(circuit)
        if len(parts) == 1:
            return ()
        return parts

    def _values(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """The output of a connected circuit."""
        program = self._program(circuit, measure)
        threads = self._threads_for(program, len(angles))
        kept = program.plan.kept
        if isinstance(measure, Expectations):
            places = outputs.places(measure.paulis, kept)
            return program.selected(angles, places, threads)
        return outputs.read(program.final(angles, threads), measure, kept)

    def _forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """Output and pullback of a connected circuit."""
        program = self._program(circuit, measure)
        threads = self._threads_for(program, len(angles))
        kept = program.plan.kept
        final, running = program.forward(angles, threads)
        output = outputs.read(final, measure, kept)

        def pullback(cotangent: Array) -> Floats:
            c = np.ascontiguousarray(cotangent, dtype=np.float64).reshape(output.shape)
            return program.backward(running, outputs.seed(c, measure, kept), threads)

        return output, pullback

    def _program(self, circuit: Circuit, measure: Measure) -> DensityProgram:
        known = self._programs.get(circuit, dict)
        kept = outputs.kept_digits(measure, circuit.num_wires)
        if kept not in known:
            from qgen_core.simulators.density.program import DensityProgram

            known[kept] = DensityProgram(make_plan(circuit, kept))
        return known[kept]

    def _threads_for(self, program: DensityProgram, batch: int) -> int:
        if self.threads is not None:
            return self.threads
        if batch > 1 and batch * sum(program.plan.sizes) >= WORTH_THREADS:
            return usable_threads()
        return 1

    def _require(self, circuit: Circuit, measure: Measure, batch: int, *, train: bool) -> None:
        """Raise ResourceRefused, with the numbers, where more memory is needed than is free.

        A density matrix takes 8 * 4^n bytes; a run holds two in each thread, training also those
        that the backward pass needs. Probabilities take 8 * 2^Q bytes a row.
        """
        from qgen_core.simulators.connected_parts import restrict

        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        programs = [self._program(part.circuit, restrict(measure, part)) for part in parts]
        if not parts:
            programs = [self._program(circuit, measure)]
        states = 0
        for program in programs:
            threads = self._threads_for(program, batch)
            states += program.memory(batch, threads, train=train)
        wires = circuit.num_wires
        per_output = 8 * batch if isinstance(measure, Probabilities) else 0
        purpose = " to train" if train else ""
        if batch > 1:
            purpose += f" for a batch of {batch}"

        def needed(n: int) -> int:
            return (states >> 2 * (wires - n)) + (per_output << n)

        require_qubits(wires, needed, purpose)


def _restricted(part: Part, angles: Floats, measure: Measure) -> tuple[Floats, Measure]:
    """The angles and the measure of one part."""
    from qgen_core.simulators.connected_parts import restrict

    return np.ascontiguousarray(angles[:, part.columns]), restrict(measure, part)
