"""Hooks: what everyone may add to a run, a report or the command line.

A callback for one run is any object with ``@hookimpl`` methods; a plugin offers such an
object under the entry-point group ``qgen.hooks``. Both are called in the same way. Hook
modules are imported at start-up, so they import heavy frameworks inside functions only.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pluggy

from qgen_core.errors import BrokenPlugin
from qgen_core.plugins import allowed, import_failures

if TYPE_CHECKING:
    from qgen_core.training import History, Problem

GROUP = "qgen.hooks"
hookspec = pluggy.HookspecMarker("qgen")
hookimpl = pluggy.HookimplMarker("qgen")
log = logging.getLogger("qgen")


class Specs:
    """The hooks there are. An implementation takes any subset of the arguments."""

    @hookspec
    def on_fit_start(self, problem: Problem) -> None:
        """Before the first step of this process; ``problem.step`` is where it starts."""

    @hookspec
    def on_step(self, problem: Problem, record: Mapping[str, Any]) -> None:
        """After each step; ``record`` is its line of history.jsonl."""

    @hookspec
    def on_epoch(self, problem: Problem, epoch: int) -> None:
        """After each pass over the events, where a loss reads events in batches."""

    @hookspec
    def on_fit_end(self, problem: Problem, history: History) -> None:
        """After the last step, also when it was stopped early."""

    @hookspec
    def environment(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Facts to record with every run, e.g. versions of drivers."""

    @hookspec
    def report_sections(self, material: Mapping[str, Any]) -> Sequence[Any]:  # type: ignore[empty-body]
        """Sections (:class:`qgen_core.report.Section`) for the report of a run."""

    @hookspec
    def register_commands(self, app: Any) -> None:
        """Add commands to the ``qgen`` command line (a typer.Typer)."""


@cache
def discovered() -> tuple[object, ...]:
    """The hook objects of installed plugins. One that cannot be imported is logged, not fatal."""
    found = []
    for entry in importlib.metadata.entry_points(group=GROUP):
        if not allowed(entry):
            continue
        try:
            with import_failures(f"hook {entry.name!r}", entry):
                found.append(entry.load())
        except BrokenPlugin as error:
            log.warning("%s; its hooks are left out", error)
    return tuple(found)


def manager(extra: Sequence[object] = ()) -> Any:
    """The callable hooks: those of plugins, then ``extra``."""
    plugins = pluggy.PluginManager("qgen")
    plugins.add_hookspecs(Specs)
    for plugin in (*discovered(), *extra):
        if not plugins.is_registered(plugin):
            plugins.register(plugin)
    return plugins.hook


