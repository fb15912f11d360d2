"""Encoder kit: fitting, saving, conditions, and what must raise an error."""

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
        """Fitting returns the encoder, sets its space, and forgets an earlier fit."""
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
        half = len(x) // 2
        condition_of_half = None
        if condition is not None:
            condition_of_half = condition[:half]
        encoder.fit(x[:half], condition_of_half)
        encoder.fit(x, condition)
        same = same_arrays(first, encoder.state())
        check(same, "fitting a second time does not start anew: the state is another one")

    def test_conditions(self) -> None:
        """A conditional encoder needs its conditions; any other one is not affected by them."""
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
        constant = np.ones((len(x), 1))
        with_condition = self.make().fit(x, constant).encode(x, constant)
        without = self.make().fit(x).encode(x)
        check(
            equal([with_condition, without]), "a condition that says nothing changes the encoding"
        )

    def test_state(self) -> None:
        """A new encoder that loads the state works identically; other states raise an error."""
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
            "after load() into a fresh encoder events are encoded differently; "
            "state() forgets something",
        )
        decoded = encoder.decode(z, condition, rng=np.random.default_rng(2))
        decoded_again = fresh.decode(z, condition, rng=np.random.default_rng(2))
        check(
            equal([decoded, decoded_again]),
            "after load() decode() gives other events for the same rng",
        )
        check_state_copied("the encoder", encoder.state)
        for what, wrong in _wrong_states(state).items():
            check_refused(CheckpointError, f"load() of a state {what}", self.make().load, wrong)

    def test_rubbish_is_refused(self) -> None:
        """NaN and infinity are not accepted; encoding these, or another shape, raises DataError."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        for value in (np.nan, np.inf):
            bad = x.copy()
            bad[3, 0] = value
            accepted = encoder.accepts(bad, condition)[3]
            check(not accepted, f"accepts() lets {value} pass; it says which events can be encoded")
            check_refused(DataError, f"encode() of {value}", encoder.encode, bad, condition)
        wide = np.column_stack([x, x[:, 0]])
        malformed = {"a column too many": wide, "one axis": x[:, 0], "text": x.astype(str)}
        for what, array in malformed.items():
            check_refused(
                DataError, f"encode() of events with {what}", encoder.encode, array, condition
            )

    def test_accepts(self) -> None:
        """``accepts`` is a mask: events that it selects can be encoded, others raise DataError."""
        encoder = self.fitted()
        x, condition = self.events()
        events = np.concatenate([x, -x, 1e6 * x])
        if condition is not None:
            condition = np.tile(condition, (3, 1))
        mask = encoder.accepts(events, condition)
        is_mask = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        check(
            is_mask and mask.shape == (len(events),),
            f"accepts() of {len(events)} events is a bool array ({len(events)},)",
        )
        condition_of_accepted = None
        if condition is not None:
            condition_of_accepted = condition[mask]
        try:
            z = encoder.encode(events[mask], condition_of_accepted, rng=np.random.default_rng(1))
        except DataError as error:
            raise AssertionError(
                f"encode() refuses events that accepts() lets pass: {error}"
            ) from error
        check_encoded("encode() of accepted events", z, encoder.space, int(mask.sum()))
        if mask.all():
            return
        refused = np.flatnonzero(~mask)[:1]
        condition_of_refused = None
        if condition is not None:
            condition_of_refused = condition[refused]
        what = f"encode() of the event {events[refused][0]}, which accepts() refuses,"
        check_refused(DataError, what, encoder.encode, events[refused], condition_of_refused)


def _wrong_states(state: dict[str, Array]) -> dict[str, dict[str, Array]]:
    """States that an encoder of this kind must not load, by what is wrong with them."""
    wrong = {"with an array too many": {**state, "nonsense": np.zeros(1)}}
    if state:
        wrong["without arrays"] = {}
    for name, value in state.items():
        others = {key: other for key, other in state.items() if key != name}
        wrong[f"where {name!r} is called 'nonsense'"] = {**others, "nonsense": value}
    return wrong
