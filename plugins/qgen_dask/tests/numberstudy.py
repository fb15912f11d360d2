"""A study of numbers that take their time, in a package as an installer leaves it."""

from __future__ import annotations

from pathlib import Path

SOURCE = """
import hashlib
import os
import signal
import time

import numpy as np

import qgen_core as qgen
from qgen_core.errors import Interrupted
from qgen_core.studies import Cell, Study, Table
from qgen_core.training.stop_request import StopRequest


def numberset():
    return qgen.Events(np.random.default_rng(5).exponential(1.0, (500, 2)))


def number(trial, wait, work, deadly):
    time.sleep(wait)
    end = time.process_time() + work  # of this process, however many others want the processor
    while time.process_time() < end:
        pass
    if trial.recipe.seed in deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return int(hashlib.sha256(f"{trial.recipe.seed}".encode()).hexdigest(), 16) / 2**256


def patient(trial):
    # a training without end, as far as a request to stop can tell
    trial.folder.mkdir()
    request = StopRequest()
    with request.registered():
        (trial.folder / "started").touch()
        while not request.by:
            time.sleep(0.01)
    (trial.folder / "saved").write_text(request.by)
    raise Interrupted("saved")


class NumberStudy(Study):
    measurements = {"number": number, "patient": patient}

    def __init__(
        self,
        *,
        count: int = 6,
        wait: float = 0.0,
        work: float = 0.0,
        deadly: list[int] | None = None,
        patient: bool = False,
    ) -> None:
        self.count = count
        self.measured = {"number": {"wait": wait, "work": work, "deadly": deadly or []}}
        if patient:
            self.measured = {"patient": {}}

    def cells(self, *, quick):
        recipe = {
            "dataset": "numberset",
            "encoder": {"name": "binning", "bits": 2},
            "generator": {"name": "qcbm", "ansatz": {"name": "brick", "layers": 1}},
            "loss": "js",
            "trainer": {"name": "adam", "steps": 10},
        }
        seeds = range(self.count)
        return [Cell({**recipe, "seed": seed}, self.measured, {"seed": seed}) for seed in seeds]

    def tables(self, results):
        rows = []
        for (seed,), found in results.groups("seed").items():
            rows.append([str(seed), repr(found.first())])
        return [Table("Numbers", ["seed", "number"], rows)]
"""

ENTRY_POINTS = """
[qgen.studies]
numbers = qgen_numberstudy:NumberStudy
[qgen.datasets]
numberset = qgen_numberstudy:numberset
"""


def install(shelf: Path, version: str = "0.1.0") -> Path:
    """Write the package into a folder, which is to be on the path."""
    info = shelf / f"qgen_numberstudy-{version}.dist-info"
    info.mkdir(parents=True)
    (shelf / "qgen_numberstudy.py").write_text(SOURCE, encoding="utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: qgen-numberstudy\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return shelf
