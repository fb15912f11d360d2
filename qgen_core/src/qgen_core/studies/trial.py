"""The recipe of a cell, built and trained when a measurement asks for it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from qgen_core.errors import CheckpointError
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train
from qgen_core.support.checkpoint import read_history

log = logging.getLogger("qgen")


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
        try:
            train(self.recipe, self.folder, resume=True, start_from=self.start, hooks=self.hooks)
        except CheckpointError as error:
            log.warning("%s; the training starts over", error)
            shutil.rmtree(self.folder)
            train(self.recipe, self.folder, start_from=self.start, hooks=self.hooks)
        return Run(self.folder)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The record of each step of the training."""
        return read_history(self.run.path / "history.jsonl")
