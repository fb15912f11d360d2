"""Every test of the generator kit fails for a broken model, and says why."""

from __future__ import annotations

import kits_generators as broken
import pytest
from kits_mutants import Mutant, assert_killed, never_killing

from qgen_core.interfaces import Generator
from qgen_core.testing import GeneratorKit

MUTANTS = [
    Mutant(
        broken.FloatBits, "test_sample_form", r"sample\(1\): bits are int8 0 and 1, not float64"
    ),
    Mutant(
        broken.OneForAll,
        "test_sample_form",
        r"sample\(1\) must be an array \(1, 3\) of 3 bits, not ndarray \(3,\)",
    ),
    Mutant(
        broken.DrawsGlobally,
        "test_sample_form",
        r"touched the global random state of numpy; draw from the rng",
    ),
    Mutant(
        broken.DrawsInSecret,
        "test_outputs",
        r"needs_random_numbers\('samples'\) is False, but forward\(\) draws some",
    ),
    Mutant(
        broken.SeedIgnored,
        "test_samples_are_reproducible",
        r"same events for another rng; the rng is ignored",
    ),
    Mutant(broken.Unseeded, "test_samples_are_reproducible", r"other events for the same rng"),
    Mutant(
        broken.GoesWithout,
        "test_conditions",
        r"of a conditional model without conditions was accepted",
    ),
    Mutant(
        broken.SortsConditions, "test_conditions", r"probabilities of conditions in reversed order"
    ),
    Mutant(
        broken.NotNormalised, "test_probabilities", r"probabilities of a condition sum to 1.001"
    ),
    Mutant(
        broken.BackwardSamples,
        "test_probabilities",
        r"do not follow probabilities: p = .* most significant",
    ),
    Mutant(
        broken.ConditionOfNeighbour,
        "test_probabilities",
        r"samples of condition 0 do not follow probabilities",
    ),
    Mutant(broken.NoDensity, "test_log_prob", r"exp\(log_prob\) of all 8 events sums to 1\.1"),
    Mutant(
        broken.OtherDensity, "test_log_prob", r"exp\(log_prob\) differs from the probabilities by"
    ),
    Mutant(
        broken.WiderSamples,
        "test_score_of_samples",
        r"d log_prob / d 'log_width'\[.\] over 20000 samples is 0\.2.*, not 0",
    ),
    Mutant(broken.BiasedBits, "test_score_of_samples", r"samples do not follow log_prob"),
    Mutant(
        broken.WiderSamples,
        "test_density_of_samples",
        r"q / exp\(log_prob\) over 20000 samples is 0\.[89].*, not (1|0\.9)",
    ),
    Mutant(
        broken.DensityTooHigh,
        "test_density_of_samples",
        r"q / exp\(log_prob\) over 20000 samples is 0\.8.*may lack a constant",
    ),
    Mutant(broken.OnlyPlace, "test_density_of_samples", r"the samples have another width"),
    Mutant(broken.WiderLogNormal, "test_density_of_samples", r"column 0 is from .* another width"),
    Mutant(broken.WiderPeaks, "test_density_of_samples", r"column 0 is from -?\d+.* another width"),
    Mutant(
        broken.OutputsAsList,
        "test_outputs",
        r"outputs must be a frozenset of some of probabilities, .* not \['samples'",
    ),
    Mutant(
        broken.SumOfLogs,
        "test_outputs",
        r"forward\('log_prob'\) must give finite values of the shape \(12,\), not",
    ),
    Mutant(
        broken.AnyOutput,
        "test_outputs",
        r"forward\('objective'\) was accepted without "
        r"an error",
    ),
    Mutant(
        broken.ScalesEvents, "test_outputs", r"forward\(\) changed the array x that it was given"
    ),
    Mutant(
        broken.WrongSign,
        "test_gradients",
        r"gradient of log_prob by 'theta' along .* finite differences",
    ),
    Mutant(
        broken.MissingKey,
        "test_gradients",
        r"has the keys \['theta'\], the parameters have \['slopes', 'theta'\]",
    ),
    Mutant(
        broken.GradientPerEvent,
        "test_gradients",
        r"by 'theta' must be finite and of the shape \(3,\), not \(12, 3\)",
    ),
    Mutant(
        broken.NoGradientOfDensity,
        "test_gradients",
        r"log_prob has no gradient, which only samples may lack",
    ),
    Mutant(broken.WrongSampleGradient, "test_gradients", r"gradient of samples by 'width' along"),
    Mutant(
        broken.LeavesParameters,
        "test_outputs_at",
        r"changes the model's parameters; restore them at the end",
    ),
    Mutant(
        broken.AtThePresentPlace,
        "test_outputs_at",
        r"outputs_at\('log_prob'\) is not what forward\(\) gives",
    ),
    Mutant(
        broken.FirstForAll,
        "test_outputs_at",
        r"row 1 of outputs_at\('log_prob'\) is not what forward",
    ),
    Mutant(
        broken.ParametersCopied,
        "test_parameters_are_live",
        r"own array, not a copy",
    ),
    Mutant(
        broken.Deaf,
        "test_parameters_are_live",
        r"the model does not use the arrays that parameters\(\) returns",
    ),
    Mutant(
        broken.MovesItsChains,
        "test_outputs_are_pure",
        r"forward\('log_prob'\) changes the state chains; change it in prepare\(\)",
    ),
    Mutant(
        broken.CountsCalls,
        "test_outputs_are_pure",
        r"gives other values at equal parameters and rng",
    ),
    Mutant(
        broken.ForgetsSlopes, "test_state", r"into a fresh model parameter 'slopes' is another one"
    ),
    Mutant(
        broken.ForgetsBuffer, "test_state", r"into a fresh model samples differ for the same rng"
    ),
    Mutant(broken.StateIsLive, "test_state", r"returns its own array 'theta'; return a copy"),
    Mutant(
        broken.LoadsAnything,
        "test_wrong_state_is_refused",
        r"load\(\) of a state with an array too many was acc",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_models_are_found(mutant: Mutant) -> None:
    assert_killed(GeneratorKit, mutant)


def test_every_test_can_fail() -> None:
    assert never_killing(GeneratorKit, MUTANTS) == set()


class TestGood(GeneratorKit):
    """The models that the mutants are made of are found correct."""

    @pytest.fixture(
        autouse=True,
        params=["conditional bits", "bits", "reals", "samples only", "kinks", "lognormal", "peaks"],
    )
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param

    def make(self) -> Generator:
        models = {
            "bits": lambda: broken.Bits(0),
            "reals": broken.Reals,
            "samples only": broken.SamplesOnly,
            "kinks": broken.Kinks,
            "lognormal": broken.LogNormal,
            "peaks": broken.DistantPeaks,
        }
        return models.get(self.case, broken.Bits)()
