"""Hooks: functions that are called during a run, for a report, or when ``qgen`` starts.

A callback for one run is any object with ``@hookimpl`` methods; a plugin offers such an
object under the entry-point group ``qgen.hooks``. Both are called in the same way. Hook
modules are imported at start-up, so they import heavy frameworks inside functions only.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from qgen_core.discovery.entry_points import (
    distribution_of,
    entries,
    import_failures,
    reason_of,
)
from qgen_core.errors import BrokenPlugin, QgenError

if TYPE_CHECKING:
    from qgen_core.interfaces import History, Problem

#: The entry-point group of hook objects.
GROUP = "qgen.hooks"
#: Marks the specification of a hook.
hookspec = pluggy.HookspecMarker("qgen")
#: Marks a method that implements a hook.
hookimpl = pluggy.HookimplMarker("qgen")
log = logging.getLogger("qgen")


class Specs:
    """All hooks. An implementation takes any subset of the arguments, by name.

    >>> class PrintLoss:
    ...     @hookimpl
    ...     def on_step(self, record):
    ...         print(f"step {record['step']}: loss {record['loss']}")
    >>> import qgen_core as qgen
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> trainer = qgen.trainer("adam", steps=1)
    >>> history = trainer.fit(
    ...     Quadratic(), events(), qgen.loss("mean"), seed=1, hooks=[PrintLoss()]
    ... )  # doctest: +ELLIPSIS
    step 0: loss 1...
    """

    @hookspec
    def on_fit_start(self, problem: Problem) -> None:
        """Called before the first step of this process, which is ``problem.step``."""

    @hookspec
    def on_step(self, problem: Problem, record: Mapping[str, Any]) -> None:
        """Called after each step; ``record`` is its line of history.jsonl.

        The parameters of ``problem.generator`` are those after the step, or, if the optimiser runs
        its own loop (COBYLA), those of the evaluation.
        """

    @hookspec
    def on_epoch(self, problem: Problem, epoch: int) -> None:
        """Called after each pass over the events, where a loss reads events in batches."""

    @hookspec
    def on_fit_end(self, problem: Problem, history: History) -> None:
        """Called after the last step, also when training stopped early."""

    @hookspec
    def environment(self) -> Mapping[str, str]:  # type: ignore[empty-body]
        """Return facts to record with every run, e.g. versions of drivers."""

    @hookspec
    def report_sections(self, material: Mapping[str, Any]) -> Sequence[Any]:  # type: ignore[empty-body]
        """Return sections (:class:`qgen_core.runs.report.Section`) for the report of a run.

        ``material`` is what :func:`qgen_core.runs.report.material` returns.
        """

    @hookspec
    def run_figures(self, name: str, material: Mapping[str, Any]) -> Sequence[Any]:  # type: ignore[empty-body]
        """Draw one figure of a run: a sequence with the matplotlib figure, or an empty one.

        ``name`` is that of a method of :class:`qgen_core.runs.trained.Figures`. ``material`` is
        what :func:`qgen_core.runs.report.material` returns; for ``joint`` it has the ``pair``, a
        set of two columns or None, for ``circuit`` it holds the ``circuit`` alone.
        """

    @hookspec
    def scan_figures(self, material: Mapping[str, Any], folder: Path) -> Sequence[Path]:  # type: ignore[empty-body]
        """Draw the results of a scan into ``folder`` and return the files.

        ``material`` has the ``title``, the keys of the ``axes``, the ``metrics``, and the
        ``points``: each has ``values`` by axis, and ``summaries`` by metric with ``mean``,
        ``deviation`` (NaN for one seed) and ``count``. Points without results have no summaries.
        """

    @hookspec
    def register_commands(self, app: Any) -> None:
        """Add commands to the ``qgen`` command line (a typer.Typer)."""


#: What the hooks that return something return.
RESULTS: Mapping[str, type] = {
    "environment": Mapping,
    "report_sections": Sequence,
    "run_figures": Sequence,
    "scan_figures": Sequence,
}


@cache
def discovered() -> tuple[tuple[object, str], ...]:
    """The hook objects of installed plugins, each with its package, "qgen-demo 1.0".

    One that cannot be imported is logged and left out.

    >>> isinstance(discovered(), tuple)
    True
    """
    found = []
    for entry in entries(GROUP):
        try:
            with import_failures(f"hook {entry.name!r}", entry):
                found.append((entry.load(), " ".join(distribution_of(entry))))
        except BrokenPlugin as error:
            log.warning("%s; its hooks are left out", error)
    return tuple(found)


def manager(extra: Sequence[object] = ()) -> Any:
    """The hooks of plugins and of ``extra``, as one object with a callable for each hook.

    A plugin whose hook takes an argument that the specification lacks is logged and left out;
    such an object in ``extra`` raises BrokenPlugin. Calling a hook raises BrokenPlugin, which names
    the package, when that of a plugin fails or returns something else than the specification says;
    what an object in ``extra`` raises is left as it is.

    >>> class AddVersion:
    ...     @hookimpl
    ...     def environment(self):
    ...         return {"driver": "1.2"}
    >>> {"driver": "1.2"} in manager([AddVersion()]).environment()
    True
    """
    plugins = _empty()
    number = 0  # two plugins may share a ``__name__``
    for plugin, package in (*discovered(), *((plugin, "") for plugin in extra)):
        number += 1
        if plugins.is_registered(plugin):
            continue
        reason = _misfit(plugin)
        if not reason:
            plugins.register(plugin, name=str(number))
            if package:
                _blame(plugins, plugin, package)
        elif package:
            log.warning("the hooks of %s do not fit and are left out: %s", package, reason)
        else:
            raise BrokenPlugin(f"hooks do not fit: {reason}")
    return plugins.hook


def _blame(plugins: pluggy.PluginManager, plugin: object, package: str) -> None:
    """Let the failures of a plugin's hooks name its package."""
    for caller in plugins.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            is_plain = not inspect.isgeneratorfunction(implementation.function)
            if implementation.plugin is plugin and is_plain:
                named = _named(implementation.function, caller.name, package)
                implementation.function = named  # type: ignore[misc]


def _named(function: Callable[..., Any], hook: str, package: str) -> Callable[..., Any]:
    expected = RESULTS.get(hook, object)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            result = function(*arguments)
        except (QgenError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            raise BrokenPlugin(f"hook {hook!r} of {package} failed: {reason_of(error)}") from error
        if result is not None and not isinstance(result, expected):
            raise BrokenPlugin(
                f"hook {hook!r} of {package} returned a {type(result).__name__} instead of a "
                f"{expected.__name__}"
            )
        return result

    return call


def _empty() -> pluggy.PluginManager:
    plugins = pluggy.PluginManager("qgen")
    plugins.add_hookspecs(Specs)
    return plugins


def _misfit(plugin: object) -> str:
    """Why the hooks of an object cannot be called, tried on a manager of its own.

    Empty if they can.
    """
    try:
        _empty().register(plugin, name=getattr(plugin, "__name__", type(plugin).__name__))
    except pluggy.PluginValidationError as error:
        return " ".join(str(error).split())
    return ""
