"""The generator ``qcbm``: a quantum circuit Born machine, with or without conditions."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Bits, Probabilities, Shots
from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Space, bits_to_index, index_to_bits
from qgen_core.generators.draws import distinct, draw_outcomes, grouped
from qgen_core.interfaces import Ansatz, Backend, Generator
from qgen_core.losses.tables import FLOOR, floored_log
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng

#: Probabilities held at once while sampling many conditions.
MAX_TABLE = 2**24


class CircuitBornMachine(Generator):
    """A circuit whose outcomes are the events: ``p(bits | c) = |<bits| U(theta, c) |0>|^2``.

    Outputs: ``probabilities`` (C, 2^Q), a row per distinct condition, and ``log_prob`` (N,) of
    bits, below 1e-12 the tangent of the logarithm, both with gradients (one adjoint sweep where
    the backend has one, else parameter shift); ``samples`` (N, Q) int8, without.

    Args:
        ansatz: the circuit's shape; with conditions one that takes as many inputs.
        backend: runs the circuit.
        shots: circuits are measured so often each time training looks at them, and all
            outputs are made of relative frequencies. None: exact probabilities.
        smoothing: with shots, n counts of an outcome become ``(n + smoothing) / (N + smoothing
        2^Q)``
            in training, so that losses with logarithms stay finite in empty bins; 0 for none.
            For N far below 2^Q it flattens what is learnt. Sampled events are never smoothed.
        init: how the parameters start: ``uniform`` in [-scale, scale], ``normal`` with this
            standard deviation, or ``zeros``. From ``zeros`` and the start state zero, plain
            rotations have no gradient.
        scale: of ``init``, in radians.

    Raises BadOption when space, condition, ansatz or shots do not fit each other, and what
    the backend raises for circuits it cannot run.

    Source: Delgado and Hamilton, arXiv:2203.03578; conditions after Kiss et al.,
    arXiv:2205.07674; smoothing by 1/2 is our reading of training with shots
    (docs/readings.md).
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
        init: Literal["uniform", "normal", "zeros"] = "uniform",
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
        self.space, self.condition, self.backend = space, condition, backend
        self.shots, self.smoothing = shots, smoothing
        inputs = 0 if condition is None else condition.width
        self.circuit: Circuit = ansatz(space.width, inputs=inputs, registers=space.registers)
        self._check_circuit(inputs)
        self.theta = _start(self.circuit.num_params, init, scale, seed)

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits (n, Q) int8; ``condition`` (n, K) has a row for each event.

        Drawn from exact probabilities where the backend has them, else measured. Raises
        BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of events, not {n}")
        self._check_condition(condition, n)
        conditions, row = distinct(condition, n)
        return self._drawn(self.theta, conditions, row, self.backend, rng)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Probabilities, log_prob or samples, and the pullback to ``theta``."""
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        conditions, row, index = self._asked(output, batch)
        angles = self.circuit.bind(self.theta, conditions)
        found, back = self.backend.forward(
            self.circuit, angles, Probabilities(), Shots.of(self.shots, rng)
        )
        table, gain = self._smoothed(found, self.shots)
        if output == "probabilities":
            return table, lambda cotangent: self._gradient(back, cotangent, gain)
        logs, slope = floored_log(table[row, index], FLOOR)

        def pullback(cotangent: Array) -> dict[str, Array]:
            cells = row * table.shape[1] + index
            spread = np.bincount(cells, weights=cotangent * slope, minlength=table.size)
            return self._gradient(back, spread.reshape(table.shape), gain)

        return logs, pullback

    def _gradient(
        self, back: Callable[[Array], Floats], cotangent: Array, gain: float
    ) -> dict[str, Array]:
        d_params, _ = self.circuit.pullback(back(np.asarray(cotangent) * gain))
        return {"theta": d_params.sum(axis=0)}

    def outputs_at(
        self, output: str, thetas: Floats, batch: Batch, *, rng: Rng, backend: Backend | None = None
    ) -> Array:
        """The output at parameter vectors (T, P), (T, ...), from one batch of circuits.

        With another ``backend``, exact values are taken where that one has them.
        """
        thetas = np.atleast_2d(np.asarray(thetas, dtype=np.float64))
        conditions, row, index = self._asked(output, batch)
        where = self.backend if backend is None else backend
        if output == "samples":
            return np.stack([self._drawn(theta, conditions, row, where, rng) for theta in thetas])
        shots = None if backend is not None and backend.capabilities.exact else self.shots
        count = 1 if conditions is None else len(conditions)
        inputs = None if conditions is None else np.tile(conditions, (len(thetas), 1))
        angles = self.circuit.bind(np.repeat(thetas, count, axis=0), inputs)
        found = where.run(self.circuit, angles, Probabilities(), Shots.of(shots, rng))
        tables = self._smoothed(found.reshape(len(thetas), count, -1), shots)[0]
        return tables if output == "probabilities" else floored_log(tables[:, row, index], FLOOR)[0]

    def _asked(
        self, output: str, batch: Batch
    ) -> tuple[Array | None, NDArray[np.intp], NDArray[np.int64]]:
        """Distinct conditions to run, and for each event its row and its basis state."""
        none = np.empty(0, dtype=np.int64)
        if output not in self.outputs:
            raise OutputMismatch(f"qcbm offers {', '.join(sorted(self.outputs))}, not {output}")
        if output == "probabilities":
            self._check_condition(batch.condition, None)
            return batch.condition, none, none
        if batch.x is None:
            raise OutputMismatch(f"{output} is of events; this batch has none")
        self._check_condition(batch.condition, len(batch.x))
        conditions, row = distinct(batch.condition, len(batch.x))
        return conditions, row, none if output == "samples" else bits_to_index(batch.x)

    def _smoothed(self, table: Floats, shots: int | None) -> tuple[Floats, float]:
        """Frequencies with pseudo-counts, and the factor on their derivative."""
        if shots is None or self.smoothing == 0:
            return table, 1.0
        total = shots + self.smoothing * table.shape[-1]
        return (shots * table + self.smoothing) / total, shots / total

    def _drawn(
        self,
        theta: Floats,
        conditions: Array | None,
        row: NDArray[np.intp],
        backend: Backend,
        rng: Rng,
    ) -> Array:
        """Bits (n, Q) of events whose conditions are the rows (n,) of ``conditions``."""
        if not backend.capabilities.exact:
            return self._measured(theta, conditions, row, backend, rng)
        outcome = np.empty(len(row), dtype=np.int64)
        at_once = max(1, MAX_TABLE >> self.space.width)
        for start in range(0, 1 if conditions is None else len(conditions), at_once):
            part = None if conditions is None else conditions[start : start + at_once]
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
        """The same from a backend without exact values.

        As many shots as events, equal numbers in one batch.
        """
        out = np.empty((len(row), self.space.width), dtype=np.int8)
        counts = np.bincount(row, minlength=1)
        order, ends = grouped(row, rng), np.cumsum(counts)
        for shots in np.unique(counts[counts > 0]):
            same = np.flatnonzero(counts == shots)
            angles = self.circuit.bind(theta, None if conditions is None else conditions[same])
            bits = backend.run(self.circuit, angles, Bits(), Shots(int(shots), rng))
            events = np.concatenate([order[ends[r] - shots : ends[r]] for r in same])
            out[events] = bits.reshape(-1, self.space.width)
        return out

    def _check_circuit(self, inputs: int) -> None:
        if self.circuit.num_wires != self.space.width:
            raise BadOption(
                f"the ansatz makes {self.circuit.num_wires} wires, the events have {self.space}"
            )
        if self.circuit.num_inputs != inputs:
            raise BadOption(
                f"the ansatz takes {self.circuit.num_inputs} inputs for {inputs} condition "
                "columns; "
                "choose an ansatz that uploads every condition"
            )
        self.backend.check(self.circuit, self.shots)
        self.backend.require(self.circuit, Probabilities())

    def _check_condition(self, condition: Array | None, n: int | None) -> None:
        if self.condition is None and condition is None:
            return
        wanted = "no condition" if self.condition is None else f"conditions of {self.condition}"
        if self.condition is None or condition is None:
            raise DataError(
                f"qcbm takes {wanted}; {'none was' if condition is None else 'one was'} given"
            )
        if (
            np.ndim(condition) != 2
            or condition.shape[1] != self.condition.width
            or n not in (None, len(condition))
        ):
            raise DataError(
                f"qcbm takes {wanted}, a row for each of {n} events, not an array "
                f"{np.shape(condition)}"
            )


def _start(count: int, init: str, scale: float, seed: int | None) -> Floats:
    """First parameters (count,)."""
    rng = generator(None) if seed is None else stream(seed, "init")
    if init == "uniform":
        return rng.uniform(-scale, scale, count)
    if init == "normal":
        return rng.normal(0.0, scale, count)
    return np.zeros(count)
