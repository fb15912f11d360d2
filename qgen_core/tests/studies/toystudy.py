"""A study in a package as an installer leaves it, so that any process finds it by name."""

from __future__ import annotations

from pathlib import Path

SOURCE = '''
import hashlib
import json
import os
import signal
import time
from pathlib import Path

import numpy as np

import qgen_core as qgen
from qgen_core.errors import Diverged
from qgen_core.studies import Cell, Study, Table


def toyset(*, events: int = 500):
    x = np.random.default_rng(5).exponential(1.0, (events, 2))
    return qgen.Events(x, provenance={"kind": "stand-in"})


def number(trial, wait, parts):
    """A number that takes its time, and is never the same for two cells."""
    time.sleep(wait)
    text = hashlib.sha256(json.dumps([trial.recipe.seed, parts]).encode()).hexdigest()
    return int(text, 16) / 2**256


class FirstStep:
    """Leaves a file beside the run folder when the training has done a step."""

    def __init__(self, folder):
        self.file = Path(f"{folder}.stepped")

    @qgen.hookimpl
    def on_step(self, problem, record):
        self.file.touch()


def trained(trial):
    trial.hooks = [FirstStep(trial.folder)]
    losses = [record["loss"] for record in trial.history]
    theta = trial.run.assembly.generator.parameters()["theta"]
    seen = trial.recipe.tables["dataset"]["events"]
    return {"losses": losses, "theta": theta.tolist(), "seen": seen}


def broken(trial, how):
    if trial.recipe.seed != 1:
        return 0
    if how == "diverged":
        raise Diverged("the loss became nan")
    if how == "bug":
        raise KeyError("nothing")
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return float("nan")


class ToyStudy(Study):
    measurements = {"number": number, "trained": trained, "broken": broken}

    def __init__(
        self,
        *,
        what: str = "number",
        count: int = 6,
        wait: float = 0.0,
        steps: int = 30,
        how: str = "",
        trainer: str = "adam",
        events: int = 500,
    ) -> None:
        self.what = what
        self.count = count
        self.wait = wait
        self.steps = steps
        self.how = how
        self.trainer = trainer
        self.events = events

    def cells(self, *, quick):
        options = {
            "number": {"wait": self.wait, "parts": [1, "a"]},
            "trained": {},
            "broken": {"how": self.how},
        }
        recipe = {
            "dataset": {"name": "toyset"},
            "encoder": {"name": "binning", "bits": 2},
            "generator": {"name": "qcbm", "ansatz": {"name": "brick", "layers": 1}},
            "loss": "js",
            "trainer": {"name": self.trainer, "steps": self.steps},
        }
        measurements = {self.what: options[self.what]}
        found = []
        for seed in range(2 if quick else self.count):
            tags = {"seed": seed, "what": self.what}
            found.append(Cell({"seed": seed, **recipe}, measurements, tags))
        return found

    def local(self, recipe):
        return {**recipe, "dataset": {**recipe["dataset"], "events": self.events}}

    def tables(self, results):
        rows = []
        for (seed,), found in results.groups("seed").items():
            rows.append((str(seed), "missing" if found.missing else "there"))
        return [Table("toys", ("seed", "result"), rows, ("a note",))]

    def figures(self, results, folder):
        path = Path(folder) / "toy.txt"
        path.write_text(str(sum(r.value is not None for r in results)))
        return [path]


def no_study():
    return 7
'''

ENTRY_POINTS = """
[qgen.studies]
toy = qgen_toystudy:ToyStudy
no-study = qgen_toystudy:no_study
[qgen.datasets]
toyset = qgen_toystudy:toyset
"""


def install(shelf: Path, version: str = "0.1.0") -> Path:
    """Write the package into a folder, which is to be on the path."""
    info = shelf / f"qgen_toystudy-{version}.dist-info"
    info.mkdir(parents=True)
    (shelf / "qgen_toystudy.py").write_text(SOURCE, encoding="utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: qgen-toystudy\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return shelf
