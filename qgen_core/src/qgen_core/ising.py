"""Ising energies, what a sampler draws from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.errors import DataError
from qgen_core.typing import Floats


@dataclass(frozen=True, eq=False)
class Ising:
    """``E(s) = sum_i h_i s_i + sum_e J_e s_{i(e)} s_{j(e)} + offset``, spins -1 or +1.

    h: (S,) or (B, S), a row per condition; edges: (E, 2) pairs i < j, each once; J: (E,).
    ``transverse`` is the field Gamma of ``- Gamma sum_i s^x_i``: more than zero makes it a
    quantum model, of which samplers draw the diagonal. ``fixed`` (S,) int8 clamps spins to
    -1 or +1 where it is not zero. A sampler draws from exp(-beta E) with its own beta.
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
        if len(edges) and not (
            edges.min() >= 0 and edges.max() < spins and np.all(edges[:, 0] < edges[:, 1])
        ):
            raise DataError(f"edges are pairs i < j of spins 0 to {spins - 1}")
        if len(np.unique(edges, axis=0)) != len(edges):
            raise DataError("an edge occurs twice; add its couplings up")
        if not (
            np.all(np.isfinite(h)) and np.all(np.isfinite(coupling)) and np.isfinite(self.offset)
        ):
            raise DataError("h, J and offset must be finite")
        if not self.transverse >= 0:
            raise DataError(f"the transverse field is >= 0, not {self.transverse}")
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
        """Classical energies of spins (..., S); with h (B, S), of spins (B, n, S)."""
        s = np.asarray(spins, dtype=np.float64)
        field = self.h[:, None, :] if self.h.ndim == 2 else self.h
        i, j = self.edges[:, 0], self.edges[:, 1]
        energy: Floats = np.sum(s * field, axis=-1) + (s[..., i] * s[..., j]) @ self.J + self.offset
        return energy
