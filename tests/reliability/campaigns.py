"""Campaigns of faults: ``python tests/reliability/campaigns.py [NAME ...] [--tries N] [--write]``.

Each campaign tries one kind of fault many times. Every try has to end right or in a QgenError
(refused). ``--write`` stores the counts in docs/reliability/results.json and the table of
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
RUNS = ROOT / "qgen_core" / "tests" / "runs"
TRAINING = ROOT / "qgen_core" / "tests" / "training"
READERS = ROOT / "plugins" / "qgen_hep" / "tests"
RESULTS = ROOT / "docs" / "reliability" / "results.json"
PAGE = ROOT / "docs" / "reliability.md"
#: The table of the page stands between these lines.
BEGIN = "<!-- table of the campaigns -->"
END = "<!-- end of the table -->"
#: How a try may end; the last three must not happen.
ENDS = ("right", "refused", "crashed", "lost", "silent")


class Unavailable(Exception):
    """What a campaign needs is not here: it says what."""


@dataclass(frozen=True)
class Campaign:
    """A kind of fault; ``full`` is the number of tries of each case in a full campaign."""

    fault: str
    full: int
    run: Callable[[int, int, Path], dict[str, Counter[str]]]


def child(script: Path, *arguments: str, **variables: str) -> Any:
    """The JSON that a script prints; its messages go to stderr as they come."""
    paths = [str(RUNS), str(TRAINING), *sys.path]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script.name} ended with {done.returncode}: see its messages above")
    return json.loads(done.stdout)


def failing_writes(tries: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """The n-th change of a file fails, for each trainer and each command that writes."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        raise Unavailable("a C compiler on Linux")
    library = folder / "failing_writes.so"
    source = HERE / "failing_writes.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    found = child(
        HERE / "failing_writes.py",
        str(library),
        str(folder),
        str(tries),
        str(seed),
        LD_PRELOAD=str(library),
    )
    counts = {}
    for name, ends in found.items():
        for defect in ends["defects"]:
            print(defect, file=sys.stderr)
        counts[name] = Counter({end: ends[end] for end in ENDS if end in ends})
    return counts


def kills(tries: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """SIGKILL at many places of a training, which is then resumed: bit for bit the same."""
    sys.path.insert(0, str(TRAINING))
    from test_kills import CASES

    if not hasattr(os, "fork"):
        raise Unavailable("fork")
    counts = {}
    for case in CASES:
        found = child(TRAINING / "training_kills.py", case, str(tries), "24", str(folder / case))
        wrong = len(found["wrong"])
        counts[case] = Counter(right=found["tried"] - wrong, lost=wrong)
    return counts


def recipes(tries: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """Mutated recipes, whose components are built."""
    found = child(HERE / "mutated_recipes.py", str(tries), str(seed))
    return {"recipes": Counter(found)}


def files(tries: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """Mutated files of events, in each format."""
    sys.path.insert(0, str(READERS))
    from hep_files import INSTALLED
    from hep_fuzz import fuzz

    names = {"read": "right", "refused": "refused"}
    counts = {}
    for kind in INSTALLED:
        place = folder / kind
        place.mkdir()
        ends: Counter[str] = Counter()
        for end, number in fuzz([kind], tries, place).items():
            if end not in names:
                print(end, file=sys.stderr)
            ends[names.get(end, "crashed")] += number
        counts[kind] = ends
    return counts


def flips(tries: int, seed: int, folder: Path) -> dict[str, Counter[str]]:
    """One flipped bit in any file of a run folder; three commands each."""
    sys.path.insert(0, str(RUNS))
    import toyset
    from folder_flips import flip

    from qgen_core.runs import evaluation
    from qgen_core.runs.recipes import Recipe
    from qgen_core.runs.run import Run, train

    toyset.offer()
    train(Recipe.parse(toyset.RECIPE, ["trainer.steps=3"]), folder / "run")
    run = Run(folder / "run")
    run.folder.save_evaluation(evaluation.evaluate(run))
    ends: Counter[str] = Counter()
    for end, number in flip(folder / "run", tries=tries, seed=seed).items():
        if end not in ENDS:
            print(end, file=sys.stderr)
        ends[end.split(":")[0]] += number
    return {"run folder": ends}


CAMPAIGNS = {
    "failing-writes": Campaign("the n-th change of a file fails", 10_000, failing_writes),
    "kills": Campaign("SIGKILL, then `--resume`", 200, kills),
    "recipes": Campaign("a mutated recipe, built", 10_000, recipes),
    "files": Campaign("a mutated file of events", 10_000, files),
    "flips": Campaign("a flipped bit in a run folder", 3500, flips),
}


def run_campaign(name: str, tries: int, seed: int) -> dict[str, Counter[str]]:
    """How the tries of each case of a campaign ended. Raises Unavailable."""
    with tempfile.TemporaryDirectory() as folder:
        found = CAMPAIGNS[name].run(tries, seed, Path(folder))
    return {case: +ends for case, ends in found.items()}  # without ends that did not occur


def table(results: dict[str, Any]) -> str:
    """The counts of all campaigns as a table in Markdown."""
    lines = ["| fault | case | tries | " + " | ".join(ENDS) + " |", "|---" * (3 + len(ENDS)) + "|"]
    for name, campaign in CAMPAIGNS.items():
        for case, ends in results.get(name, {}).get("cases", {}).items():
            counts = [str(ends.get(end, 0)) for end in ENDS]
            cells = [campaign.fault, case, str(sum(ends.values())), *counts]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(results: dict[str, Any]) -> None:
    """Store the results, and put their table into the page."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page = f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}"
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    """Run campaigns and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CAMPAIGNS), metavar="NAME")
    parser.add_argument("--tries", type=int, help="tries of each case; default: the full number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="store the counts for the page")
    given = parser.parse_args()
    results: dict[str, Any] = {}
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
    for name in given.names:
        tries = given.tries
        if tries is None:
            tries = CAMPAIGNS[name].full
        try:
            cases = run_campaign(name, tries, given.seed)
        except Unavailable as lacking:
            print(f"{name} is skipped: it needs {lacking}")
            continue
        results[name] = {
            "tries": tries,
            "seed": given.seed,
            "qgen-core": version("qgen-core"),
            "cases": {case: dict(ends) for case, ends in cases.items()},
        }
        print(table({name: results[name]}), flush=True)
        if given.write:
            write(results)


if __name__ == "__main__":
    main()
