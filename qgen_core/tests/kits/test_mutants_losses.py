"""Every test of the loss kit fails for a broken loss, and says why."""

from __future__ import annotations

import kits_losses as broken
import pytest
from kits_mutants import Mutant, assert_killed, never_killing

from qgen_core.testing import LossKit

ZERO = {"minimum": 0.0}
FORM = "test_value_and_cotangent_form"
MUTANTS = [
    Mutant(
        broken.WritesOutput,
        FORM,
        r"the loss changed the array output that it was given; work on a copy",
    ),
    Mutant(broken.WritesTarget, FORM, r"the loss changed the array target"),
    Mutant(broken.PerRow, FORM, r"the value must be one finite number, not array"),
    Mutant(
        broken.CotangentOfOneRow,
        FORM,
        r"the cotangent must be finite and have the output's shape \(2, 8\), not \(8,\)",
    ),
    Mutant(broken.CotangentIsTarget, FORM, r"the cotangent shares the memory of target"),
    Mutant(
        broken.RunningMean,
        "test_calls_are_repeatable",
        r"has the value .*, then .*; calls must not draw or learn",
    ),
    Mutant(broken.LearnsInCalls, "test_calls_are_repeatable", r"calls must not draw or learn"),
    Mutant(broken.Subsampled, FORM, r"the loss touched the global random state of numpy"),
    Mutant(
        broken.WrongSign,
        "test_cotangent",
        r"along direction 0 gives a slope of .*, finite differences",
    ),
    Mutant(broken.HalfGradient, "test_cotangent", r"it is d value / d output, entry by entry"),
    Mutant(
        broken.NotLeastAtTarget,
        "test_minimum",
        r"at the target the value is 0.1, not the minimum 0",
        ZERO,
    ),
    Mutant(broken.BelowMinimum, "test_minimum", r"the value -0\.\d+ is below the minimum 0", ZERO),
    Mutant(
        broken.WeightsIgnored,
        "test_weights",
        r"the weights of events are ignored; use batch.weight",
    ),
    Mutant(
        broken.WeightsNotNormalised,
        "test_weights",
        r"three times the weights give another value; divide by their",
    ),
    Mutant(broken.CountsWeightless, "test_weights", r"an event of weight 0 counts"),
    Mutant(broken.ForgetsCritic, "test_state", r"after load\(\) into a fresh loss .* becomes"),
    Mutant(
        broken.ForgetsMomentum,
        "test_state",
        r"after load\(\) the next update\(\) gives another state",
    ),
    Mutant(
        broken.LoadsAnything,
        "test_state",
        r"a state with an array too many was accepted without an error",
    ),
    Mutant(broken.StateIsLive, "test_state", r"returns its own array 'w'; return a copy"),
    Mutant(
        broken.NeverLearns,
        "test_updates",
        r"update\(\) does not change the state, but updates is above 0",
    ),
    Mutant(
        broken.LearnsUnseeded,
        "test_updates",
        r"from the same state with the same rng gives another state",
    ),
    Mutant(broken.SaysItDoesNotLearn, "test_updates", r"changes the state, but updates is 0"),
    Mutant(broken.WritesSamples, "test_updates", r"update\(\) changed the array output"),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_losses_are_found(mutant: Mutant) -> None:
    assert_killed(LossKit, mutant)


def test_every_test_can_fail() -> None:
    assert never_killing(LossKit, MUTANTS) == set()


class TestCritic(LossKit):
    """The critic that the mutants are made of is found correct."""

    def make(self) -> broken.Critic:
        return broken.Critic()
