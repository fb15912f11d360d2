"""Reference samples: independent events of the stand-in, and the floor between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.typing import Floats
from qgen_hep.datasets.mfc import mfc

#: Generated and reference events of every comparison.
EVENTS = 100_000
#: Seeds of the samples; no training has one of them.
SEEDS = (900_001, 900_002, 900_003, 900_004)


def reference_samples(
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
    return _samples(tuple(sorted(options.items())))


@cache
def _samples(options: tuple[tuple[str, Any], ...]) -> tuple[Events, ...]:
    return tuple(mfc(**dict(options), events=EVENTS, seed=seed) for seed in SEEDS)


def variation(reference: Events, other: Events, edges: Sequence[Floats]) -> list[float]:
    """The total variation of each feature; events outside of the bins count as two more bins.

    >>> pair = Events(np.array([[0.5], [1.5]])), Events(np.array([[0.5], [0.5]]))
    >>> variation(*pair, [np.array([0.0, 1.0, 2.0])])
    [0.5]
    """
    found = qgen.metric("marginal-tv")(reference, other, edges=edges)
    return [found[f"tv({column})"] for column in reference.columns]


def joint_variation(reference: Events, other: Events, edges: Sequence[Floats]) -> float:
    """The total variation of all features together."""
    return qgen.metric("tv")(reference, other, edges=edges)["joint tv"]


def floor(events: Sequence[Events], edges: Sequence[Floats]) -> list[float]:
    """The total variation of each feature between two reference samples, mean over pairs."""
    first, *others = events
    return list(np.mean([variation(first, other, edges) for other in others], axis=0))


def shares(x: Floats, edges: Sequence[Floats]) -> list[Floats]:
    """The share of all events (N, F) in each bin of each feature.

    >>> [s.tolist() for s in shares(np.array([[0.5], [1.5]]), [np.array([0.0, 1.0, 2.0])])]
    [[0.5, 0.5]]
    """
    found = []
    for column, column_edges in zip(x.T, edges, strict=True):
        counts, _ = np.histogram(column, column_edges)
        found.append(counts / len(x))
    return found
