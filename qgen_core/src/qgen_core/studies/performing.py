"""Measuring one cell, in any process. Requests and answers are JSON texts."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qgen_core.discovery.entry_points import reason_of
from qgen_core.errors import CheckpointError, QgenError
from qgen_core.runs.provenance import versions
from qgen_core.studies.cells import Cell, canonical
from qgen_core.studies.study import build
from qgen_core.studies.trial import Trial
from qgen_core.support.checkpoint import Checkpoints

log = logging.getLogger("qgen")


def request(ref: Mapping[str, Any], cell: Cell, folder: Path) -> str:
    """What :func:`perform` is asked: the study with its options, the cell, a folder to work in."""
    return canonical({"study": dict(ref), "cell": cell.content, "folder": str(Path.cwd() / folder)})


def perform(message: str) -> str:
    """Measure the cell of a request.

    The answer has the ``value``, the ``versions`` of packages, and the ``seconds`` and
    ``cpu_seconds`` that it took; or the ``error``. A machine that does not see the study's folder
    works in a temporary one.
    """
    asked = json.loads(message)
    try:
        return canonical(_measure(asked))
    except QgenError as error:
        return failure(error)
    except Exception as error:
        log.exception("study %r failed", asked["study"]["name"])
        reason = f"study {asked['study']['name']!r} failed in a cell: {reason_of(error)}"
        return canonical({"error": f"BrokenPlugin: {reason}"})


def failure(error: QgenError) -> str:
    """The answer for a cell that could not be measured.

    >>> from qgen_core.errors import ResourceRefused
    >>> failure(ResourceRefused("its workers died"))
    '{"error":"ResourceRefused: its workers died"}'
    """
    return canonical({"error": str(error)})


def steps_done(message: str) -> int:
    """The training steps that a request's cell has saved so far; 0 if it trains elsewhere."""
    folder = Path(json.loads(message)["folder"])
    trainings = {path.parent for path in folder.rglob("checkpoint-*.json")}
    steps = 0
    for training in trainings:
        try:
            note = Checkpoints(training).note()
        except CheckpointError:  # the training will start over
            continue
        if note is not None:
            steps += note.step
    return steps


def _measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each measurement of a cell, and what it took."""
    wall = time.monotonic()
    cpu = time.process_time()
    study = build(asked["study"])
    recipe = study.local(asked["cell"]["recipe"])
    value = {}
    with _place(Path(asked["folder"])) as folder:
        trial = Trial(recipe, folder)
        for name, options in asked["cell"]["measurements"].items():
            value[name] = study.measurements[name](trial, **options)
    return {
        "value": value,
        "versions": versions(),
        "seconds": round(time.monotonic() - wall, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
    }


@contextmanager
def _place(folder: Path) -> Iterator[Path]:
    """The folder to work in, which is temporary on a machine that does not see the study's."""
    if folder.parent.is_dir():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="qgen-") as own:
        yield Path(own, folder.name)
