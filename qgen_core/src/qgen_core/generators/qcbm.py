"""The generator ``qcbm``: a quantum circuit Born machine, with or without conditions."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

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
from qgen_core.typing import Array, Floats, Pullback, Rng

#: Number of probabilities in memory at once while sampling many conditions.
MAX_TABLE = 2**24


class CircuitBornMachine(Generator):
    """A circuit whose outcomes are the events: ``p(bits | c) = |<bits| U(theta, c) |0>|^2``.

    Outputs with gradients (one adjoint sweep where the backend has one, else parameter shift):
    ``probabilities`` (C, 2^Q), a row per distinct condition, and ``log_prob`` (N,) of bits, which
    continues below p = 1e-12 as the tangent of the logarithm. Without gradients: ``samples``
    (N, Q) int8.

    Args:
        ansatz: builds the circuit; with conditions, from as many inputs as condition columns.
        backend: runs the circuit.
        space: bits, whose number is that of the wires.
        condition: space of the conditions, angles; None for a model without conditions.
        shots: number of measurements of each circuit in training; all outputs are then made of
            relative frequencies. None: exact probabilities.
        smoothing: with N shots, n counts of an outcome become
            ``(n + smoothing) / (N + smoothing 2^Q)`` in training, so that losses with logarithms
            stay finite in empty bins; 0 for none. For N far below 2^Q it flattens the learned
            distribution. Sampled events are never smoothed.
        init: initial parameters: ``uniform`` in [-scale, scale], ``normal`` with standard
            deviation ``scale``, or ``zeros``. From ``zeros`` and the start state zero, single
            rotations have no gradient.
        scale: of ``init``, in radians.
        seed: of the initial parameters; None draws a new one.

    Raises BadOption when space, condition, ansatz or shots do not fit each other, and the
    backend's errors for circuits that it cannot run.

    Source: Delgado and Hamilton, arXiv:2203.03578; conditions after Kiss et al.,
    arXiv:2205.07674; smoothing by 1/2 is our reading of training with shots
    (docs/readings.md).

    >>> from qgen_core.ansatze.ising import ising  # starts with H on wire 0
    >>> from qgen_core.simulators.statevector.backend import StatevectorBackend
    >>> model = CircuitBornMachine(
    ...     ansatz=ising,
    ...     backend=StatevectorBackend(),
    ...     space=Space("bits", 2),
    ...     init="zeros",
    ... )
    >>> model.sample(3, rng=np.random.default_rng(1)).shape
    (3, 2)
    >>> table, pullback = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    >>> table.round(6).tolist()
    [[0.5, 0.0, 0.5, 0.0]]
    >>> pullback(np.ones((1, 4)))["theta"].shape == model.theta.shape
    True
    """

    outputs = frozenset({"probabilities", "log_prob", "samples"})

    def __init__(
        self,
        *,
        ansatz: Ansatz,
        backend: Backend,
        space: Space,
        condition: Space | None = None,
        shots: int | None = None,
        smoothing: float = 0.5,
        init: Init = "uniform",
        scale: float = pi,
        seed: int | None = None,
    ) -> None:
        if space.kind != "bits":
            raise BadOption(
                f"a Born machine makes bits, not {space}; use an encoder to bits, e.g. 'binning'"
            )
        if condition is not None and condition.kind != "angles":
            raise BadOption(
                f"conditions enter the circuit as angles, not as {condition}; encode them with "
                "'angle'"
            )
        if not (smoothing >= 0 and scale >= 0):
            raise BadOption(f"smoothing and scale are at least 0, not {smoothing:g} and {scale:g}")
        inputs = condition_width(condition)
        self.space = space
        self.condition = condition
        self.backend = backend
        self.shots = shots
        self.smoothing = smoothing
        self.circuit: Circuit = ansatz(space.width, inputs=inputs, registers=space.registers)
        self._check_circuit(inputs)
        self.theta = initial_parameters(self.circuit.num_params, init, scale, seed)

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits (n, Q) int8; ``condition`` (n, K) has a row for each event.

        Drawn from exact probabilities where the backend has them, otherwise measured with one shot
        an event. Raises BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions("qcbm", self.condition, condition, n)
        conditions, row = distinct(condition, n)
        return self._sampled(self.theta, conditions, row, self.backend, rng)

    def needs_random_numbers(self, output: str) -> bool:
        return output == "samples" or self.shots is not None

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Probabilities (C, 2^Q), log_prob (N,) or samples (N, Q), and the pullback to ``theta``.

        Raises OutputMismatch for another output or a batch without events, DataError for
        conditions that do not fit.
        """
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        conditions, row, index = self._required(output, batch)
        angles = self.circuit.bind(self.theta, conditions)
        frequencies, pull_angles = self.backend.forward(
            self.circuit, angles, Probabilities(), Shots.of(self.shots, rng)
        )
        table, gain = self._smoothed(frequencies, self.shots)
        if output == "probabilities":
            return table, lambda cotangent: self._gradient(pull_angles, cotangent, gain)
        logs, slope = floored_log(table[row, index], FLOOR)

        def pullback(cotangent: Array) -> dict[str, Array]:
            cells = row * table.shape[1] + index
            of_table = np.bincount(cells, weights=cotangent * slope, minlength=table.size)
            return self._gradient(pull_angles, of_table.reshape(table.shape), gain)

        return logs, pullback

    def _gradient(
        self, pull_angles: Callable[[Array], Floats], cotangent: Array, gain: float
    ) -> dict[str, Array]:
        d_angles = pull_angles(np.asarray(cotangent) * gain)
        d_params, _ = self.circuit.pullback(d_angles)
        return {"theta": d_params.sum(axis=0)}

    def outputs_at(
        self, output: str, thetas: Floats, batch: Batch, *, rng: Rng, backend: Backend | None = None
    ) -> Array:
        """The output (T, ...) at parameter vectors (T, P), from one batch of circuits.

        ``backend`` replaces the model's own; its values are exact where it has exact ones.
        """
        thetas = np.atleast_2d(np.asarray(thetas, dtype=np.float64))
        conditions, row, index = self._required(output, batch)
        shots = self.shots
        if backend is None:
            backend = self.backend
        elif backend.capabilities.exact:
            shots = None
        if output == "samples":
            samples = [self._sampled(theta, conditions, row, backend, rng) for theta in thetas]
            return np.stack(samples)
        count = 1
        inputs = None
        if conditions is not None:
            count = len(conditions)
            inputs = np.tile(conditions, (len(thetas), 1))
        angles = self.circuit.bind(np.repeat(thetas, count, axis=0), inputs)
        frequencies = backend.run(self.circuit, angles, Probabilities(), Shots.of(shots, rng))
        tables, _ = self._smoothed(frequencies.reshape(len(thetas), count, -1), shots)
        if output == "probabilities":
            return tables
        logs, _ = floored_log(tables[:, row, index], FLOOR)
        return logs

    def _required(
        self, output: str, batch: Batch
    ) -> tuple[Array | None, NDArray[np.intp], NDArray[np.int64]]:
        """Distinct conditions to run, and for each event its row and its basis state.

        Rows and basis states are empty where the output does not need them.
        """
        none = np.empty(0, dtype=np.int64)
        if output not in self.outputs:
            raise OutputMismatch(f"qcbm offers {', '.join(sorted(self.outputs))}, not {output}")
        if output == "probabilities":
            require_conditions("qcbm", self.condition, batch.condition, None)
            return batch.condition, none, none
        if batch.x is None:
            raise OutputMismatch(
                f"{output} is a value of each event, but the batch has no events; give it x"
            )
        require_conditions("qcbm", self.condition, batch.condition, len(batch.x))
        conditions, row = batch.distinct_conditions()
        if output == "samples":
            return conditions, row, none
        return conditions, row, bits_to_index(batch.x)

    def _smoothed(self, table: Floats, shots: int | None) -> tuple[Floats, float]:
        """Frequencies with pseudo-counts, and the derivative by the frequencies."""
        if shots is None or self.smoothing == 0:
            return table, 1.0
        total = shots + self.smoothing * table.shape[-1]
        return (shots * table + self.smoothing) / total, shots / total

    def _sampled(
        self,
        theta: Floats,
        conditions: Array | None,
        row: NDArray[np.intp],
        backend: Backend,
        rng: Rng,
    ) -> Array:
        """Bits (n, Q) of n events; ``row`` (n,) is the row of ``conditions`` that each has."""
        if not backend.capabilities.exact:
            return self._measured(theta, conditions, row, backend, rng)
        if conditions is None:
            table = backend.run(self.circuit, self.circuit.bind(theta, None), Probabilities())
            return index_to_bits(draw_outcomes(table, row, rng), self.space.width)
        outcome = np.empty(len(row), dtype=np.int64)
        at_once = max(1, MAX_TABLE >> self.space.width)
        for start in range(0, len(conditions), at_once):
            part = conditions[start : start + at_once]
            events = np.flatnonzero(row // at_once == start // at_once)
            table = backend.run(self.circuit, self.circuit.bind(theta, part), Probabilities())
            outcome[events] = draw_outcomes(table, row[events] - start, rng)
        return index_to_bits(outcome, self.space.width)

    def _measured(
        self,
        theta: Floats,
        conditions: Array | None,
        row: NDArray[np.intp],
        backend: Backend,
        rng: Rng,
    ) -> Array:
        """The same from a backend without exact values, with as many shots as events.

        Conditions with equal numbers of events are measured in one batch.
        """
        sampled = np.empty((len(row), self.space.width), dtype=np.int8)
        counts = np.bincount(row, minlength=1)
        order = grouped(row, rng)
        ends = np.cumsum(counts)
        for shots in np.unique(counts[counts > 0]):
            same = np.flatnonzero(counts == shots)
            inputs = None
            if conditions is not None:
                inputs = conditions[same]
            angles = self.circuit.bind(theta, inputs)
            bits = backend.run(self.circuit, angles, Bits(), Shots(int(shots), rng))
            events = np.concatenate([order[ends[r] - shots : ends[r]] for r in same])
            sampled[events] = bits.reshape(-1, self.space.width)
        return sampled

    def _check_circuit(self, inputs: int) -> None:
        if self.circuit.num_wires != self.space.width:
            raise BadOption(
                f"the ansatz makes {self.circuit.num_wires} wires, the events have {self.space}; "
                "one wire a bit is needed"
            )
        if self.circuit.num_inputs != inputs:
            raise BadOption(
                f"the ansatz takes {self.circuit.num_inputs} inputs for {inputs} condition "
                "columns; choose an ansatz that encodes every condition"
            )
        self.backend.check(self.circuit, self.shots)
        self.backend.require(self.circuit, Probabilities())
