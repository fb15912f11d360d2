"""The recipe of a cell, built and trained when a measurement asks for it."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from qgen_core.errors import Busy, CheckpointError
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.lock import STALE
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train
from qgen_core.support.checkpoint import read_history

log = logging.getLogger("qgen")

T = TypeVar("T")
#: Seconds for which a locked folder is waited for; the lock of a machine that died holds for less.
PATIENCE = 1.5 * STALE
POLL = 2.0


def patiently(call: Callable[[], T]) -> T:
    """Call what may raise Busy again for a while.

    After a worker has died on one machine, its cell may be run on another one before the lock is
    known to be stale.

    >>> patiently(lambda: 3)
    3
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except Busy as busy:
            if time.monotonic() > end:
                raise
            log.info("%s; waiting", busy)
            time.sleep(POLL)


class Trial:
    """The recipe of a cell; a measurement that only asks for ``assembly`` trains nothing.

    A measurement that needs several trainings makes further trials, in folders inside ``folder``.

    Args:
        recipe: the nested tables of a recipe.
        folder: the run folder of the training, made when it starts.
        start: the folder of a run whose parameters the training starts from; None: from new ones.
        hooks: objects with hook methods such as ``on_step``, called while it trains. They see only
            the steps of this process: of a training that continues, not those before its stop.

    >>> import tempfile
    >>> import numpy as np
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.linspace(0, 1, 64)[:, None] ** 2)
    >>> qgen.register("dataset", "squares", lambda: events)
    >>> recipe = {
    ...     "dataset": "squares",
    ...     "encoder": {"name": "binning", "bits": 2},
    ...     "generator": {"name": "qcbm", "ansatz": "brick"},
    ...     "loss": "js",
    ...     "trainer": {"name": "adam", "steps": 2},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trial = Trial(recipe, f"{folder}/run")
    ...     print(trial.assembly.encoder.space.width, len(trial.history))
    2 2
    """

    def __init__(
        self,
        recipe: Mapping[str, Any],
        folder: str | Path,
        start: str | Path | None = None,
        hooks: Sequence[object] = (),
    ) -> None:
        self.recipe = Recipe.from_dict(recipe)
        self.folder = Path(folder)
        self.start = start
        self.hooks = hooks

    @cached_property
    def assembly(self) -> Assembly:
        """The components with fitted encoders, untrained."""
        return Assembly(self.recipe)

    @cached_property
    def run(self) -> Run:
        """The trained run. A training that was stopped continues from its checkpoint."""

        def resumed() -> object:
            return train(
                self.recipe, self.folder, resume=True, start_from=self.start, hooks=self.hooks
            )

        try:
            patiently(resumed)
        except CheckpointError as error:
            log.warning("%s; the training starts over", error)
            shutil.rmtree(self.folder)
            train(self.recipe, self.folder, start_from=self.start, hooks=self.hooks)
        return Run(self.folder)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The record of each step of the training."""
        return read_history(self.run.path / "history.jsonl")
