"""Trainings of a small model, which trackers follow."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import train
from qgen_core.runs.tracking import tracked

Ref = Mapping[str, Any]


def events() -> qgen.Events:
    x = np.linspace(0, 1, 64)[:, None] ** 2
    return qgen.Events(x, columns=("x",), provenance={"kind": "stand-in"})


def recipe(steps: int) -> Recipe:
    qgen.register("dataset", "squares", events)
    return Recipe.from_dict(
        {
            "dataset": "squares",
            "encoder": {"name": "binning", "bits": 2},
            "generator": {"name": "qcbm", "ansatz": "brick"},
            "loss": "js",
            "trainer": {"name": "adam", "steps": steps},
        }
    )


def follow(tracker: Ref, folder: Path, steps: int, *hooks: object, every: float = 0.0) -> None:
    """Train, or go on with a training, with a checkpoint after each step by default."""
    chosen = recipe(steps)
    with tracked(tracker, chosen, folder) as followers:
        train(chosen, folder, resume=True, hooks=[*followers, *hooks], every=every)


def losses(folder: Path) -> dict[int, float]:
    """The loss of each step in the history of a run."""
    lines = (folder / "history.jsonl").read_text().splitlines()
    return {record["step"]: record["loss"] for record in map(json.loads, lines)}


class Killed:
    """Ends the process without a word after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    @qgen.hookimpl
    def on_step(self, record: Mapping[str, Any]) -> None:
        if record["step"] == self.step:
            os._exit(9)


if __name__ == "__main__":
    follow(json.loads(sys.argv[1]), Path(sys.argv[2]), 12, Killed(int(sys.argv[3])))
