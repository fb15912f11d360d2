"""Kills trainings with SIGKILL at many places and resumes them: ``training_kills.py CASE KILLS
STEPS FOLDER``.

Prints JSON: the number of places there are, those tried, and those after which the resumed
training differs from the one that was never killed. Run in a process of its own, which forks
one child per kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from training_toys import (
    Critic,
    Faults,
    Point,
    ProductBorn,
    Shifter,
    SquaredError,
    WeightedMean,
    bits_events,
    real_events,
)

from qgen_core.events import Events
from qgen_core.interfaces import Backend, Generator, Loss, Trainer
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.random_streams import stream
from qgen_core.trainers.adam import Adam
from qgen_core.trainers.cma import Cma
from qgen_core.trainers.cobyla import Cobyla
from qgen_core.trainers.lcd import Lcd
from qgen_core.trainers.spsa import Spsa

Parts = tuple[Trainer, Generator, Events, Loss]


class Noiseless(Backend):
    """Stands for another backend; the toy generator never runs it."""

    def run(self, circuit, angles, measure, shots=None):
        raise AssertionError


def born(trainer: Trainer, shots: int | None = 300) -> Parts:
    return trainer, ProductBorn(shots=shots), bits_events(), SquaredError()


CASES: dict[str, Callable[[int], Parts]] = {
    "adam": lambda n: born(Adam(learning_rate=0.1, schedule="cosine", steps=n, keep_best=True)),
    "adam-batches": lambda n: (
        Adam(learning_rate=0.1, steps=n, batch_size=16),
        Point(),
        real_events(),
        WeightedMean(),
    ),
    "adam-critic": lambda n: (
        Adam(learning_rate=0.1, steps=n, batch_size=16),
        Shifter(),
        real_events(width=2),
        Critic(),
    ),
    "spsa": lambda n: born(Spsa(steps=n, samples=2)),
    "cobyla": lambda n: born(Cobyla(steps=2 * n, tol=0.01)),
    "cma": lambda n: born(Cma(steps=n, population=6)),
    "lcd": lambda n: born(Lcd(steps=n, points=5, reference=Noiseless())),
}


def train(case: str, steps: int, folder: Path, faults: Faults) -> dict[str, Any]:
    """One life of a training, and everything about its end that must not depend on kills."""
    trainer, generator, data, loss = CASES[case](steps)
    with faults.watching():
        history = trainer.fit(
            generator, data, loss, seed=11, hooks=[faults], run=Checkpoints(folder, every=0)
        )
    arrays = {**generator.state(), **loss.state(), **trainer.state()}
    return {
        "arrays": {
            name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()
        },
        "samples": hashlib.sha256(
            generator.sample(50, rng=stream(3, "samples")).tobytes()
        ).hexdigest(),
        "history": (folder / "history.jsonl").read_text(),
        "records": history.records,
        "stopped": history.stopped,
        "warnings": history.warnings,
        "files": sorted(file.name for file in folder.iterdir()),
    }


def killed_at(case: str, steps: int, folder: Path, place: int) -> bool:
    """Train in a child that dies at a place; whether it died of SIGKILL."""
    child = os.fork()
    if child == 0:
        try:
            train(
                case,
                steps,
                folder,
                Faults(lambda kind: os.kill(os.getpid(), signal.SIGKILL), place),
            )
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(case: str, kills: int, steps: int, folder: Path) -> None:
    os.fsync = lambda number: (
        None
    )  # a kill loses nothing that the kernel holds; a power cut is another test
    counted = Faults()
    whole = train(case, steps, folder / "whole", counted)
    places = np.unique(np.linspace(0, counted.count - 1, kills).astype(int)).tolist()
    wrong = []
    for place in places:
        died = killed_at(case, steps, folder / "killed", place)
        if not died or train(case, steps, folder / "killed", Faults()) != whole:
            wrong.append({"place": place, "kind": counted.kinds[place], "died": died})
        shutil.rmtree(folder / "killed")
    lives = 0
    while killed_at(case, steps, folder / "again", counted.count // 4):
        lives += 1
    if lives < 2 or train(case, steps, folder / "again", Faults()) != whole:
        wrong.append({"place": "again and again", "lives": lives})
    print(
        json.dumps(
            {
                "places": counted.count,
                "kinds": sorted(set(counted.kinds)),
                "tried": len(places),
                "wrong": wrong,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
