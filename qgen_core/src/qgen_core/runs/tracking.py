"""Trackers: programs such as TensorBoard and MLflow that follow a training.

A tracker is a component that a plugin offers under ``qgen.trackers``. A tracker that fails, because
a disk is full or a server away, is left out of the rest of the training with one warning.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qgen_core.discovery import registry
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import Interrupted
from qgen_core.interfaces import History, name_of
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.recipes import Recipe
from qgen_core.support.checkpoint import first_process
from qgen_core.support.short_repr import ShownByOptions

log = logging.getLogger("qgen")

#: The line of a step in history.jsonl: ``step``, ``loss`` and other numbers by name.
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Followed:
    """The training that a tracker follows.

    ``facts`` is the content of run.json: versions, the model, and the kind of the data.

    >>> tables = {"dataset": {"name": "jets"}, "trainer": {"name": "adam"}}
    >>> Followed(Path("runs/jets"), Recipe(tables), {"data": {"kind": "stand-in"}}).data
    'jets (stand-in)'
    """

    folder: Path
    recipe: Recipe
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the run folder."""
        return self.folder.resolve().name

    @property
    def data(self) -> str:
        """The name of the dataset and the kind of its events."""
        kind = self.facts.get("data", {}).get("kind", "unknown")
        return f"{self.recipe.tables['dataset']['name']} ({kind})"


@dataclass(frozen=True)
class Ending:
    """How a training ended, and the reason in words.

    >>> Ending("finished", "all 300 steps done").how
    'finished'
    """

    how: Literal["finished", "interrupted", "failed"]
    reason: str


class Tracker(ShownByOptions, ABC):
    """Follows a training. Its keyword-only parameters are its options.

    Errors that its methods raise end the tracker, not the training.

    >>> class Printed(Tracker):
    ...     def begin(self, run, records):
    ...         print(run.name, "has", len(records), "steps")
    ...
    ...     def record(self, record):
    ...         print(f"step {record['step']}")
    ...
    ...     def end(self, ending):
    ...         print(ending.reason)
    >>> import tempfile
    >>> import numpy as np
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.linspace(0, 1, 64)[:, None] ** 2, columns=("x",))
    >>> qgen.register("dataset", "doctest-to-track", lambda: events)
    >>> recipe = {
    ...     "dataset": "doctest-to-track",
    ...     "encoder": {"name": "binning", "bits": 2},
    ...     "generator": {"name": "qcbm", "ansatz": "brick"},
    ...     "loss": "js",
    ...     "trainer": {"name": "adam", "steps": 2},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = qgen.train(recipe, run=f"{folder}/run", log=Printed(), progress=False)
    run has 0 steps
    step 0
    step 1
    all 2 steps done
    """

    __qgen_kind__ = "tracker"

    @abstractmethod
    def begin(self, run: Followed, records: Sequence[Record]) -> None:
        """Begin with a training, or go on with it.

        ``records`` are those of the steps that are done. A training that was killed may have done
        further steps, which it does again with the same numbers: none may be kept twice.
        """

    @abstractmethod
    def record(self, record: Record) -> None:
        """Take the numbers of a step."""

    @abstractmethod
    def end(self, ending: Ending) -> None:
        """Keep what is not yet kept, and let the program know how the training ended."""


#: One or several trackers, each as its name, a table with ``name`` and options, or an object.
Trackers = registry.Ref | Tracker | Sequence[registry.Ref | Tracker]


@contextmanager
def tracked(trackers: Trackers, recipe: Recipe, folder: Path) -> Iterator[list[object]]:
    """The hooks by which trackers follow the training of a ``with`` block.

    ``trackers`` are names, tables with a name and options, or objects; one or several. Of the
    processes that torchrun starts only the first one is followed. Raises what
    :func:`qgen_core.build` raises.

    >>> with tracked([], Recipe({}), Path("run")) as hooks:
    ...     hooks
    []
    """
    if isinstance(trackers, str | Mapping | Tracker):
        trackers = [trackers]
    followers = []
    if first_process():
        for tracker in trackers:
            if not isinstance(tracker, Tracker):
                tracker = registry.build("tracker", tracker)
            followers.append(_Follower(tracker, recipe, folder))
    ending = Ending("finished", "the training ended")
    try:
        yield [*followers]
    except Interrupted as interruption:
        ending = Ending("interrupted", str(interruption))
        raise
    except BaseException as error:
        ending = Ending("failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        for follower in followers:
            follower.end(ending)


class _Follower:
    """Passes a training on to a tracker until that fails."""

    def __init__(self, tracker: Tracker, recipe: Recipe, folder: Path) -> None:
        self._tracker = tracker
        self._recipe = recipe
        self._folder = folder
        self._is_on = False

    @hookimpl
    def on_fit_start(self) -> None:
        self._is_on = True
        self._attempt(self._begin)

    @hookimpl
    def on_step(self, record: Record) -> None:
        self._attempt(self._tracker.record, record)

    @hookimpl
    def on_fit_end(self, history: History) -> None:
        self.end(Ending("finished", history.stopped))

    def end(self, ending: Ending) -> None:
        """End the tracker, once."""
        self._attempt(self._tracker.end, ending)
        self._is_on = False

    def _begin(self) -> None:
        run = RunFolder(self._folder)
        self._tracker.begin(Followed(self._folder, self._recipe, run.record), run.history())

    def _attempt(self, act: Callable[..., None], *arguments: Any) -> None:
        if not self._is_on:
            return
        try:
            act(*arguments)
        except Exception as error:
            self._is_on = False
            reason = f"{type(error).__name__}: {error}".removeprefix("BrokenPlugin: ")
            log.warning(
                "tracker %r failed, and the training goes on without it: %s",
                name_of(self._tracker),
                reason,
            )
