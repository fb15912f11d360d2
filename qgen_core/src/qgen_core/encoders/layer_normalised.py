"""The encoder ``layer-normalised``: showers as shares of their layers, and the layers as ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import (
    all_in_row,
    matrix,
    not_fitted,
    require_accepted,
    training_matrix,
)
from qgen_core.encoders.energies import EnergyUnit
from qgen_core.encoders.energy_ratios import EnergyRatiosEncoder
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.events import Space
from qgen_core.interfaces import Encoder
from qgen_core.typing import Array, Floats, Rng


class LayerNormalisedEncoder(Encoder):
    """Cells as ``x / (E_layer + eps)``, followed by the ``energy-ratios`` of the layers' energies.

    Showers (N, V) of cells >= 0, layer by layer, with conditions (N, K) of which one is the
    incident energy, give (N, V + L) reals for L layers: the shares of the cells, which add up to 1
    in each layer that is hit, then ``u_0`` to ``u_(L-1)``. So many columns have no density
    (``log_det`` is None). With ``last = false`` the share of the last cell of each layer, which the
    others determine, is left out: (N, V), with the exact density
    ``-sum_l (n_l - 1) log(E_l + eps)`` plus that of ``energy-ratios``, for layers of n_l cells.

    Decoding scales the shares of a model, negative ones set to 0, so that the cells of each layer
    add up to its energy; where all shares of a layer are 0, its cells share the energy alike.

    Args:
        layers: the numbers of cells of the layers; None: by the names of the columns, where the
            cells ``name[0]``, ``name[1]``, ... of one array are a layer.
        last: give the share of the last cell of each layer.
        unit: the unit of the cells.
        incident: name or number of the condition's column with the incident energy.
        incident_unit: the unit of the incident energy.
        most: the largest sum of all cells, as a part of the incident energy, with u_0 <= 1.
        column_names: the names of all columns; a run supplies them.
        condition_names: the names of the condition's columns; a run supplies them.

    Raises BadOption for layers that are not at least 1 cell each, and what ``energy-ratios``
    raises; ``fit`` raises it for layers that are unknown or have another number of cells together.

    Source: CaloINN (with ``last``, 368 + 5 columns for photons) and CaloDREAM, docs/readings.md.

    >>> import numpy as np
    >>> shower = np.array([[1.0, 3.0, 0.0, 6.0]])  # MeV
    >>> incident = np.array([[0.02]])  # GeV
    >>> encoder = LayerNormalisedEncoder(layers=[2, 2]).fit(shower, incident)
    >>> z = encoder.encode(shower, incident)
    >>> z.round(6).tolist()
    [[0.25, 0.75, 0.0, 1.0, 0.5, 0.4]]
    >>> encoder.decode(z, incident, rng=np.random.default_rng(0)).round(6).tolist()
    [[1.0, 3.0, 0.0, 6.0]]
    """

    name = "layer-normalised"

    def __init__(
        self,
        *,
        layers: list[int] | None = None,
        last: bool = True,
        unit: EnergyUnit = "MeV",
        incident: int | str = 0,
        incident_unit: EnergyUnit = "GeV",
        most: float = 1.0,
        column_names: Sequence[str] | None = None,
        condition_names: Sequence[str] | None = None,
    ) -> None:
        self.ratios = EnergyRatiosEncoder(
            unit=unit,
            incident=incident,
            incident_unit=incident_unit,
            most=most,
            condition_names=condition_names,
        )
        self.last = last
        if layers is None and column_names is not None:
            layers = [len(list(cells)) for _, cells in groupby(column_names, _array_of)]
        if layers is not None and (not layers or min(layers) < 1):
            raise BadOption(f"layers of {self.name} have at least 1 cell each, not {layers}")
        #: The number of cells of each layer (L,); None if neither option nor names say it.
        self._cells: NDArray[np.int64] | None = None
        if layers is not None:
            self._cells = np.array(layers, dtype=np.int64)

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn the number of cells of showers (N, V). Raises DataError for none or not finite."""
        x = training_matrix(self.name, x)
        if self._cells is None:
            raise BadOption(
                f"{self.name} does not know the layers: give the option layers, the number of "
                "cells of each, or column_names"
            )
        if int(self._cells.sum()) != x.shape[1]:
            raise BadOption(
                f"layers of {self.name} have {int(self._cells.sum())} cells together, the events "
                f"have {x.shape[1]} columns"
            )
        self.ratios.fit(self._energies(x.astype(np.float64)), condition)
        self._use(self._cells)
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which showers (N,) are finite, with cells of at least 0 and an incident energy above 0.

        Raises DataError without conditions.
        """
        x = matrix(self.name, x, self._width())
        good = all_in_row(np.isfinite(x) & (x >= 0))
        tame = np.where(good[:, None], x, 0.0)
        return good & self.ratios.accepts(self._energies(tame), condition)

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, V) to (N, space.width). Raises DataError for showers that are not accepted."""
        x = self._accepted(x, condition)
        energies = self._energies(x)
        shares = x / np.repeat(energies + self.ratios.eps, self._sizes(), axis=1)
        return np.concatenate(
            [shares[:, self._given()], self.ratios.encode(energies, condition)], axis=1
        )

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """(N, space.width) to showers (N, V), also of values that a model made up."""
        z = matrix(self.name, z, self.space.width if hasattr(self, "space") else None)
        sizes = self._sizes()
        given = self._given()
        energies = self.ratios.decode(z[:, len(given) :], condition, rng=rng)
        shares = np.zeros((len(z), int(sizes.sum())))
        shares[:, given] = np.maximum(z[:, : len(given)], 0.0)
        if not self.last:
            # with eps in the denominator, all shares of a layer add up to E / (E + eps)
            whole = energies / (energies + self.ratios.eps)
            shares[:, np.cumsum(sizes) - 1] = np.maximum(whole - self._energies(shares), 0.0)
        sums = self._energies(shares)
        alike = np.repeat(1.0 / sizes, sizes)
        empty = np.repeat(sums == 0, sizes, axis=1)
        shares = np.where(empty, alike, shares)
        scale = energies / np.where(sums == 0, 1.0, sums)
        cells: Floats = shares * np.repeat(scale, sizes, axis=1)
        return cells

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """The log density of the map (N,); None with ``last``."""
        x = self._accepted(x, condition)
        if self.last:
            return None
        energies = self._energies(x)
        of_ratios = self.ratios.log_det(energies, condition)
        assert of_ratios is not None
        of_shares = -np.log(energies + self.ratios.eps) @ (self._sizes() - 1.0)
        total: Floats = of_shares + of_ratios
        return total

    def state(self) -> dict[str, Array]:
        state = {f"ratios.{name}": value for name, value in self.ratios.state().items()}
        return {**state, "layers": self._sizes().copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        saved = state.get("layers", np.empty(0))
        if saved.ndim != 1 or saved.dtype.kind != "i" or not len(saved) or np.any(saved < 1):
            raise CheckpointError(f"the checkpoint of {self.name} does not say what the layers are")
        rest = {name: value for name, value in state.items() if name != "layers"}
        others = [name for name in rest if not name.startswith("ratios.")]
        if others:
            raise CheckpointError(f"{self.name} has no state {', '.join(others)}")
        self.ratios.load({name.removeprefix("ratios."): rest[name] for name in rest})
        if self.ratios.space.width != len(saved):
            raise CheckpointError(
                f"the checkpoint of {self.name} has {len(saved)} layers and the energies of "
                f"{self.ratios.space.width}"
            )
        if self._cells is not None and not np.array_equal(self._cells, saved):
            raise CheckpointError(
                f"the checkpoint of {self.name} has layers of {saved.tolist()} cells, the options "
                f"say {self._cells.tolist()}"
            )
        self._use(saved)

    def _use(self, cells: Array) -> None:
        self._cells = np.array(cells, dtype=np.int64)
        self.space = Space("reals", len(self._given()) + len(cells))

    def _sizes(self) -> NDArray[np.int64]:
        """The number of cells of each layer (L,). Raises DataError before fit or load."""
        if self._cells is None:
            raise not_fitted(self.name)
        return self._cells

    def _width(self) -> int:
        if not hasattr(self, "space"):
            raise not_fitted(self.name)
        return int(self._sizes().sum())

    def _given(self) -> NDArray[np.int64]:
        """The numbers of the cells whose shares are given."""
        sizes = self._sizes()
        cells = np.arange(int(sizes.sum()))
        if self.last:
            return cells
        return np.delete(cells, np.cumsum(sizes) - 1)

    def _energies(self, x: Floats) -> Floats:
        """The sums (N, L) of each layer."""
        sizes = self._sizes()
        first = np.cumsum(sizes) - sizes
        return np.add.reduceat(x, first, axis=1)

    def _accepted(self, x: Array, condition: Array | None) -> Floats:
        x = matrix(self.name, x, self._width())
        allowed = "cells of 0 and more with incident energies above 0"
        require_accepted(self.name, x, self.accepts(x, condition), allowed)
        return x.astype(np.float64)


def _array_of(column: str) -> str:
    """The array that a column is an element of, or else the column itself."""
    return column.partition("[")[0]
