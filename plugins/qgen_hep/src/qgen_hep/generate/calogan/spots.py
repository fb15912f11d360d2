"""Spots: deposits of energy at points, which are summed up in the cells of the calorimeter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats, Rng
from qgen_hep.generate.calogan.detector import BEHIND, compartment


@dataclass(frozen=True)
class Spots:
    """S deposits: number of the shower, position and depth in mm, and energy in MeV, (S,) each."""

    shower: NDArray[np.int64]
    x: Floats
    y: Floats
    depth: Floats
    energy: Floats

    def deposits(self, showers: int) -> Floats:
        """Energies (N, 507) in MeV: of the cells, then of what is beside each layer.

        What lies behind the calorimeter is lost.

        >>> one = np.ones(1)
        >>> spots = Spots(np.zeros(1, dtype=np.int64), one, one, one, 5 * one)
        >>> spots.deposits(2).sum(axis=1).tolist()
        [5.0, 0.0]
        """
        compartments = BEHIND + 1
        flat = self.shower * compartments + compartment(self.x, self.y, self.depth)
        sums: Floats = np.bincount(flat, weights=self.energy, minlength=showers * compartments)
        found: Floats = sums.reshape(showers, compartments)[:, :BEHIND]
        return found


def joined(parts: Sequence[Spots]) -> Spots:
    """All spots of several parts of the same showers.

    >>> one = Spots(np.zeros(1, dtype=np.int64), np.ones(1), np.ones(1), np.ones(1), np.ones(1))
    >>> joined([one, one]).energy.tolist()
    [1.0, 1.0]
    """
    return Spots(
        shower=np.concatenate([part.shower for part in parts]),
        x=np.concatenate([part.x for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        depth=np.concatenate([part.depth for part in parts]),
        energy=np.concatenate([part.energy for part in parts]),
    )


def shares(owner: NDArray[np.int64], total: Floats, weight: Floats, rng: Rng) -> Floats:
    """Random parts (S,) of the ``total`` (N,) of their owners, whose parts add up to it.

    The parts are exponential with means proportional to ``weight`` (S,); ``owner`` (S,) counts from
    0.

    >>> owner = np.array([0, 0, 1])
    >>> parts = shares(owner, np.array([3.0, 5.0]), np.ones(3), np.random.default_rng(0))
    >>> np.bincount(owner, weights=parts).round(9).tolist()
    [3.0, 5.0]
    """
    parts = weight * rng.standard_exponential(len(owner))
    sums = np.bincount(owner, weights=parts, minlength=len(total))
    per_unit = np.divide(total, sums, out=np.zeros(len(total)), where=sums > 0)
    scaled: Floats = parts * per_unit[owner]
    return scaled


def around(radius: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Points (S,) at these distances from the axis, in random directions."""
    angle = rng.uniform(0, 2 * np.pi, len(radius))
    return radius * np.cos(angle), radius * np.sin(angle)
