"""Trainings in threads, which no signal reaches, are asked to stop; they save and can go on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.errors import QgenError
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train
from qgen_core.training.stop_request import stop_trainings

STEPS = 60


class Holds:
    """Lets the training wait within its fifth step until it has been asked to stop."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.asked = threading.Event()

    @qgen.hookimpl
    def on_step(self, record: Any) -> None:
        if record["step"] == 4:
            self.reached.set()
            assert self.asked.wait(60)


def test_a_training_in_a_thread_saves_and_goes_on(tmp_path: Path) -> None:
    events = qgen.Events(np.random.default_rng(2).exponential(1.0, (200, 1)))
    qgen.register("dataset", "stopped", lambda: events)
    recipe = Recipe.from_dict(
        {
            "dataset": "stopped",
            "encoder": {"name": "binning", "bits": 2},
            "generator": {"name": "qcbm", "ansatz": "brick"},
            "loss": "js",
            "trainer": {"name": "adam", "steps": STEPS},
        }
    )
    hook = Holds()
    errors: list[QgenError] = []

    def run() -> None:
        try:
            train(recipe, tmp_path / "run", hooks=[hook])
        except QgenError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert hook.reached.wait(60)
    assert stop_trainings("the test")
    hook.asked.set()
    thread.join(60)
    assert not stop_trainings("the test")
    (error,) = errors
    assert f"stopped by the test after step 5 of {STEPS}" in str(error)
    train(recipe, tmp_path / "run", resume=True)
    train(recipe, tmp_path / "whole")
    found = []
    for name in ("run", "whole"):
        assert (tmp_path / name / "history.jsonl").read_text().count("\n") == STEPS
        found.append(Run(tmp_path / name).assembly.generator.parameters()["theta"])
    np.testing.assert_array_equal(found[0], found[1])
