"""The conformance kit of losses."""

from __future__ import annotations

from abc import abstractmethod
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
from qgen_core.testing.spaces import arrays_of
from qgen_core.typing import Array, Floats, Rng


class LossKit(Kit):
    """Holds a loss to its contract: inherit it, say how to make one.

        class TestMine(LossKit):
            minimum = 0.0

            def make(self):
                return MyLoss()

    Override ``example`` where random outputs and events of ``width`` columns make no sense.
    """

    #: The least value there is, reached where the output is the target; None: not known.
    minimum: float | None = None
    #: Columns of events, bits of tables.
    width: int = 3
    #: Whether the weights of events count, for a loss of samples, log_prob or objective.
    weighted: bool = True
    #: ``single`` for a loss that computes in float32.
    precision: Literal["double", "single"] = "double"

    #: Step and tolerance of finite differences, and how equal equal values are.
    STEP: ClassVar = {"double": 1e-3, "single": 3e-2}
    TOLERANCE: ClassVar = {"double": 1e-6, "single": 2e-2}
    EQUAL: ClassVar = {"double": 1e-9, "single": 1e-4}

    @abstractmethod
    def make(self) -> Loss:
        """The loss to try, a fresh one with the same options at each call."""

    def example(self, rng: Rng) -> tuple[Array, Batch]:
        """An output of the kind that the loss reads, and the batch it belongs to."""
        reads, n, bins = self.make().reads, 24, 2**self.width
        if reads == "probabilities":
            output, target = rng.dirichlet(np.ones(bins), 2), rng.dirichlet(np.ones(bins), 2)
            return output, Batch(condition=np.array([[0.0], [1.0]]), target=target)
        x = rng.normal(size=(n, self.width))
        weight = rng.uniform(0.2, 2.0, n) if self.weighted else None
        if reads == "samples":
            return rng.normal(0.3, 1.2, size=(n, self.width)), Batch(x, weight=weight)
        return -rng.exponential(2.0, n), Batch(x, weight=weight)

    def test_value_and_cotangent_form(self) -> None:
        """A finite number, and a finite cotangent in the output's shape.

        Nothing given is changed.
        """
        loss = self.make()
        check(
            loss.reads in OUTPUTS, f"a loss reads one of {', '.join(OUTPUTS)}, not {loss.reads!r}"
        )
        output, batch = self.example(np.random.default_rng(71))
        kept = arrays_of(batch) | {"output": output}
        with unchanged("the loss", **kept), globals_untouched("the loss"):
            value, cotangent = loss(output, batch)
        check(
            np.ndim(value) == 0 and bool(np.isfinite(value)),
            f"the value is one finite number, not {value!r}",
        )
        check(
            np.shape(cotangent) == output.shape and bool(np.all(np.isfinite(cotangent))),
            f"the cotangent is finite and has the output's shape {output.shape}, not "
            f"{np.shape(cotangent)}",
        )
        shared = [
            name
            for name, array in kept.items()
            if array is not None and np.shares_memory(array, cotangent)
        ]
        check(
            not shared,
            f"the cotangent is the memory of {', '.join(shared)}; a trainer may write into it: "
            "make it new",
        )

    def test_calls_are_repeatable(self) -> None:
        """The same output and batch give the same value: a call learns and draws nothing."""
        loss = self.make()
        output, batch = self.example(np.random.default_rng(72))
        before = loss.state()
        first, again = loss(output, batch), loss(output, batch)
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
            "a call changed the state; learning belongs into update()",
        )

    def test_cotangent(self) -> None:
        """Against finite differences; for tables along directions that keep them normalised."""
        loss, rng = self.make(), np.random.default_rng(74)
        output, batch = self.example(rng)
        cotangent = loss(output, batch)[1]
        size = float(np.linalg.norm(cotangent))
        for number in range(12):
            direction = self._direction(loss, output, rng)

            def moved(t: float, direction: Floats = direction) -> float:
                return float(loss(output + t * direction, batch)[0])

            expected = slope(moved, self.STEP[self.precision])
            found = float(np.sum(cotangent * direction))
            check(
                abs(found - expected)
                <= self.TOLERANCE[self.precision] * max(size, abs(expected), 1e-3),
                f"the cotangent along direction {number} gives a slope of {found:.9g}, finite "
                "differences of the value "
                f"{expected:.9g}: it is d value / d output, entry by entry",
            )

    def _direction(self, loss: Loss, output: Floats, rng: Rng) -> Floats:
        """A random direction.

        For tables small beside the probabilities, and of sum 0 in each row.
        """
        if loss.reads != "probabilities":
            return rng.normal(size=output.shape)
        direction = rng.normal(size=output.shape) * output
        direction -= output * direction.sum(axis=1, keepdims=True)
        return direction

    def test_minimum(self) -> None:
        """No output has a value below ``minimum``; at the target it is reached."""
        if self.minimum is None:
            not_applicable("no minimum is said")
        loss = self.make()
        for seed in range(20):
            value = loss(*self.example(np.random.default_rng([75, seed])))[0]
            allowed = self.EQUAL[self.precision]
            check(
                value >= self.minimum - allowed,
                f"the value {value:.9g} lies below the minimum {self.minimum:g}",
            )
        output, batch = self.example(np.random.default_rng(76))
        best = (
            batch.target
            if loss.reads == "probabilities"
            else batch.x
            if loss.reads == "samples"
            else None
        )
        if best is None:
            return
        value = loss(best.copy(), Batch(batch.x, batch.condition, None, batch.target))[0]
        check(
            abs(value - self.minimum) <= self.EQUAL[self.precision],
            f"at the target the value is {value:.9g}, not the minimum {self.minimum:g}",
        )

    def test_weights(self) -> None:
        """Weights of one, or a common scale, change nothing; weight 0 removes an event."""
        loss = self.make()
        if loss.reads == "probabilities" or not self.weighted:
            not_applicable("weights are in the target, or the loss takes none")
        output, batch = self.example(np.random.default_rng(77))
        assert batch.x is not None and batch.weight is not None
        n = len(batch.x)
        plain, ones = self._value(output, batch, None), self._value(output, batch, np.ones(n))
        check(self._near(plain, ones), "weights of one change the value")
        weighted = self._value(output, batch, batch.weight)
        check(
            not self._near(plain, weighted), "the weights of events are ignored; use batch.weight"
        )
        scaled = self._value(output, batch, 3 * batch.weight)
        check(
            self._near(weighted, scaled),
            "three times the weights give another value; divide by their sum",
        )
        keep = np.arange(n) % 3 > 0
        gone = self._value(output, batch, np.where(keep, batch.weight, 0.0))
        part = Batch(batch.x[keep], None if batch.condition is None else batch.condition[keep])
        apart = loss.reads == "samples" and batch.condition is None  # no sample belongs to an event
        without = self._value(output if apart else output[keep], part, batch.weight[keep])
        check(
            self._near(gone, without),
            "an event of weight 0 counts; its value differs from leaving it out",
        )

    def _near(self, first: float, second: float) -> bool:
        return abs(first - second) <= self.EQUAL[self.precision] * max(abs(first), abs(second))

    def _value(self, output: Array, batch: Batch, weight: Floats | None) -> float:
        return self.make()(output, Batch(batch.x, batch.condition, weight, batch.target))[0]

    def test_state(self) -> None:
        """A fresh loss that loads the state has its values, also after it learned.

        Nonsense is refused.
        """
        loss = self.make()
        output, batch = self.example(np.random.default_rng(78))
        for _ in range(3 if loss.updates else 0):
            loss.update(output, batch, rng=np.random.default_rng(1))
        state = loss.state()
        check_storable("the loss", state)
        fresh = self.make()
        fresh.load(state)
        values = [one(output, batch)[0] for one in (loss, fresh)]
        check(
            values[0] == values[1],
            f"after load() into a fresh loss {values[0]!r} becomes {values[1]!r}",
        )
        for one in (loss, fresh):
            if loss.updates:
                one.update(output, batch, rng=np.random.default_rng(2))
        check(
            same_arrays(loss.state(), fresh.state()),
            "after load() the next update() goes another way; state() forgets something",
        )
        check_state_copied("the loss", loss.state)
        what = "a state with an array too many"
        check_refused(CheckpointError, what, self.make().load, {**state, "nonsense": np.zeros(1)})

    def test_updates(self) -> None:
        """A learned loss learns in ``update``, by the rng given, and leaves the output as it is.

        Others do nothing.
        """
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
                "update() changes the state, but updates is 0: it would never be called",
            )
            return
        check(
            not same_arrays(before, loss.state()),
            "update() leaves the state as it is; the loss says that it learns",
        )
        twin = self.make()
        twin.load(before)
        twin.update(output, batch, rng=np.random.default_rng(1))
        check(
            same_arrays(twin.state(), loss.state()),
            "update() from the same state with the same rng goes another way",
        )
