"""The conformance kit of datasets."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from qgen_core.events import Events
from qgen_core.interfaces import Dataset
from qgen_core.testing.kit import Kit, check, globals_untouched, not_applicable

#: What the provenance of events says of their kind.
KINDS_OF_EVENTS = ("measured", "simulated", "stand-in", "generated")


class DatasetKit(Kit):
    """Checks a dataset: the events that it returns; inherit it and define ``make``.

        class TestMine(DatasetKit):
            def make(self):
                return my_dataset

    >>> import numpy as np
    >>> from qgen_core.events import Events
    >>> class TestOnes(DatasetKit):
    ...     def make(self):
    ...         return lambda: Events(np.ones((3, 1)), provenance={"kind": "stand-in"})
    >>> TestOnes().test_provenance()
    """

    @abstractmethod
    def make(self) -> Dataset:
        """The dataset to test, with its options bound: a function without arguments."""

    def events(self) -> Events:
        """The events of the dataset."""
        found: Any = self.make()()
        check(
            isinstance(found, Events),
            f"a dataset returns Events, not {type(found).__name__}",
        )
        events: Events = found
        return events

    def test_events(self) -> None:
        """There are events; names of columns and conditions differ; global state is left alone."""
        with globals_untouched("the dataset"):
            events = self.events()
        check(len(events) > 0, "the dataset has no events")
        names = [*events.columns, *events.condition_columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        check(not twice, f"columns and conditions have the same name: {', '.join(twice)}")

    def test_reproducible(self) -> None:
        """Every call gives the same events, in the same order."""
        first = self.events()
        again = self.events()
        check(
            _same(first, again),
            "a second call gives other events; take the random numbers from a seed of the options",
        )

    def test_own_arrays(self) -> None:
        """Writing into the events does not change those of the next call."""
        first = self.events()
        kept = Events(first.x.copy(), columns=first.columns)
        if not first.x.flags.writeable:
            not_applicable("the events cannot be written to")
        first.x[...] = 0
        check(
            np.array_equal(self.events().x, kept.x),
            "writing into the events changes those of the next call; return a copy",
        )

    def test_provenance(self) -> None:
        """The provenance is text by name, and says what kind of events these are."""
        provenance = self.events().provenance
        kind = provenance.get("kind")
        check(
            kind in KINDS_OF_EVENTS,
            f"provenance['kind'] is one of {', '.join(KINDS_OF_EVENTS)}, not {kind!r}: reports "
            "repeat it",
        )
        wrong = [name for name, value in provenance.items() if not isinstance(value, str)]
        check(not wrong, f"the provenance holds text only, which {', '.join(wrong)} is not")


def _same(first: Events, second: Events) -> bool:
    """Whether two sets of events have the same names and numbers."""
    for name in ("x", "condition", "weight"):
        a = getattr(first, name)
        b = getattr(second, name)
        if (a is None) != (b is None):
            return False
        if a is not None and not np.array_equal(a, b):
            return False
    return (first.columns, first.units) == (second.columns, second.units)
