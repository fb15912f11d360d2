"""Numbers in the prose of the studies' pages are those of the tables beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "docs" / "studies"
Rows = list[dict[str, str]]


def table(study: str, title: str) -> Rows:
    """The rows of the table whose title begins so, each a mapping of column to text."""
    text = (STUDIES / study / "tables.md").read_text(encoding="utf-8")
    text = text.replace("\u00a0", " ")  # no-break spaces
    (section,) = (part for part in text.split("\n### ") if part.startswith(title))
    lines = [line for line in section.splitlines() if line.startswith("|")]
    names = [cell.strip() for cell in lines[0].strip("|").split("|")]
    rows = []
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows.append(dict(zip(names, cells, strict=True)))
    return rows


def number(text: str) -> float:
    """The value of "1.5 ± 0.1"."""
    return float(text.split("±")[0])


def rows_of(rows: Rows, **values: str) -> Rows:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def ratios_of_d(title: str, ansatz: str, drawn: str) -> list[float]:
    """How many times the paper's D is larger than ours of as many shots."""
    ratios = []
    for row in rows_of(table("jets", title), ansatz=ansatz):
        if row["paper"] != "–":
            ratios.append(number(row["paper"]) / number(row[drawn]))
    return ratios


def the_size_of_d() -> list[str]:
    eight = ("Table I:", "the same, 8192 shots drawn")
    twelve = ("Table III:", "the same, 20000 shots drawn")
    second = ratios_of_d(eight[0], "2", eight[1])
    first = ratios_of_d(eight[0], "1", eight[1])
    large = ratios_of_d(twelve[0], "1", twelve[1]) + ratios_of_d(twelve[0], "2", twelve[1])
    every = [*second, *first, *large]
    assert min(every) > 1
    return [
        "Ours is smaller than the paper's throughout.",
        f"a factor of {min(second):.1f} to {max(second):.1f} for ansatz 2 at 8 qubits, of "
        f"{min(first):.1f} to {max(first):.1f} for ansatz 1, and of {min(large):.1f} to "
        f"{max(large):.1f} at 12 qubits",
    ]


def which_marginals() -> list[str]:
    means = []
    for title, column in (
        ("Table I:", "trained from 8192 shots"),
        ("Table III:", "trained from 20000 shots"),
    ):
        for ansatz in ("1", "2"):
            rows = rows_of(table("jets", title), ansatz=ansatz)
            values = [number(row[column]) for row in rows if row["start"] in ("zero", "Bell")]
            means.append(sum(values) / len(values))
    return [
        f"ansatz 1 is better at 8 qubits, with a D of {means[0]:.4f} against {means[1]:.4f}",
        f"they are equal at 12 qubits, with {means[2]:.4f} and {means[3]:.4f}",
    ]


def share_of_the_correlation() -> list[str]:
    ours = []
    paper = []
    exact = []
    for title, column in (
        ("Table II:", "ours, trained from 8192 shots"),
        ("Table IV:", "ours, trained from 20000 shots"),
    ):
        rows = rows_of(table("jets", title), pair="pt, mass")
        (events,) = rows_of(rows, of="events")
        target = number(events["ours, trained exactly"])
        for row in rows_of(rows, of="ansatz 1"):
            exact.append(number(row["ours, trained exactly"]) / target)
            if row["paper"] != "–":
                ours.append(number(row[column]) / target)
                paper.append(number(row["paper"]) / number(events["paper"]))
    below = sum(one < other for one, other in zip(ours, paper, strict=True))
    return [
        f"a share of {min(ours):.2f} to {max(ours):.2f} when trained from shots",
        f"a share of {min(paper):.2f} to {max(paper):.2f} of its own",
        f"below the paper's in {below} of the {len(ours)} rows",
        f"Trained exactly, the share is {min(exact):.2f} to {max(exact):.2f}",
    ]


def treatment_of_empty_bins() -> list[str]:
    rows = table("jets", "What becomes of bins without shots")
    factors: dict[str, list[float]] = {"8": [], "12": []}
    for qubits, found in factors.items():
        for ansatz in ("1", "2"):
            of_ansatz = rows_of(rows, qubits=qubits, ansatz=ansatz)
            values = [number(row["D exact"]) for row in of_ansatz]
            found.append(max(values) / min(values))
    return [
        f"a factor of up to {max(factors['8']):.1f}; at 12 qubits, by {min(factors['12']):.0f} to "
        f"{max(factors['12']):.0f}"
    ]


def which_ansatz_on_the_device() -> list[str]:
    rows = table("jets-noise", "Jensen-Shannon divergence before and after tuning")
    chosen = rows_of(rows, qubits="8", moves="single")
    values = {}
    for row in chosen:
        values[row["ansatz"]] = (number(row["before, ideal"]), number(row["before, noisy"]))
    ideal = (values["1"][0], values["2"][0])
    noisy = (values["1"][1], values["2"][1])
    return [
        f"the difference of the JS grows from {ideal[1] - ideal[0]:.4f} to "
        f"{noisy[1] - noisy[0]:.4f}, and the ratio shrinks from {ideal[1] / ideal[0]:.1f} to "
        f"{noisy[1] / noisy[0]:.1f}"
    ]


def the_neighbours() -> list[str]:
    rows = table("mfc", "Range of the encoding")
    column = "TV, 175 GeV"
    baselines = {}
    models = []
    for row in rows:
        if row["of"] == "–":
            baselines[row["angles"]] = row[column]
        else:
            models.append(row[column])
    nearest = baselines["the nearest beam's distribution"]
    mean = baselines["half of each beam's"]
    best = min(models, key=number)
    assert number(mean) < number(nearest) < number(best)
    return [
        f"closer to the one at 175 GeV than any of the models, at {mean}, and so is the nearest "
        f"neighbour alone, at {nearest}; the best of the models is at {best}"
    ]


CLAIMS: dict[Callable[[], list[str]], str] = {
    the_size_of_d: "studies/jets.md",
    which_marginals: "studies/jets.md",
    share_of_the_correlation: "studies/jets.md",
    treatment_of_empty_bins: "readings.md",
    which_ansatz_on_the_device: "studies/jets-noise.md",
    the_neighbours: "studies/mfc.md",
}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_sentences_agree_with_the_tables(claim: Any) -> None:
    text = (ROOT / "docs" / CLAIMS[claim]).read_text(encoding="utf-8")
    words = " ".join(text.split())
    for sentence in claim():
        assert sentence in words
