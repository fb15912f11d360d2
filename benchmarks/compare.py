"""Compare two checkouts in alternation: ``python -m benchmarks.compare OTHER --case NAME ...``.

Every pair is one process with this checkout and one with the other, in turn first and second, so a
change of the machine's speed meets both. The ratio is taken pair by pair; its median and quartiles
are printed and written to benchmarks/results/compared.json. Each checkout is measured with the
environment that ``make test`` makes in it, since entry points belong to an installation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import job
from benchmarks.claims import duration
from benchmarks.machine import machine
from benchmarks.settings import environment
from benchmarks.worker import ROOT

SCRIPT = Path(__file__).with_name("timed_case.py")
PAIRS = 9
FIGURES = ("seconds", "processor_seconds")


@dataclass(frozen=True)
class Checkout:
    """A working tree with its environment, and the folder of its compiled code."""

    root: Path
    cache: Path

    @property
    def commit(self) -> str:
        """The commit that is checked out, with a mark if files were changed since."""
        command = ["git", "-C", str(self.root), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def measure(self, case: str) -> dict[str, float]:
        """Run one process of a case. Raises SystemExit with its last words if it fails."""
        cold = case.startswith("whole/first-call")
        with tempfile.TemporaryDirectory() as empty:
            cache = empty if cold else str(self.cache)
            variables = {"PYTHONPATH": str(self.root), "NUMBA_CACHE_DIR": cache}
            python = str(self.root / ".venv" / "bin" / "python")
            done = subprocess.run(
                [python, "-P", str(SCRIPT), case],
                cwd=self.root,
                env={**environment(1), **variables},
                capture_output=True,
                text=True,
            )
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["it ended without a message"]
            sys.exit(f"{case} failed in {self.root.name}: {words[-1]}")
        result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        return result


def pairs(
    here: Checkout, other: Checkout, case: str, number: int
) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Measurements of both checkouts, pair by pair; a first pair compiles and is not counted."""
    for pair in range(number + 1):
        if pair % 2:
            theirs = other.measure(case)
            ours = here.measure(case)
        else:
            ours = here.measure(case)
            theirs = other.measure(case)
        if pair:
            yield ours, theirs


def compared(here: Checkout, other: Checkout, case: str, number: int) -> dict[str, Any]:
    """Median and quartiles of the ratio here / other, and the medians of both."""
    found = list(pairs(here, other, case, number))
    row: dict[str, Any] = {"case": case, "pairs": number}
    for figure in FIGURES:
        ours = [mine[figure] for mine, _ in found]
        theirs = [yours[figure] for _, yours in found]
        ratios = np.divide(ours, theirs)
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        row[figure] = {
            "here": float(np.median(ours)),
            "other": float(np.median(theirs)),
            "ratio": float(middle),
            "q25": float(low),
            "q75": float(high),
            "ratios": ratios.tolist(),
        }
    return row


def line(row: dict[str, Any]) -> str:
    """A case as one line of the printed table."""
    text = f"{row['case']:24}"
    for figure in FIGURES:
        numbers = row[figure]
        text += (
            f"  {figure.replace('_', ' ')}: {numbers['here']:.4g} / {numbers['other']:.4g}, "
            f"ratio {numbers['ratio']:.3f} [{numbers['q25']:.3f}, {numbers['q75']:.3f}]"
        )
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every case was measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description="Compare this checkout with another one."
    )
    parser.add_argument("other", type=Path, help="a checkout with the environment of `make test`")
    parser.add_argument("--case", nargs="+", required=True, help="e.g. training/brick/8 hybrid/6")
    parser.add_argument(
        "--pairs", type=int, default=PAIRS, help=f"pairs of runs, {PAIRS} if not given"
    )
    given = parser.parse_args(arguments)
    if given.pairs < 1:
        parser.error("--pairs must be at least 1")
    with tempfile.TemporaryDirectory() as caches:
        here = Checkout(ROOT, Path(caches) / "here")
        other = Checkout(given.other.resolve(), Path(caches) / "other")
        for checkout in (here, other):
            if not (checkout.root / ".venv" / "bin" / "python").exists():
                parser.error(f"{checkout.root} has no .venv; run `make test` there first")
        rows: list[dict[str, Any]] = []
        result = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "here": here.commit,
            "other": other.commit,
            "cases": rows,
        }
        for case in expanded(given.case):
            row = compared(here, other, case, given.pairs)
            rows.append(row)
            print(line(row), flush=True)
            # After each case, so that an interruption loses no more than one of them.
            save(result, whole_job=given.case == [job.PREFIX])
    return 0


def save(result: dict[str, Any], *, whole_job: bool) -> None:
    """Write results; those of the group ``job`` with their page."""
    text = json.dumps(result, indent=1) + "\n"
    results = ROOT / "benchmarks" / "results"
    if whole_job:
        (results / "job.json").write_text(text)
        (ROOT / "docs" / "benchmarks" / "job.md").write_text(page(result))
    else:
        (results / "compared.json").write_text(text)


def expanded(cases: Sequence[str]) -> list[str]:
    """The cases, with all rows of the group ``job`` in the place of its name."""
    found = []
    for case in cases:
        if case == job.PREFIX:
            found += list(job.calls())
        else:
            found.append(case)
    return found


def page(result: dict[str, Any]) -> str:
    """The table of the group ``job``: processor time of both checkouts, and their ratio."""
    pairs = result["cases"][0]["pairs"]
    lines = [
        "# The whole job",
        "",
        "What a user waits for around the steps of a training, before and after the work on it. "
        "Made by `make bench CASE=job/ AGAINST=CHECKOUT`. Processor seconds of a call with all its "
        f"processes; the ratio is the median over {pairs} pairs of runs, with its quartiles.",
        "",
        f"- before: {result['other']}; now: {result['here']}; {result['date']}",
        f"- {result['machine']['processor']}, {result['machine']['cores']} cores",
        "",
        "| row | before | now | now / before |",
        "| --- | --- | --- | --- |",
    ]
    for row in result["cases"]:
        numbers = row["processor_seconds"]
        ratio = f"{numbers['ratio']:.3g} ({numbers['q25']:.3g} to {numbers['q75']:.3g})"
        name = row["case"].removeprefix(job.PREFIX)
        lines.append(
            f"| {name} | {duration(numbers['other'])} | {duration(numbers['here'])} | {ratio} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
