"""Every test of the trainer kit fails for a broken trainer, and says why."""

from __future__ import annotations

import kits_trainers as broken
import pytest
from kits_mutants import Mutant, assert_killed, never_killing

from qgen_core.testing import TrainerKit

REDUCES = "test_reduces_a_quadratic_problem"
MUTANTS = [
    Mutant(
        broken.Uphill,
        REDUCES,
        r"60 steps leave .* of the initial excess .*the trainer does not minimise",
    ),
    Mutant(
        broken.NewArrays,
        REDUCES,
        r"fit\(\) replaced the model's array '\w+'; write into parameters\(\) in place",
    ),
    Mutant(broken.DrawsGlobally, REDUCES, r"fit\(\) touched the global random state of numpy"),
    Mutant(
        broken.TwiceTheSteps,
        "test_steps_are_respected",
        r"a training of 1 steps has 2 in its history",
    ),
    Mutant(
        broken.StopsInSilence,
        "test_steps_are_respected",
        r"ended after 4 of 7 steps without a reason",
    ),
    Mutant(
        broken.Unseeded,
        "test_same_seed_same_path",
        r"two trainings with the same seed differ",
    ),
    Mutant(
        broken.KeepsVelocity,
        "test_same_seed_same_path",
        r"a trainer that is used again gives another result",
    ),
    Mutant(
        broken.ForgetsVelocity,
        "test_resumes_bit_identically",
        r"killed after 1 of 15 steps .* gives another result",
    ),
    Mutant(
        broken.StreamOfItsOwn,
        "test_resumes_bit_identically",
        r"the losses differ from step 2; state\(\) must return all",
    ),
    Mutant(
        broken.StateOfText,
        "test_state",
        r"state\(\) of the trainer holds 'kind', which is not a numpy array",
    ),
    Mutant(broken.LoadsNothing, "test_state", r"after load\(\) the state differs in first, second"),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_trainers_are_found(mutant: Mutant) -> None:
    assert_killed(TrainerKit, mutant)


def test_every_test_can_fail() -> None:
    assert never_killing(TrainerKit, MUTANTS) == set()


class TestMomentum(TrainerKit):
    """The trainer that the mutants are made of is found correct."""

    def make(self, steps: int) -> broken.Momentum:
        return broken.Momentum(steps)
