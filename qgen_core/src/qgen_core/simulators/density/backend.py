"""The backend ``density``: exact density matrices, gates and channels together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Probabilities, State
from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import Capabilities
from qgen_core.simulators.base import Simulator, checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import AnglePullback, Array, Floats

if TYPE_CHECKING:
    from qgen_core.simulators.connected_parts import Part
    from qgen_core.simulators.density.plan import Kept
    from qgen_core.simulators.density.program import Program


#: Rows times coefficients in all passes (about 2 ms) below which a second thread costs more than it
#: gives.
WORTH_THREADS = 2**20


class DensityBackend(Simulator):
    """Exact density matrices: 4^n real numbers for n connected wires, 8 bytes each.

    Any channel of up to 5 wires; gradients by one adjoint sweep. Unconnected parts of a circuit are
    simulated apart, and a wire takes memory only from its first two-wire gate to its last.
    ``threads`` None takes one thread for small work, else all cores; results do not depend on it.
    ``parts`` false holds the whole circuit in one density matrix.
    """

    capabilities = Capabilities(noise=True, gradients="adjoint")

    def __init__(self, *, threads: int | None = None, parts: bool = True) -> None:
        if threads is not None and threads < 1:
            raise BadOption(f"threads must be at least 1, not {threads}")
        self.threads, self.parts = threads, parts
        self._split: Remembered[Circuit, tuple[Part, ...]] = Remembered()
        self._programs: Remembered[Circuit, dict[Kept, Program]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs memory that is not there."""
        self._require(circuit, measure, batch, train=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q) or Expectations (B, words). Raises Unsupported for State()."""
        return self._evaluate(circuit, angles, measure, train=False)[0]

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and the adjoint sweep over the density matrices that it keeps."""
        return self._evaluate(circuit, angles, measure, train=True)

    def _evaluate(
        self, circuit: Circuit, angles: Floats, measure: Measure, *, train: bool
    ) -> tuple[Array, AnglePullback]:
        if isinstance(measure, State):
            raise Unsupported(
                "density holds mixed states, which no state vector describes; use e.g. "
                "'statevector'"
            )
        angles = checked_angles(circuit, angles)
        self._require(circuit, measure, len(angles), train=train)
        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        if not parts:
            return self._connected(circuit, angles, measure, train=train)
        return self._combined(parts, angles, measure, train=train)

    def _find_parts(self, circuit: Circuit) -> tuple[Part, ...]:
        """The unconnected parts; empty where there is only one or they are not wanted."""
        from qgen_core.simulators.connected_parts import find_parts

        found = find_parts(circuit) if self.parts else ()
        return found if len(found) > 1 else ()

    def _connected(
        self, circuit: Circuit, angles: Floats, measure: Measure, *, train: bool
    ) -> tuple[Array, AnglePullback]:
        from qgen_core.simulators.density import outputs

        program = self._program(circuit, measure)
        threads = self._threads_for(program, len(angles))
        if not train:
            if isinstance(measure, Expectations):
                places = outputs.places(measure.paulis, program.plan.kept)
                return program.selected(angles, places, threads), _no_way_back
            return outputs.read(
                program.final(angles, threads), measure, program.plan.kept
            ), _no_way_back
        final, running = program.forward(angles, threads)
        output = outputs.read(final, measure, program.plan.kept)

        def back(cotangent: Array) -> Floats:
            c = np.ascontiguousarray(cotangent, dtype=np.float64).reshape(output.shape)
            return program.backward(running, outputs.seed(c, measure, program.plan.kept), threads)

        return output, back

    def _combined(
        self, parts: tuple[Part, ...], angles: Floats, measure: Measure, *, train: bool
    ) -> tuple[Array, AnglePullback]:
        from qgen_core.simulators import connected_parts as combine

        runs = [
            self._connected(
                p.circuit,
                np.ascontiguousarray(angles[:, p.columns]),
                combine.restrict(measure, p),
                train=train,
            )
            for p in parts
        ]
        return combine.combined(parts, runs, angles, words=isinstance(measure, Expectations))

    def _program(self, circuit: Circuit, measure: Measure) -> Program:
        from qgen_core.simulators.density.outputs import kept_digits
        from qgen_core.simulators.density.plan import make_plan
        from qgen_core.simulators.density.program import Program

        known = self._programs.get(circuit, dict)
        kept = kept_digits(measure, circuit.num_wires)
        if kept not in known:
            known[kept] = Program(make_plan(circuit, kept))
        return known[kept]

    def _threads_for(self, program: Program, batch: int) -> int:
        from qgen_core.simulators.simd.threads import cores

        if self.threads is not None:
            return self.threads
        return cores() if batch > 1 and batch * sum(program.plan.sizes) >= WORTH_THREADS else 1

    def _require(self, circuit: Circuit, measure: Measure, batch: int, *, train: bool) -> None:
        """Raise ResourceRefused, with the numbers, before memory is taken that is not there.

        A density matrix takes 8 * 4^n bytes; a run holds two in each thread, training also those
        that the way back needs. The output of probabilities takes 8 * 2^Q a row.
        """
        from qgen_core.simulators.connected_parts import restrict

        parts = self._split.get(circuit, lambda: self._find_parts(circuit))
        programs = [self._program(p.circuit, restrict(measure, p)) for p in parts]
        programs = programs or [self._program(circuit, measure)]
        states = sum(p.memory(batch, self._threads_for(p, batch), train=train) for p in programs)
        wires, per_output = (
            circuit.num_wires,
            8 * batch if isinstance(measure, Probabilities) else 0,
        )
        rows = f" for a batch of {batch}" if batch > 1 else ""
        require_qubits(
            wires,
            lambda n: (states >> 2 * (wires - n)) + (per_output << n),
            (" to train" if train else "") + rows,
        )


def _no_way_back(cotangent: Array) -> Floats:
    raise AssertionError("a run without a way back was asked for it")
