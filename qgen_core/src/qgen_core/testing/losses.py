"""The conformance kit of losses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.events import Batch
from qgen_core.interfaces import OUTPUTS, Loss
from qgen_core.testing.kit import (
    Kit,
    check,
    check_refused,
    check_state_copied,
    check_storable,
    globals_untouched,
    not_applicable,
    same_arrays,
    unchanged,
)
from qgen_core.testing.slopes import slope
from qgen_core.testing.spaces import arrays_of, some_words
from qgen_core.typing import Array, Floats, Rng

#: Number of events of an example.
EVENTS = 24
#: Number of estimates of each correlator of an example.
ROWS = 5


class LossKit(Kit):
    """Checks a loss against its contract; inherit it and define ``make``.

        class TestMine(LossKit):
            minimum = 0.0

            def make(self):
                return MyLoss()

    Override ``example`` if random outputs and events of ``width`` columns do not fit.

    >>> import qgen_core as qgen
    >>> class TestJs(LossKit):
    ...     minimum = 0.0
    ...     def make(self):
    ...         return qgen.loss("js")
    >>> TestJs().test_minimum()
    """

    #: The minimum of the loss, reached where the output is the target; None: not known.
    minimum: float | None = None
    #: Number of columns of events, or of bits of tables.
    width: int = 3
    #: Whether a loss of samples, log_prob or objective uses the weights of events.
    weighted: bool = True
    #: ``single`` for a loss that computes in float32.
    precision: Literal["double", "single"] = "double"

    #: Step and tolerance of finite differences, and relative tolerance of equal values.
    STEP: ClassVar = {"double": 1e-3, "single": 3e-2}
    TOLERANCE: ClassVar = {"double": 1e-6, "single": 2e-2}
    EQUAL: ClassVar = {"double": 1e-9, "single": 1e-4}

    @abstractmethod
    def make(self) -> Loss:
        """The loss to test, a new one with the same options at each call."""

    def example(self, rng: Rng) -> tuple[Array, Batch]:
        """An output of the kind that the loss reads, and the batch that it belongs to."""
        reads = self.make().reads
        if reads == "probabilities":
            bins = 2**self.width
            output = rng.dirichlet(np.ones(bins), 2)
            target = rng.dirichlet(np.ones(bins), 2)
            return output, Batch(condition=np.array([[0.0], [1.0]]), target=target)
        x = rng.normal(size=(EVENTS, self.width))
        weight = None
        if self.weighted:
            weight = rng.uniform(0.2, 2.0, EVENTS)
        if reads == "correlators":
            bits = rng.integers(2, size=(EVENTS, self.width), dtype=np.int8)
            words = some_words(self.width)
            output = rng.uniform(-1.0, 1.0, size=(ROWS, len(words)))
            return output, Batch(bits, weight=weight, words=words)
        batch = Batch(x, weight=weight)
        if reads == "samples":
            return rng.normal(0.3, 1.2, size=(EVENTS, self.width)), batch
        return -rng.exponential(2.0, EVENTS), batch

    def test_value_and_cotangent_form(self) -> None:
        """A finite number and a finite cotangent in the output's shape; inputs do not change."""
        loss = self.make()
        check(
            loss.reads in OUTPUTS,
            f"reads must be one of {', '.join(OUTPUTS)}, not {loss.reads!r}",
        )
        output, batch = self.example(np.random.default_rng(71))
        kept = arrays_of(batch) | {"output": output}
        with unchanged("the loss", **kept), globals_untouched("the loss"):
            value, cotangent = loss(output, batch)
        check(
            np.ndim(value) == 0 and bool(np.isfinite(value)),
            f"the value must be one finite number, not {value!r}",
        )
        check(
            np.shape(cotangent) == output.shape and bool(np.all(np.isfinite(cotangent))),
            f"the cotangent must be finite and have the output's shape {output.shape}, not "
            f"{np.shape(cotangent)}",
        )
        alone = loss.value(output, batch)
        check(alone == value, f"value() gives {alone!r}, and a call {value!r}; they must be equal")
        for name, array in kept.items():
            check(
                array is None or not np.shares_memory(array, cotangent),
                f"the cotangent shares the memory of {name}, but a trainer may write into it: "
                "return a new array",
            )

    def test_calls_are_repeatable(self) -> None:
        """The same output and batch give the same value; calls draw nothing and change no state."""
        loss = self.make()
        output, batch = self.example(np.random.default_rng(72))
        before = loss.state()
        first = loss(output, batch)
        again = loss(output, batch)
        check(
            first[0] == again[0] and np.array_equal(first[1], again[1]),
            f"the same output has the value {first[0]!r}, then {again[0]!r}; calls must not draw "
            "or learn",
        )
        other, batch_of_other = self.example(np.random.default_rng(73))
        loss(other, batch_of_other)
        third = loss(output, batch)
        check(
            first[0] == third[0],
            f"the value {first[0]!r} becomes {third[0]!r} after a call with another batch",
        )
        check(
            same_arrays(before, loss.state()),
            "a call changed the state; a loss must learn in update()",
        )

    def test_cotangent(self) -> None:
        """The cotangent agrees with finite differences; tables stay normalised."""
        loss = self.make()
        rng = np.random.default_rng(74)
        output, batch = self.example(rng)
        cotangent = loss(output, batch)[1]
        size = float(np.linalg.norm(cotangent))
        tolerance = self.TOLERANCE[self.precision]
        for number in range(12):
            direction = self._direction(loss, output, rng)

            def moved(t: float, direction: Floats = direction) -> float:
                return float(loss(output + t * direction, batch)[0])

            expected = slope(moved, self.STEP[self.precision])
            found = float(np.sum(cotangent * direction))
            check(
                abs(found - expected) <= tolerance * max(size, abs(expected), 1e-3),
                f"the cotangent along direction {number} gives a slope of {found:.9g}, finite "
                f"differences of the value {expected:.9g}: it is d value / d output, entry by "
                "entry",
            )

    def _direction(self, loss: Loss, output: Floats, rng: Rng) -> Floats:
        """A random direction; for tables proportional to the probabilities, with rows of sum 0."""
        if loss.reads != "probabilities":
            return rng.normal(size=output.shape)
        direction = rng.normal(size=output.shape) * output
        direction -= output * direction.sum(axis=1, keepdims=True)
        return direction

    def test_minimum(self) -> None:
        """No output has a value below ``minimum``; the target has this value."""
        if self.minimum is None:
            not_applicable("the kit is given no minimum")
        loss = self.make()
        for seed in range(20):
            output, batch = self.example(np.random.default_rng([75, seed]))
            value = loss(output, batch)[0]
            check(
                value >= self.minimum - self.EQUAL[self.precision],
                f"the value {value:.9g} is below the minimum {self.minimum:g}",
            )
        _, batch = self.example(np.random.default_rng(76))
        best = None
        if loss.reads == "probabilities":
            best = batch.target
        elif loss.reads == "samples":
            best = batch.x
        if best is None:
            return
        value = loss(best.copy(), Batch(batch.x, batch.condition, None, batch.target))[0]
        check(
            abs(value - self.minimum) <= self.EQUAL[self.precision],
            f"at the target the value is {value:.9g}, not the minimum {self.minimum:g}",
        )

    def test_weights(self) -> None:
        """Weights of one and a common factor have no effect; weight 0 removes an event."""
        loss = self.make()
        if loss.reads == "probabilities" or not self.weighted:
            not_applicable("weights are in the target, or the loss takes none")
        output, batch = self.example(np.random.default_rng(77))
        assert batch.x is not None and batch.weight is not None
        n = len(batch.x)
        unweighted = self._value(output, batch, None)
        ones = self._value(output, batch, np.ones(n))
        check(self._near(unweighted, ones), "weights of one change the value")
        weighted = self._value(output, batch, batch.weight)
        check(
            not self._near(unweighted, weighted),
            "the weights of events are ignored; use batch.weight",
        )
        scaled = self._value(output, batch, 3 * batch.weight)
        check(
            self._near(weighted, scaled),
            "three times the weights give another value; divide by their sum",
        )
        keep = np.arange(n) % 3 > 0
        with_zeros = self._value(output, batch, np.where(keep, batch.weight, 0.0))
        condition = None
        if batch.condition is not None:
            condition = batch.condition[keep]
        kept_output = output  # samples and correlators do not belong to single events
        if loss.reads not in ("samples", "correlators") or condition is not None:
            kept_output = output[keep]
        kept = Batch(batch.x[keep], condition, words=batch.words)
        without = self._value(kept_output, kept, batch.weight[keep])
        check(
            self._near(with_zeros, without),
            "an event of weight 0 counts; its value differs from leaving it out",
        )

    def _near(self, first: float, second: float) -> bool:
        return abs(first - second) <= self.EQUAL[self.precision] * max(abs(first), abs(second))

    def _value(self, output: Array, batch: Batch, weight: Floats | None) -> float:
        return self.make()(output, replace(batch, weight=weight))[0]

    def test_state(self) -> None:
        """A new loss that loads the state has the same values, also after updates."""
        loss = self.make()
        output, batch = self.example(np.random.default_rng(78))
        if loss.updates:
            for _ in range(3):
                loss.update(output, batch, rng=np.random.default_rng(1))
        state = loss.state()
        check_storable("the loss", state)
        fresh = self.make()
        fresh.load(state)
        value = loss(output, batch)[0]
        value_of_fresh = fresh(output, batch)[0]
        check(
            value == value_of_fresh,
            f"after load() into a fresh loss {value!r} becomes {value_of_fresh!r}",
        )
        for one in (loss, fresh):
            if loss.updates:
                one.update(output, batch, rng=np.random.default_rng(2))
        check(
            same_arrays(loss.state(), fresh.state()),
            "after load() the next update() gives another state; state() forgets something",
        )
        check_state_copied("the loss", loss.state)
        what = "a state with an array too many"
        check_refused(CheckpointError, what, self.make().load, {**state, "nonsense": np.zeros(1)})

    def test_updates(self) -> None:
        """``update`` changes the state of a learned loss reproducibly, and of others not at all."""
        loss = self.make()
        output, batch = self.example(np.random.default_rng(79))
        before = loss.state()
        with (
            unchanged("update()", output=output, **arrays_of(batch)),
            globals_untouched("update()"),
        ):
            loss.update(output, batch, rng=np.random.default_rng(1))
        if loss.updates == 0:
            check(
                same_arrays(before, loss.state()),
                "update() changes the state, but updates is 0, so that it is never called",
            )
            return
        check(
            not same_arrays(before, loss.state()),
            "update() does not change the state, but updates is above 0",
        )
        twin = self.make()
        twin.load(before)
        twin.update(output, batch, rng=np.random.default_rng(1))
        check(
            same_arrays(twin.state(), loss.state()),
            "update() from the same state with the same rng gives another state",
        )
