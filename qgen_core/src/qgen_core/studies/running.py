"""Running the cells that have no result yet, and storing each result as it comes."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from qgen_core import errors
from qgen_core.discovery import registry
from qgen_core.errors import BrokenPlugin, Interrupted
from qgen_core.runs.progress import counter
from qgen_core.studies.cell_files import read_cell, write_cell
from qgen_core.studies.cells import Cell
from qgen_core.studies.executors import Executor
from qgen_core.studies.performing import perform, request, steps_done
from qgen_core.support.files import make_folder
from qgen_core.support.signals import handled

log = logging.getLogger("qgen")


def run_missing(
    ref: Mapping[str, Any],
    cells: Mapping[str, Cell],
    folder: Path,
    executor: registry.Ref,
    what: str,
) -> dict[str, str]:
    """Run the cells that have no undamaged result.

    Args:
        ref: the study, a table with ``name`` and options.
        cells: the cells by key.
        folder: where each result is stored as ``KEY.json``.
        executor: what runs them: a name, or a table with ``name`` and options.
        what: what is run, as progress and messages name it.

    Returns the errors of failed cells by key. Raises Interrupted on SIGINT and SIGTERM.
    """
    make_folder(folder)
    run: Executor = registry.build("executor", executor)
    missing = [key for key in cells if read_cell(folder, key) is None]
    tasks = [request(ref, cells[key], folder / key) for key in missing]
    failed: dict[str, str] = {}
    done = len(cells) - len(missing)
    with (
        counter(len(cells), what) as advance,
        closing(run(perform, tasks, steps_done)) as answers,
        _stopping(lambda: f"{done} of {len(cells)} cells done"),
    ):
        for number, text in answers:
            key = missing[number]
            answer = json.loads(text)
            if "error" not in answer:
                write_cell(folder, key, cells[key], answer)
                done += 1
                advance(done, "")
            elif answer["error"].startswith(Interrupted.__name__):
                raise KeyboardInterrupt
            else:
                failed[key] = answer["error"] + cells[key].place
                log.warning("a cell failed: %s", failed[key])
    return failed


def raise_first(failed: Mapping[str, str], cells: int) -> None:
    """Raise the first error again, of its own type, if there is one."""
    if not failed:
        return
    first = next(iter(failed.values()))
    kind, _, text = first.partition(": ")
    error = getattr(errors, kind, BrokenPlugin)
    raise error(f"{len(failed)} of {cells} cells failed, the first: {text}")


@contextmanager
def _stopping(state: Callable[[], str]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into Interrupted.

    SIGINT also where it is ignored: shells start background jobs so, and `kill -INT` is meant for
    one of them.
    """
    try:
        with handled([signal.SIGINT, signal.SIGTERM], signal.default_int_handler):
            yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped with {state()}; run the same command again to continue"
        ) from None
