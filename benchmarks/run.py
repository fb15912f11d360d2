"""Run the benchmarks: ``python -m benchmarks.run [--quick] [--case NAME [--update]]``.

The full run writes benchmarks/results/latest.json and docs/benchmarks/; the quick one, and one
of single cases, write their results beside latest.json and print the tables. ``--update`` puts
single cases, measured again with all their contestants, in the place of those of the full run; each
case carries its date.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import claims, tables
from benchmarks.machine import machine, versions
from benchmarks.settings import STATED, environment
from benchmarks.worker import ROOT

#: Groups and the threads their processes may use, in the order in which they run.
GROUPS = {
    "training": 1,
    "batch": 1,
    "sampling": 1,
    "whole": 2,
    "threads": 2,
    "curves": 1,
    "adapters": 1,
    "noise": 2,
    "qag": 1,
    "hybrid": 1,
    "gan": 1,
    "gibbs": 2,
    "rbm": 2,
    "flows": 1,
    "iqp": 1,
    "job": 1,
}
#: Those of the quick mode.
QUICK = ("training", "batch", "whole", "threads", "gibbs", "rbm", "iqp")
RESULTS = ROOT / "benchmarks" / "results"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description="Measure qgen against its peers."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="under five minutes: the engine, small sizes, fast peers",
    )
    parser.add_argument(
        "--case",
        nargs="+",
        default=[],
        help="only cases whose names contain one of these, e.g. training/brick/12 hybrid",
    )
    parser.add_argument(
        "--update", action="store_true", help="put the cases of --case into the full run's results"
    )
    parser.add_argument(
        "--environments", type=Path, default=ROOT / ".bench", help="the folder of the environments"
    )
    given = parser.parse_args()
    if given.update and (given.quick or not given.case):
        parser.error("--update goes with --case, and not with --quick")
    return given


def run_group(
    name: str, threads: int, given: argparse.Namespace
) -> tuple[list[dict[str, Any]], str]:
    """The cases of one group, and what went wrong if it ended early."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cases.jsonl"
        folder_of_all = str(given.environments.resolve())
        asked = json.dumps(
            {"quick": given.quick, "wanted": given.case, "environments": folder_of_all}
        )
        command = [sys.executable, "-m", "benchmarks.group", name, asked, str(out)]
        done = subprocess.run(command, cwd=ROOT, env=environment(threads))
        lines = out.read_text().splitlines() if out.exists() else []
    problem = f"group {name} ended with code {done.returncode}" if done.returncode else ""
    return [json.loads(line) for line in lines], problem


def main() -> int:
    """0 when everything ran and every contestant agreed, 1 otherwise."""
    given = options()
    RESULTS.mkdir(exist_ok=True)
    alone = open(RESULTS / ".lock", "w")  # noqa: SIM115 (held until the process ends)
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(
            "another benchmark is running, and two would disturb each other; wait for it",
            file=sys.stderr,
        )
        return 1
    start = perf_counter()
    cases, spent = before(given)
    start -= spent
    problems: list[str] = []
    results: dict[str, Any] = {}
    for name in QUICK if given.quick else GROUPS:
        found, problem = run_group(name, GROUPS[name], given)
        if given.update:
            found = [{**case, "again": True, "machine": machine()} for case in found]
        cases = merge(cases, found)
        problems += [problem] if problem else []
        results = collected(given, cases, problems, perf_counter() - start)
        save(results)  # after each group, so that a run cut short keeps what it measured
    if results["mode"] == "full":
        from benchmarks import document

        document.write(results, ROOT / "docs" / "benchmarks")
    print(tables.text(results))
    return 1 if results["problems"] else 0


def before(given: argparse.Namespace) -> tuple[list[dict[str, Any]], float]:
    """The cases of the full run that is updated, and the seconds it took."""
    latest = RESULTS / "latest.json"
    if not given.update or not latest.exists():
        return [], 0.0
    results = json.loads(latest.read_text())
    cases = [{"versions": results["versions"], **case} for case in results["cases"]]
    return cases, 60 * results["minutes"]


def machine_of_the_run(given: argparse.Namespace) -> dict[str, Any]:
    """Where the full run was measured; cases that are put into it later say their own machine."""
    latest = RESULTS / "latest.json"
    if not given.update or not latest.exists():
        return machine()
    found: dict[str, Any] = json.loads(latest.read_text())["machine"]
    return found


def merge(cases: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cases with new measurements in place of old ones; cases that are new come last."""
    newer = {case["id"]: {**case, "date": datetime.now(UTC).date().isoformat()} for case in found}
    kept = [newer.pop(case["id"], case) for case in cases]
    return [*kept, *newer.values()]


def mode(given: argparse.Namespace) -> str:
    """``part`` for chosen cases alone, else ``quick`` or ``full``."""
    if given.case and not given.update:
        return "part"
    return "quick" if given.quick else "full"


def collected(
    given: argparse.Namespace, cases: list[dict[str, Any]], problems: list[str], seconds: float
) -> dict[str, Any]:
    """Everything measured so far, with the claims checked against it."""
    failed = [(case["id"], row) for case in cases for row in case["rows"] if "error" in row]
    results = {
        "mode": mode(given),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_of_the_run(given),
        "threads": STATED,
        "versions": merged(cases),
        "minutes": seconds / 60,
        "problems": problems
        + [f"{name}: {row['label']} {row['precision']}: {row['error']}" for name, row in failed],
        "cases": [
            {key: value for key, value in case.items() if key != "versions"} for case in cases
        ],
    }
    shown = claims.check(results)
    if results["mode"] == "part":
        shown = [claim for claim in shown if claim["met"] is not None]
    results["claims"] = shown
    return results


def merged(cases: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Versions by environment, over all cases."""
    out: dict[str, dict[str, str]] = {
        "peers": versions(("qgen-core", "qgen-hep", "numba", "numpy", "scipy"))
    }
    for case in cases:
        for place, found in case.get("versions", {}).items():
            out.setdefault(place, {}).update(found)
    return out


def save(results: dict[str, Any]) -> None:
    """Write the results beside each other by mode; only those of the full run are committed."""
    name = {"full": "latest", "quick": "quick", "part": "part"}[results["mode"]]
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
