"""Ising energies: what a sampler draws spins from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.errors import DataError
from qgen_core.typing import Floats


@dataclass(frozen=True, eq=False)
class Ising:
    """The energy ``E(s) = sum_i h_i s_i + sum_e J_e s_i(e) s_j(e) + offset`` of spins -1 or +1.

    A sampler draws from exp(-beta E), where beta is the sampler's own. Energies have no unit.

    Args:
        h: fields (S,), or (B, S) with one row per condition.
        edges: pairs i < j of spins, (E, 2), each pair at most once.
        J: couplings (E,), one per edge.
        offset: a constant.
        transverse: the field Gamma of a term ``- Gamma sum_i s^x_i``; above 0 it makes this a
            quantum model, of which samplers draw the diagonal in the z basis.
        fixed: (S,) int8, -1 or +1 for spins that are clamped to that value, 0 for the others.

    Raises DataError for shapes that do not fit together, edges that are not pairs i < j or occur
    twice, and numbers that are not finite.

    >>> import numpy as np
    >>> pair = Ising(h=np.zeros(2), edges=np.array([[0, 1]]), J=np.array([-1.0]))
    >>> pair.energy([[1, 1], [1, -1]]).tolist()
    [-1.0, 1.0]
    """

    h: Floats
    edges: NDArray[np.intp]
    J: Floats
    offset: float = 0.0
    transverse: float = 0.0
    fixed: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        h = np.asarray(self.h, dtype=np.float64)
        edges = np.asarray(self.edges, dtype=np.intp).reshape(-1, 2)
        coupling = np.asarray(self.J, dtype=np.float64)
        if h.ndim not in (1, 2) or h.shape[-1] == 0 or coupling.shape != (len(edges),):
            raise DataError(
                f"an Ising energy needs h (S,) or (B, S) and one J per edge, not h {h.shape}, "
                f"{len(edges)} edges and J {coupling.shape}"
            )
        spins = h.shape[-1]
        if len(edges):
            in_range = edges.min() >= 0 and edges.max() < spins
            if not (in_range and np.all(edges[:, 0] < edges[:, 1])):
                raise DataError(f"edges are pairs i < j of spins 0 to {spins - 1}")
        if len(np.unique(edges, axis=0)) != len(edges):
            raise DataError("an edge occurs twice; give it once, with the sum of its couplings")
        finite = np.all(np.isfinite(h)) and np.all(np.isfinite(coupling))
        if not (finite and np.isfinite(self.offset)):
            raise DataError("h, J and offset must be finite")
        if not self.transverse >= 0:
            raise DataError(f"the transverse field must be 0 or more, not {self.transverse}")
        if self.fixed is not None:
            fixed = np.asarray(self.fixed, dtype=np.int8)
            if fixed.shape != (spins,) or not np.all(np.isin(fixed, (-1, 0, 1))):
                raise DataError(f"fixed holds -1, 0 or 1 for each of the {spins} spins")
            object.__setattr__(self, "fixed", fixed)
        object.__setattr__(self, "h", h)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "J", coupling)

    @property
    def num_spins(self) -> int:
        """The number S of spins."""
        return int(self.h.shape[-1])

    def energy(self, spins: ArrayLike) -> Floats:
        """The classical energy, without the transverse field, of each configuration.

        Spins (..., S) give energies (...,). If h is (B, S), spins (B, n, S) give energies (B, n).
        """
        s = np.asarray(spins, dtype=np.float64)
        h = self.h
        if h.ndim == 2:
            h = h[:, None, :]
        left = s[..., self.edges[:, 0]]
        right = s[..., self.edges[:, 1]]
        energy: Floats = np.sum(s * h, axis=-1) + (left * right) @ self.J + self.offset
        return energy
