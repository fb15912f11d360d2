"""Commands whose n-th change of a file fails: ``failing_writes.py LIBRARY FOLDER TRIES SEED``.

The library, of failing_writes.c, is preloaded. Every try runs in a child that is forked after all
imports. It ends right or with an exit code of a QgenError, what was saved before is intact, and
the command succeeds when it is run again. Prints JSON: for each command the number of changes, the
tries, how they ended, and each defect.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import toyset

from qgen_core.cli import main as qgen
from qgen_core.errors import QgenError
from qgen_core.runs import compare, evaluation, report
from qgen_core.runs.folder import RunFolder
from qgen_core.support.checkpoint import Checkpoints

#: Exit codes of the errors that qgen raises on purpose.
CODES = (2, 3, 4, 5, 6, 75)
#: One thread, so that no thread is missing in a forked child.
BACKEND = '[backend]\nname = "statevector"\nthreads = 1\n'
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
TRAINERS = {
    "adam": 'name = "adam"\nlearning_rate = 0.05\nkeep_best = true',
    "spsa": 'name = "spsa"',
    "cobyla": 'name = "cobyla"',
    "cma": 'name = "cma"',
    "lcd": 'name = "lcd"\npoints = 5\nreference = "statevector"',
}


@dataclass(frozen=True)
class Command:
    """A command to disturb in a copy of a prepared folder.

    ``right`` and ``saved`` describe the state of the folder: the first after success, where the
    command may be run again before; the second is what must not be lost meanwhile.
    """

    name: str
    arguments: list[str]
    again: list[str]
    right: Callable[[Path], str]
    saved: Callable[[Path], bool]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def values_of(path: Path) -> str:
    """The columns of an event file; times in its header may differ."""
    found = hashlib.sha256()
    with h5py.File(path, "r") as file:
        for name in sorted(file):
            found.update(name.encode() + file[name][:].tobytes())
    return found.hexdigest()


def trained(folder: Path) -> str:
    """Parameters, history and encoders of a trained run."""
    run = RunFolder(folder / "run")
    found = hashlib.sha256((run.path / "history.jsonl").read_bytes())
    for name, array in sorted(run.checkpoint().arrays.items()):
        found.update(name.encode() + array.tobytes())
    for states in run.encoders.values():
        for name, array in sorted(states.items()):
            found.update(name.encode() + array.tobytes())
    return found.hexdigest()


def is_trained(folder: Path) -> bool:
    """Whether the checkpoint of the first part of the training, or a later one, is there."""
    note = Checkpoints(folder / "run").note()
    return note is not None and note.step >= 2 and not note.lost


def is_whole(path: str) -> Callable[[Path], bool]:
    """Whether an event file is readable: the earlier one or the new one."""
    return lambda folder: len(values_of(folder / path)) == 64


def evaluated(folder: Path) -> str:
    found = RunFolder(folder / "run").evaluation()
    assert found is not None
    return json.dumps(found["metrics"]) + digest(folder / "run" / "report.html")


def has_evaluation(folder: Path) -> bool:
    return RunFolder(folder / "run").evaluation() is not None


def commands(recipe: str) -> list[Command]:
    train = ["train", recipe, "--run", "run", "--checkpoint-every", "0"]
    longer = [*train, "--resume", "--set", "trainer.steps=4"]
    events = ["generate", "run", "-n", "3000", "--seed", "5", "-o", "events.h5"]
    evaluate = ["evaluate", "run"]
    report = ["report", "run"]
    compare = ["compare", "run", "run", "-o", "compared.html"]
    return [
        Command("train", longer, longer, trained, is_trained),
        Command(
            "generate",
            events,
            events,
            lambda folder: values_of(folder / "events.h5"),
            is_whole("events.h5"),
        ),
        Command("evaluate", evaluate, evaluate, evaluated, has_evaluation),
        Command(
            "report",
            report,
            report,
            lambda folder: digest(folder / "run" / "report.html"),
            has_evaluation,
        ),
        Command(
            "compare",
            compare,
            compare,
            lambda folder: digest(folder / "compared.html"),
            has_evaluation,
        ),
    ]


class Faults:
    """The preloaded library."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.faults_changes.restype = ctypes.c_long

    def arm(self, folder: Path, nth: int, lasting: bool, number: int) -> None:
        self._library.faults_arm(str(folder).encode(), ctypes.c_long(nth), lasting, number)

    @property
    def changes(self) -> int:
        return int(self._library.faults_changes())


def in_child(folder: Path, work: Callable[[], int]) -> int:
    """Run ``work`` in a forked child inside a folder; its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        with open(folder.parent / "said.txt", "w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        code = 1
        with contextlib.suppress(BaseException):
            code = work()
        sys.stdout.flush()
        sys.stderr.flush()
        ctypes.CDLL(None).exit(code)  # with the exit handlers of C libraries
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(arguments: list[str]) -> int:
    """The exit code of a command; 1 for an exception that is no QgenError, with its traceback."""
    import traceback

    try:
        qgen(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def result_of(check: Callable[[Path], object], folder: Path) -> object:
    try:
        return check(folder)
    except (QgenError, OSError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"


def disturb(
    command: Command, prepared: Path, faults: Faults, tries: int, draws: random.Random
) -> dict[str, object]:
    """Run a command again and again, with another change failing each time."""
    place = prepared.parent / "work"
    folder = place / "folder"

    def fresh() -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(prepared, folder)

    def armed(nth: int, lasting: bool, number: int) -> int:
        faults.arm(folder, nth, lasting, number)
        code = run(command.arguments)
        if nth < 0:
            (place / "changes.txt").write_text(str(faults.changes))
        return code

    fresh()
    assert in_child(folder, lambda: armed(-1, False, 0)) == 0, (place / "said.txt").read_text()
    changes = int((place / "changes.txt").read_text())
    right = command.right(folder)
    places = list(range(changes))
    if tries < changes:
        places = sorted(draws.sample(places, tries))
    ends: Counter[str] = Counter()
    defects = []
    for number, nth in enumerate(places):
        fresh()
        lasting = bool(number % 2)
        reason = ERRORS[number % len(ERRORS)]
        code = in_child(folder, partial(armed, nth, lasting, reason))
        said = (place / "said.txt").read_text()
        end = "refused"
        if code == 0:
            end = "right"
            if result_of(command.right, folder) != right:
                end = "silent"
        elif code not in CODES or "Traceback" in said:
            end = "crashed"
        if result_of(command.saved, folder) is not True:
            end = "lost"
        again = in_child(folder, lambda: run(command.again))
        if again != 0 or result_of(command.right, folder) != right:
            end = "lost"
        ends[end] += 1
        if end not in ("right", "refused"):
            where = f"{errno.errorcode[reason]} at change {nth}, exit code {code}"
            defects.append({"command": command.name, "where": where, "said": said[-400:]})
    return {"changes": changes, "tries": len(places), **ends, "defects": defects}


def prepare(place: Path, trainer: str) -> Path:
    """A folder with a run of two steps, evaluated, and its events.

    Made in this process, so that its children find the engine compiled and packages imported.
    """
    folder = place / "prepared"
    folder.mkdir()
    recipe = toyset.RECIPE.split("[trainer]")[0] + f"[trainer]\n{TRAINERS[trainer]}\nsteps = 2\n"
    (folder / "recipe.toml").write_text(recipe + BACKEND)
    with contextlib.chdir(folder), contextlib.redirect_stdout(sys.stderr):
        for arguments in (
            ["train", "recipe.toml", "--run", "run"],
            ["generate", "run", "-n", "1000", "--seed", "4", "-o", "events.h5"],
            ["evaluate", "run"],
            ["compare", "run", "run", "-o", "compared.html"],
        ):
            assert run(arguments) == 0, arguments
    return folder


def main(library: str, place: Path, tries: int, seed: int) -> None:
    toyset.offer()
    evaluation.EVENTS = 2000
    # figures of plugins take seconds and write no file
    for pages in (report, compare):
        pages.plugin_sections = lambda found: []
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    faults = Faults(library)
    draws = random.Random(seed)
    found = {}
    for trainer in TRAINERS:
        own = place / trainer
        own.mkdir(parents=True)
        prepared = prepare(own, trainer)
        for command in commands("recipe.toml"):
            if trainer != "adam" and command.name != "train":
                continue
            name = command.name
            if name == "train":
                name = f"train ({trainer})"
            found[name] = disturb(command, prepared, faults, tries, draws)
            print(name, found[name], file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
