"""Restricted Boltzmann machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.conditions import least_changed
from qgen_core.generators.couplings import CoupledPairs
from qgen_core.generators.draws import distinct
from qgen_core.generators.spin_events import check_binary, fields_of, from_spins, to_spins
from qgen_core.interfaces import Couplings, Generator, Sampler
from qgen_core.ising import Ising
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.samplers.spin_products import SpinProduct
from qgen_core.support.parameters import load_into
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng

#: ``log_prob`` is offered where the smaller side has at most so many units.
MOST_ENUMERATED = 16
#: From this number of hidden spins of all events on, means are computed by compiled code; for
#: smaller machines numba is not loaded.
WORTH_COMPILING = 2**15 + 1
#: The compiled code takes so many hidden units.
MOST_COMPILED = 2**14


class RestrictedBoltzmannMachine(Generator):
    """exp(-E) of visible and hidden spins, ``E = h s + sum_ij J_ij v_i s_j``, summed over hidden s.

    Bits are spins (1 + v) / 2. Conditions are further visible units that are clamped in training
    and in sampling, so p(v | u) has the energy of all units, normalised for each condition u.

    Two outputs can be trained on:

    - ``objective`` of an event is its free energy less the mean free energy of the model's chains.
      Only its gradient has a meaning, that of -log p(v), as far as the chains follow the model.
      With ``pcd`` (persistent contrastive divergence) the chains go on from step to step, from
      random spins at first, and each is given a condition near to its last one; with ``cd`` they
      start at the events of each batch. The number of sweeps a step is that of the sampler.
    - ``log_prob``, exact, where the hidden units or the visible ones are at most 16.

    With ``centred``, couplings act on ``v - m``, where m are the means of the training events,
    conditions included: ``E = h (v, s) + sum_ij J_ij (v_i - m_i) s_j``. Any machine can be written
    in this way. So a step of a coupling does not shift the hidden units, and training does not
    depend on which of two values is called -1. Without events m is 0.

    J is a matrix of visible times hidden units. With ``couplings`` of fewer pairs, such as those
    of a chip, it has one number for each pair (E,), row by row of that matrix, and nothing else is
    trained. Conditions are the first units of the visible side.

    Args:
        space: of the events, bits or spins.
        sampler: draws the negative phase and the samples.
        condition: of the conditions, bits or spins; None: there are none.
        data: training events, whose frequencies give the first visible fields; None: fields of 0.
        hidden: the number of hidden units.
        couplings: which visible and hidden units are coupled; without it ``all`` are.
        method: where chains start.
        chains: the number of chains; for ``cd`` that of a batch is best.
        centred: whether couplings act on visible units less their means in ``data``.
        scale: the standard deviation of the first couplings.
        precision: of the matrix products of the objective; ``log_prob`` is in doubles.
        seed: of the first couplings and chains; None draws a new one.

    Raises BadOption for other spaces and numbers below 1.

    Source: Hinton, Neural Computation 14 (2002) 1771; Tieleman, ICML 2008; Montavon and Müller,
    Neural Networks: Tricks of the Trade (2012) 621, and Melchior, Fischer and Wiskott, JMLR 17
    (2016) 1 (centring).

    >>> from qgen_core.samplers.gibbs import GibbsSampler
    >>> model = RestrictedBoltzmannMachine(
    ...     space=Space("bits", 3), sampler=GibbsSampler(), hidden=2, seed=1
    ... )
    >>> model.sample(4, rng=np.random.default_rng(1)).shape
    (4, 3)
    >>> sorted(model.outputs), {name: p.shape for name, p in model.parameters().items()}
    (['log_prob', 'objective', 'samples'], {'h': (5,), 'J': (3, 2)})
    """

    surrogates = frozenset({"objective"})

    def __init__(
        self,
        *,
        space: Space,
        sampler: Sampler,
        condition: Space | None = None,
        data: Events | None = None,
        hidden: int = 64,
        couplings: Couplings | None = None,
        method: Literal["pcd", "cd"] = "pcd",
        chains: int = 256,
        centred: bool = True,
        scale: float = 0.01,
        precision: Literal["single", "double"] = "double",
        seed: int | None = None,
    ) -> None:
        check_binary(space, "events")
        clamped = 0
        if condition is not None:
            check_binary(condition, "conditions")
            clamped = condition.width
        if hidden < 1 or chains < 1:
            raise BadOption(f"hidden and chains are at least 1, not {hidden} and {chains}")
        if not scale >= 0:
            raise BadOption(f"scale is at least 0, not {scale:g}")
        self.space = space
        self.sampler: Sampler = sampler
        self.condition = condition
        self.hidden = hidden
        self.method = method
        self._dtype = np.dtype(np.float32 if precision == "single" else np.float64)
        self.outputs = frozenset({"objective", "samples"})
        if min(space.width, hidden) <= MOST_ENUMERATED:
            self.outputs |= {"log_prob"}
        rng = generator(None) if seed is None else stream(seed, "init")
        self.h = np.zeros(space.width + hidden)
        self._clamped = clamped
        self.offsets = np.zeros(clamped + space.width)
        if data is not None:
            spins = self._visible_side(Batch(data.x, data.condition))
            self.h[: space.width] = fields_of(spins[:, clamped:])
            if centred:
                self.offsets[:] = spins.mean(axis=0)
        self._pairs = CoupledPairs.of(couplings, clamped + space.width, hidden)
        self.J = self._pairs.values(rng.normal(0.0, scale, (clamped + space.width, hidden)))
        units = clamped + space.width + hidden
        self.chains = 2 * rng.integers(2, size=(chains, units), dtype=np.int8) - 1
        self._graph = self._pairs.graph()
        self._free_pairs = self._pairs.after(clamped)
        self._graph_of_free = self._free_pairs.graph()

    def parameters(self) -> dict[str, Array]:
        return {"h": self.h, "J": self.J}

    def state(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self._stored().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._stored(), state)

    def _stored(self) -> dict[str, Array]:
        return {**self.parameters(), "offsets": self.offsets, "chains": self.chains}

    @property
    def _matrix(self) -> Floats:
        """The couplings (K + V, H); 0 for pairs that are not coupled."""
        return self._pairs.matrix(self.J)

    @property
    def _own_fields(self) -> Floats:
        """The fields (V + H) of an energy whose couplings act on v itself."""
        fields = self.h.copy()
        fields[self.space.width :] -= self.offsets @ self._matrix
        return fields

    def energy(self, condition: Array | None = None) -> Ising:
        """The energy of all units: those of the condition, visible and hidden ones.

        ``condition`` (n, K) has a row for each of n conditions, whose units are clamped. Raises
        DataError for a missing or needless condition.
        """
        given = self._condition_spins(condition)
        h = np.concatenate([np.zeros(self._clamped), self._own_fields])
        fixed = None
        if given is not None:
            fixed = np.zeros((len(given), len(h)), dtype=np.int8)
            fixed[:, : self._clamped] = given
        return Ising(h, self.J.ravel(), self._graph, fixed=fixed)

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Move the chains. Raises DataError for ``cd`` or conditions without events."""
        count = len(self.chains)
        start = self.chains
        condition = batch.condition
        if self.method == "cd":
            turns = np.arange(count) % _number_of(batch)
            visible = self._visible_side(batch)[turns]
            hidden = self._hidden_given(visible, rng)
            start = np.concatenate([visible, hidden], axis=1)
            if condition is not None:
                condition = condition[turns]
        elif condition is not None:
            condition = least_changed(start[:, : self._clamped], condition)
        self.chains = self._drawn(count, condition, start, rng)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events; Markov chains start at random ones of the model's chains.

        Raises BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        if n == 0:
            return np.empty((0, self.space.width), dtype=np.int8)
        start = self.chains[rng.integers(len(self.chains), size=n)]
        spins = self._drawn(n, condition, start, rng)
        visible = spins[:, self._clamped : self._clamped + self.space.width]
        return from_spins(visible, self.space)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Objectives or log probabilities (N,), or samples, and the pullback to h and J.

        Raises OutputMismatch for another output, DataError for events or conditions that do not
        fit.
        """
        if output not in self.outputs:
            raise OutputMismatch(f"rbm offers {', '.join(sorted(self.outputs))}, not {output}")
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        data = self._visible_side(batch)
        if output == "log_prob":
            return self._log_prob(data)
        count = len(data)
        chains = len(self.chains)
        both = np.concatenate([data, self.chains[:, : data.shape[1]]])
        floats = both.astype(self._dtype)
        free, hidden = self._free(both, floats)
        value = free[:count] - free[count:].mean()

        def pullback(cotangent: Array) -> dict[str, Array]:
            of_chains = np.full(chains, -cotangent.sum() / chains)
            weights = np.concatenate([cotangent, of_chains])
            h, couplings = self._slopes(both, floats, hidden, weights)
            return self._gradients(h, couplings)

        return value, pullback

    def free_energy(self, visible: Array) -> Floats:
        """-log of the sum over hidden spins of exp(-E), (N,), of spins (N, K + V).

        Their first K columns are conditions.
        """
        return self._free(visible, visible.astype(np.float64))[0]

    def log_pseudo_likelihood(self, x: Array, condition: Array | None = None) -> Floats:
        """``sum_i log p(v_i | all other v)`` of each event (N,).

        Source: Besag, The Statistician 24 (1975) 179.
        """
        data = self._visible_side(Batch(x, condition))
        fields = self._fields(data)
        total = np.zeros(len(data))
        couplings = self._matrix
        free = np.logaddexp(fields, -fields).sum(axis=1)
        for unit in range(self.space.width):
            spin = data[:, self._clamped + unit]
            flipped = fields - 2 * np.outer(spin, couplings[self._clamped + unit])
            free_if_flipped = np.logaddexp(flipped, -flipped).sum(axis=1)
            # -log of 1 + exp(-(what the free energy grows by when the unit is flipped))
            growth = -2 * spin * self.h[unit] + free - free_if_flipped
            total -= np.logaddexp(0.0, -growth)
        return total

    def _log_prob(self, data: NDArray[np.int8]) -> tuple[Floats, Pullback]:
        """log p of spins and conditions (N, K + V), by enumeration for each distinct condition."""
        conditions, row = distinct(data[:, : self._clamped], len(data))
        assert conditions is not None
        of_conditions = self._matrix[: self._clamped]
        of_free = self._free_pairs.values(self._matrix[self._clamped :]).ravel()
        exact = []
        for given in conditions:
            fields = self._own_fields
            fields[self.space.width :] += given @ of_conditions
            exact.append(Enumeration(Ising(fields, of_free, self._graph_of_free)))
        log_z = np.array([one.log_z for one in exact])
        floats = data.astype(np.float64)
        free, hidden_means = self._free(data, floats)

        def pullback(cotangent: Array) -> dict[str, Array]:
            h, couplings = self._slopes(data, floats, hidden_means, -cotangent)
            for number, one in enumerate(exact):
                weight = cotangent[row == number].sum()
                means, products = one.moments()
                hidden = means[self.space.width :]
                h += weight * means
                couplings[: self._clamped] += weight * np.outer(conditions[number], hidden)
                couplings[self._clamped :] += weight * self._free_pairs.matrix(products)
            return self._gradients(h, couplings)

        return -free - log_z[row], pullback

    def _fields(self, visible: Array) -> Floats:
        """What acts on the hidden spins (N, H)."""
        fields: Floats = visible @ self._matrix + self._own_fields[self.space.width :]
        return fields

    def _free(self, spins: NDArray[np.int8], floats: Array) -> tuple[Floats, Array]:
        """Free energies (N,), and mean hidden spins (N, H), of the visible side (N, K + V).

        It is given as spins and as floats, which have the type of all matrices.
        """
        dtype = floats.dtype
        width = self.space.width
        fields = SpinProduct(self._matrix, dtype)(spins)
        h = self._own_fields.astype(dtype)
        log_sums = _means_and_log_sums(fields, h[width:])
        own = floats[:, self._clamped :] @ h[:width]
        free: Floats = own - log_sums
        return free, fields

    def _slopes(
        self, spins: NDArray[np.int8], floats: Array, hidden: Array, weights: Floats
    ) -> tuple[Array, Array]:
        """The derivatives of ``weights`` (N,) times the free energies: by h, and by all pairs."""
        of_type = weights.astype(hidden.dtype)
        h = np.concatenate([of_type @ floats[:, self._clamped :], of_type @ hidden])
        couplings = SpinProduct(of_type[:, None] * hidden, hidden.dtype)(spins.T)
        return h, couplings

    def _gradients(self, fields: Array, couplings: Array) -> dict[str, Array]:
        """The derivatives by h and J, from those by the energy's own fields and by all pairs."""
        of_offsets = np.outer(self.offsets, fields[self.space.width :])
        return {"h": fields, "J": self._pairs.values(couplings - of_offsets)}

    def _drawn(self, n: int, condition: Array | None, start: Array, rng: Rng) -> NDArray[np.int8]:
        """n states of all units (n, K + V + H), one for each row of the condition."""
        energy = self.energy(condition)
        if energy.rows is None:
            return self.sampler.draw(energy, n, rng=rng, initial=start)[0]
        if energy.rows != n:
            raise DataError(f"{energy.rows} conditions were given for {n} events")
        return self.sampler.draw(energy, 1, rng=rng, initial=start[:, None])[0][:, 0]

    def _hidden_given(self, visible: Array, rng: Rng) -> NDArray[np.int8]:
        up = 1 / (1 + np.exp(2 * self._fields(visible)))
        return np.where(rng.random(up.shape) < up, 1, -1).astype(np.int8)

    def _visible_side(self, batch: Batch) -> NDArray[np.int8]:
        """Conditions and events of a batch as spins (N, K + V)."""
        events = to_spins(batch.x, self.space, "events")
        given = self._condition_spins(batch.condition)
        if given is None:
            return events
        if len(given) != len(events):
            raise DataError(f"{len(given)} conditions were given for {len(events)} events")
        return np.concatenate([given, events], axis=1)

    def _condition_spins(self, condition: Array | None) -> NDArray[np.int8] | None:
        if self.condition is not None:
            return to_spins(condition, self.condition, "conditions")
        if condition is not None:
            raise DataError("this Boltzmann machine takes no condition; one was given")
        return None


def _number_of(batch: Batch) -> int:
    """The number of events of a batch that has some."""
    assert batch.x is not None
    return len(batch.x)


def _means_and_log_sums(fields: Array, h: Array) -> Floats:
    """Turn the fields (N, H) from others into means; returns sums of log(2 cosh f), (N,)."""
    rows, width = fields.shape
    log_sums = np.empty(rows)
    if fields.size >= WORTH_COMPILING and width <= MOST_COMPILED:
        from qgen_core.generators.rbm_kernels import LANES, hidden_means

        hidden_means(fields, h, log_sums, np.empty((2, LANES)))
        return log_sums
    fields += h
    np.logaddexp(fields, -fields).sum(axis=1, dtype=np.float64, out=log_sums)
    np.negative(np.tanh(fields, out=fields), out=fields)
    return log_sums
