"""Running a study: the cells that have no result yet, in one process or in several."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from qgen_core import errors
from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import reason_of
from qgen_core.errors import BrokenPlugin, Interrupted, QgenError
from qgen_core.runs.lock import RunLock
from qgen_core.runs.progress import counter
from qgen_core.runs.provenance import versions
from qgen_core.studies.cell_files import read_cell, write_cell
from qgen_core.studies.cells import Cell, canonical, distinct, key_of
from qgen_core.studies.outcome import Outcome
from qgen_core.studies.results import Result, Results
from qgen_core.studies.study import build
from qgen_core.studies.trial import Trial
from qgen_core.support.files import make_folder

Answers = Generator[tuple[int, str], None, None]
Executor = Callable[[Callable[[str], str], Sequence[str]], Answers]
log = logging.getLogger("qgen")


def reproduce(
    study: registry.Ref,
    folder: str | Path | None = None,
    *,
    quick: bool = False,
    executor: registry.Ref = "serial",
    show: bool = False,
) -> Outcome:
    """Run the cells of a study that have no result yet; tabulate and draw all that have one.

    Args:
        study: its name, or a table with ``name`` and options.
        folder: where cells and results are stored, by default ``runs/NAME`` or
            ``runs/NAME-quick``: one file for each finished cell in ``cells``; results.json,
            tables.md and the figures in ``result``.
        quick: run the small setting of the study.
        executor: what runs the cells: a name, or a table with ``name`` and options.
        show: run nothing.

    Raises:
        Interrupted: on SIGINT and SIGTERM, after running trainings have been saved.
        Busy: another process works in the folder.
        QgenError: the error of the first failed cell, after all others have been run.

    >>> import tempfile
    >>> from qgen_core.studies import Study, Table
    >>> class Squares(Study):
    ...     measurements = {"square": lambda trial: trial.recipe.seed**2}
    ...
    ...     def cells(self, *, quick):
    ...         recipe = {
    ...             "dataset": "any",
    ...             "encoder": "binning",
    ...             "generator": "qcbm",
    ...             "loss": "js",
    ...             "trainer": "adam",
    ...         }
    ...         found = []
    ...         for seed in [1, 2, 3]:
    ...             found.append(Cell({**recipe, "seed": seed}, {"square": {}}, {"seed": seed}))
    ...         return found
    ...
    ...     def tables(self, results):
    ...         text = results.summary(float).text()
    ...         return [Table("Squares", ["mean"], [[text]])]
    >>> registry.register("study", "squares", Squares)
    >>> registry.register("dataset", "any", list)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcome = reproduce("squares", folder)
    >>> outcome.results.one(seed=3).data()
    9
    """
    ref: Mapping[str, Any] = {"name": study} if isinstance(study, str) else dict(study)
    name = str(ref["name"])
    built = build(ref)
    where = _folder_of(name, folder, quick)
    cells: dict[str, Cell] = {}
    failed: dict[str, str] = {}
    new = _by_key(name, built.cells(quick=quick))
    while True:
        cells.update(new)
        if not show:
            with RunLock(where):
                run_cells = registry.build("executor", executor)
                failed = _run_missing(ref, cells, where / "cells", run_cells)
        results = _results_of(cells, where / "cells")
        if failed:
            break
        further = _by_key(name, built.more_cells(results, quick=quick))
        new = {key: cell for key, cell in further.items() if key not in cells}
        if not new:
            break
    into = where / "result"
    make_folder(into)
    tables = built.tables(results)
    figures = built.figures(results, into)
    outcome = Outcome(name, where, quick, results, tables, figures, failed)
    outcome.write(into)
    if failed:
        _raise_first(failed, len(cells))
    return outcome


def _by_key(study: str, cells: Sequence[Cell]) -> dict[str, Cell]:
    """Distinct cells by the keys of their results."""
    return {key_of(study, cell): cell for cell in distinct(cells)}


def _results_of(cells: Mapping[str, Cell], folder: Path) -> Results:
    """The results of cells by key, without data for those that have not been run."""
    found = []
    for key, cell in cells.items():
        stored = read_cell(folder, key, cell)
        found.append(stored or Result(cell, key))
    return Results(found)


def _folder_of(name: str, folder: str | Path | None, quick: bool) -> Path:
    if folder is not None:
        return Path(folder)
    return Path("runs") / (f"{name}-quick" if quick else name)


def _raise_first(failed: Mapping[str, str], cells: int) -> None:
    """Raise the first error again, of its own type."""
    first = next(iter(failed.values()))
    kind, _, text = first.partition(": ")
    error = getattr(errors, kind, BrokenPlugin)
    raise error(f"{len(failed)} of {cells} cells failed, the first: {text}")


def _run_missing(
    ref: Mapping[str, Any], cells: Mapping[str, Cell], folder: Path, executor: Executor
) -> dict[str, str]:
    """Run the cells that have no undamaged result. Returns the errors of failed cells by key."""
    make_folder(folder)
    missing = [key for key in cells if read_cell(folder, key) is None]
    tasks = [_request(ref, cells[key], folder / key) for key in missing]
    failed: dict[str, str] = {}
    done = len(cells) - len(missing)
    with (
        counter(len(cells), f"study {ref['name']}") as advance,
        closing(executor(perform, tasks)) as answers,
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
                failed[key] = answer["error"]
                log.warning("a cell failed: %s", answer["error"])
    return failed


@contextmanager
def _stopping(state: Callable[[], str]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into Interrupted."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped with {state()}; run the same command again to continue"
        ) from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _request(ref: Mapping[str, Any], cell: Cell, folder: Path) -> str:
    """What :func:`perform` is asked in another process."""
    return canonical({"study": dict(ref), "cell": cell.content, "folder": str(folder)})


def perform(message: str) -> str:
    """Measure one cell, in any process. Request and answer are JSON texts.

    The request has the ``study`` (a table with ``name`` and options), the content of the
    ``cell`` and a ``folder`` to work in. The answer has the ``value``, the ``versions`` of
    packages, and the ``seconds`` and ``cpu_seconds`` that it took; or the ``error``.
    """
    request = json.loads(message)
    try:
        return canonical(_measure(request))
    except QgenError as error:
        return canonical({"error": str(error)})
    except Exception as error:
        log.exception("study %r failed", request["study"]["name"])
        reason = f"study {request['study']['name']!r} failed in a cell: {reason_of(error)}"
        return canonical({"error": f"BrokenPlugin: {reason}"})


def _measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each measurement of a cell, and what it took."""
    wall = time.monotonic()
    cpu = time.process_time()
    study = build(request["study"])
    recipe = study.local(request["cell"]["recipe"])
    trial = Trial(recipe, request["folder"])
    value = {}
    for name, options in request["cell"]["measurements"].items():
        value[name] = study.measurements[name](trial, **options)
    return {
        "value": value,
        "versions": versions(),
        "seconds": round(time.monotonic() - wall, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
    }
