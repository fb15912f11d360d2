"""The tools that choose cases and compare checkouts: ratios, order of the pairs, what differs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks import compare, equal, opening, tables, timed_case
from benchmarks import run as full_run
from benchmarks.context import Context
from benchmarks.worker import ROOT


class Fake:
    """A checkout whose calls take given seconds, and which notes when it was measured."""

    def __init__(self, name: str, seconds: list[float], order: list[str]) -> None:
        self.name = name
        self.seconds = iter(seconds)
        self.order = order

    def measure(self, case: str) -> dict[str, float]:
        self.order.append(self.name)
        seconds = next(self.seconds)
        return {"seconds": seconds, "processor_seconds": 2 * seconds}


def test_ratios_are_taken_pair_by_pair_without_the_first_pair() -> None:
    order: list[str] = []
    here = Fake("here", [100.0, 1.0, 2.0, 6.0], order)
    other = Fake("other", [1.0, 2.0, 2.0, 2.0], order)
    row = compare.compared(here, other, "training/brick/8", 3)
    assert row["seconds"]["ratios"] == [0.5, 1.0, 3.0]
    assert row["seconds"]["ratio"] == 1.0
    assert (row["seconds"]["q25"], row["seconds"]["q75"]) == (0.75, 2.0)
    assert row["processor_seconds"]["here"] == 4.0
    assert order == ["here", "other", "other", "here", "here", "other", "other", "here"]


@pytest.mark.parametrize("name", full_run.GROUPS)
def test_each_group_runs_on_the_threads_that_it_is_given(name: str) -> None:
    module = importlib.import_module(f"benchmarks.cases.{name}")
    assert full_run.GROUPS[name] == module.THREADS
    assert callable(module.run)


def test_an_unknown_case_says_which_there_are() -> None:
    with pytest.raises(SystemExit, match="no case 'training/brick' to compare; there are"):
        timed_case.measure("training/brick")


def test_a_checkout_without_environment_is_refused(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        compare.main([str(tmp_path), "--case", "hybrid/6"])
    assert "has no .venv; run `make test` there first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [((), True), (("brick/8",), True), (("hybrid", "training/"), True), (("hybrid",), False)],
)
def test_a_case_runs_if_its_name_contains_one_that_is_wanted(wanted, runs) -> None:
    context = Context(quick=True, environments=Path(), wanted=wanted)
    assert context.wants("training/brick/8") is runs


def test_what_differs_is_named() -> None:
    ours = {"history": "a", "events": "b", "evaluation": {"js": 0.1}}
    assert equal.differences(ours, dict(ours)) == []
    theirs = {**ours, "evaluation": {"js": 0.1 + 1e-16 * 2}}
    assert equal.differences(ours, theirs) == ["evaluation"]


def test_the_group_of_the_whole_job_is_compared_row_by_row() -> None:
    rows = compare.expanded(["hybrid/6", "job/"])
    assert rows[0] == "hybrid/6"
    assert len(rows) > 15
    assert "job/qgen list" in rows
    with pytest.raises(SystemExit, match="no case 'job/nothing' to compare; there are"):
        timed_case.measure("job/nothing")


def test_the_page_of_the_whole_job_holds_the_ratios_of_processor_time() -> None:
    figures = {"here": 0.0012, "other": 2.4, "ratio": 0.0005, "q25": 0.0004, "q75": 0.0006}
    result = {
        "date": "2026-11-30",
        "machine": {"processor": "one", "cores": 2},
        "here": "b",
        "other": "a",
        "cases": [{"case": "job/qgen list", "pairs": 3, "processor_seconds": figures}],
    }
    page = compare.page(result)
    assert "before: a; now: b" in page and "over 3 pairs" in page
    assert "| qgen list | 2.4 s | 1.2 ms | 0.0005 (0.0004 to 0.0006) |" in page


def test_the_time_of_children_counts() -> None:
    burn = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    _, processor = timed_case.timings(lambda: subprocess.run([sys.executable, "-c", burn]))
    assert min(processor) > 0.2


def row(label: str, precision: str, median: float) -> dict[str, object]:
    """A measured row whose quartiles are a tenth off the median."""
    return {
        "label": label,
        "precision": precision,
        "median": median,
        "q25": 0.9 * median,
        "q75": 1.1 * median,
    }


def test_the_page_opens_with_the_fastest_peer_of_the_same_precision() -> None:
    rows = [
        row("qgen", "double", 2.0),
        row("qgen, in parts", "double", 0.1),
        row("slow", "double", 30.0),
        row("fast", "double", 10.0),
        row("in single precision", "single", 1.0),
    ]
    results = {"cases": [{"id": "training/brick/8", "rows": rows}]}
    (found,) = opening.compared(results)
    assert found.peer["label"] == "fast"
    assert found.ratio == 5.0
    assert found.spread == pytest.approx((9 / 2.2, 11 / 1.8))


def test_a_case_that_was_measured_elsewhere_says_where() -> None:
    machines = [{"processor": name, "cores": 2, "python": "3.11"} for name in ("one", "other")]
    cases = [
        {"id": "first", "again": True, "machine": machines[0]},
        {"id": "second", "again": True, "machine": machines[1]},
        {"id": "third"},
    ]
    results = {"machine": machines[0], "date": "2026-11-30", "mode": "full", "minutes": 1}
    told = tables.facts({**results, "cases": cases, "versions": {}, "threads": {}})
    assert "- measured by themselves, after the full run: first\n" in told
    assert "- measured by themselves, after the full run, on other, 2 cores: second" in told
    assert "third" not in told


def test_the_committed_page_opens_with_ten_measured_rows() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    assert len(opening.compared(results)) == len(opening.LINES) == 10
    page = (ROOT / "docs" / "benchmarks" / "opening.md").read_text()
    assert opening.table(results) in page


def test_the_committed_page_of_the_whole_job_is_that_of_its_results() -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "job.json").read_text())
    assert (ROOT / "docs" / "benchmarks" / "job.md").read_text() == compare.page(result)
    assert [row["case"] for row in result["cases"]] == compare.expanded(["job/"])


def test_the_aims_that_were_missed_are_told_with_what_was_reached() -> None:
    """Each row below the table of the whole job has the ratio that was measured."""
    result = json.loads((ROOT / "benchmarks" / "results" / "job.json").read_text())
    ratios = {}
    for case in result["cases"]:
        ratios[case["case"].removeprefix("job/")] = case["processor_seconds"]["ratio"]
    page = (ROOT / "docs" / "benchmark-job.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]
    told = {row[0].strip(): row for row in rows if row[0].strip() != "row"}
    assert len(told) == 14
    for name, (_, aim, reached, reason) in told.items():
        assert reached.strip() == f"{ratios[name]:.3g}", name
        assert float(aim) < ratios[name]
        assert reason.strip()


def test_an_environment_that_is_not_made_is_named_without_a_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="environment torchquantum is not there") as caught:
        Context(quick=True, environments=tmp_path).python("torchquantum")
    assert str(tmp_path) not in str(caught.value)


def test_no_committed_result_holds_a_path() -> None:
    for file in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        if file.name in ("latest.json", "job.json"):
            assert "/bin/python" not in file.read_text(encoding="utf-8"), file.name


def test_the_aims_of_diagonal_circuits_that_were_missed_are_told() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    reached = {}
    for claim in results["claims"]:
        reached[claim["target"]] = claim["reached"]
    page = (ROOT / "docs" / "iqp.md").read_text(encoding="utf-8")
    for wires in (64, 256):
        of_phox = reached[f"a step of diagonal circuits of {wires} wires: at least 200 times Phox"]
        assert f"at {wires} {of_phox}" in page or f"at {wires} qubits {of_phox}" in page
