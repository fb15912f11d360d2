"""The conformance kit of samplers."""

from __future__ import annotations

from abc import abstractmethod
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
    """Holds a sampler to Boltzmann's distribution: inherit it, say how to make one.

    class TestMine(SamplerKit):
        correlated = 5.0  # a Markov chain: five draws say as much as one

        def make(self):
            return MySampler(sweeps=100)
    """

    #: Spins of the energies, 6 to 8: few enough to write all states out.
    spins: int = 6
    #: Draws for each test of a distribution.
    draws: int = 20_000
    #: So many draws say as much as an independent one (the autocorrelation time of a chain).
    correlated: float = 1.0
    #: Total variation by which an approximate sampler may be off besides; 0: exact, by chi-square.
    bias: float = 0.0

    @abstractmethod
    def make(self) -> Sampler:
        """The sampler to try, a fresh one with the same options at each call."""

    def ising(self, **changes: Any) -> Ising:
        """A frustrated energy with fields, couplings of both signs and an offset."""
        rng = np.random.default_rng(91)
        pairs = [
            (i, j)
            for i in range(self.spins)
            for j in range(i + 1, self.spins)
            if rng.random() < 0.6
        ]
        fields = {
            "h": rng.normal(0.0, 0.5, self.spins),
            "J": rng.normal(0.0, 0.6, len(pairs)),
            "offset": 0.7,
        }
        return Ising(**{**fields, "edges": np.array(pairs), **changes})

    def test_boltzmann(self) -> None:
        """Samples follow exp(-beta E) at the sampler's own beta."""
        sampler, ising = self.make(), self.ising()
        spins = self._sample(sampler, ising, self.draws)
        self._check_distribution(
            spins, _boltzmann(ising, sampler.beta), f"exp(-beta E) at beta = {sampler.beta:g}"
        )

    def test_form(self) -> None:
        """1, 7 and 1000 draws are int8 -1 and +1 of the shape (n, S).

        Nothing global or given is touched.
        """
        sampler, ising = self.make(), self.ising()
        for n in (1, 7, 1000):
            with unchanged("sample()", h=ising.h, J=ising.J), globals_untouched("sample()"):
                spins = self._sample(sampler, ising, n)
            self._check_form(spins, (n, self.spins))

    def test_rows_of_h(self) -> None:
        """With a row of h per condition, samples are (B, n, S), each row from its distribution."""
        sampler = self.make()
        h = np.random.default_rng(92).normal(0.0, 0.7, (3, self.spins))
        ising = self.ising(h=h)
        spins = self._sample(sampler, ising, self.draws)
        self._check_form(spins, (3, self.draws, self.spins))
        for row in range(3):
            truth = _boltzmann(self.ising(h=h[row]), sampler.beta)
            self._check_distribution(spins[row], truth, f"the distribution of row {row} of h")

    def test_fixed_spins(self) -> None:
        """Clamped spins stay, the others follow the conditional distribution."""
        sampler = self.make()
        fixed = np.zeros(self.spins, dtype=np.int8)
        fixed[[1, self.spins - 1]] = 1, -1
        ising = self.ising(fixed=fixed)
        spins = self._sample(sampler, ising, self.draws)
        moved = np.flatnonzero(fixed * np.any(spins != fixed, axis=0))
        check(
            moved.size == 0,
            f"the spins {moved.tolist()} are fixed and move; Ising.fixed clamps them",
        )
        self._check_distribution(
            spins, _boltzmann(ising, sampler.beta), "the conditional distribution of free spins"
        )

    def test_info(self) -> None:
        """The info names its source, and its energies are those of the samples."""
        sampler = self.make()
        h = np.random.default_rng(92).normal(0.0, 0.7, (2, self.spins))
        for ising in (self.ising(), self.ising(h=h)):
            spins, info = sampler.sample(ising, 50, rng=np.random.default_rng(1))
            source = info.get("source")
            check(
                isinstance(source, str) and bool(source),
                f"info['source'] says who drew the samples, not {source!r}",
            )
            check("energies" in info, "info has no 'energies'")
            energies, expected = np.asarray(info["energies"]), ising.energy(spins)
            check(
                energies.shape == expected.shape
                and np.allclose(energies, expected, rtol=1e-6, atol=1e-6),
                f"info['energies'] are not ising.energy(spins) {expected.shape}, offset included",
            )

    def test_seeds(self) -> None:
        """The same rng gives the same spins, another one others."""
        ising = self.ising()
        first, again, other = (self._sample(self.make(), ising, 200, seed) for seed in (1, 1, 2))
        check(
            np.array_equal(first, again),
            "sample() gives other spins for the same rng; draw from the rng given",
        )
        check(
            not np.array_equal(first, other),
            "sample() gives the same spins for another rng; the rng is ignored",
        )

    def test_initial(self) -> None:
        """Spins to start from are taken or ignored, and not changed."""
        sampler, ising = self.make(), self.ising()
        initial = np.where(
            np.random.default_rng(3).random((self.draws, self.spins)) < 0.5, -1, 1
        ).astype(np.int8)
        with unchanged("sample()", initial=initial):
            spins = sampler.sample(
                ising, self.draws, rng=np.random.default_rng(1), initial=initial
            )[0]
        self._check_form(spins, initial.shape)
        self._check_distribution(
            spins, _boltzmann(ising, sampler.beta), "exp(-beta E) from initial spins"
        )

    def test_transverse_field(self) -> None:
        """With a transverse field the diagonal of exp(-beta H) / Z.

        Or the energy is refused with Unsupported.
        """
        sampler, ising = self.make(), self.ising(transverse=0.8)
        try:
            spins = self._sample(sampler, ising, self.draws)
        except Unsupported as error:
            not_applicable(f"the sampler takes no transverse field: {error}")
        self._check_distribution(
            spins,
            _quantum(ising, sampler.beta),
            "the diagonal of exp(-beta H) of a transverse field",
        )

    def test_state(self) -> None:
        """A fresh sampler takes the state and goes on in the same way."""
        sampler, ising = self.make(), self.ising()
        self._sample(sampler, ising, 20)
        state = sampler.state()
        check_storable("the sampler", state)
        fresh = self.make()
        fresh.load(state)
        following = (self._sample(one, ising, 50, 4) for one in (sampler, fresh))
        check(
            equal(following),
            "after load() into a fresh sampler the next samples differ; state() forgets",
        )

    def _sample(self, sampler: Sampler, ising: Ising, n: int, seed: int = 1) -> NDArray[np.int8]:
        return sampler.sample(ising, n, rng=np.random.default_rng(seed))[0]

    def _check_form(self, spins: Any, form: tuple[int, ...]) -> None:
        check(
            isinstance(spins, np.ndarray) and spins.shape == form,
            f"samples have the shape {np.shape(spins)}, not {form}: (n, S), with rows of h (B, n, "
            "S)",
        )
        check(
            spins.dtype == np.int8 and bool(np.all(np.abs(spins) == 1)),
            f"spins are int8 -1 and +1, not {spins.dtype} such as {np.unique(spins)[:5]}",
        )

    def _check_distribution(self, spins: NDArray[np.int8], truth: Floats, what: str) -> None:
        counts = statistics.distribution(bits_to_index(spins > 0), len(truth))
        if self.bias == 0:
            p = statistics.chi_square(counts, truth, correlated=self.correlated)
            found = f"p = {p:.2g} by chi-square"
            good = p > statistics.LEAST_P
        else:
            off = 0.5 * float(np.sum(np.abs(counts / counts.sum() - truth)))
            floor = statistics.total_variation_floor(truth, counts.sum() / self.correlated)
            found = f"total variation {off:.3g}, the floor of the draws is {floor:.3g}"
            good = off <= self.bias + 2 * floor
        check(
            good,
            f"{int(counts.sum())} samples do not follow {what}: {found}; the energy is that of "
            "Ising.energy",
        )


def _states(count: int) -> NDArray[np.int8]:
    """All spins (2^S, S), in the order of their basis-state numbers (bit 1 is spin +1)."""
    return (2 * index_to_bits(np.arange(2**count), count) - 1).astype(np.int8)


def _boltzmann(ising: Ising, beta: float) -> Floats:
    """exp(-beta E) / Z of all states, those against ``fixed`` left out."""
    states = _states(ising.num_spins)
    weight = np.exp(-beta * (ising.energy(states) - ising.energy(states).min()))
    if ising.fixed is not None:
        weight *= np.all((ising.fixed == 0) | (states == ising.fixed), axis=1)
    return np.asarray(weight / weight.sum())


def _quantum(ising: Ising, beta: float) -> Floats:
    """The diagonal of exp(-beta H) / Z for H = E(s^z) - transverse sum_i s^x_i."""
    count = ising.num_spins
    hamiltonian = np.diag(ising.energy(_states(count)))
    for spin in range(count):
        hamiltonian -= ising.transverse * np.real(embedded(PAULI["X"], (spin,), count))
    energies, vectors = np.linalg.eigh(hamiltonian)
    weight = np.abs(vectors) ** 2 @ np.exp(-beta * (energies - energies.min()))
    return np.asarray(weight / weight.sum())
