"""The attribute by which a dataset can generate events (``qgen data NAME --events N``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

Factory = TypeVar("Factory", bound=Callable[..., object])
Progress = Callable[[int, str], None]


class Generate(Protocol):
    """Generates a file of so many events, or returns the one generated before with the seed."""

    def __call__(
        self,
        events: int,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        cache: Path | None = None,
    ) -> Path:
        """``progress`` is called with the number of events so far and a note."""


def generated_by(generate: Generate) -> Callable[[Factory], Factory]:
    """Give a dataset factory the attribute ``generate``, which the command line uses.

    >>> @generated_by(lambda events, seed=0, progress=None, cache=None: Path("events.h5"))
    ... def dataset():
    ...     pass
    >>> dataset.generate(100).name
    'events.h5'
    """

    def mark(factory: Factory) -> Factory:
        vars(factory)["generate"] = generate
        return factory

    return mark
