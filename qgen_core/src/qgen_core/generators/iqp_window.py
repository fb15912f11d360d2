"""Events of some wires of a diagonal circuit, from circuits of these wires alone."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Space
from qgen_core.generators.conditions import require_conditions
from qgen_core.generators.iqp_circuit import MeasuredDiagonal
from qgen_core.interfaces import Generator
from qgen_core.typing import Array, Floats, Rng


class DiagonalWindow(Generator):
    """The exact marginal of a diagonal circuit on a window of its wires, to draw events from.

    The wires k outside act on the window as random signs: the angle of a wire i in it becomes
    ``b_i + sum_k T_ik s_k``, with s_k = -1 or +1 drawn anew. Leaving the outer wires out without
    this is another model. :meth:`~qgen_core.generators.iqp.InstantaneousQuantumPolynomial.window`
    makes one.

    Args:
        measured: the circuit of the window, whose conditions are added to the angles of its wires.
        outside: the angles T of pairs of an outer wire and one of the window (K, Q).
        slopes: how the angles of the window depend on the condition (Q, columns).
        condition: space of the conditions; None for a model without them.
        draws: how many sign vectors a call of ``sample`` draws, whose events then take them in
            turn; None: one an event. Each event follows the marginal either way; events with equal
            signs are not independent, but need one circuit together.
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        measured: MeasuredDiagonal,
        outside: Floats,
        slopes: Floats,
        condition: Space | None,
        draws: int | None,
    ) -> None:
        if draws is not None and draws < 1:
            raise BadOption(f"draws is a number of at least 1, not {draws}")
        self._measured = measured
        self._outside = outside
        self._slopes = slopes
        self._draws = draws
        self.backend = measured.backend
        self.circuit = measured.circuit
        self.space = measured.space
        self.condition = condition

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events (n, Q) int8 of the window's wires, in the order in which they were given.

        Raises DataError for conditions that do not fit, and what the backend raises.
        """
        require_conditions("a window of iqp", self.condition, condition, n)
        vectors = n
        if self._draws is not None:
            vectors = min(self._draws, n)
        signs = 2.0 * rng.integers(2, size=(vectors, len(self._outside))) - 1.0
        shifts = (signs @ self._outside)[np.arange(n) % max(vectors, 1)]
        if condition is not None:
            shifts = shifts + condition @ self._slopes.T
        return self._measured.sample(n, shifts, rng=rng)
