"""What the cases are given: the mode, where the environments are, and where progress goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rounds import REPEATS

Case = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """Options of this run. A case runs if its name contains one of ``wanted``; none means all."""

    quick: bool
    environments: Path
    wanted: tuple[str, ...] = ()

    def wants(self, case: str) -> bool:
        return not self.wanted or any(part in case for part in self.wanted)

    @property
    def repeats(self) -> int:
        return REPEATS

    @property
    def slow(self) -> float:
        """Seconds of a call beyond which fewer repeats are made."""
        return 0.15 if self.quick else 20.0

    @property
    def lasting(self) -> float:
        """Seconds to fill with repeats of short cases, where a target depends on their ratio."""
        return 0.0 if self.quick else 15.0

    def python(self, environment: str) -> Path:
        """The Python of an environment. Raises FileNotFoundError, which names no path."""
        found = self.environments / environment / "bin" / "python"
        if not found.exists():
            raise FileNotFoundError(
                f"environment {environment} is not there; make it with benchmarks.environments"
            )
        return found

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
