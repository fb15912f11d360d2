"""The conformance kit of metrics."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.errors import QgenError
from qgen_core.events import Events
from qgen_core.interfaces import Estimate, Metric
from qgen_core.testing.kit import Kit, check, check_refused, globals_untouched, unchanged
from qgen_core.typing import Floats


class MetricKit(Kit):
    """Checks a metric: numbers by name that follow the events; inherit it and define ``make``.

        class TestMine(MetricKit):
            def make(self):
                return my_metric

    Override ``events`` if the metric needs other columns, and set ``distance`` to False for a
    metric that describes the generated events without comparing them, such as a correlation.

    >>> import qgen_core as qgen
    >>> class TestWasserstein(MetricKit):
    ...     def make(self):
    ...         return qgen.metric("wasserstein")
    >>> TestWasserstein().test_differences_are_seen()
    """

    #: Whether all numbers grow with the difference between the samples.
    distance: bool = True
    #: Relative tolerance where events are only reordered or their weights scaled.
    tolerance: float = 1e-9

    @abstractmethod
    def make(self) -> Metric:
        """The metric to test, with its options bound."""

    def events(self, shift: float, seed: int) -> Events:
        """A sample of two columns, moved by ``shift`` and less correlated the farther it is."""
        rng = np.random.default_rng(seed)
        shared = rng.exponential(1.0, 400)
        second = (1.0 - shift / 2) * shared + rng.normal(size=400)
        x = np.column_stack([shared + rng.gamma(2.0, 1.0, 400), second])
        return Events(x + shift, weight=rng.uniform(0.5, 1.5, 400), columns=("a", "b"))

    def edges(self) -> list[Floats]:
        """The edges of the bins that a metric with bins is given."""
        return [np.linspace(-6.0, 14.0, 11), np.linspace(-6.0, 14.0, 11)]

    def values(self, reference: Events, generated: Events, seed: int = 1) -> dict[str, float]:
        """The numbers of the metric; of an Estimate, its value."""
        offered = {
            "edges": self.edges(),
            "rng": np.random.default_rng(seed),
            "encoded": (reference.x, generated.x),
        }
        metric = self.make()
        taken = inspect.signature(metric).parameters
        arguments = {name: value for name, value in offered.items() if name in taken}
        found: Any = metric(reference, generated, **arguments)
        check(
            isinstance(found, Mapping) and found,
            f"a metric returns numbers by name, not {type(found).__name__}",
        )
        numbers = {}
        for name, value in found.items():
            if isinstance(value, Estimate):
                value = value.value
            is_number = isinstance(value, int | float | np.floating) and np.isfinite(value)
            check(
                isinstance(name, str) and is_number,
                f"{name!r} of the metric must be a finite number, not {value!r}",
            )
            numbers[name] = float(value)
        return numbers

    def test_numbers(self) -> None:
        """Finite numbers by name; the events and the global random state are left alone."""
        reference = self.events(0.0, 1)
        generated = self.events(0.5, 2)
        arrays = {"reference": reference.x, "generated": generated.x, "weight": generated.weight}
        with unchanged("the metric", **arrays), globals_untouched("the metric"):
            self.values(reference, generated)

    def test_reproducible(self) -> None:
        """The same events and rng give the same numbers."""
        reference = self.events(0.0, 1)
        generated = self.events(0.5, 2)
        twice = [self.values(reference, generated, seed=5) for _ in range(2)]
        check(
            twice[0] == twice[1],
            "the metric gives other numbers for the same rng; draw from the rng that it is given",
        )

    def test_order_and_scale_of_weights(self) -> None:
        """The order of the events, and a common factor of all weights, change nothing."""
        reference = self.events(0.0, 1)
        generated = self.events(0.5, 2)
        before = self.values(reference, generated)
        if before != self.values(reference, generated, seed=2):
            return  # a metric that draws: its numbers depend on the order of what it draws from
        order = np.random.default_rng(3).permutation(len(generated))
        shuffled = generated.replace(x=generated.x[order], weight=generated.weights[order])
        self._check_equal(before, self.values(reference, shuffled), "events in another order")
        scaled = generated.replace(weight=3.0 * generated.weights)
        self._check_equal(before, self.values(reference, scaled), "weights of three times the size")

    def _check_equal(self, before: dict[str, float], after: dict[str, float], what: str) -> None:
        for name, value in before.items():
            same = np.isclose(value, after[name], rtol=self.tolerance, atol=1e-12)
            check(same, f"{what} change {name} from {value:.9g} to {after[name]:.9g}")

    def test_weights(self) -> None:
        """Weights of the generated events change every number."""
        reference = self.events(0.0, 1)
        generated = self.events(0.5, 2)
        heavy = np.where(generated.x[:, 0] > np.median(generated.x[:, 0]), 5.0, 0.2)
        before = self.values(reference, generated)
        after = self.values(reference, generated.replace(weight=heavy))
        ignored = [name for name, value in before.items() if after[name] == value]
        check(
            len(ignored) < len(before),
            f"weights change nothing of {', '.join(ignored)}; use the weights of the events",
        )

    def test_differences_are_seen(self) -> None:
        """A distance is larger for events that are farther from the reference."""
        reference = self.events(0.0, 1)
        near = self.values(reference, self.events(0.0, 2))
        far = self.values(reference, self.events(2.0, 2))
        if not self.distance:
            check(near.keys() == far.keys(), "the names of the numbers depend on the events")
            return
        for name, value in near.items():
            check(
                far[name] > value,
                f"{name} is {value:.4g} between two samples of one distribution and "
                f"{far[name]:.4g} for one that is moved; set distance = False if it is none",
            )

    def test_other_columns_are_refused(self) -> None:
        """Events with other columns than the reference raise an error."""
        reference = self.events(0.0, 1)
        other = Events(reference.x[:, :1], columns=reference.columns[:1])
        what = "a metric of events with a column less than the reference"
        check_refused(QgenError, what, self.values, reference, other)
