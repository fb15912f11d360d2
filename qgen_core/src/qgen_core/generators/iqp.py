"""The generator ``iqp``: diagonal circuits, trained on correlators without a simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption, OutputMismatch, Unsupported
from qgen_core.events import Batch, Events, Space, Words
from qgen_core.generators.born import Measuring, require_bits
from qgen_core.generators.conditions import condition_width, require_conditions
from qgen_core.generators.iqp_bodies import DiagonalAngles, Edges, Lattice, chosen_bodies
from qgen_core.generators.iqp_circuit import MeasuredDiagonal, diagonal_circuit
from qgen_core.generators.iqp_start import moments, started_couplings, started_fields
from qgen_core.generators.iqp_window import DiagonalWindow
from qgen_core.generators.iqp_words import (
    AnglesPullback,
    exact_expectations,
    sampled_expectations,
)
from qgen_core.interfaces import Backend, Generator
from qgen_core.support.parameters import load_into
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng

#: A state vector of more wires fits into no machine.
MOST_WIRES_OF_STATE = 40
#: Words of more wires are always estimated: the exact form needs 2^wires terms.
MOST_EXACT = 12


class InstantaneousQuantumPolynomial(Generator):
    """``p(bits | c) = |<bits| H exp(i sum_g theta_g Z_g) H |0>|^2``, H on all wires.

    The sets g are all single wires, pairs of wires, and further sets of a list. A condition c
    changes the angles of single wires: b + V c. Expectations of products of Z are computed without
    a state, so that a model of hundreds of wires is trained on a laptop; its events are measured on
    a device, or simulated where the wires allow.

    Outputs with gradients: ``correlators`` (R, W) of the words of a batch, one row where all are
    exact, else a row for each of ``samples`` sign vectors; with conditions a row for each event,
    which draws its own sign vector. ``probabilities`` (C, 2^Q), where the backend can run the
    circuit. Without gradients: ``samples`` (N, Q) int8, where it can.

    Args:
        backend: runs the circuit for probabilities and samples. Correlators need none.
        space: bits, whose number is that of the wires.
        condition: space of the conditions, numbers of any kind; None for a model without them.
        data: training events, for ``start = "data"``.
        edges: pairs of wires with an angle: all, or a list.
        lattice: instead, the neighbours in grids of these sides, e.g. ``[[3, 96], [12, 12]]``;
            wires are numbered in row-major order, those of one grid after those of another.
        bodies: further sets of three or more wires with an angle. With them no word is exact.
        start: ``data``: angles from the means and covariances of the training events; means are
            met exactly, and covariances of two wires alone. ``random``: all angles normal.
        scale: standard deviation of random angles in radians.
        frozen_couplings: whether all angles but those of single wires keep their start values, as a
            control.
        exact_wires: words of at most so many wires are exact, 12 at most; 0: none is.
        samples: number of sign vectors for words that are not exact, without conditions.
        shots: measurements of each circuit in training on ``probabilities``; None: exact ones.
        seed: of the start values; None draws a new one.

    Raises BadOption for options out of range and for pairs and sets that are none of the wires.

    Source: Recio-Armengol, Ahmed and Bowles, arXiv:2503.02934 (the model, its training, and the
    mean over signs); exact words, start values and conditions are ours (docs/iqp.md).

    >>> import qgen_core as qgen
    >>> model = qgen.generator(
    ...     "iqp", backend="statevector", space=Space("bits", 300), start="random", seed=1
    ... )
    >>> batch = Batch(words=Words.of([[0], [0, 1], [7, 80, 299]]))
    >>> values, pullback = model.forward("correlators", batch, rng=np.random.default_rng(1))
    >>> values.shape, sorted(pullback(np.ones((1, 3)))), sorted(model.outputs)
    ((1, 3), ['couplings', 'fields'], ['correlators'])
    """

    usual: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "binning", "bits": 4},
        "condition_encoder": "standard",
        "loss": {"name": "mmd", "reads": "correlators"},
        "trainer": {"name": "adam", "learning_rate": 0.005, "steps": 500, "batch_size": 500},
    }

    def __init__(
        self,
        *,
        backend: Backend,
        space: Space,
        condition: Space | None = None,
        data: Events | None = None,
        edges: Edges = "all",
        lattice: Lattice | None = None,
        bodies: tuple[tuple[int, ...], ...] = (),
        start: Literal["data", "random"] = "data",
        scale: float = 0.01,
        frozen_couplings: bool = False,
        exact_wires: int = MOST_EXACT,
        samples: int = 500,
        shots: int | None = None,
        seed: int | None = None,
    ) -> None:
        require_bits(space)
        if not 0 <= exact_wires <= MOST_EXACT or samples < 2 or not scale >= 0:
            raise BadOption(
                f"exact_wires is from 0 to {MOST_EXACT}, samples at least 2 and scale at least 0, "
                f"not {exact_wires}, {samples} and {scale:g}"
            )
        if start == "data" and data is None:
            raise BadOption("start = 'data' needs training events; give them, or take 'random'")
        self.backend = backend
        self.space = space
        self.condition = condition
        self.bodies = chosen_bodies(space.width, edges, lattice, bodies)
        self.frozen_couplings = frozen_couplings
        self.exact_wires = exact_wires
        self.samples = samples
        self.shots = shots
        self.outputs = self._offered()
        self._theta = np.zeros(space.width + len(self.bodies.edges) + len(self.bodies.higher))
        parts = np.split(self._theta, [space.width, space.width + len(self.bodies.edges)])
        #: Angles in radians of single wires (n,), of pairs (E,) and of further sets (G,).
        self.fields, self.couplings, self.higher = parts
        #: How the angles of single wires depend on the columns of the condition (n, K).
        self.slopes = np.zeros((space.width, condition_width(condition)))
        rng = generator(None) if seed is None else stream(seed, "init")
        self._theta[:] = rng.normal(0.0, scale, len(self._theta))
        if start == "data" and data is not None:
            found = moments(data)
            self.couplings[:] = started_couplings(found, self.bodies.edges, scale, rng)
            self.fields[:] = started_fields(found.means, self.couplings, self.bodies.edges)

    # ---- parameters

    def parameters(self) -> dict[str, Array]:
        names = {"fields", "slopes"}
        if not self.frozen_couplings:
            names |= {"couplings", "higher"}
        return {name: value for name, value in self._saved.items() if name in names}

    def state(self) -> dict[str, Array]:
        return {name: value.copy() for name, value in self._saved.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._saved, state)

    @property
    def _saved(self) -> dict[str, Array]:
        """All angles, whether they are trained or not; none that the model lacks."""
        every = {
            "fields": self.fields,
            "couplings": self.couplings,
            "higher": self.higher,
            "slopes": self.slopes,
        }
        return {name: value for name, value in every.items() if value.size}

    # ---- outputs

    def needs_random_numbers(self, output: str) -> bool:
        return output != "probabilities" or self.shots is not None

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events, measured by the backend or drawn from exact probabilities.

        Raises Unsupported where the backend has too few wires, and what the backend raises.
        """
        require_conditions("iqp", self.condition, condition, n)
        return self._measured.sample(n, self._shifts(condition), rng=rng)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Correlators (R, W), probabilities (C, 2^Q) or samples (N, width), and the pullback.

        Raises OutputMismatch for another output, and for a batch without words or events.
        """
        if output == "correlators":
            return self._correlators(batch, rng)
        if output not in self.outputs:
            raise OutputMismatch(
                f"iqp of {self.space.width} wires on this backend offers "
                f"{', '.join(sorted(self.outputs))}, not {output}"
            )
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        require_conditions("iqp", self.condition, batch.condition, None)
        shifted = Batch(condition=self._shifts(batch.condition), target=batch.target)
        table, pull_table = self._measured.forward(output, shifted, rng=rng)

        def pullback(cotangent: Array) -> dict[str, Array]:
            found = pull_table(cotangent)
            cuts = [len(self.fields), len(self.fields) + len(self.couplings)]
            of_wires, of_pairs, of_bodies = np.split(found["theta"], cuts)
            by_slope = self.slopes
            if batch.condition is not None:
                by_slope = found["shifts"].T @ batch.condition
            return self._trained(of_wires, of_pairs, of_bodies, by_slope)

        return table, pullback

    @cached_property
    def circuit(self) -> Circuit:
        """The circuit whose outcomes are the events; with conditions, an input shifts each wire."""
        return diagonal_circuit(self.bodies, shifted=self.condition is not None)

    def window(
        self, wires: Sequence[int], *, backend: Backend | None = None, draws: int | None = None
    ) -> DiagonalWindow:
        """The exact marginal of the present angles on some wires, to draw events from.

        ``backend`` runs its circuits, by default that of the model; ``draws`` is explained at
        :class:`~qgen_core.generators.iqp_window.DiagonalWindow`. Raises BadOption for wires that
        the model does not have, Unsupported for a model with further bodies that are partly in the
        window, and what the backend raises.
        """
        chosen = np.array(wires, dtype=np.int64)
        bodies, edges = self.bodies.within(chosen)
        rest = np.setdiff1d(np.arange(self.space.width), chosen)
        theta = np.concatenate([self.fields[chosen], self.couplings[edges]])
        measuring = self._measuring(backend or self.backend)
        measured = MeasuredDiagonal(bodies, theta, measuring, shifted=True)
        outside = self.bodies.matrix(self.couplings)[np.ix_(rest, chosen)]
        return DiagonalWindow(measured, outside, self.slopes[chosen], self.condition, draws)

    # ---- shared

    def _offered(self) -> frozenset[str]:
        """The outputs that the backend allows for so many wires."""
        can = self.backend.capabilities
        most = can.max_wires
        if most is None and can.exact:
            most = MOST_WIRES_OF_STATE
        if most is not None and self.space.width > most:
            return frozenset({"correlators"})
        if not can.exact and self.shots is None:
            return frozenset({"correlators", "samples"})
        return frozenset({"correlators", "samples", "probabilities"})

    @cached_property
    def _measured(self) -> MeasuredDiagonal:
        """The model as a circuit that the backend runs."""
        if "samples" not in self.outputs:
            raise Unsupported(
                f"no events can be drawn from iqp of {self.space.width} wires on this backend: "
                "take one with more wires, or a window of the wires; correlators and the metrics "
                "of them need no events"
            )
        return MeasuredDiagonal(
            self.bodies,
            self._theta,
            self._measuring(self.backend),
            shifted=self.condition is not None,
        )

    def _measuring(self, backend: Backend) -> Measuring:
        shots = self.shots
        if shots is None and not backend.capabilities.exact:
            shots = 1  # only events are drawn, one shot each
        return Measuring(backend, shots, 0.0)

    def _shifts(self, condition: Array | None) -> Floats | None:
        """What conditions (N, K) add to the angles of single wires (N, n)."""
        if condition is None:
            return None
        return np.asarray(condition @ self.slopes.T)

    def _correlators(self, batch: Batch, rng: Rng) -> tuple[Array, Pullback]:
        words = batch.words
        if words is None:
            raise OutputMismatch("correlators are expectations of words; the batch has none")
        if len(words.wires) and words.wires.max() >= self.space.width:
            raise OutputMismatch(
                f"a word is of wire {words.wires.max()}; the model has {self.space.width}"
            )
        require_conditions("iqp", self.condition, batch.condition, None)
        fields = self.fields[:, None]
        if batch.condition is not None:
            fields = fields + self.slopes @ batch.condition.T
        angles = DiagonalAngles(fields, self.couplings, self.higher)
        values, pull_values = self._of_all_words(words, angles, rng)

        def pullback(cotangent: Array) -> dict[str, Array]:
            found = pull_values(np.asarray(cotangent, dtype=np.float64))
            by_slope = self.slopes
            if batch.condition is not None:
                by_slope = found.fields @ batch.condition
            by_field = found.fields.sum(axis=1)
            return self._trained(by_field, found.couplings, found.higher, by_slope)

        return values, pullback

    def _of_all_words(
        self, words: Words, angles: DiagonalAngles, rng: Rng
    ) -> tuple[Floats, AnglesPullback]:
        """Rows of estimates (R, W): the words that are exact have equal ones."""
        is_exact = words.sizes <= self.exact_wires
        if len(self.bodies.higher):
            is_exact[:] = False
        if is_exact.all():
            return exact_expectations(words, self.bodies, angles)
        rows = angles.fields.shape[1]
        if self.condition is None:
            rows = self.samples
        signs = _random_signs(rows, self.space.width, rng)
        drawn, pull_drawn = sampled_expectations(words.take(~is_exact), self.bodies, angles, signs)
        exact, pull_exact = exact_expectations(words.take(is_exact), self.bodies, angles)
        values = np.empty((rows, len(words)))
        values[:, is_exact] = exact
        values[:, ~is_exact] = drawn

        def pullback(cotangent: Floats) -> DiagonalAngles:
            of_exact = cotangent[:, is_exact]
            if len(exact) == 1:
                of_exact = of_exact.sum(axis=0, keepdims=True)
            first = pull_exact(of_exact)
            second = pull_drawn(cotangent[:, ~is_exact])
            return DiagonalAngles(*(one + other for one, other in zip(first, second, strict=True)))

        return values, pullback

    def _trained(
        self, by_field: Floats, by_coupling: Floats, by_higher: Floats, by_slope: Floats
    ) -> dict[str, Array]:
        """The gradients of the parameters that are trained."""
        every = {
            "fields": by_field,
            "couplings": by_coupling,
            "higher": by_higher,
            "slopes": by_slope,
        }
        return {name: every[name] for name in self.parameters()}


def _random_signs(rows: int, width: int, rng: Rng) -> NDArray[np.int8]:
    """Signs -1 and +1 (rows, width)."""
    signs: NDArray[np.int8] = 2 * rng.integers(2, size=(rows, width), dtype=np.int8) - 1
    return signs
