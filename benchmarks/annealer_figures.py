"""The figure of docs/annealers.md, from the emulator: ``python -m benchmarks.annealer_figures``.

Left: the estimate of beta from four first guesses, call by call. Right: beta given a condition of a
model, whose units are clamped, after slow and after fast anneals.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

import qgen_core as qgen

PATH = Path(__file__).parents[1] / "docs" / "benchmarks" / "annealer-beta.png"
TRUE_BETA = 4.7
STARTS = (1.5, 3.0, 10.0, 30.0)
CALLS = 6
READS = 500
#: Units of each side, of which the first of the left side are conditions.
SIDE, CONDITIONS = 24, 8
#: Microseconds of an anneal.
FAST, SLOW = 0.2, 20.0


def emulated(beta: float, **options: Any) -> qgen.Sampler:
    """The emulator, with exact samples for reference."""
    reference = {"name": "dwave-tree"}
    options = {"size": 3, "native": [SIDE, SIDE], "true_beta": TRUE_BETA, **options}
    return qgen.sampler("dwave-emulator", beta=beta, reference=reference, **options)


def model() -> qgen.Ising:
    """An energy on the native graph of the emulated chip."""
    graph = emulated(TRUE_BETA).native_graph()  # type: ignore[attr-defined]
    rng = np.random.default_rng(1)
    h = rng.normal(0.0, 0.3, graph.num_spins)
    return qgen.Ising(h, rng.normal(0.0, 0.4, len(graph.edges)), graph)


def iterations(start: float) -> list[float]:
    """beta before the first call, and after each."""
    sampler = emulated(start)
    rng = np.random.default_rng(2)
    found = [start]
    for _ in range(CALLS):
        sampler.draw(model(), READS, rng=rng)
        found.append(sampler.beta)
    return found


def given_conditions(microseconds: float) -> Iterator[tuple[float, float]]:
    """beta and its error where 0, 1, ... of the condition's units are up."""
    energy = model()
    rng = np.random.default_rng(3)
    for up in range(CONDITIONS + 1):
        fixed = np.zeros(energy.num_spins, dtype=np.int8)
        fixed[:CONDITIONS] = -1
        fixed[:up] = 1
        clamped = qgen.Ising(2 * energy.h, 2 * energy.J, energy.graph, fixed=fixed)
        sampler = emulated(TRUE_BETA, anneal_time=microseconds)
        _, info = sampler.draw(clamped, 2 * READS, rng=rng)
        yield info["beta_energy"], info["beta_energy_error"]


def main() -> None:
    """Draw both panels."""
    mpl.use("Agg")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    for start in STARTS:
        left.plot(iterations(start), "o-", markersize=4, label=f"first guess {start:g}")
    left.set(xlabel="call", ylabel="estimate of beta", yscale="log")
    left.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"], minor=False)
    left.minorticks_off()
    for microseconds, marker in ((SLOW, "o"), (FAST, "s")):
        found = np.array(list(given_conditions(microseconds)))
        label = f"anneals of {microseconds:g} us"
        units = np.arange(len(found))
        right.errorbar(units, found[:, 0], found[:, 1], fmt=marker, markersize=4, label=label)
    right.set(xlabel="units of the condition that are up", ylabel="beta by the mean energy")
    for axes in (left, right):
        axes.axhline(TRUE_BETA, color="grey", linestyle="--", linewidth=1, label="true beta")
        axes.legend(fontsize=8)
    figure.savefig(PATH, dpi=110)


if __name__ == "__main__":
    main()
