"""A small two-column dataset for tests of runs, offered to this process only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import qgen_core as qgen


def toy(*, events: int = 4000, scale: float = 1.0) -> qgen.Events:
    """Two correlated falling columns in GeV: made up, for tests."""
    rng = np.random.default_rng(11)
    shared = rng.exponential(1.0, events)
    x = (
        np.column_stack(
            [shared + rng.exponential(1.0, events), shared + rng.exponential(0.5, events)]
        )
        * scale
    )
    return qgen.Events(
        x, columns=("a", "b"), units=("GeV", "GeV"), provenance={"name": "toy", "kind": "stand-in"}
    )


def toy_conditional(*, events: int = 4000) -> qgen.Events:
    """One column that follows its condition: made up, for tests."""
    rng = np.random.default_rng(12)
    c = rng.integers(0, 3, events) * 50.0 + 100.0
    x = (c / 250.0 + 0.1 * rng.standard_normal(events))[:, None]
    return qgen.Events(
        x,
        c[:, None],
        columns=("e",),
        units=("GeV",),
        condition_columns=("e_in",),
        provenance={"kind": "stand-in"},
    )


def offer() -> None:
    """Register both."""
    datasets: dict[str, Callable[..., qgen.Events]] = {
        "toy": toy,
        "toy-conditional": toy_conditional,
    }
    for name, function in datasets.items():
        qgen.register("dataset", name, function)


RECIPE = """
seed = 3
split = [0.8, 0.1, 0.1]
[dataset]
name = "toy"
[encoder]
name = "binning"
bits = 2
window = [[0.0, 6.0], [0.0, 5.0]]
[generator]
name = "qcbm"
ansatz = { name = "brick", layers = 2 }
[loss]
name = "js"
[trainer]
name = "adam"
learning_rate = 0.05
steps = 40
"""

CONDITIONAL = """
seed = 3
[dataset]
name = "toy-conditional"
[encoder]
name = "binning"
bits = 3
window = [[0.0, 1.4]]
[condition_encoder]
name = "angle"
[generator]
name = "qcbm"
ansatz = { name = "brick", layers = 3 }
[loss]
name = "js"
[trainer]
name = "adam"
learning_rate = 0.05
steps = 60
"""
