"""Rows of the group ``job`` that are whole commands, each in a process of its own.

There are no peers: a row is compared with another checkout. Only names that every checkout has are
used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

Call = Callable[[], None]

RECIPES = Path(__file__).parents[2] / "recipes"
#: Steps of a training that is measured for its start.
FEW = "trainer.steps=2"


def qgen(*words: str, **variables: str) -> None:
    """Run a command. Raises CalledProcessError if it fails."""
    subprocess.run(
        [sys.executable, "-m", "qgen_core", *words],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def command(*words: str) -> Call:
    """A command that needs no folder."""
    return partial(qgen, *words)


def training(recipe: str, *settings: str) -> Call:
    """``qgen train`` of a recipe, into a new folder."""
    kept = tempfile.mkdtemp()
    options = [word for setting in settings for word in ("--set", setting)]

    def call() -> None:
        shutil.rmtree(Path(kept) / "run", ignore_errors=True)
        qgen("train", str(RECIPES / recipe), "--run", f"{kept}/run", *options)

    return call


def cold(recipe: str, *settings: str) -> Call:
    """The same without compiled code on disk."""
    options = [word for setting in settings for word in ("--set", setting)]

    def call() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = str(RECIPES / recipe)
            cache = f"{folder}/cache"
            qgen("train", path, "--run", f"{folder}/run", *options, NUMBA_CACHE_DIR=cache)

    return call


def of_a_run(word: str) -> Call:
    """A command on the demo's run, which is trained and evaluated first."""
    folder = f"{tempfile.mkdtemp()}/run"
    qgen("train", str(RECIPES / "jets.toml"), "--run", folder)
    qgen("evaluate", folder)
    return partial(qgen, word, folder)


#: What builds each row, by the name of its case without ``job/``.
CALLS: dict[str, Callable[[], Call]] = {
    "qgen train recipes/jets.toml": partial(training, "jets.toml"),
    "first step, cold cache, jets": partial(cold, "jets.toml", FEW),
    "first step, cold cache, density": partial(cold, "jets.toml", FEW, "backend=density"),
    "first step, cold cache, quantum-gan": partial(cold, "toolbox/quantum-gan.toml", FEW),
    "qgen list": partial(command, "list"),
    "qgen info": partial(command, "info", "encoder", "binning"),
    "qgen --help": partial(command, "--help"),
    "qgen evaluate of the demo": partial(of_a_run, "evaluate"),
    "qgen report of the demo": partial(of_a_run, "report"),
    "qgen estimate recipes/jets.toml": partial(command, "estimate", str(RECIPES / "jets.toml")),
    "qgen doctor": partial(command, "doctor"),
}
