"""What opens the benchmark page: ten rows that matter, each against its fastest peer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.claims import duration, row_of


@dataclass(frozen=True)
class Line:
    """A measured row of ours that the page opens with.

    Args:
        words: what is measured.
        case: the name of the case.
        label: our row of it.
        precision: of our row and of the peers.
    """

    words: str
    case: str
    label: str = "qgen"
    precision: str = "double"


LINES = (
    Line("training step, Born machine of 8 wires", "training/brick/8"),
    Line("training step, Born machine of 20 wires", "training/brick/20"),
    Line("training step, tree of 12 wires", "training/tree/12"),
    Line("50 inputs, 8 wires, with gradients", "batch/brick/backward"),
    Line("a million samples of 12 wires", "sampling/indices", precision=""),
    Line("quantum layer in torch, 8 wires", "hybrid/8"),
    Line(
        "50 inputs under the noise of a device",
        "noise/fez",
        "qgen density, distributions, 2 threads",
    ),
    Line("an evaluation of an angle generator", "qag/noiseless", "qgen, binomial"),
    Line("Gibbs sampling on a Zephyr 12", "gibbs/zephyr-12", precision=""),
    Line("training step of a spline flow", "flows/step", precision="single"),
)


@dataclass(frozen=True)
class Compared:
    """Our row and that of the fastest peer in the same session."""

    line: Line
    mine: dict[str, Any]
    peer: dict[str, Any]

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes, by medians."""
        return float(self.peer["median"] / self.mine["median"])

    @property
    def spread(self) -> tuple[float, float]:
        """The ratio with the quartiles of both sides that are worst and best for us."""
        least = self.peer["q25"] / self.mine["q75"]
        most = self.peer["q75"] / self.mine["q25"]
        return float(least), float(most)


def compared(results: dict[str, Any]) -> list[Compared]:
    """The lines that were measured, with a peer of the same precision."""
    cases = {case["id"]: case for case in results["cases"]}
    found = []
    for line in LINES:
        case = cases.get(line.case)
        mine = row_of(case, line.label, line.precision)
        peer = fastest_peer(case, line.precision)
        if mine is not None and peer is not None:
            found.append(Compared(line, mine, peer))
    return found


def fastest_peer(case: dict[str, Any] | None, precision: str) -> dict[str, Any] | None:
    """The fastest row of a precision that is not one of ours."""
    if case is None:
        return None
    peers = []
    for row in case["rows"]:
        measured = "median" in row and row["precision"] == precision
        if measured and not row["label"].startswith("qgen"):
            peers.append(row)
    return min(peers, key=lambda row: float(row["median"]), default=None)


def table(results: dict[str, Any]) -> str:
    """Each line with both times and their ratio."""
    rows = []
    for one in compared(results):
        least, most = one.spread
        rows.append(
            [
                one.line.words,
                duration(one.mine["median"]),
                f"{duration(one.peer['median'])}, {one.peer['label']}",
                f"{one.ratio:.3g} ({least:.3g} to {most:.3g})",
            ]
        )
    return tables.table(["what", "qgen", "fastest peer", "peer / qgen"], rows)


def draw(results: dict[str, Any], path: Path) -> None:
    """The ratios as bars on a logarithmic axis, with their spread."""
    from matplotlib import pyplot as plt

    rows = compared(results)[::-1]
    figure, axes = plt.subplots(figsize=(9, 4.6), layout="constrained")
    for place, one in enumerate(rows):
        least, most = one.spread
        axes.barh(place, one.ratio - 1, left=1, color="tab:blue", height=0.6)
        axes.plot([least, most], [place, place], color="black", linewidth=1)
        axes.text(most * 1.07, place, f"{one.ratio:.3g}, {one.peer['label']}", va="center")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [one.line.words for one in rows])
    axes.set_xscale("log")
    longest = max(one.spread[1] for one in rows)
    axes.set_xlim(0.5, 200 * longest)  # the words stand to the right of the bar
    axes.set_xlabel("time of the fastest peer / time of qgen; above 1 qgen is faster")
    axes.set_title("Ten rows, each against its fastest peer in the same session")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
