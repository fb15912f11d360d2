"""Every test of the backend kit fails for a broken backend, and says why."""

from __future__ import annotations

import kits_backends as broken
import pytest
from kits_mutants import Mutant, assert_killed, never_killing

from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import BackendKit

MUTANTS = [
    Mutant(
        broken.ReversedWires,
        "test_wire_order",
        r"basis state is 001, not 100.*reverse the order of the bits",
    ),
    Mutant(broken.ReversedDevice, "test_wire_order", r"basis state is 001, not 100"),
    Mutant(
        broken.SwappedControl,
        "test_every_gate",
        r"not those of qgen_core.circuits.gates.*crx on wires \(0, 1\)",
    ),
    Mutant(broken.DoubledRy, "test_every_gate", r"ry on wires \(0,\): probabilities differ by"),
    Mutant(
        broken.RefusesListed,
        "test_every_gate",
        r"ecr on wires .*refused though the capabilities list it",
    ),
    Mutant(
        broken.WrongY,
        "test_probabilities_and_expectations",
        r"Expectations of a random circuit of 1 wires differ",
    ),
    Mutant(
        broken.OneRowOnly,
        "test_probabilities_and_expectations",
        r"have the shape .*the batch axis leads",
    ),
    Mutant(
        lambda: StatevectorBackend(precision="single"),
        "test_probabilities_and_expectations",
        r"of a random circuit of \d wires differ by \S+e-\d+ \(allowed 1e-09\)",
    ),
    Mutant(
        broken.UnnormalisedState, "test_state", r"State\(\) overlaps with the reference by 1.001"
    ),
    Mutant(broken.ConjugatedState, "test_state", r"State\(\) overlaps with the reference by 0"),
    Mutant(broken.BatchIgnored, "test_batches", r"row 1 of a batch of 7: Probabilities differ"),
    Mutant(
        broken.ReadoutIgnored,
        "test_readout_confusion",
        r"Probabilities with a readout confusion differ",
    ),
    Mutant(
        broken.ReadoutTransposed,
        "test_readout_confusion",
        r"confusion\[wire, read, true\] acts on each wire",
    ),
    Mutant(broken.WritesAngles, "test_arguments_unchanged", r"run\(\) changed the array angles"),
    Mutant(broken.Leaky, "test_long_circuit", r"after 4,000 gates the probabilities sum to 0.999"),
    Mutant(broken.Drifting, "test_long_circuit", r"leave the start state with probability 0"),
    Mutant(
        broken.WrongSign,
        "test_gradients",
        r"d loss / d angle of .* is -?\d.*the exact derivative of",
    ),
    Mutant(
        broken.WrongSignDevice, "test_gradients", r"d loss / d angle of .*the exact derivative of"
    ),
    Mutant(broken.TwoTermsForAll, "test_gradients", r"d loss / d angle of cr[xyz] on wires"),
    Mutant(
        broken.BatchSummed, "test_gradients_of_batches", r"row \d of 7, is .*the exact derivative"
    ),
    Mutant(
        broken.GradientPastReadout,
        "test_gradients_through_readout",
        r"d loss / d angle of .*the exact derivative",
    ),
    Mutant(
        broken.ForwardOnce, "test_forward_agrees", r"the second call of a pullback of forward\(\)"
    ),
    Mutant(
        broken.WritesCotangent,
        "test_gradient_arguments_unchanged",
        r"the pullback of forward\(\) changed the array cotangent",
    ),
    Mutant(broken.SortedBits, "test_bits", r"come in an order"),
    Mutant(broken.WideBits, "test_bits", r"int8 0 and 1 .* not int64"),
    Mutant(
        broken.BackwardBits, "test_bits", r"do not follow the probabilities.*column w is wire w"
    ),
    Mutant(broken.ShotsIgnored, "test_frequencies", r"are no relative frequencies of 20000 shots"),
    Mutant(broken.ShotsOfAnother, "test_frequencies", r"have p = \S+ by chi-square"),
    Mutant(broken.ReadoutIgnored, "test_readout_of_shots", r"flip each read bit as confusion"),
    Mutant(
        broken.WordByWord,
        "test_expectations_from_shots",
        r"ZZ is not the product .* read from the same shots",
    ),
    Mutant(
        broken.WrongXShots,
        "test_expectations_from_shots",
        r"standard deviations of 20000 shots off",
    ),
    Mutant(
        broken.SeedIgnored, "test_seeds", r"another seed gives the same result; the seed is ignored"
    ),
    Mutant(broken.Unseeded, "test_seeds", r"the same rng gives another result"),
    Mutant(
        broken.StreamNotAdvanced, "test_seeds", r"a second call with the same rng repeats the first"
    ),
    Mutant(broken.SameShotsForAll, "test_seeds", r"two equal rows of a batch get the same shots"),
    Mutant(
        broken.SeedsGlobally,
        "test_global_random_state",
        r"touched the global random state of numpy",
    ),
    Mutant(
        broken.NoiseIgnored,
        "test_noise",
        r"depolarizing channel on wires .* differ by .* the density matrix",
    ),
    Mutant(
        broken.StateOfNoise,
        "test_noise",
        r"State\(\) of a circuit with a channel was accepted without an error",
    ),
    Mutant(
        broken.GradientWithoutNoise,
        "test_gradients_with_noise",
        r"gradient through a depolarizing channel is",
    ),
    Mutant(
        broken.Unchecked,
        "test_unsupported",
        r"the gate 'crx', .* was accepted without "
        r"an error",
    ),
    Mutant(broken.UnnamedRefusal, "test_unsupported", r"does not mention 'crx', it says"),
    Mutant(broken.RefusesByKeyError, "test_unsupported", r"must raise Unsupported .* not KeyError"),
    Mutant(
        broken.ChannelPasses,
        "test_unsupported",
        r"a channel on a backend without noise was accepted",
    ),
    Mutant(
        broken.WiderThanItSays,
        "test_unsupported",
        r"6 wires on a backend of 5 was accepted without an error",
    ),
    Mutant(
        broken.MakesUpShots,
        "test_missing_shots",
        r"Bits\(\) without shots was accepted without an error",
    ),
    Mutant(
        broken.MakesUpDeviceShots,
        "test_missing_shots",
        r"without shots on a backend without exact values was accepted",
    ),
    Mutant(
        broken.Dense,
        "test_misfits",
        r"a column of angles too many was accepted without "
        r"an error",
    ),
    Mutant(
        broken.Dense,
        "test_memory_is_refused",
        r"a state of 60 wires must raise QgenError .* not \w*(Memory|Value)",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_backends_are_found(mutant: Mutant) -> None:
    assert_killed(BackendKit, mutant)


def test_every_test_can_fail() -> None:
    assert never_killing(BackendKit, MUTANTS) == set()


class TestGood(BackendKit):
    """The backend that the mutants are made of is found correct, noise included."""

    def make(self) -> broken.Good:
        return broken.Good()


class TestDevice(BackendKit):
    """So is one without exact values and with few gates."""

    def make(self) -> broken.Device:
        return broken.Device()
