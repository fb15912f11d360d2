"""How a dataset offers to generate its events (``qgen data NAME --events N``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

Factory = TypeVar("Factory", bound=Callable[..., object])
Progress = Callable[[int, str], None]


class Generate(Protocol):
    """Makes a file of so many events, or finds the one made before with the same seed."""

    def __call__(
        self,
        events: int,
        *,
        seed: int = 0,
        progress: Progress | None = None,
        cache: Path | None = None,
    ) -> Path:
        """``progress`` is called with the number of events done and a note."""


def generated_by(generate: Generate) -> Callable[[Factory], Factory]:
    """Give a dataset factory the attribute ``generate``, which the command line looks for."""

    def mark(factory: Factory) -> Factory:
        vars(factory)["generate"] = generate
        return factory

    return mark
