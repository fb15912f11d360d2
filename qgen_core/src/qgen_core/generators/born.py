"""Models whose events are the outcomes of a circuit: their tables, logarithms and samples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Bits, Probabilities, Shots
from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Space, bits_to_index, index_to_bits
from qgen_core.generators.conditions import condition_width, require_conditions
from qgen_core.generators.draws import distinct, draw_outcomes, grouped
from qgen_core.generators.initial import Init, initial_parameters
from qgen_core.interfaces import Ansatz, Backend, Generator
from qgen_core.losses.tables import FLOOR, floored_log
from qgen_core.typing import Array, Floats, Ints, Pullback, Rng

log = logging.getLogger("qgen")

#: What a circuit of bits is usually trained with (:attr:`qgen_core.interfaces.Generator.usual`).
USUAL_OF_BITS: Mapping[str, Any] = {
    "generator": {"ansatz": {"name": "brick", "layers": 6}, "scale": 0.1},
    "encoder": {"name": "binning", "bits": 4},
    "condition_encoder": "angle",
    "loss": "js",
    "trainer": {"name": "adam", "learning_rate": 0.01, "steps": 300},
}
#: Number of probabilities in memory at once while sampling many conditions.
MAX_TABLE = 2**24


class Initial(NamedTuple):
    """Where the parameters of a model start: its options ``init``, ``scale`` and ``seed``.

    >>> Initial("normal", 0.1, 7).scale
    0.1
    """

    init: Init
    scale: float
    seed: int | None


class Measuring(NamedTuple):
    """What measures the circuits of a model: its options ``backend``, ``shots``, ``smoothing``.

    >>> from qgen_core.simulators.statevector.backend import StatevectorBackend
    >>> Measuring(StatevectorBackend(), None, 0.5).shots is None
    True
    """

    backend: Backend
    shots: int | None
    smoothing: float


class Asked(NamedTuple):
    """What a batch asks of the circuits.

    Args:
        conditions: the distinct rows to make tables for; None for one table.
        row: for each event the row of the tables that it is in (N,).
        outcome: for each event the outcome that it is (N,). Both are empty where the output needs
            no events.
    """

    conditions: Array | None
    row: NDArray[np.intp]
    outcome: Ints


class BornMachine(Generator):
    """Base class of models whose events are the outcomes of a circuit.

    A subclass sets ``name`` and gives the circuit; here are the outputs with their gradients,
    shots, smoothing, and sampling. It may change four things:

    - :meth:`_inputs` and :meth:`_mixed` (with :meth:`_of_each`), where the distribution for a
      condition is the mean over several circuits;
    - :meth:`_asked`, which outcomes the events of a batch are;
    - :meth:`_sampled`, how events are drawn.

    ``floor_hits`` counts the events so far whose probability was below the floor of log_prob; the
    first ones are also told by a warning.

    Args:
        circuit: its outcomes are the events.
        measuring: backend, shots and smoothing.
        space: of the events.
        condition: space of the conditions, angles; None for a model without conditions.
        initial: of the parameters.
        sampling: the circuit that events are drawn from; None: ``circuit``.

    Raises BadOption when the options do not fit, and the backend's errors for circuits that it
    cannot run.
    """

    name: str
    outputs = frozenset({"probabilities", "log_prob", "samples"})
    #: What log_prob is above the logarithm of a probability, for densities in the units of events.
    log_scale: float = 0.0

    def __init__(
        self,
        *,
        circuit: Circuit,
        measuring: Measuring,
        space: Space,
        condition: Space | None,
        initial: Initial,
        sampling: Circuit | None = None,
    ) -> None:
        self.backend, self.shots, self.smoothing = measuring
        if not (self.smoothing >= 0 and initial.scale >= 0):
            raise BadOption(
                f"smoothing and scale are at least 0, not {self.smoothing:g} and {initial.scale:g}"
            )
        self.space = space
        self.condition = condition
        self.circuit = circuit
        #: The circuit that events are drawn from.
        self.sampling_circuit = sampling or circuit
        for one in (self.circuit, self.sampling_circuit):
            self.backend.check(one, self.shots)
            self.backend.require(one, Probabilities())
        self.theta = initial_parameters(circuit.num_params, *initial)
        #: How many events so far had a probability below the floor of log_prob.
        self.floor_hits = 0

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events; ``condition`` (n, K) has a row for each.

        Drawn from exact probabilities where the backend has them, otherwise measured with one shot
        an event. Raises BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions(self.name, self.condition, condition, n)
        return self._sampled(self.theta, condition, n, self.backend, rng)

    def needs_random_numbers(self, output: str) -> bool:
        return output == "samples" or self.shots is not None

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Probabilities (C, 2^Q), log_prob (N,) or samples (N, width), and the pullback.

        Raises OutputMismatch for another output or a batch without events, DataError for events
        and conditions that do not fit.
        """
        asked = self._checked(output, batch)
        if asked is None:
            return super().forward(output, batch, rng=rng)
        angles = self.circuit.bind(self.theta, self._inputs(asked.conditions))
        frequencies, pull_angles = self.backend.forward(
            self.circuit, angles, Probabilities(), Shots.of(self.shots, rng)
        )
        table, gain = self._smoothed(self._mixed(frequencies), self.shots)
        if output == "probabilities":
            return table, lambda cotangent: self._gradient(pull_angles, cotangent, gain)
        p = table[asked.row, asked.outcome]
        self._count_below_floor(p)
        logs, slope = floored_log(p, FLOOR)

        def pullback(cotangent: Array) -> dict[str, Array]:
            cells = asked.row * table.shape[1] + asked.outcome
            of_table = np.bincount(cells, weights=cotangent * slope, minlength=table.size)
            return self._gradient(pull_angles, of_table.reshape(table.shape), gain)

        return logs + self.log_scale, pullback

    def outputs_at(
        self, output: str, thetas: Floats, batch: Batch, *, rng: Rng, backend: Backend | None = None
    ) -> Array:
        """The output (T, ...) at parameter vectors (T, P), from one batch of circuits.

        ``backend`` replaces the model's own; its values are exact where it has exact ones.
        """
        thetas = np.atleast_2d(np.asarray(thetas, dtype=np.float64))
        asked = self._checked(output, batch)
        shots = self.shots
        if backend is None:
            backend = self.backend
        elif backend.capabilities.exact:
            shots = None
        if asked is None:
            assert batch.x is not None
            drawn = []
            for theta in thetas:
                drawn.append(self._sampled(theta, batch.condition, len(batch.x), backend, rng))
            return np.stack(drawn)
        count = 1
        inputs = self._inputs(asked.conditions)
        if inputs is not None:
            count = len(inputs)
            inputs = np.tile(inputs, (len(thetas), 1))
        angles = self.circuit.bind(np.repeat(thetas, count, axis=0), inputs)
        frequencies = backend.run(self.circuit, angles, Probabilities(), Shots.of(shots, rng))
        mixed = self._mixed(frequencies)
        tables, _ = self._smoothed(mixed.reshape(len(thetas), -1, mixed.shape[-1]), shots)
        if output == "probabilities":
            return tables
        logs, _ = floored_log(tables[:, asked.row, asked.outcome], FLOOR)
        return logs + self.log_scale

    # ---- what a subclass may change

    def _inputs(self, conditions: Array | None) -> Array | None:
        """Inputs (R, I) of the circuits of each condition, those of one after those of another."""
        return conditions

    def _mixed(self, tables: Floats) -> Floats:
        """Tables (C, 2^Q) of the conditions from those (R, 2^Q) of their circuits."""
        return tables

    def _of_each(self, cotangent: Floats) -> Floats:
        """The pullback of :meth:`_mixed`: from (C, 2^Q) to (R, 2^Q)."""
        return cotangent

    def _asked(self, x: Array, batch: Batch) -> Asked:
        """Which outcomes the events x (N, width) of a batch with its conditions are."""
        conditions, row = batch.distinct_conditions()
        return Asked(conditions, row, bits_to_index(x))

    def _sampled(
        self, theta: Floats, condition: Array | None, n: int, backend: Backend, rng: Rng
    ) -> Array:
        """n events with the conditions (n, K)."""
        conditions, row = distinct(condition, n)
        outcomes = self._outcomes(theta, conditions, row, backend, rng)
        return index_to_bits(outcomes, self.space.width)

    # ---- shared

    def _checked(self, output: str, batch: Batch) -> Asked | None:
        """What a batch asks of the circuits; None for samples."""
        if output not in self.outputs:
            raise OutputMismatch(
                f"{self.name} offers {', '.join(sorted(self.outputs))}, not {output}"
            )
        if output == "probabilities":
            require_conditions(self.name, self.condition, batch.condition, None)
            none = np.empty(0, dtype=np.int64)
            return Asked(batch.condition, none, none)
        if batch.x is None:
            raise OutputMismatch(
                f"{output} is a value of each event, but the batch has no events; give it x"
            )
        require_conditions(self.name, self.condition, batch.condition, len(batch.x))
        if output == "samples":
            return None
        return self._asked(batch.x, batch)

    def _gradient(
        self, pull_angles: Callable[[Array], Floats], cotangent: Array, gain: float
    ) -> dict[str, Array]:
        # Without shots the gain is 1, and without conditions there is one row: the usual step of a
        # small circuit, of which both would be a twentieth.
        d_tables = np.asarray(cotangent)
        if gain != 1:
            d_tables = d_tables * gain
        d_params, _ = self.circuit.pullback(pull_angles(self._of_each(d_tables)))
        if len(d_params) == 1:
            return {"theta": d_params[0]}
        return {"theta": d_params.sum(axis=0)}

    def _smoothed(self, table: Floats, shots: int | None) -> tuple[Floats, float]:
        """Frequencies with pseudo-counts, and the derivative by the frequencies."""
        if shots is None or self.smoothing == 0:
            return table, 1.0
        total = shots + self.smoothing * table.shape[-1]
        return (shots * table + self.smoothing) / total, shots / total

    def _count_below_floor(self, p: Floats) -> None:
        """Count events whose probability is below the floor, and tell of the first ones."""
        below = int(np.count_nonzero(p < FLOOR))
        if below and not self.floor_hits:
            log.warning(
                "%s gives %d of %d events a probability below %g; their log_prob is continued by "
                "the tangent, and floor_hits of the model counts them from now on",
                self.name,
                below,
                len(p),
                FLOOR,
            )
        self.floor_hits += below

    def _outcomes(
        self,
        theta: Floats,
        conditions: Array | None,
        row: NDArray[np.intp],
        backend: Backend,
        rng: Rng,
    ) -> Ints:
        """Outcomes of n events; ``row`` (n,) is the row of ``conditions`` that each has."""
        if not backend.capabilities.exact:
            return self._measured(theta, conditions, row, backend, rng)
        if conditions is None:
            return draw_outcomes(self._table(theta, None, backend), row, rng)
        outcome = np.empty(len(row), dtype=np.int64)
        at_once = self._rows_at_once()
        for start in range(0, len(conditions), at_once):
            part = conditions[start : start + at_once]
            events = np.flatnonzero(row // at_once == start // at_once)
            table = self._table(theta, part, backend)
            outcome[events] = draw_outcomes(table, row[events] - start, rng)
        return outcome

    def _rows_at_once(self) -> int:
        """How many tables of conditions are computed at once."""
        return max(1, MAX_TABLE >> self.circuit.num_wires)

    def _table(self, theta: Floats, conditions: Array | None, backend: Backend) -> Floats:
        """Exact probabilities (C, 2^Q) of the outcomes that events are drawn from."""
        circuit = self.sampling_circuit
        angles = circuit.bind(theta, self._inputs(conditions))
        return self._mixed(backend.run(circuit, angles, Probabilities()))

    def _measured(
        self,
        theta: Floats,
        inputs: Array | None,
        row: NDArray[np.intp],
        backend: Backend,
        rng: Rng,
    ) -> Ints:
        """The same from a backend without exact values, with as many shots as events.

        Inputs with equal numbers of events are measured in one batch.
        """
        circuit = self.sampling_circuit
        outcomes = np.empty(len(row), dtype=np.int64)
        counts = np.bincount(row, minlength=1)
        order = grouped(row, rng)
        ends = np.cumsum(counts)
        for shots in np.unique(counts[counts > 0]):
            same = np.flatnonzero(counts == shots)
            chosen = None
            if inputs is not None:
                chosen = inputs[same]
            angles = circuit.bind(theta, chosen)
            bits = backend.run(circuit, angles, Bits(), Shots(int(shots), rng))
            events = np.concatenate([order[ends[r] - shots : ends[r]] for r in same])
            outcomes[events] = bits_to_index(bits).reshape(-1)
        return outcomes


def trained_circuit(ansatz: Ansatz, bits: Space, condition: Space | None) -> Circuit:
    """The circuit that an ansatz builds for bits, one wire each, and conditions.

    Raises BadOption for conditions that are no angles, and for a circuit of another number of wires
    or inputs.

    >>> from qgen_core.ansatze.ising import ising
    >>> trained_circuit(ising, Space("bits", 3), None).num_wires
    3
    """
    if condition is not None and condition.kind != "angles":
        raise BadOption(
            f"conditions enter the circuit as angles, not as {condition}; encode them with 'angle'"
        )
    inputs = condition_width(condition)
    circuit: Circuit = ansatz(bits.width, inputs=inputs, registers=bits.registers)
    if circuit.num_wires != bits.width:
        raise BadOption(
            f"the ansatz makes {circuit.num_wires} wires, the events have {bits}; one wire a bit "
            "is needed"
        )
    if circuit.num_inputs != inputs:
        raise BadOption(
            f"the ansatz takes {circuit.num_inputs} inputs for {inputs} condition columns; choose "
            "an ansatz that encodes every condition"
        )
    return circuit


def require_bits(space: Space) -> None:
    """Raise BadOption unless events are bits.

    >>> require_bits(Space("bits", 2))
    """
    if space.kind != "bits":
        raise BadOption(
            f"a Born machine makes bits, not {space}; use an encoder to bits, e.g. 'binning'"
        )
