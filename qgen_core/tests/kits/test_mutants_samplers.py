"""Every test of the sampler kit fails for a broken sampler, and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kits_mutants import Mutant, assert_killed, never_killing
from kits_samplers import ExactSampler, QuantumSampler

from qgen_core.ising import Ising
from qgen_core.testing import SamplerKit

Array = np.ndarray[Any, Any]


class OtherBeta(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        return ExactSampler(0.9 * self.beta).spins(ising, n, rng)


class WrongSign(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        return -super().spins(ising, n, rng)


class Floats(ExactSampler):
    def sample(self, ising: Ising, n: int, **given: Any) -> Any:
        spins, info = super().sample(ising, n, **given)
        return spins.astype(np.float64), info


class OneTooMany(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        return super().spins(ising, n + 1, rng)


class FirstRowForAll(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        if ising.h.ndim == 2:
            ising = replace(ising, h=np.tile(ising.h[:1], (len(ising.h), 1)))
        return super().spins(ising, n, rng)


class FirstConditionForAll(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        if ising.fixed is not None and ising.fixed.ndim == 2:
            ising = replace(ising, fixed=np.tile(ising.fixed[:1], (len(ising.fixed), 1)))
        return super().spins(ising, n, rng)


class FixedIgnored(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        return super().spins(replace(ising, fixed=None), n, rng)


class FixedAfterwards(ExactSampler):
    """Draws all spins, then writes the fixed ones over them."""

    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        spins = super().spins(replace(ising, fixed=None), n, rng)
        fixed = ising.fixed
        if fixed is None:
            return spins
        if fixed.ndim == 2:
            spins = np.broadcast_to(spins, (len(fixed), *spins.shape[-2:]))
            fixed = fixed[:, None, :]
        return np.where(fixed != 0, fixed, spins)


class NoSource(ExactSampler):
    def sample(self, ising: Ising, n: int, **given: Any) -> Any:
        spins, info = super().sample(ising, n, **given)
        return spins, {"energies": info["energies"]}


class NoOffset(ExactSampler):
    def sample(self, ising: Ising, n: int, **given: Any) -> Any:
        spins, info = super().sample(ising, n, **given)
        return spins, {**info, "energies": info["energies"] - ising.offset}


class Unseeded(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        return super().spins(ising, n, np.random.default_rng())


class SeedIgnored(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        return super().spins(ising, n, np.random.default_rng(0))


class SeedsGlobally(ExactSampler):
    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        np.random.seed(0)
        return super().spins(ising, n, rng)


class StaysWhereItIs(ExactSampler):
    def sample(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        spins, info = super().sample(ising, n, rng=rng)
        return (spins if initial is None else initial.copy()), info


class WritesInitial(ExactSampler):
    def sample(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        spins, info = super().sample(ising, n, rng=rng)
        if initial is not None:
            initial[...] = spins
        return spins, info


class TransverseIgnored(ExactSampler):
    def sample(self, ising: Ising, n: int, **given: Any) -> Any:
        return super().sample(replace(ising, transverse=0.0), n, **given)


class HalfField(QuantumSampler):
    def sample(self, ising: Ising, n: int, **given: Any) -> Any:
        return super().sample(replace(ising, transverse=ising.transverse / 2), n, **given)


class Counts(ExactSampler):
    """Every call goes another way, and the number of calls is not saved."""

    calls = 0

    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> Array:
        self.calls += 1
        return super().spins(ising, n + self.calls, rng)[self.calls :]


MUTANTS = [
    Mutant(
        OtherBeta, "test_boltzmann", r"20000 samples do not follow exp\(-beta E\) at beta = 1: p = "
    ),
    Mutant(WrongSign, "test_boltzmann", r"do not follow exp\(-beta E\)"),
    Mutant(
        OtherBeta,
        "test_boltzmann",
        r"total variation .*, of which .* is expected by chance",
        {"bias": 0.003},
    ),
    Mutant(Floats, "test_form", r"spins must be int8 -1 and \+1, not float64"),
    Mutant(OneTooMany, "test_form", r"samples have the shape \(2, 6\), not \(1, 6\)"),
    Mutant(SeedsGlobally, "test_form", r"sample\(\) touched the global random state of numpy"),
    Mutant(FirstRowForAll, "test_rows_of_h", r"do not follow the distribution of row 1 of h"),
    Mutant(
        FixedIgnored,
        "test_fixed_spins",
        r"the spins \[1, 5\] are fixed by Ising.fixed, but other values were drawn",
    ),
    Mutant(
        FixedAfterwards,
        "test_fixed_spins",
        r"do not follow the conditional distribution of free spins",
    ),
    Mutant(
        FirstConditionForAll,
        "test_rows_of_fixed_spins",
        r"do not follow the distribution of row 1 of fixed",
    ),
    Mutant(
        NoSource,
        "test_info",
        r"info\['source'\] must be the name of what drew the samples, not None",
    ),
    Mutant(
        NoOffset,
        "test_info",
        r"info\['energies'\] are not ising.energy\(spins\) \(50,\), offset included",
    ),
    Mutant(Unseeded, "test_seeds", r"sample\(\) gives other spins for the same rng"),
    Mutant(SeedIgnored, "test_seeds", r"same spins for another rng; the rng is ignored"),
    Mutant(StaysWhereItIs, "test_initial", r"do not follow exp\(-beta E\) from initial spins"),
    Mutant(WritesInitial, "test_initial", r"sample\(\) changed the array initial"),
    Mutant(
        TransverseIgnored, "test_transverse_field", r"do not follow the diagonal of exp\(-beta H\)"
    ),
    Mutant(HalfField, "test_transverse_field", r"do not follow the diagonal of exp\(-beta H\)"),
    Mutant(
        Counts, "test_state", r"into a fresh sampler the next samples differ; state\(\) forgets"
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_samplers_are_found(mutant: Mutant) -> None:
    assert_killed(SamplerKit, mutant)


def test_every_test_can_fail() -> None:
    assert never_killing(SamplerKit, MUTANTS) == set()
