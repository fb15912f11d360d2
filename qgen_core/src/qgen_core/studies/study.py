"""Studies: many trainings, each done once, and the tables and figures made of them.

A study is a list of cells. A cell is content, a recipe and what to measure; its result is one
file named by the hash of that content, so a study goes on where it stopped, and what is there
can be tabulated and drawn at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from qgen_core import errors
from qgen_core.discovery import registry
from qgen_core.discovery.entry_points import reason_of
from qgen_core.errors import BrokenPlugin, CheckpointError, Interrupted, QgenError
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.lock import RunLock
from qgen_core.runs.progress import counter
from qgen_core.runs.provenance import versions
from qgen_core.runs.recipes import TABLES, Recipe
from qgen_core.runs.run import Run, train
from qgen_core.support.checkpoint import read_history, write_durably

Answers = Generator[tuple[int, str], None, None]
Executor = Callable[[Callable[[str], str], Sequence[str]], Answers]
log = logging.getLogger("qgen")


@dataclass(frozen=True)
class Cell:
    """One piece of a study, as plain data: a recipe's nested tables, and options by name of measurement."""

    recipe: Mapping[str, Any]
    measurements: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Result:
    """What a cell gave: data by name of measurement, None if it has not been run; seconds it took."""

    cell: Cell
    key: str
    value: Mapping[str, Any] | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table to print: texts in rows, and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table in Markdown, padded to be read as it stands.

        >>> print(Table("T", ("a", "b"), (("1", "22"),)).markdown())
        ### T
        <BLANKLINE>
        | a | b  |
        |---|----|
        | 1 | 22 |
        """
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        text = [
            "| " + " | ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)) + " |"
            for line in lines
        ]
        rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([f"### {self.title}\n", text[0], rule, *text[1:], *notes])


class Trial:
    """A cell's recipe at work. A measurement that asks only for ``assembly`` trains nothing.

    ``start`` is the folder of a run whose parameters the training starts with. A measurement that needs
    several trainings makes further trials, in folders inside of its own.
    """

    def __init__(self, recipe: Mapping[str, Any], folder: Path, start: Path | None = None) -> None:
        self.recipe = Recipe.from_dict(recipe)
        self.folder, self.start = folder, start

    @cached_property
    def assembly(self) -> Assembly:
        """The components with fitted encoders, untrained."""
        return Assembly(self.recipe)

    @cached_property
    def run(self) -> Run:
        """The trained run; its training goes on from where an earlier one was stopped."""
        try:
            train(self.recipe, self.folder, resume=True, start_from=self.start)
        except CheckpointError as error:
            log.warning("%s; the training starts anew", error)
            shutil.rmtree(self.folder)
            train(self.recipe, self.folder, start_from=self.start)
        return Run(self.folder)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record a step of the training."""
        return read_history(self.run.path / "history.jsonl")


class Study(ABC):
    """What a package offers under ``qgen.studies``: a class whose options are those of the study.

    ``measurements`` are functions of a :class:`Trial` and their options that return plain data.
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]]

    @abstractmethod
    def cells(self, *, quick: bool) -> Sequence[Cell]:
        """The whole of the study, or with ``quick`` a setting of minutes. Equal cells run once."""

    @abstractmethod
    def tables(self, results: Sequence[Result]) -> Sequence[Table]:
        """What the results say, with missing cells shown as missing."""

    def figures(self, results: Sequence[Result], folder: Path) -> Sequence[Path]:
        """Draw the results into a folder; the files."""
        return ()

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        """A cell's recipe with what is no part of its content, such as where a file lies here."""
        return recipe


@dataclass(frozen=True)
class Outcome:
    """A study as far as it is done. ``failed`` has the errors of cells by key."""

    name: str
    folder: Path
    quick: bool
    results: Sequence[Result]
    tables: Sequence[Table]
    figures: Sequence[Path]
    failed: Mapping[str, str]

    @property
    def done(self) -> int:
        """The number of cells that have a result."""
        return sum(result.value is not None for result in self.results)

    def data(self) -> dict[str, Any]:
        """Everything, as plain data."""
        used: list[Mapping[str, str]] = []
        cells = []
        for result in self.results:
            row = asdict(result)
            row.pop("versions")
            if result.versions and result.versions not in used:
                used.append(result.versions)
            row["versions"] = used.index(result.versions) if result.versions else None
            cells.append(row)
        return {
            "study": self.name,
            "quick": self.quick,
            "done": self.done,
            "of": len(self.results),
            "seconds": round(sum(r.seconds for r in self.results), 1),
            "cpu_seconds": round(sum(r.cpu_seconds for r in self.results), 1),
            "versions": used,
            "failed": dict(self.failed),
            "tables": [asdict(table) for table in self.tables],
            "figures": [path.name for path in self.figures],
            "cells": cells,
        }

    def markdown(self) -> str:
        """The tables, and how much of the study they show."""
        missing = len(self.results) - self.done
        head = f"{self.done} of {len(self.results)} cells" + (
            f"; {missing} are missing" if missing else ""
        )
        setting = "quick" if self.quick else "full"
        time_taken = (
            f"{sum(r.cpu_seconds for r in self.results) / 60:.1f} minutes of processor time"
        )
        text = [table.markdown() for table in self.tables]
        return (
            "\n\n".join([f"Study `{self.name}`, {setting} setting: {head}, {time_taken}.", *text])
            + "\n"
        )


def reproduce(
    study: registry.Ref,
    folder: Path | None = None,
    *,
    quick: bool = False,
    executor: registry.Ref = "serial",
    show: bool = False,
) -> Outcome:
    """Run the cells of a study that have no result yet; tabulate and draw all that have one.

    ``study`` and ``executor`` are names, or tables with ``name`` and options. The folder, by default
    ``runs/NAME`` or ``runs/NAME-quick``, holds a file per cell in ``cells`` and, in ``result``,
    results.json, tables.md and the figures. ``show`` runs nothing.

    Raises Interrupted on SIGINT and SIGTERM, after running trainings are saved; the error of the
    first failed cell when all others are done; Busy when another process works in the folder.
    """
    ref: Mapping[str, Any] = {"name": study} if isinstance(study, str) else dict(study)
    built, name = build(ref), str(ref["name"])
    cells = {key_of(name, cell): cell for cell in built.cells(quick=quick)}
    where = folder or Path("runs") / (f"{name}-quick" if quick else name)
    failed: dict[str, str] = {}
    if not show:
        with RunLock(where):
            failed = _run_missing(ref, cells, where / "cells", registry.build("executor", executor))
    results = [_read(where / "cells", key) or Result(cell, key) for key, cell in cells.items()]
    outcome = _summarise(built, name, where, quick, results, failed)
    if failed:
        kind, _, text = next(iter(failed.values())).partition(": ")
        raise getattr(errors, kind, BrokenPlugin)(
            f"{len(failed)} of {len(cells)} cells failed, the first: {text}"
        )
    return outcome


def build(ref: registry.Ref) -> Study:
    """A study from its name, or a table with options. Raises BrokenPlugin if it is none."""
    built = registry.build("study", ref)
    if not isinstance(built, Study):
        raise BrokenPlugin(f"study {ref!r} gave a {type(built).__name__}, not a Study")
    return built


def key_of(study: str, cell: Cell) -> str:
    """The SHA-256 of a cell's content, and of the versions of the packages that its tables name."""
    providers = {}
    for kind, name in [("study", study), *_named(cell.recipe)]:
        offer = registry.find(kind, name)
        providers[f"{kind} {name}"] = f"{offer.distribution} {offer.version}"
    return hashlib.sha256(
        _canonical({"cell": asdict(cell), "providers": providers}).encode()
    ).hexdigest()


def _named(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of each component of a recipe, those within components left out."""
    for key, kind in TABLES.items():
        table = recipe.get(key)
        if table is not None:
            yield kind, table if isinstance(table, str) else table["name"]


def _canonical(data: Any) -> str:
    """The one JSON text of plain data. Raises ValueError or TypeError for other than finite plain data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _read(folder: Path, key: str) -> Result | None:
    """A cell's whole result; None if there is none or the file is damaged."""
    try:
        file = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        content = file["content"]
        if hashlib.sha256(_canonical(content).encode()).hexdigest() != file["sha256"]:
            return None
        return Result(Cell(**content.pop("cell")), key, **content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(folder: Path, key: str, content: Mapping[str, Any]) -> None:
    seal = hashlib.sha256(_canonical(content).encode()).hexdigest()
    write_durably(folder / f"{key}.json", json.dumps({"sha256": seal, "content": content}).encode())
    shutil.rmtree(folder / key, ignore_errors=True)


def _run_missing(
    ref: Mapping[str, Any], cells: Mapping[str, Cell], folder: Path, executor: Executor
) -> dict[str, str]:
    """Run what has no whole result; the errors of cells that failed, by key."""
    folder.mkdir(exist_ok=True)
    missing = [key for key in cells if _read(folder, key) is None]
    tasks = [
        _canonical({"study": dict(ref), "cell": asdict(cells[k]), "folder": str(folder / k)})
        for k in missing
    ]
    failed: dict[str, str] = {}
    done = len(cells) - len(missing)
    with (
        counter(len(cells), f"study {ref['name']}") as advance,
        closing(executor(perform, tasks)) as answers,
        _stopping(lambda: f"{done} of {len(cells)} cells done"),
    ):
        for number, text in answers:
            key, answer = missing[number], json.loads(text)
            if "error" not in answer:
                _write(folder, key, {"cell": asdict(cells[key]), **answer})
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
    """SIGINT and SIGTERM become Interrupted."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"stopped with {state()}; the same command goes on from there") from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def perform(message: str) -> str:
    """Measure one cell, in whatever process: a request and an answer in JSON.

    The answer has the value and the seconds it took, or the error.
    """
    request = json.loads(message)
    wall, cpu = time.monotonic(), time.process_time()
    try:
        study = build(request["study"])
        trial = Trial(study.local(request["cell"]["recipe"]), Path(request["folder"]))
        wanted = request["cell"]["measurements"]
        value = {
            name: study.measurements[name](trial, **options) for name, options in wanted.items()
        }
        seconds = {
            "seconds": round(time.monotonic() - wall, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
        }
        return _canonical({"value": value, "versions": versions(), **seconds})
    except QgenError as error:
        return _canonical({"error": str(error)})
    except Exception as error:
        log.exception("study %r failed", request["study"]["name"])
        reason = f"study {request['study']['name']!r} failed in a cell: {reason_of(error)}"
        return _canonical({"error": f"BrokenPlugin: {reason}"})


def _summarise(
    study: Study,
    name: str,
    where: Path,
    quick: bool,
    results: Sequence[Result],
    failed: Mapping[str, str],
) -> Outcome:
    folder = where / "result"
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(
        name, where, quick, results, study.tables(results), study.figures(results, folder), failed
    )
    data = outcome.data()
    cells = ",\n".join(json.dumps(cell) for cell in data.pop("cells"))
    text = json.dumps(data, indent=1)[:-2] + f',\n "cells": [\n{cells}\n ]\n}}\n'
    write_durably(folder / "results.json", text.encode())
    write_durably(folder / "tables.md", outcome.markdown().encode())
    return outcome
