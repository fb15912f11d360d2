"""Encoder kit: fitting, saving, conditions, and what is refused."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import CheckpointError, DataError
from qgen_core.events import Space
from qgen_core.testing.encoders.base import EncoderBase
from qgen_core.testing.kit import (
    check,
    check_refused,
    check_state_copied,
    check_storable,
    equal,
    globals_untouched,
    same_arrays,
    unchanged,
)
from qgen_core.testing.spaces import check_encoded
from qgen_core.typing import Array


class RuleTests(EncoderBase):
    """``fit``, ``state``, ``load``, ``accepts``."""

    def test_fit(self) -> None:
        """Fitting returns the encoder, gives it a space, and starts anew each time."""
        x, condition = self.events()
        encoder = self.make()
        with unchanged("fit()", x=x, condition=condition), globals_untouched("fit()"):
            result = encoder.fit(x, condition)
        check(result is encoder, "fit() must return self")
        check(
            isinstance(getattr(encoder, "space", None), Space),
            "after fit() the encoder has no space; set self.space",
        )
        first = encoder.state()
        encoder.fit(x[: len(x) // 2], None if condition is None else condition[: len(x) // 2])
        encoder.fit(x, condition)
        anew = same_arrays(first, encoder.state())
        check(anew, "fitting a second time does not start anew: the state is another one")

    def test_conditions(self) -> None:
        """A conditional encoder refuses to go without, an other one is not disturbed by conditions."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        if self.conditional and condition is not None:
            other = encoder.encode(x, condition * 2.0)
            check(
                np.any(other != encoder.encode(x, condition)),
                "other conditions change nothing; encode() ignores them",
            )
            check_refused(
                DataError, "encode() without the conditions it depends on", encoder.encode, x
            )
            check_refused(
                DataError, "encode() with a condition too few", encoder.encode, x, condition[:-1]
            )
            return
        strange = np.ones((len(x), 1))
        undisturbed = equal(
            [self.make().fit(x, strange).encode(x, strange), self.make().fit(x).encode(x)]
        )
        check(undisturbed, "a condition that says nothing changes the encoding")

    def test_state(self) -> None:
        """A fresh encoder that loads the state encodes and decodes identically; nonsense is refused."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        state = encoder.state()
        check_storable("the encoder", state)
        fresh = self.make()
        fresh.load(state)
        space = getattr(fresh, "space", None)
        check(
            space == encoder.space,
            f"after load() the space is {space}, not {encoder.space}; load() must set it",
        )
        z = encoder.encode(x, condition, rng=np.random.default_rng(1))
        try:
            again = fresh.encode(x, condition, rng=np.random.default_rng(1))
        except DataError as error:
            raise AssertionError(
                f"after load() encode() fails; state() forgets something: {error}"
            ) from error
        check(
            equal([z, again]),
            "after load() into a fresh encoder events are encoded differently; state() forgets something",
        )
        twice = (e.decode(z, condition, rng=np.random.default_rng(2)) for e in (encoder, fresh))
        check(equal(twice), "after load() decode() gives other events for the same rng")
        check_state_copied("the encoder", encoder.state)
        for what, wrong in _spoilt(state).items():
            check_refused(CheckpointError, f"load() of a state {what}", self.make().load, wrong)

    def test_rubbish_is_refused(self) -> None:
        """NaN and infinity are not accepted; encoding them, text or another number of columns raises DataError."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        for value in (np.nan, np.inf):
            bad = x.copy()
            bad[3, 0] = value
            passed = encoder.accepts(bad, condition)[3]
            check(not passed, f"accepts() lets {value} pass; it says which events can be encoded")
            check_refused(DataError, f"encode() of {value}", encoder.encode, bad, condition)
        wide = np.column_stack([x, x[:, 0]])
        for what, array in {
            "a column too many": wide,
            "one axis": x[:, 0],
            "text": x.astype(str),
        }.items():
            check_refused(
                DataError, f"encode() of events with {what}", encoder.encode, array, condition
            )

    def test_accepts(self) -> None:
        """``accepts`` is a mask; what it lets pass is encoded, what it refuses raises DataError."""
        encoder = self.fitted()
        x, condition = self.events()
        strange = np.concatenate([x, -x, 1e6 * x])
        given = None if condition is None else np.tile(condition, (3, 1))
        mask = encoder.accepts(strange, given)
        check(
            isinstance(mask, np.ndarray)
            and mask.dtype == np.bool_
            and mask.shape == (len(strange),),
            f"accepts() of {len(strange)} events is a bool array ({len(strange)},)",
        )
        try:
            z = encoder.encode(
                strange[mask], None if given is None else given[mask], rng=np.random.default_rng(1)
            )
        except DataError as error:
            raise AssertionError(
                f"encode() refuses events that accepts() lets pass: {error}"
            ) from error
        check_encoded("encode() of accepted events", z, encoder.space, int(mask.sum()))
        if not mask.all():
            refused = np.flatnonzero(~mask)[:1]
            what = f"encode() of the event {strange[refused][0]}, which accepts() refuses,"
            theirs = None if given is None else given[refused]
            check_refused(DataError, what, encoder.encode, strange[refused], theirs)


def _spoilt(state: dict[str, Array]) -> dict[str, dict[str, Array]]:
    """States that belong to no encoder of this kind, by what is wrong with them."""
    spoilt = {"with an array too many": {**state, "nonsense": np.zeros(1)}}
    if state:
        spoilt["without arrays"] = {}
    for name, value in state.items():
        others = {key: other for key, other in state.items() if key != name}
        spoilt[f"where {name!r} is called 'nonsense'"] = {**others, "nonsense": value}
    return spoilt
