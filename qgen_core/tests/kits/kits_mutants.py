"""Deliberately broken components; each must fail a test of its kit with a clear message."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from qgen_core.testing import Kit


class Mutant(NamedTuple):
    """A broken component: how to make it, the test that must fail, words of the message."""

    make: Callable[..., Any]
    test: str
    fault: str
    hooks: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{getattr(self.make, '__name__', 'mutant')}-{self.test}"


def kit_of(base: type[Kit], make: Callable[..., Any], **hooks: Any) -> Any:
    """An instance of the kit that makes this component."""
    return type("Subject", (base,), {"make": lambda self, *given: make(*given), **hooks})()


def run(kit: Kit, test: str, tmp_path: Path) -> None:
    """Call one test of a kit as pytest would."""
    function = getattr(kit, test)
    function(*[tmp_path] if "tmp_path" in inspect.signature(function).parameters else [])


def assert_killed(base: type[Kit], mutant: Mutant, tmp_path: Path) -> None:
    """The test fails, and says why."""
    with pytest.raises(AssertionError, match=mutant.fault):
        run(kit_of(base, mutant.make, **mutant.hooks), mutant.test, tmp_path)


def tests_of(base: type[Kit]) -> set[str]:
    """The names of a kit's tests."""
    return {name for name in dir(base) if name.startswith("test")}


def never_killing(base: type[Kit], mutants: Sequence[Mutant]) -> set[str]:
    """The tests of a kit that no mutant fails."""
    return tests_of(base) - {mutant.test for mutant in mutants}
