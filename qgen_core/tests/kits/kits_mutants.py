"""Deliberately broken components; each must fail a test of its kit with a clear message."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qgen_core.testing import Kit
from qgen_core.testing.plugin import outcome_of


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


def assert_killed(base: type[Kit], mutant: Mutant) -> None:
    """The test fails, and says why, as ``qgen test-plugin`` runs it."""
    kit = kit_of(base, mutant.make, **mutant.hooks)
    outcome = outcome_of(kit, str(mutant), mutant.test)
    assert outcome.state == "failed"
    assert not re.match(r"[A-Z]\w+Error: ", outcome.message), "a check of the kit fails, no crash"
    assert re.search(mutant.fault, outcome.message), outcome.message


def tests_of(base: type[Kit]) -> set[str]:
    """The names of a kit's tests."""
    return {name for name in dir(base) if name.startswith("test")}


def never_killing(base: type[Kit], mutants: Sequence[Mutant]) -> set[str]:
    """The tests of a kit that no mutant fails."""
    return tests_of(base) - {mutant.test for mutant in mutants}
