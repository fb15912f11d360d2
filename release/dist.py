"""Build, check and try all distributions: ``make dist``.

    python -m release.dist                  all
    python -m release.dist qgen-torch       trials of some distributions only

``dist/`` then holds the wheels and sdists that are uploaded, and recipes for conda.

Each distribution is installed alone into a fresh environment, and all of them with all extras
together, once with the newest and once with the lowest versions of their dependencies. There
``qgen doctor`` tries every component, and the first program of the distribution's README runs.
A trial that has passed is not repeated until a wheel or a lock changes. ``build/release/`` holds
what commands said and the environments; those of trials that passed are removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from release import conda
from release.locks import LOWEST, NEWEST
from release.projects import ROOT, Project, projects
from release.versions import differing

DIST = ROOT / "dist"
WORK = ROOT / "build" / "release"
LOCKS = {"newest": NEWEST, "lowest": LOWEST}
#: What check-wheel-contents reports and we intend: the meta-package holds no files (W007, W008),
#: and modules that are imported before their packages stand beside them (W009).
INTENDED = {"qgen": "W007,W008", "qgen-core": "W009", "qgen-torch": "W009"}
#: The first program of a README.
PROGRAM = re.compile(r"```python\n(import .*?)```", re.DOTALL)
#: Lines of a command's output that are shown when it fails.
SHOWN_LINES = 25


class Failed(Exception):
    """A step failed; the message shows the command and the end of what it said."""


@dataclass(frozen=True)
class Trial:
    """An environment: the wheels that are installed, and which distributions are tried there."""

    name: str
    lock: str
    wanted: list[str]
    tried: list[Project]

    def key(self) -> str:
        """What the result depends on: the wheels and the lock."""
        digest = hashlib.sha256(LOCKS[self.lock].read_bytes())
        for wheel in sorted(DIST.glob("*.whl")):
            digest.update(wheel.read_bytes())
        return digest.hexdigest()


def trials(chosen: list[str]) -> Iterator[Trial]:
    """All trials, or those of the chosen distributions alone."""
    found = projects()
    for lock in LOCKS:
        for project in found:
            if not chosen or project.name in chosen:
                wanted = [wheel_as_requirement(one) for one in with_own_requirements(project)]
                yield Trial(f"{project.name}-{lock}", lock, wanted, [project])
        if not chosen:
            wanted = [wheel_as_requirement(one, one.extras) for one in found]
            yield Trial(f"together-{lock}", lock, wanted, found)


def with_own_requirements(project: Project) -> list[Project]:
    """A distribution, and those of this repository that it requires.

    pip is given the wheels of all of them: an index may hold something else under their names.
    """
    required = {requirement.name for requirement in project.requirements()}
    return [project, *(one for one in projects() if one.name in required)]


def wheel_of(project: Project) -> Path:
    """The wheel of a distribution."""
    return DIST / f"{project.file_name}-{project.version}-py3-none-any.whl"


def wheel_as_requirement(project: Project, extras: Sequence[str] = ()) -> str:
    """A distribution from dist/ with these extras, as pip is asked for it."""
    return f"{project.name}[{','.join(extras)}] @ {wheel_of(project).as_uri()}"


def new_log(step: str) -> Path:
    """The file, now empty, for what the commands of a step say."""
    log = WORK / "log" / f"{step}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    return log


def call(log: Path, *command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command that writes to a log. Raises Failed if it fails."""
    words = [str(word) for word in command]
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "QGEN_PLUGINS")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["NUMBA_CACHE_DIR"] = str(WORK / "compiled")
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(words)}\n")
        file.flush()
        done = subprocess.run(
            words, cwd=cwd, env=environment, stdout=file, stderr=file, check=False
        )
    if done.returncode:
        said = log.read_text(encoding="utf-8").splitlines()[-SHOWN_LINES:]
        raise Failed("\n".join([f"{log.relative_to(ROOT)} ends with", *said]))


def build() -> None:
    """Make the wheel and the sdist of each distribution, the wheel from the sdist."""
    log = new_log("build")
    shutil.rmtree(DIST, ignore_errors=True)
    for project in projects():
        options = ["--no-isolation", "--outdir", str(DIST), str(project.folder)]
        call(log, sys.executable, "-m", "build", *options)


def check() -> None:
    """Check metadata and long descriptions by twine, and files by check-wheel-contents."""
    log = new_log("check")
    files = sorted([*DIST.glob("*.whl"), *DIST.glob("*.tar.gz")])
    call(log, sys.executable, "-m", "twine", "check", "--strict", *files)
    for project in projects():
        options = []
        if project.name in INTENDED:
            options += ["--ignore", INTENDED[project.name]]
        call(log, sys.executable, "-m", "check_wheel_contents", *options, wheel_of(project))


def write_conda_recipes() -> None:
    """Write the recipes for conda."""
    for project in projects():
        conda.write(project, DIST)


def perform(trial: Trial) -> None:
    """Make the environment of a trial, and try its distributions there."""
    log = new_log(trial.name)
    folder = WORK / "environments" / trial.name
    shutil.rmtree(folder, ignore_errors=True)
    call(log, sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--quiet", "--no-compile", "-c", str(LOCKS[trial.lock])]
    call(log, *pip, "install", *options, *trial.wanted)
    call(log, *pip, "check")
    call(log, folder / "bin" / "qgen", "doctor", cwd=folder)
    for project in trial.tried:
        readme = (project.folder / "README.md").read_text(encoding="utf-8")
        program = PROGRAM.search(readme)
        if program is None:
            raise Failed(f"the README of {project.name} shows no program")
        path = folder / f"{project.file_name}_readme.py"
        path.write_text(program[1], encoding="utf-8")
        call(log, python, path.name, cwd=folder)
    shutil.rmtree(folder)


def timed(title: str, step: Callable[[], None]) -> bool:
    """Perform a step and say how long it took; whether it passed."""
    print(f"{title:<40}", end="", flush=True)
    begun = time.monotonic()
    try:
        step()
    except Failed as failed:
        print(f"FAILED after {time.monotonic() - begun:.0f} s\n{failed}")
        return False
    print(f"{time.monotonic() - begun:6.0f} s")
    return True


class Passed:
    """Which trials have passed, and with which files; kept in ``build/release/passed.json``."""

    def __init__(self) -> None:
        self.path = WORK / "passed.json"
        self.keys: dict[str, str] = {}
        if self.path.exists():
            self.keys = json.loads(self.path.read_text(encoding="utf-8"))

    def holds(self, trial: Trial) -> bool:
        """Whether a trial has passed with the wheels and the lock of now."""
        return self.keys.get(trial.name) == trial.key()

    def add(self, trial: Trial) -> None:
        """Note that a trial has passed."""
        self.keys[trial.name] = trial.key()
        self.path.write_text(json.dumps(self.keys, indent=1), encoding="utf-8")


def main() -> None:
    """Perform all steps; a trial that fails does not stop the others."""
    wrong = differing()
    if wrong:
        sys.exit("\n".join([*wrong, "`python -m release.versions VERSION` sets them all"]))
    steps = {"build": build, "check": check, "recipes for conda": write_conda_recipes}
    for title, step in steps.items():
        if not timed(title, step):
            sys.exit(1)
    passed = Passed()
    failures = []
    for trial in trials(sys.argv[1:]):
        if passed.holds(trial):
            print(f"{trial.name:<40}passed before")
            continue
        if timed(trial.name, partial(perform, trial)):
            passed.add(trial)
        else:
            failures.append(trial.name)
    if failures:
        sys.exit(f"failed: {', '.join(failures)}")


if __name__ == "__main__":
    main()
