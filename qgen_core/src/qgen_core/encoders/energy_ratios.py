"""The encoder ``energy-ratios``: the energies of the layers of a calorimeter as ratios."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import all_in_row, matrix, require_accepted
from qgen_core.encoders.energies import EnergyUnit, conversion
from qgen_core.encoders.ratio import RatioEncoder
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats, Rng


class EnergyRatiosEncoder(RatioEncoder):
    """``u_0 = sum E / (most E_inc)`` and ``u_i = E_i / (E_i + ... + E_L)`` for i = 1 to L - 1.

    Events (N, F) whose chosen columns are the energies E_1 to E_L >= 0 of the L layers, in order,
    with conditions (N, K) of which one is the incident energy E_inc > 0, give (N, F) without a
    unit in these columns. All u_i but u_0 are within [0, 1]. Decoding clips values of a model to 0
    and 1, so that no layer is negative and the layers always add up to ``u_0 most E_inc``.

    Denominators have ``eps`` added, so that the ratios of empty layers are 0 and the density is
    finite: ``log_det`` is ``-log(most E_inc) - sum_i log(E_i + ... + E_L + eps)``.

    Args:
        unit: the unit of the layers.
        incident: name or number of the condition's column with the incident energy.
        incident_unit: the unit of the incident energy.
        most: the largest sum of the energies, as a part of E_inc, that is mapped to within [0, 1],
            as a ``logit`` after this encoder needs it; 1 gives the usual u_0.
        eps: an energy above 0 in the unit of the layers, small against all of them.
        columns: names or numbers of the columns of the layers; None: all.
        column_names: the names of all columns; a run supplies them.
        condition_names: the names of the condition's columns; a run supplies them.

    Raises BadOption for ``most`` or ``eps`` not above 0 and what ``ratio`` raises.

    Source: CaloFlow, CaloINN and CaloDREAM (whose ``most`` is 1 / 0.35), docs/readings.md.

    >>> import numpy as np
    >>> layers = np.array([[10.0, 30.0, 10.0]])  # MeV
    >>> incident = np.array([[0.1]])  # GeV
    >>> encoder = EnergyRatiosEncoder().fit(layers, incident)
    >>> u = encoder.encode(layers, incident)
    >>> u.round(6).tolist()
    [[0.5, 0.2, 0.75]]
    >>> encoder.decode(u, incident, rng=np.random.default_rng(0)).round(6).tolist()
    [[10.0, 30.0, 10.0]]
    """

    name = "energy-ratios"

    def __init__(
        self,
        *,
        unit: EnergyUnit = "MeV",
        incident: int | str = 0,
        incident_unit: EnergyUnit = "GeV",
        most: float = 1.0,
        eps: float = 1e-10,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
        condition_names: Sequence[str] | None = None,
    ) -> None:
        if not (np.isfinite(most) and most > 0):
            raise BadOption(f"most of {self.name} is a number above 0, not {most:g}")
        if not (np.isfinite(eps) and eps > 0):
            raise BadOption(f"eps of {self.name} is an energy above 0, not {eps:g}")
        super().__init__(
            by=incident,
            factor=most * conversion(incident_unit, unit),
            columns=columns,
            column_names=column_names,
            condition_names=condition_names,
        )
        self.eps = eps

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite, with layers of at least 0 and an incident energy above 0.

        Raises DataError without conditions.
        """
        divisible = self._divisible(x, condition)
        return divisible & all_in_row(self._part(matrix(self.name, x, self._width())) >= 0)

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, F) to (N, F) float64. Raises DataError for events that are not accepted."""
        layers, whole = self._layers(x, condition)
        from_here = _sums_from_each(layers)
        first = from_here[:, :1] / whole[:, None]
        others = layers[:, :-1] / (from_here[:, :-1] + self.eps)
        return self._with(x, np.concatenate([first, others], axis=1))

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """The inverse, (N, F) float64; also for values of a model outside [0, 1]."""
        z = matrix(self.name, z, self._width())
        u = self._part(z)
        left = np.maximum(u[:, 0], 0.0) * self._positive(z, condition)
        layers = np.empty_like(u)
        for layer in range(u.shape[1] - 1):
            layers[:, layer] = np.clip(u[:, layer + 1] * (left + self.eps), 0.0, left)
            left = left - layers[:, layer]
        layers[:, -1] = left
        return self._with(z, layers)

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """log |det du / dE| (N,). Raises DataError for events that are not accepted."""
        layers, whole = self._layers(x, condition)
        denominators = _sums_from_each(layers)[:, :-1] + self.eps
        total: Floats = -np.log(whole) - np.log(denominators).sum(axis=1)
        return total

    def _layers(self, x: Array, condition: Array | None) -> tuple[Floats, Floats]:
        """The layers (N, L) of accepted events and ``most E_inc`` (N,) in their unit."""
        x = matrix(self.name, x, self._width())
        allowed = "layers of 0 and more with incident energies above 0"
        require_accepted(self.name, x, self.accepts(x, condition), allowed)
        return self._part(x), self._positive(x, condition)


def _sums_from_each(layers: Floats) -> Floats:
    """The energy (N, L) of each layer and all behind it."""
    return np.cumsum(layers[:, ::-1], axis=1)[:, ::-1]
