"""Show that two checkouts give equal results: ``python -m benchmarks.equal OTHER [--studies]``.

Both checkouts train each recipe of ``recipes/``, generate events and evaluate them, each with the
environment that ``make test`` made in it. The history, the generated events and the evaluation have
to be equal bit for bit; with ``--studies`` also the tables of each study in its quick setting.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.settings import environment
from benchmarks.worker import ROOT

EVENTS = 20_000
STUDIES = ("jets", "jets-noise", "mfc")
#: Prints a digest of all arrays of an event file, in the environment that has h5py.
DIGEST = """
import hashlib, sys
import h5py
digest = hashlib.sha256()
with h5py.File(sys.argv[1]) as file:
    for name in sorted(file):
        digest.update(name.encode() + file[name][()].tobytes())
print(digest.hexdigest())
"""


def run(checkout: Path, *arguments: str) -> str:
    """The output of a Python command in the environment of a checkout.

    Raises SystemExit with the last line of its messages when it fails.
    """
    command = [str(checkout / ".venv" / "bin" / "python"), *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment(1), capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it ended without a message"]
        sys.exit(f"{' '.join(arguments[:4])} failed in {checkout.name}: {lines[-1]}")
    return done.stdout


def qgen(checkout: Path, *arguments: str) -> None:
    """Run the ``qgen`` command of a checkout."""
    run(checkout, "-c", "from qgen_core.cli import main; main()", *arguments)


def results_of_recipe(checkout: Path, recipe: Path, folder: Path) -> dict[str, object]:
    """History, digest of generated events and evaluation of one recipe."""
    place = folder / "run"
    events = folder / "events.h5"
    qgen(checkout, "train", str(recipe), "--run", str(place))
    qgen(checkout, "generate", str(place), "-n", str(EVENTS), "-o", str(events))
    qgen(checkout, "evaluate", str(place))
    return {
        "history": (place / "history.jsonl").read_text(),
        "events": run(checkout, "-c", DIGEST, str(events)),
        "evaluation": json.loads((place / "evaluation.json").read_text()),
    }


def results_of_study(checkout: Path, study: str, folder: Path) -> dict[str, object]:
    """The tables of a study in its quick setting, without the line that says how long it took."""
    qgen(checkout, "reproduce", study, "--quick", "--run", str(folder))
    text = (folder / "result" / "tables.md").read_text()
    return {"tables": text.split("\n", 1)[1]}


def differences(ours: dict[str, object], theirs: dict[str, object]) -> list[str]:
    """What differs, by name."""
    return [name for name, value in ours.items() if value != theirs[name]]


def compared(other: Path, studies: bool) -> Iterator[tuple[str, list[str]]]:
    """Name and differences of each recipe and study."""
    with tempfile.TemporaryDirectory() as folder:
        paths = sorted((ROOT / "recipes").rglob("*.toml"))
        recipes = [path for path in paths if "studies" not in path.parts]
        for number, path in enumerate(recipes):
            recipe = path.relative_to(ROOT)
            places = [Path(folder) / f"{number}-{side}" for side in ("here", "other")]
            for place in places:
                place.mkdir()
            ours = results_of_recipe(ROOT, recipe, places[0])
            theirs = results_of_recipe(other, recipe, places[1])
            yield str(recipe), differences(ours, theirs)
        for study in STUDIES if studies else ():
            ours = results_of_study(ROOT, study, Path(folder) / f"{study}-here")
            theirs = results_of_study(other, study, Path(folder) / f"{study}-other")
            yield f"study {study}", differences(ours, theirs)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is equal, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.equal", description="Compare the results of two checkouts."
    )
    parser.add_argument("other", type=Path, help="a checkout with the environment of `make test`")
    parser.add_argument("--studies", action="store_true", help="the tables of the studies as well")
    given = parser.parse_args(arguments)
    failed = 0
    for name, different in compared(given.other.resolve(), given.studies):
        failed += bool(different)
        print(
            f"{name}: {'differs in ' + ', '.join(different) if different else 'equal'}", flush=True
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
