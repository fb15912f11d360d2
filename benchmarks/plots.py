"""Cost curves as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.catalog import COMPLEX

Series = dict[str, list[tuple[float, float]]]
_COLOURS = {"double": "tab:blue", "single": "tab:orange"}


def draw(results: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """File names and titles of the plots that the results allow."""
    import matplotlib

    matplotlib.use("Agg")
    done = []
    for key, label, title in (
        ("wires", "wires", "A training step of ansatz 1 with 6 layers, one thread"),
        ("layers", "parameters", "A training step of ansatz 1 on 12 wires, one thread"),
        (
            "batch",
            "batch",
            "Forward and backward of a brick of 6 layers on 8 wires for a batch, one thread",
        ),
    ):
        points = [c for c in results["cases"] if c["id"].startswith(f"curve/{key}/")]
        if points:
            peers = _peers(results) if key == "wires" else {}
            done.append((_curve(points, peers, folder / f"{key}.png", label, title), title))
    threads = [c for c in results["cases"] if c["id"].startswith("threads/brick/")]
    if threads:
        done.append((_threads(threads, folder / "threads.png"), "Two threads against one"))
    return done


def _peers(results: dict[str, Any]) -> Series:
    """Medians of every peer over wires, from the training cases."""
    out: Series = {}
    for case in results["cases"]:
        if case["id"].startswith("training/brick/"):
            for row in case["rows"]:
                if "median" in row and not row["label"].startswith("qgen"):
                    name = f"{row['label']} ({COMPLEX[row['precision']]})"
                    out.setdefault(name, []).append((case["wires"], row["median"]))
    return out


def _curve(points: list[dict[str, Any]], peers: Series, path: Path, label: str, title: str) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    x = [p["x"] for p in points]
    for precision, colour in _COLOURS.items():
        rows = [next(r for r in p["rows"] if r["precision"] == precision) for p in points]
        axes.plot(
            x,
            [r["median"] for r in rows],
            "o-",
            color=colour,
            ms=4,
            label=f"qgen, {COMPLEX[precision]}",
        )
        axes.fill_between(
            x, [r["q25"] for r in rows], [r["q75"] for r in rows], color=colour, alpha=0.3
        )
        axes.plot(
            x,
            [p["limit"][precision] for p in points],
            "--",
            color=colour,
            lw=1,
            label=f"arithmetic limit, {COMPLEX[precision]}",
        )
    for number, (name, values) in enumerate(sorted(peers.items())):
        marker = "sv^<>DPX*hd8p"[number % 13]
        axes.plot(
            *zip(*values, strict=True),
            marker + ":",
            color=plt.cm.tab20(number % 20),
            lw=0.8,
            ms=5,
            label=name,
        )
    axes.set(
        xlabel=label,
        ylabel="seconds",
        yscale="log",
        xscale="linear" if label == "wires" else "log",
        title=title,
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path.name


def _threads(cases: list[dict[str, Any]], path: Path) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for precision, colour in _COLOURS.items():
        for label, style in (("qgen, 2 threads", "o-"), ("qgen, its choice", "x:")):
            ratio = []
            for case in cases:
                medians = {
                    r["label"]: r["median"] for r in case["rows"] if r["precision"] == precision
                }
                ratio.append(medians["qgen, 1 thread"] / medians[label])
            axes.plot(
                [c["wires"] for c in cases],
                ratio,
                style,
                color=colour,
                label=f"{label}, {COMPLEX[precision]}",
            )
    axes.axhline(1.0, color="black", lw=0.8)
    axes.set(
        xlabel="wires",
        ylabel="times as fast as one thread",
        title="Training step of ansatz 1: threads",
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path.name
