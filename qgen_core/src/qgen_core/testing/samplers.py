"""The conformance kit of samplers."""

from __future__ import annotations

from abc import abstractmethod
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.gates import PAULI, embedded
from qgen_core.errors import Unsupported
from qgen_core.events import bits_to_index, index_to_bits
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.testing import statistics
from qgen_core.testing.kit import (
    Kit,
    check,
    check_storable,
    equal,
    globals_untouched,
    not_applicable,
    unchanged,
)
from qgen_core.typing import Floats


class SamplerKit(Kit):
    """Checks a sampler against the Boltzmann distribution; inherit it and define ``make``.

    class TestMine(SamplerKit):
        correlated = 5.0  # a Markov chain with an autocorrelation time of five draws

        def make(self):
            return MySampler(sweeps=100)

    >>> import numpy as np
    >>> class FairCoins(Sampler):
    ...     def sample(self, ising, n, *, rng, initial=None):
    ...         spins = 2 * rng.integers(2, size=(n, ising.num_spins), dtype=np.int8) - 1
    ...         return spins, {"source": "fair coins", "energies": ising.energy(spins)}
    >>> class TestFairCoins(SamplerKit):
    ...     def make(self):
    ...         return FairCoins()
    >>> TestFairCoins().test_form()
    >>> TestFairCoins().test_boltzmann()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: 20000 samples do not follow exp(-beta E) at beta = 1: ...
    """

    #: Number of spins, 6 to 8, so that a table of all states fits.
    spins: int = 6
    #: Number of draws for each test of a distribution.
    draws: int = 20_000
    #: This number of draws counts as one independent draw (the autocorrelation time of a chain).
    correlated: float = 1.0
    #: Total variation allowed beyond fluctuations; 0: none, tested by chi-square.
    bias: float = 0.0

    @abstractmethod
    def make(self) -> Sampler:
        """The sampler to test, a new one with the same options at each call."""

    def ising(self, **changes: Any) -> Ising:
        """A frustrated energy with fields, couplings of both signs and an offset.

        ``changes`` are further or other arguments of :class:`Ising`.
        """
        rng = np.random.default_rng(91)
        pairs = [pair for pair in combinations(range(self.spins), 2) if rng.random() < 0.6]
        arguments: dict[str, Any] = {
            "h": rng.normal(0.0, 0.5, self.spins),
            "J": rng.normal(0.0, 0.6, len(pairs)),
            "graph": np.array(pairs),
            "offset": 0.7,
        }
        return Ising(**{**arguments, **changes})

    def test_boltzmann(self) -> None:
        """Samples follow exp(-beta E) at the sampler's own beta."""
        sampler = self.make()
        ising = self.ising()
        spins = self._sample(sampler, ising, self.draws)
        expected = _boltzmann(ising, sampler.beta)
        self._check_distribution(spins, expected, f"exp(-beta E) at beta = {sampler.beta:g}")

    def test_form(self) -> None:
        """1, 7 and 1000 draws are int8 -1 and +1 of the shape (n, S); inputs do not change."""
        sampler = self.make()
        ising = self.ising()
        for n in (1, 7, 1000):
            with unchanged("sample()", h=ising.h, J=ising.J), globals_untouched("sample()"):
                spins = self._sample(sampler, ising, n)
            self._check_form(spins, (n, self.spins))

    def test_rows_of_h(self) -> None:
        """With B rows of h, samples are (B, n, S), each row from its own distribution."""
        sampler = self.make()
        h = np.random.default_rng(92).normal(0.0, 0.7, (3, self.spins))
        ising = self.ising(h=h)
        spins = self._sample(sampler, ising, self.draws)
        self._check_form(spins, (3, self.draws, self.spins))
        for row in range(3):
            expected = _boltzmann(self.ising(h=h[row]), sampler.beta)
            self._check_distribution(spins[row], expected, f"the distribution of row {row} of h")

    def test_fixed_spins(self) -> None:
        """Fixed spins keep their value, the others follow the conditional distribution."""
        sampler = self.make()
        fixed = np.zeros(self.spins, dtype=np.int8)
        fixed[1] = 1
        fixed[-1] = -1
        ising = self.ising(fixed=fixed)
        spins = self._sample(sampler, ising, self.draws)
        changed = np.flatnonzero(fixed * np.any(spins != fixed, axis=0))
        check(
            changed.size == 0,
            f"the spins {changed.tolist()} are fixed by Ising.fixed, but other values were drawn",
        )
        expected = _boltzmann(ising, sampler.beta)
        self._check_distribution(spins, expected, "the conditional distribution of free spins")

    def test_rows_of_fixed_spins(self) -> None:
        """With a row of clamped spins per condition, each row follows its own condition."""
        sampler = self.make()
        fixed = np.zeros((2, self.spins), dtype=np.int8)
        fixed[0, 1] = 1
        fixed[1, 0] = -1
        ising = self.ising(fixed=fixed)
        spins = self._sample(sampler, ising, self.draws)
        self._check_form(spins, (2, self.draws, self.spins))
        for row in range(2):
            conditional = _boltzmann(self.ising(fixed=fixed[row]), sampler.beta)
            self._check_distribution(
                spins[row], conditional, f"the distribution of row {row} of fixed"
            )

    def test_info(self) -> None:
        """The info names its source; energies, if it has them, are those of the samples."""
        sampler = self.make()
        h = np.random.default_rng(92).normal(0.0, 0.7, (2, self.spins))
        for ising in (self.ising(), self.ising(h=h)):
            spins, info = sampler.sample(ising, 50, rng=np.random.default_rng(1))
            source = info.get("source")
            check(
                isinstance(source, str) and bool(source),
                f"info['source'] must be the name of what drew the samples, not {source!r}",
            )
            if "energies" not in info:
                continue
            energies = np.asarray(info["energies"])
            expected = ising.energy(spins)
            same_shape = energies.shape == expected.shape
            check(
                same_shape and np.allclose(energies, expected, rtol=1e-6, atol=1e-6),
                f"info['energies'] are not ising.energy(spins) {expected.shape}, offset included",
            )

    def test_seeds(self) -> None:
        """The same rng gives the same spins, another rng different ones."""
        ising = self.ising()
        first = self._sample(self.make(), ising, 200, seed=1)
        again = self._sample(self.make(), ising, 200, seed=1)
        other = self._sample(self.make(), ising, 200, seed=2)
        check(
            np.array_equal(first, again),
            "sample() gives other spins for the same rng; draw from the rng given",
        )
        check(
            not np.array_equal(first, other),
            "sample() gives the same spins for another rng; the rng is ignored",
        )

    def test_initial(self) -> None:
        """Initial spins are used or ignored, and not changed."""
        sampler = self.make()
        ising = self.ising()
        is_down = np.random.default_rng(3).random((self.draws, self.spins)) < 0.5
        initial = np.where(is_down, -1, 1).astype(np.int8)
        rng = np.random.default_rng(1)
        with unchanged("sample()", initial=initial):
            spins, _ = sampler.sample(ising, self.draws, rng=rng, initial=initial)
        self._check_form(spins, initial.shape)
        expected = _boltzmann(ising, sampler.beta)
        self._check_distribution(spins, expected, "exp(-beta E) from initial spins")

    def test_transverse_field(self) -> None:
        """With a transverse field samples follow the diagonal of exp(-beta H) / Z.

        A sampler that cannot do this must raise Unsupported.
        """
        sampler = self.make()
        ising = self.ising(transverse=0.8)
        try:
            spins = self._sample(sampler, ising, self.draws)
        except Unsupported as error:
            not_applicable(f"the sampler takes no transverse field: {error}")
        expected = _quantum_boltzmann(ising, sampler.beta)
        what = "the diagonal of exp(-beta H) of a transverse field"
        self._check_distribution(spins, expected, what)

    def test_state(self) -> None:
        """A new sampler that loads the state draws the same samples."""
        sampler = self.make()
        ising = self.ising()
        self._sample(sampler, ising, 20)
        state = sampler.state()
        check_storable("the sampler", state)
        fresh = self.make()
        fresh.load(state)
        following = self._sample(sampler, ising, 50, seed=4)
        following_of_fresh = self._sample(fresh, ising, 50, seed=4)
        check(
            equal([following, following_of_fresh]),
            "after load() into a fresh sampler the next samples differ; state() forgets",
        )

    def _sample(self, sampler: Sampler, ising: Ising, n: int, seed: int = 1) -> NDArray[np.int8]:
        return sampler.sample(ising, n, rng=np.random.default_rng(seed))[0]

    def _check_form(self, spins: Any, shape: tuple[int, ...]) -> None:
        check(
            isinstance(spins, np.ndarray) and spins.shape == shape,
            f"samples have the shape {np.shape(spins)}, not {shape}: (n, S), or (B, n, S) for B "
            "rows of h",
        )
        check(
            spins.dtype == np.int8 and bool(np.all(np.abs(spins) == 1)),
            f"spins must be int8 -1 and +1, not {spins.dtype} such as {np.unique(spins)[:5]}",
        )

    def _check_distribution(self, spins: NDArray[np.int8], expected: Floats, what: str) -> None:
        counts = statistics.distribution(bits_to_index(spins > 0), len(expected))
        if self.bias == 0:
            p = statistics.chi_square(counts, expected, correlated=self.correlated)
            found = f"p = {p:.2g} by chi-square"
            good = p > statistics.LEAST_P
        else:
            variation = 0.5 * float(np.sum(np.abs(counts / counts.sum() - expected)))
            floor = statistics.total_variation_floor(expected, counts.sum() / self.correlated)
            found = f"total variation {variation:.3g}, of which {floor:.3g} is expected by chance"
            good = variation <= self.bias + 2 * floor
        check(
            good,
            f"{int(counts.sum())} samples do not follow {what}: {found}; the energy is that of "
            "Ising.energy",
        )


def _states(count: int) -> NDArray[np.int8]:
    """All spins (2^S, S), in the order of their basis-state numbers (bit 1 is spin +1)."""
    return (2 * index_to_bits(np.arange(2**count), count) - 1).astype(np.int8)


def _boltzmann(ising: Ising, beta: float) -> Floats:
    """exp(-beta E) / Z (2^S,) of all states; 0 for those that contradict ``fixed``."""
    states = _states(ising.num_spins)
    weight = np.exp(-beta * (ising.energy(states) - ising.energy(states).min()))
    if ising.fixed is not None:
        weight *= np.all((ising.fixed == 0) | (states == ising.fixed), axis=1)
    return np.asarray(weight / weight.sum())


def _quantum_boltzmann(ising: Ising, beta: float) -> Floats:
    """The diagonal (2^S,) of exp(-beta H) / Z for H = E(s^z) - transverse sum_i s^x_i."""
    count = ising.num_spins
    hamiltonian = np.diag(ising.energy(_states(count)))
    for spin in range(count):
        hamiltonian -= ising.transverse * np.real(embedded(PAULI["X"], (spin,), count))
    energies, vectors = np.linalg.eigh(hamiltonian)
    weight = np.abs(vectors) ** 2 @ np.exp(-beta * (energies - energies.min()))
    return np.asarray(weight / weight.sum())
