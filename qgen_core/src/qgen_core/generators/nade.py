"""The generator ``nade``: a neural autoregressive distribution of bits, with or without conditions.

It is the classical counterpart of a Born machine: it models the same bits, offers the same outputs,
and can be given the same number of parameters.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch, ResourceRefused
from qgen_core.events import Batch, Space
from qgen_core.generators.conditions import require_conditions
from qgen_core.interfaces import Generator
from qgen_core.support.random_streams import generator, stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats, Pullback, Rng

#: Hidden units, if neither their number nor that of the parameters is given.
HIDDEN = 16
#: Most bits of a table of probabilities.
MAX_TABLE_BITS = 24
#: Activations in memory at once while sampling.
AT_ONCE = 2**22
#: Arrays of the size of the parameters in a training: values, gradient, two moments of Adam.
COPIES = 4
#: Both values of a bit, the branches of a table of probabilities.
BOTH = np.array([[0, 1]], dtype=np.int8)

log = logging.getLogger("qgen")


@dataclass(frozen=True)
class Level:
    """One bit of the chain, after each of R prefixes.

    ``hidden`` (R, H) are the hidden units, ``one`` (R,) the probability that the bit is 1, and
    ``bits`` (R, B) or (1, B) the values of the bit that the pass continues with: one for an event,
    both for a table.
    """

    hidden: Floats
    one: Floats
    bits: Array


class NeuralAutoregressive(Generator):
    """Each bit given those before it: ``p(v | c) = prod_d p(v_d | v_1 ... v_{d-1}, c)``.

    The factors share one layer of H hidden units, with f(c) the sines and cosines of the
    conditions::

        h_d = sigmoid(hidden_bias + condition f(c) + sum_{k<d} input_k v_k)
        p(v_d = 1 | v_1 ... v_{d-1}, c) = sigmoid(bias_d + output_d h_d)

    So probabilities are normalised and exact, and samples are independent. For Q bits and K
    conditions it has H (2 Q + 2 K) + Q parameters, none of which is without influence.

    Outputs, with exact gradients: ``probabilities`` (C, 2^Q), a row per condition, for at most 24
    bits; ``log_prob`` (N,) of bits. Without gradients: ``samples`` (N, Q) int8.

    Args:
        space: bits.
        condition: space of the conditions, angles; None for a model without conditions.
        hidden: number H of hidden units, by default 16.
        parameters: choose H such that the number of parameters is nearest to this; a message says
            if it is another. Give either ``hidden`` or this.
        scale: initial weights are normal with standard deviation ``scale`` divided by the root of
            the number of terms that they are summed with; biases are zero.
        seed: of the initial parameters; None draws a new one.

    Raises BadOption for spaces of another kind and numbers below 1, ResourceRefused for more
    parameters than memory holds.

    Source: H. Larochelle and I. Murray, The neural autoregressive distribution estimator, AISTATS
    2011, equations 1 to 4; conditions as further inputs are ours.

    >>> model = NeuralAutoregressive(space=Space("bits", 8), parameters=312, seed=1)
    >>> model
    NeuralAutoregressive(hidden=19, 312 parameters)
    >>> table, pullback = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    >>> table.shape, round(float(table.sum()), 12)
    ((1, 256), 1.0)
    >>> model.sample(3, rng=np.random.default_rng(1)).shape
    (3, 8)
    """

    outputs = frozenset({"probabilities", "log_prob", "samples"})
    usual: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "binning", "bits": 4},
        "condition_encoder": "angle",
        "loss": {"name": "nll", "reads": "log_prob"},
        "trainer": {"name": "adam", "learning_rate": 0.01, "steps": 300, "batch_size": 256},
    }

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        hidden: int | None = None,
        parameters: int | None = None,
        scale: float = 1.0,
        seed: int | None = None,
    ) -> None:
        if space.kind != "bits":
            raise BadOption(f"nade makes bits, not {space}; use an encoder to bits, e.g. 'binning'")
        if condition is not None and condition.kind != "angles":
            raise BadOption(
                f"conditions of nade are angles, not {condition}; encode them with 'angle'"
            )
        if not scale >= 0:
            raise BadOption(f"scale is at least 0, not {scale:g}")
        inputs = 0
        if condition is not None:
            inputs = 2 * condition.width
        self.space = space
        self.condition = condition
        self.hidden = _width(hidden, parameters, space.width, inputs)
        self.weights = _initial_weights(self.hidden, space.width, inputs, scale, seed)

    def __repr__(self) -> str:
        count = sum(value.size for value in self.weights.values())
        return f"{type(self).__name__}(hidden={self.hidden}, {count} parameters)"

    def parameters(self) -> dict[str, Array]:
        return {name: value for name, value in self.weights.items() if value.size > 0}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Bits (n, Q) int8, drawn one after the other; ``condition`` (n, K) has a row an event.

        Raises BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions("nade", self.condition, condition, n)
        features = self._features(condition, n)
        x = np.empty((n, self.space.width), dtype=np.int8)
        at_once = max(1, AT_ONCE // self.hidden)
        for start in range(0, n, at_once):
            piece = slice(start, start + at_once)
            self._draw(features[piece], x[piece], rng)
        return x

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Probabilities (C, 2^Q), log_prob (N,) or samples (N, Q), and the pullback.

        Raises OutputMismatch for another output or a batch without events, DataError for
        conditions that do not fit, ResourceRefused for a table that is too large.
        """
        if output not in self.outputs:
            raise OutputMismatch(f"nade offers {', '.join(sorted(self.outputs))}, not {output}")
        if output == "probabilities":
            return self._table(batch.condition)
        if batch.x is None:
            raise OutputMismatch(
                f"{output} is a value of each event, but the batch has no events; give it x"
            )
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        require_conditions("nade", self.condition, batch.condition, len(batch.x))
        features = self._features(batch.condition, len(batch.x))
        columns = np.split(batch.x, self.space.width, axis=1)
        logs, levels = self._chain(features, columns)
        return logs, lambda cotangent: self._gradient(features, levels, cotangent)

    def _table(self, condition: Array | None) -> tuple[Array, Pullback]:
        require_conditions("nade", self.condition, condition, None)
        rows = 1
        if condition is not None:
            rows = len(condition)
        self._require_table(rows)
        features = self._features(condition, rows)
        logs, levels = self._chain(features, [BOTH] * self.space.width)
        table = np.exp(logs).reshape(rows, -1)

        def pullback(cotangent: Array) -> dict[str, Array]:
            return self._gradient(features, levels, (cotangent * table).reshape(-1))

        return table, pullback

    def _require_table(self, rows: int) -> None:
        """Raise ResourceRefused for a table of probabilities that is too large."""
        bits = self.space.width
        mend = "train on log_prob, e.g. with the loss 'nll'"
        if bits > MAX_TABLE_BITS:
            raise ResourceRefused(
                f"{bits} bits are too many for a table of probabilities: at most "
                f"{MAX_TABLE_BITS}; {mend}"
            )
        # All levels together have two activations a cell; the backward pass has as many again.
        needed = 8 * 4 * self.hidden * rows * 2**bits
        require_memory(needed, f"a table of probabilities of {bits} bits", mend)

    def _features(self, condition: Array | None, rows: int) -> Floats:
        """Sines and cosines (rows, 2 K) of the conditions; no columns without conditions."""
        if condition is None:
            return np.empty((rows, 0))
        return np.concatenate([np.sin(condition), np.cos(condition)], axis=1)

    def _first_activation(self, features: Floats) -> Floats:
        """What the hidden units (R, H) get before the first bit."""
        # einsum instead of BLAS: the result does not depend on the number of threads
        activation: Floats = np.einsum("rf,fh->rh", features, self.weights["condition"])
        return activation + self.weights["hidden_bias"]

    def _units(self, wire: int, activation: Floats) -> tuple[Floats, Floats]:
        """The hidden units (R, H) before a bit, and the log odds (R,) that it is 1."""
        hidden = _sigmoid(activation)
        odds = np.einsum("rh,h->r", hidden, self.weights["output"][wire])
        return hidden, odds + self.weights["bias"][wire]

    def _chain(self, features: Floats, branches: Sequence[Array]) -> tuple[Floats, list[Level]]:
        """Log probabilities of all branches, from the first bit to the last.

        ``branches`` are the ``bits`` of each level. Branches of one prefix lie side by side, so
        those of a table are in the order of basis states.
        """
        activation = self._first_activation(features)
        logs = np.zeros(len(features))
        levels = []
        for wire, bits in enumerate(branches):
            hidden, odds = self._units(wire, activation)
            levels.append(Level(hidden, _sigmoid(odds), bits))
            logs = (logs[:, None] - np.logaddexp(0.0, (1 - 2 * bits) * odds[:, None])).reshape(-1)
            if wire < self.space.width - 1:
                further = bits[:, :, None] * self.weights["input"][wire]
                activation = (activation[:, None, :] + further).reshape(-1, self.hidden)
        return logs, levels

    def _gradient(
        self, features: Floats, levels: Sequence[Level], cotangent: Floats
    ) -> dict[str, Array]:
        """The pullback of :meth:`_chain`, from the last bit to the first."""
        found = {name: np.zeros_like(value) for name, value in self.weights.items()}
        d_logs = np.asarray(cotangent, dtype=np.float64)
        d_activation = np.zeros((len(d_logs), self.hidden))
        for wire in reversed(range(self.space.width)):
            level = levels[wire]
            rows = len(level.one)
            d_logs = d_logs.reshape(rows, -1)
            d_branches = d_activation.reshape(rows, -1, self.hidden)
            if wire < self.space.width - 1:
                bits = np.broadcast_to(level.bits, d_logs.shape)
                found["input"][wire] = np.einsum("rb,rbh->h", bits, d_branches)
            d_odds = (d_logs * (level.bits - level.one[:, None])).sum(axis=1)
            found["bias"][wire] = d_odds.sum()
            found["output"][wire] = np.einsum("r,rh->h", d_odds, level.hidden)
            slope = level.hidden * (1 - level.hidden)
            d_units = d_odds[:, None] * self.weights["output"][wire] * slope
            d_activation = d_branches.sum(axis=1) + d_units
            d_logs = d_logs.sum(axis=1)
        found["hidden_bias"] = d_activation.sum(axis=0)
        found["condition"] = np.einsum("rf,rh->fh", features, d_activation)
        return {name: found[name] for name in self.parameters()}

    def _draw(self, features: Floats, x: Array, rng: Rng) -> None:
        """Write one event for each row of features into x (R, Q)."""
        activation = self._first_activation(features)
        for wire in range(self.space.width):
            _, odds = self._units(wire, activation)
            x[:, wire] = rng.random(len(x)) < _sigmoid(odds)
            if wire < self.space.width - 1:
                activation += x[:, wire, None] * self.weights["input"][wire]


def _width(hidden: int | None, parameters: int | None, bits: int, inputs: int) -> int:
    """The number of hidden units."""
    if hidden is not None and parameters is not None:
        raise BadOption("nade takes either hidden or parameters, not both")
    for name, number in (("hidden", hidden), ("parameters", parameters)):
        if number is not None and number < 1:
            raise BadOption(f"{name} must be at least 1, not {number}")
    of_one_unit = 2 * bits + inputs
    if parameters is not None:
        # of two numbers that are equally near, the smaller
        hidden = max(1, ceil((parameters - bits) / of_one_unit - 0.5))
    elif hidden is None:
        hidden = HIDDEN
    count = hidden * of_one_unit + bits
    if parameters not in (None, count):
        log.info(
            "nade: %d parameters with %d hidden units, the number nearest to %d",
            count,
            hidden,
            parameters,
        )
    require_memory(8 * COPIES * count, f"nade with {hidden} hidden units", "take fewer")
    return hidden


def _initial_weights(
    hidden: int, bits: int, inputs: int, scale: float, seed: int | None
) -> dict[str, Array]:
    """Random weights and biases of zero, by name."""
    rng = generator(None) if seed is None else stream(seed, "init")
    of_inputs = scale / np.sqrt(bits + inputs)
    return {
        "input": rng.normal(0.0, of_inputs, (bits - 1, hidden)),
        "hidden_bias": np.zeros(hidden),
        "output": rng.normal(0.0, scale / np.sqrt(hidden), (bits, hidden)),
        "bias": np.zeros(bits),
        "condition": rng.normal(0.0, of_inputs, (inputs, hidden)),
    }


def _sigmoid(x: Floats) -> Floats:
    """``1 / (1 + exp(-x))`` without overflow."""
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result
