"""Precision, recall, density and coverage of a sample, from nearest neighbours.

Source: Kynkaanniemi et al., arXiv:1904.06991 (precision, recall); Naeem et al., arXiv:2002.09797
(density, coverage).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Floats
from qgen_hep.calorimeters.showers import Showers

#: Voxels without energy have this energy in MeV in the logarithm.
EMPTY = 0.1
#: Distances are computed for so many pairs at a time.
PAIRS_AT_A_TIME = 2**22
#: Points whose squared distance is below this share of their squared lengths are the same point.
SAME = 1e-13


def log_voxels(showers: Showers) -> Floats:
    """log10 of the energies of voxels in MeV, (N, voxels), with 0.1 MeV for those of 0.

    >>> from qgen_hep.calorimeters import DS1_PHOTONS
    >>> voxels = np.zeros((1, 368))
    >>> voxels[0, 0] = 100.0
    >>> log_voxels(Showers(voxels, np.array([200.0]), DS1_PHOTONS))[0, :2].tolist()
    [2.0, -1.0]
    """
    voxels = showers.voxels.astype(np.float64)
    voxels[voxels == 0] = EMPTY
    return np.asarray(np.log10(voxels))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What the nearest neighbours say of each event; each of the four numbers is a mean of these.

    Args:
        precise: whether a generated event (M,) lies within reach of a reference event.
        recalled: whether a reference event (N,) lies within reach of a generated event.
        crowded: the number of reference events within whose reach a generated event (M,) lies,
            over k.
        covered: whether the nearest generated event lies within reach of a reference event (N,).

    The reach of an event is the distance to its k-th neighbour in its own sample.

    >>> ones = np.ones(2)
    >>> Neighbours(ones, ones, 0 * ones, ones).numbers()["density"]
    0.0
    """

    precise: Floats
    recalled: Floats
    crowded: Floats
    covered: Floats

    def by_name(self) -> dict[str, Floats]:
        """The values of the events by the name of their mean."""
        return {
            "precision": self.precise,
            "recall": self.recalled,
            "density": self.crowded,
            "coverage": self.covered,
        }

    def numbers(self) -> dict[str, float]:
        """``precision``, ``recall``, ``density`` and ``coverage``."""
        return {name: float(np.mean(values)) for name, values in self.by_name().items()}


def neighbours(reference: Floats, generated: Floats, *, k: int = 5) -> Neighbours:
    """The nearest neighbours of a reference (N, F) and a generated sample (M, F), by Euclid.

    Time grows with the number of pairs, memory does not. Raises DataError for k below 1 and for
    samples of k events or fewer.

    >>> x = np.arange(10.0)[:, None]
    >>> neighbours(x, x + 0.4, k=1).numbers()
    {'precision': 1.0, 'recall': 1.0, 'density': 1.9, 'coverage': 1.0}
    """
    if k < 1 or min(len(reference), len(generated)) <= k:
        raise DataError(
            f"{k} nearest neighbours need k of 1 or more and more than k events in each sample, "
            f"which have {len(reference)} and {len(generated)}"
        )
    reach = _reach(reference, k)
    reach_of_generated = _reach(generated, k)
    crowded = np.zeros(len(generated))
    recalled = []
    covered = []
    for rows, distances in _squared_distances(reference, generated):
        within = distances < reach[rows, None]
        crowded += within.sum(axis=0)
        covered.append(within.any(axis=1))
        recalled.append(np.any(distances < reach_of_generated, axis=1))
    return Neighbours(
        (crowded > 0).astype(np.float64),
        np.concatenate(recalled).astype(np.float64),
        crowded / k,
        np.concatenate(covered).astype(np.float64),
    )


def _reach(sample: Floats, k: int) -> Floats:
    """The squared distance (N,) of each event to its k-th neighbour in its own sample."""
    found = []
    for rows, distances in _squared_distances(sample, sample):
        # The event itself is one of those that are not farther.
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = -1.0
        found.append(np.partition(distances, k, axis=1)[:, k])
    return np.concatenate(found)


def _squared_distances(first: Floats, second: Floats) -> Iterator[tuple[slice, Floats]]:
    """Some rows of the first sample after the other, with their squared distances to the second."""
    lengths = np.sum(second**2, axis=1)
    size = max(1, PAIRS_AT_A_TIME // len(second))
    for start in range(0, len(first), size):
        part = first[start : start + size]
        scale = np.sum(part**2, axis=1)[:, None] + lengths
        distances = scale - 2 * part @ second.T
        distances[distances < SAME * scale] = 0.0
        yield slice(start, start + len(part)), distances
