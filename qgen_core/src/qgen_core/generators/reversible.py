"""The generator ``reversible-circuit``: a circuit with latent variables, and its inversion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit, Gate, given
from qgen_core.circuits.measures import Probabilities, State
from qgen_core.errors import DataError, Unsupported
from qgen_core.events import Space, bits_to_index, index_to_bits
from qgen_core.generators.born import BornMachine, Initial, Measuring, require_bits, trained_circuit
from qgen_core.generators.conditions import require_conditions
from qgen_core.generators.draws import distinct, draw_outcomes
from qgen_core.generators.initial import Init
from qgen_core.generators.latents import Mode, latents_of
from qgen_core.interfaces import Ansatz, Backend
from qgen_core.losses.tables import TINY
from qgen_core.support.parameters import load_into
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Complex, Floats, Ints, Rng


class ReversibleCircuit(BornMachine):
    """A circuit U with latent variables z: ``p(x | c) = E_z |<x| U(theta, c) S(z) |0>|^2``.

    S(z) prepares latent variables on the first wires, which are drawn by ``latent``:

    - ``zero``: none; the model is ``qcbm``.
    - ``bernoulli``: bits that are 1 with the probabilities ``p_one``.
    - ``ancilla``: uniform bits, on fewer wires than the circuit has.
    - ``angles``: normal angles of mean 0, RY(z) on each wire.
    - ``uniform``: uniform bits on all wires. Refused, because then p(x) = 2^-Q whatever U is.

    The matrix ``|<x|U|z>|^2`` is doubly stochastic, so p(x) is majorised by p(z), and the entropy
    of x is at least ``latent_entropy``. Angles give the same p(x) as bits with
    ``p_one = (1 - exp(-variance / 2)) / 2``, by which it is computed; p(x | z) and the inverse are
    those of the angles.

    Outputs are those of ``qcbm``: ``probabilities`` (C, 2^Q), ``log_prob`` (N,), and ``samples``;
    ``floor_hits`` counts events of probabilities below 1e-12. All latents are summed over exactly,
    in 2^latent_wires circuits a condition. For the density of the features use an encoder with
    ``log_det``, such as ``binning``.

    Inversion: ``states(z)`` is the state ``U S(z) |0>``, and ``inverse(states)`` leads back,
    exactly; both need a backend with state vectors. Measured events do not determine z: what they
    say of it is ``posterior(x)``. ``to_data(z)`` and ``to_latent(x)`` draw x given z, and z given
    x.

    Args:
        ansatz: builds U; with conditions, from as many inputs as condition columns.
        backend: runs the circuit.
        space: bits, whose number is that of the wires.
        condition: space of the conditions, angles; None for a model without conditions.
        latent: where z comes from.
        latent_wires: the number of wires with a latent variable. None: 1 for ``ancilla``, all
            for ``bernoulli`` and ``angles``.
        p_one: of ``bernoulli``: the probability of a one of each latent wire, a number or a list.
            ``drawn``: uniform in (0, 1/2], from the seed. None: 0.1.
        variance: of ``angles``, in square radians. None: 1.
        shots: number of measurements of each circuit in training, one circuit for each basis state
            of the latent wires; None: exact probabilities.
        smoothing: of frequencies, as for ``qcbm``.
        init: initial parameters: ``uniform`` in [-scale, scale], ``normal`` with standard
            deviation ``scale``, or ``zeros``.
        scale: of ``init``, in radians.
        seed: of the initial parameters and drawn probabilities; None draws a new one.

    Raises BadOption for options that do not fit each other and for uniform latents on all wires,
    and the backend's errors for circuits that it cannot run.

    Source: Corchia and Franchini's talk on quantum invertible networks (the model, and inversion
    with the full state vector); the latents that can learn are ours (docs/reversible.md).

    >>> import qgen_core as qgen
    >>> model = qgen.generator(
    ...     "reversible-circuit",
    ...     ansatz="brick",
    ...     backend="statevector",
    ...     space=Space("bits", 3),
    ...     latent="ancilla",
    ...     latent_wires=2,
    ...     seed=1,
    ... )
    >>> z = model.latents(4, rng=np.random.default_rng(1))
    >>> back = model.inverse(model.states(z))
    >>> bits_found = index_to_bits(np.argmax(np.abs(back), axis=1), 3)
    >>> bool(np.all(bits_found[:, :2] == z)), float(np.abs(back).max(axis=1).min().round(12))
    (True, 1.0)
    """

    name = "reversible-circuit"

    def __init__(
        self,
        *,
        ansatz: Ansatz,
        backend: Backend,
        space: Space,
        condition: Space | None = None,
        latent: Mode = "bernoulli",
        latent_wires: int | None = None,
        p_one: float | list[float] | Literal["drawn"] | None = None,
        variance: float | None = None,
        shots: int | None = None,
        smoothing: float = 0.5,
        init: Init = "uniform",
        scale: float = pi,
        seed: int | None = None,
    ) -> None:
        require_bits(space)
        self._latents = latents_of(
            latent,
            space.width,
            latent_wires=latent_wires,
            p_one=p_one,
            variance=variance,
            seed=seed,
        )
        self._drawn_latents = p_one == "drawn"
        self._trained = trained_circuit(ansatz, space, condition)
        super().__init__(
            circuit=_behind(self._latents.preparation, self._trained),
            measuring=Measuring(backend, shots, smoothing),
            space=space,
            condition=condition,
            initial=Initial(init, scale, seed),
        )
        backend.require(self.circuit, Probabilities(), 2**self._latents.wires)

    @property
    def latent_entropy(self) -> float:
        """The entropy of the mixed state of the latents in nats, the least entropy that x has."""
        return self._latents.entropy

    # ---- latents and their inversion

    def latents(self, n: int, *, rng: Rng) -> Array:
        """n latent variables (n, m): bits int8, or angles in radians."""
        return self._latents.draw(n, rng)

    def states(self, z: Array, condition: Array | None = None) -> Complex:
        """The states ``U S(z) |0>`` (n, 2^Q) of latents (n, m), each with its condition (n, K).

        Raises Unsupported for a backend without state vectors, DataError for latents and conditions
        that do not fit.
        """
        inputs, row = self._given_latents(z, condition)
        return self._state_vectors(self.circuit, inputs)[row]

    def inverse(self, states: Complex, condition: Array | None = None) -> Complex:
        """``U^dagger`` applied to states (n, 2^Q), each with its condition (n, K).

        What comes back from :meth:`states` is ``S(z) |0>``, so for bits the basis state that begins
        with z. The whole matrix of U is computed, 4^Q numbers. Raises Unsupported for a backend
        without state vectors, DataError for states and conditions that do not fit, ResourceRefused
        for too little memory.
        """
        states = np.asarray(states, dtype=np.complex128)
        size = 2**self.space.width
        if states.ndim != 2 or states.shape[1] != size:
            raise DataError(f"states have the shape (n, {size}), not {states.shape}")
        require_conditions(self.name, self.condition, condition, len(states))
        conditions, row = distinct(condition, len(states))
        back = np.empty_like(states)
        for number in range(1 if conditions is None else len(conditions)):
            of_condition = None
            if conditions is not None:
                of_condition = conditions[number]
            mine = row == number
            back[mine] = states[mine] @ self.unitary(of_condition).conj()
        return back

    def unitary(self, condition: Array | None = None) -> Complex:
        """The matrix ``<x| U |z>`` (2^Q, 2^Q), for one condition (K,).

        Raises what :meth:`inverse` raises.

        >>> import qgen_core as qgen
        >>> space = Space("bits", 2)
        >>> options = {"ansatz": "brick", "backend": "statevector", "space": space, "seed": 1}
        >>> model = qgen.generator("reversible-circuit", **options)
        >>> stochastic = np.abs(model.unitary()) ** 2
        >>> stochastic.sum(axis=0).round(12).tolist(), stochastic.sum(axis=1).round(12).tolist()
        ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
        """
        wires = self.space.width
        size = 2**wires
        require_memory(
            2 * 16 * size**2,
            f"the matrix of a circuit on {wires} wires",
            "take fewer bits; probabilities and samples need no matrix",
        )
        all_wires = tuple(Gate("ry", (wire,), given(wire)) for wire in range(wires))
        angles = pi * index_to_bits(np.arange(size), wires).astype(np.float64)
        rows = None
        if condition is not None:
            rows = np.tile(condition, (size, 1))
        require_conditions(self.name, self.condition, rows, size)
        columns = self._state_vectors(_behind(all_wires, self._trained), _joined(angles, rows))
        return columns.T

    def conditional(self, z: Array, condition: Array | None = None) -> Floats:
        """The distributions p(x | z) (n, 2^Q) of latents (n, m), each with its condition (n, K).

        Raises Unsupported for a backend without exact values, DataError for latents and conditions
        that do not fit.
        """
        inputs, row = self._given_latents(z, condition)
        self._require_exact("p(x | z)")
        angles = self.circuit.bind(self.theta, inputs)
        tables: Floats = self.backend.run(self.circuit, angles, Probabilities())
        return tables[row]

    def posterior(self, x: Array, condition: Array | None = None) -> Floats:
        """The stochastic inverse: p(z | x) (n, 2^m) of events (n, Q), each with its condition.

        It is ``|<z, 0| U^dagger |x>|^2 p(z) / p(x)``; a column for each basis state of the latent
        wires, the first of which is the most significant bit. For angles there is no table: their
        density is ``conditional(z)`` at x, times that of z, divided by p(x). Raises Unsupported for
        angles and for a backend without exact values, DataError for events that have no
        probability, and for events and conditions that do not fit.
        """
        if self._latents.variance is not None:
            raise Unsupported(
                "the posterior of latent angles is no table; its density is conditional(z) at x, "
                "times the normal density of z, divided by exp(log_prob)"
            )
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.space.width:
            raise DataError(f"events are (n, {self.space.width}) bits, not {x.shape}")
        require_conditions(self.name, self.condition, condition, len(x))
        self._require_exact("p(z | x)")
        conditions, row = distinct(condition, len(x))
        angles = self.circuit.bind(self.theta, self._inputs(conditions))
        tables = self.backend.run(self.circuit, angles, Probabilities())
        of_latents = tables.reshape(-1, 2**self._latents.wires, tables.shape[-1])
        joint = of_latents[row, :, bits_to_index(x)] * self._latents.weights
        total = joint.sum(axis=1, keepdims=True)
        if not np.all(total > TINY):
            raise DataError(
                f"{int(np.sum(total <= TINY))} of {len(x)} events have the probability 0, so no "
                "latents lead to them"
            )
        return np.asarray(joint / total)

    def to_data(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Events (n, Q) drawn from p(x | z). Raises what :meth:`conditional` raises."""
        table = self.conditional(z, condition)
        return index_to_bits(_one_of_each(table, rng), self.space.width)

    def to_latent(self, x: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Latents (n, m) drawn from p(z | x). Raises what :meth:`posterior` raises."""
        table = self.posterior(x, condition)
        return index_to_bits(_one_of_each(table, rng), self._latents.wires)

    # ---- state

    def state(self) -> dict[str, Array]:
        return {name: value.copy() for name, value in self._saved.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._saved, state)

    @property
    def _saved(self) -> dict[str, Array]:
        """Parameters, and the probabilities of latents that were drawn from the seed."""
        if self._drawn_latents:
            return {"theta": self.theta, "p_one": self._latents.p_one}
        return {"theta": self.theta}

    # ---- the mean over latents

    def _inputs(self, conditions: Array | None) -> Array | None:
        angles = self._latents.basis_angles
        if conditions is None:
            return _joined(angles, None)
        of_each = np.tile(angles, (len(conditions), 1))
        return _joined(of_each, np.repeat(conditions, len(angles), axis=0))

    def _mixed(self, tables: Floats) -> Floats:
        weights = self._latents.weights
        if len(weights) == 1:
            return tables
        of_each = tables.reshape(-1, len(weights), tables.shape[-1])
        return np.asarray(np.einsum("l,clk->ck", weights, of_each))

    def _of_each(self, cotangent: Floats) -> Floats:
        weights = self._latents.weights
        if len(weights) == 1:
            return cotangent
        spread = cotangent[:, None, :] * weights[:, None]
        return np.ascontiguousarray(spread.reshape(-1, cotangent.shape[-1]))

    def _rows_at_once(self) -> int:
        return max(1, super()._rows_at_once() >> self._latents.wires)

    def _sampled(
        self, theta: Floats, condition: Array | None, n: int, backend: Backend, rng: Rng
    ) -> Array:
        if backend.capabilities.exact:
            return super()._sampled(theta, condition, n, backend, rng)
        z = self._latents.draw(n, rng)
        inputs, row = distinct(_joined(self._latents.angles(z), condition), n)
        outcomes = self._measured(theta, inputs, row, backend, rng)
        return index_to_bits(outcomes, self.space.width)

    # ---- shared

    def _given_latents(
        self, z: Array, condition: Array | None
    ) -> tuple[Array | None, NDArray[np.intp]]:
        """Distinct inputs of latents (n, m) and conditions (n, K), and the row (n,) of each."""
        z = np.asarray(z)
        if z.ndim != 2 or z.shape[1] != self._latents.wires or not np.all(np.isfinite(z)):
            raise DataError(
                f"latents are finite numbers (n, {self._latents.wires}), not {z.shape}; draw them "
                "with latents()"
            )
        if self._latents.variance is None and not np.all(np.isin(z, (0, 1))):
            raise DataError("latents of this model are bits, 0 or 1")
        require_conditions(self.name, self.condition, condition, len(z))
        return distinct(_joined(self._latents.angles(z), condition), len(z))

    def _state_vectors(self, circuit: Circuit, inputs: Array | None) -> Complex:
        """States (n, 2^Q) for rows of inputs."""
        self._require_exact("the inversion, which needs state vectors,")
        angles = circuit.bind(self.theta, inputs)
        return np.asarray(self.backend.run(circuit, angles, State()))

    def _require_exact(self, what: str) -> None:
        if not self.backend.capabilities.exact:
            raise Unsupported(
                f"{what} is computed by backends with exact values only; take 'statevector'"
            )


def _behind(preparation: Sequence[Gate], circuit: Circuit) -> Circuit:
    """The circuit behind gates that take inputs; its own inputs follow theirs."""
    rest = circuit.with_inputs_from(len(preparation)).instructions
    return Circuit(circuit.num_wires, (*preparation, *rest), circuit.labels)


def _joined(angles: Floats, conditions: Array | None) -> Array | None:
    """Inputs (n, m + K) from angles (n, m) and conditions (n, K); None where there are none."""
    if conditions is not None:
        return np.concatenate([angles, conditions], axis=1)
    if angles.shape[1] == 0:
        return None
    return angles


def _one_of_each(tables: Floats, rng: Rng) -> Ints:
    """One outcome (n,) from each of n distributions (n, outcomes)."""
    return draw_outcomes(tables, np.arange(len(tables)), rng)
