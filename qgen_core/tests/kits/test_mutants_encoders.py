"""Every test of the encoder kit fails for a broken encoder, and says why."""

from __future__ import annotations

import kits_encoders as broken
import pytest
from kits_mutants import Mutant, assert_killed, never_killing

from qgen_core.testing import EncoderKit

CONDITIONAL = {"conditional": True}
MUTANTS = [
    Mutant(broken.DrawsNearTheEdge, "test_decoded_density", r"must draw from that density"),
    Mutant(broken.FitReturnsNothing, "test_fit", r"fit\(\) must return self"),
    Mutant(broken.FitAddsUp, "test_fit", r"fitting a second time does not start anew"),
    Mutant(broken.FitScalesEvents, "test_fit", r"fit\(\) changed the array x that it was given"),
    Mutant(broken.NoSpace, "test_fit", r"after fit\(\) the encoder has no space"),
    Mutant(broken.WideBits, "test_encoded_form", r"bits are int8 0 and 1, not int64"),
    Mutant(
        broken.BinNumbers,
        "test_encoded_form",
        r"must be an array \(1, 8\) of 8 bits in registers \(4, 4\), not",
    ),
    Mutant(
        broken.Draws, "test_encoded_form", r"encode\(\) touched the global random state of numpy"
    ),
    Mutant(
        broken.NotInverted,
        "test_round_trip",
        r"off by .* of a column's range for float64 events .* must invert",
    ),
    Mutant(
        broken.TheMeanAgain,
        "test_round_trip",
        r"off by 1 of the variance of a column.* must tell events apart",
        {"lossy": True},
    ),
    Mutant(
        broken.NextBin, "test_round_trip", r"decoded events lie in another cell than they came from"
    ),
    Mutant(
        broken.OutOfWindow,
        "test_round_trip",
        r"decode\(\) makes events that the encoder does not accept",
    ),
    Mutant(
        broken.BatchScaled, "test_events_are_independent", r"among others .* alone; what is learned"
    ),
    Mutant(broken.RatioIgnored, "test_conditions", r"other conditions change nothing", CONDITIONAL),
    Mutant(
        broken.RatioOfOnes,
        "test_conditions",
        r"without the conditions it depends on was accepted",
        CONDITIONAL,
    ),
    Mutant(
        broken.Disturbed, "test_conditions", r"a condition that says nothing changes the encoding"
    ),
    Mutant(
        broken.ForgetsAll,
        "test_state",
        r"after load\(\) the space is None, not 2 reals; load\(\) must set it",
    ),
    Mutant(
        broken.ForgetsScale,
        "test_state",
        r"events are encoded differently; state\(\) forgets something",
    ),
    Mutant(
        broken.LoadsAnything,
        "test_state",
        r"load\(\) of a state with an array too many was accepted without an error",
    ),
    Mutant(broken.StateIsLive, "test_state", r"returns its own array 'edges0'; return a copy"),
    Mutant(
        broken.StateOfObjects, "test_state", r"holds 'name', which is not a numpy array of numbers"
    ),
    Mutant(
        broken.OwnRandomness,
        "test_decoding_is_reproducible",
        r"same rng gives other events; draw from the rng",
    ),
    Mutant(
        broken.LogDetOfOneColumn,
        "test_log_det",
        r"log_det\(\) of event \d+ is .*summed over columns",
    ),
    Mutant(
        broken.LogDetSign, "test_log_det", r"integrates to .* over the cell of event 0, not to 1"
    ),
    Mutant(broken.AcceptsAll, "test_rubbish_is_refused", r"accepts\(\) lets nan pass"),
    Mutant(broken.PassesNan, "test_rubbish_is_refused", r"accepts\(\) lets nan pass"),
    Mutant(
        broken.RefusesLater, "test_accepts", r"encode\(\) refuses events that accepts\(\) lets pass"
    ),
    Mutant(
        broken.MaskAsList, "test_accepts", r"accepts\(\) of 1200 events is a bool array \(1200,\)"
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_encoders_are_found(mutant: Mutant) -> None:
    assert_killed(EncoderKit, mutant)


def test_every_test_can_fail() -> None:
    assert never_killing(EncoderKit, MUTANTS) == set()
