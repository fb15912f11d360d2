"""Independent events of the stand-in to compare with, and what they say of themselves.

The floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.typing import Floats
from qgen_hep.datasets.mfc import mfc

#: Generated events, and true ones, of every comparison.
EVENTS = 100_000
#: Seeds of truths: none that a training has.
SEEDS = (900_001, 900_002, 900_003, 900_004)


def truths(
    dataset: Mapping[str, Any], energies: Sequence[float] | None = None
) -> tuple[Events, ...]:
    """Samples of the distribution behind a recipe's dataset, or of it at other beam energies."""
    options = dict(dataset)
    options.pop("name", None)
    options.pop("events", None)
    for key, value in options.items():
        if isinstance(value, list):
            options[key] = tuple(value)
    if energies is not None:
        options["energies"] = tuple(energies)
    return _truths(tuple(sorted(options.items())))


@cache
def _truths(options: tuple[tuple[str, Any], ...]) -> tuple[Events, ...]:
    return tuple(mfc(**dict(options), events=EVENTS, seed=seed) for seed in SEEDS)


def variation(reference: Events, other: Events, edges: Sequence[Floats]) -> list[float]:
    """The total variation of each feature, what lies outside of the bins counted."""
    found = qgen.metric("marginal-tv")(reference, other, edges=edges)
    return [found[f"tv({column})"] for column in reference.columns]


def joint_variation(reference: Events, other: Events, edges: Sequence[Floats]) -> float:
    """The total variation of all features together."""
    return qgen.metric("tv")(reference, other, edges=edges)["joint tv"]


def floor(events: Sequence[Events], edges: Sequence[Floats]) -> list[float]:
    """The total variation of each feature between two samples of the truth, mean over pairs."""
    first, *others = events
    return list(np.mean([variation(first, other, edges) for other in others], axis=0))


def shares(x: Floats, edges: Sequence[Floats]) -> list[Floats]:
    """The share of all events (N, F) in each bin of each feature."""
    return [np.histogram(column, e)[0] / len(x) for column, e in zip(x.T, edges, strict=True)]
