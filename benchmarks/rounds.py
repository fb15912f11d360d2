"""Interleaved timing: each round runs every contestant once, in rotated order.

So a change of the machine's speed meets all contestants alike, and the ratio of two medians is
worth more than either.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time, sleep
from typing import Any, Protocol

import numpy as np

#: Calls shorter than this (seconds) are timed several at a time, so that a repeat takes about as
#: long.
SHORT = 10e-3
#: Calls shorter than this follow an untimed one: the contestant before has emptied the caches, and
#: a training calls the same step again and again.
WARMED = 0.1
#: With calls longer than this, fewer than REPEATS repeats are made, and the result says so.
SLOW = 20.0
REPEATS = 20
SLOW_REPEATS = 3
#: The most repeats of cases that are to last for some time.
MOST_REPEATS = 200


class Timed(Protocol):
    """Something that can be timed here or in another process."""

    def time(self, calls: int) -> float:
        """Seconds of this many calls."""


@dataclass
class Local:
    """A function of this process."""

    call: Callable[[], Any]

    def time(self, calls: int) -> float:
        enabled = gc.isenabled()
        gc.disable()
        try:
            start = perf_counter()
            for _ in range(calls):
                self.call()
            return perf_counter() - start
        finally:
            if enabled:
                gc.enable()


@dataclass
class Row:
    """One contestant's line of a table; ``seconds`` has one entry a repeat."""

    label: str
    precision: str = ""
    first: float | None = None
    note: str = ""
    error: str = ""
    agreement: float | None = None
    seconds: list[float] = field(default_factory=list)
    calls: int = 1

    def summary(self) -> dict[str, Any]:
        """What is written to the results, times in seconds."""
        out: dict[str, Any] = {"label": self.label, "precision": self.precision}
        for key in ("first", "note", "error", "agreement"):
            if getattr(self, key) not in (None, ""):
                out[key] = getattr(self, key)
        if self.seconds:
            low, median, high = (float(q) for q in np.quantile(self.seconds, [0.25, 0.5, 0.75]))
            out |= {"median": median, "q25": low, "q75": high, "min": min(self.seconds)}
            out |= {"repeats": len(self.seconds), "calls_per_repeat": self.calls}
        return out


def _wait_until_idle() -> None:
    """Wait, at most a second, until this process is idle.

    jax goes on working after a call has returned.
    """
    for _ in range(200):
        before = process_time()
        sleep(0.005)
        if process_time() - before < 0.001:
            return


def measure(
    contestants: list[tuple[Row, Timed]],
    repeats: int = REPEATS,
    slow: float = SLOW,
    lasting: float = 0.0,
) -> None:
    """Fill the rows' seconds. A warm-up call decides how many calls make one repeat.

    More repeats are made of what is over before ``lasting`` seconds: shared machines change their
    speed within them.
    """
    trials = [min(timed.time(1) for _ in range(2)) for _, timed in contestants]
    for (row, _), once in zip(contestants, trials, strict=True):
        row.calls = int(np.clip(SHORT / max(once, 1e-9), 1, 200))
    a_round = sum(row.calls * once for (row, _), once in zip(contestants, trials, strict=True))
    repeats = max(repeats, min(MOST_REPEATS, int(lasting / max(a_round, 1e-9))))
    plans: list[tuple[Row, Timed, int, bool]] = []
    for (row, timed), once in zip(contestants, trials, strict=True):
        wanted = repeats if once <= slow else min(repeats, SLOW_REPEATS)
        plans.append((row, timed, wanted, once < WARMED))
    for number in range(repeats):
        turn = number % max(len(plans), 1)
        gc.collect()
        for row, timed, wanted, warmed in plans[turn:] + plans[:turn]:
            if number * wanted // repeats >= len(row.seconds):
                if warmed:
                    timed.time(1)
                _wait_until_idle()
                row.seconds.append(timed.time(row.calls) / row.calls)
