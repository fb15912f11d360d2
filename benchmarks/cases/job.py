"""The group ``job``: what surrounds the engine, row by row, without peers.

``make bench CASE=job/`` times this checkout alone; with ``AGAINST=PATH`` it is compared with
another one in alternation, and the page of this group is written.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.context import Case, Context
from benchmarks.rounds import Row

THREADS = 1
#: The modules of rows; loaded as files, since another checkout that is measured may lack them.
MODULES = ("job_commands", "job_numerics")
PREFIX = "job/"


def calls() -> dict[str, Callable[[], Callable[[], Any]]]:
    """What builds each row, by the name of its case."""
    found = {}
    for module in MODULES:
        path = Path(__file__).with_name(f"{module}.py")
        spec = importlib.util.spec_from_file_location(f"_{module}", path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        for name, build in loaded.CALLS.items():
            found[f"{PREFIX}{name}"] = build
    return found


def run(context: Context) -> Iterator[Case]:
    """Each row in this process: wall and processor seconds of a call."""
    from benchmarks.timed_case import timings

    for name, build in calls().items():
        if not context.wants(name):
            continue
        context.say(name)
        wall, processor = timings(build())
        rows = [Row("wall time", seconds=wall), Row("processor time", seconds=processor)]
        yield {"id": name, "rows": [row.summary() for row in rows]}
