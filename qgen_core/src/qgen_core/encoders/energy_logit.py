"""The encoder ``energy-logit``: the logit of the parts of an incident energy that cells hold."""

from __future__ import annotations

from collections.abc import Sequence

from qgen_core.encoders.chain import ChainEncoder
from qgen_core.encoders.energies import EnergyUnit, conversion
from qgen_core.encoders.logit import LogitEncoder
from qgen_core.encoders.ratio import RatioEncoder


class EnergyLogitEncoder(ChainEncoder):
    """``logit(R + (1 - 2 R) E_cell / E_inc) - logit(R)``, with 0 exactly for a cell without a hit.

    Events (N, F) of energies with conditions (N, K), one of which is the incident energy, give (N,
    F) without a unit; decoding needs the conditions as well. It is the chain of ``ratio`` and
    ``logit``, with the conversion of the units. An event with a cell below 0 or above the incident
    energy is not accepted. Decoding gives 0 for all values of a model that are not above 0.

    Args:
        unit: the unit of the cells.
        incident: name or number of the condition's column with the incident energy.
        incident_unit: the unit of the incident energy.
        r: R, above 0 and below 1/2.
        columns: names or numbers of the columns to map; None: all.
        column_names: the names of all columns; a run supplies them.
        condition_names: the names of the condition's columns; a run supplies them.

    Raises BadOption for R outside (0, 1/2) and what ``ratio`` raises.

    Source: the scaling of the code of the CaloQVAE with a four-partite prior, with its R of 1e-7
    (docs/readings.md).

    >>> import numpy as np
    >>> cells = np.array([[0.0, 10_000.0]])  # MeV
    >>> incident = np.array([[20.0]])  # GeV
    >>> encoder = EnergyLogitEncoder().fit(cells, incident)
    >>> z = encoder.encode(cells, incident)
    >>> z.round(3).tolist()
    [[0.0, 16.118]]
    >>> encoder.decode(z, 2 * incident, rng=np.random.default_rng(0)).round(6).tolist()
    [[0.0, 20000.0]]
    """

    name = "energy-logit"

    def __init__(
        self,
        *,
        unit: EnergyUnit = "MeV",
        incident: int | str = 0,
        incident_unit: EnergyUnit = "GeV",
        r: float = 1e-7,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
        condition_names: Sequence[str] | None = None,
    ) -> None:
        fraction = RatioEncoder(
            by=incident,
            factor=conversion(incident_unit, unit),
            columns=columns,
            column_names=column_names,
            condition_names=condition_names,
        )
        logit = LogitEncoder(alpha=r, zero=True, columns=columns, column_names=column_names)
        super().__init__(encoders=[fraction, logit])
        self.unit = unit
        self.incident_unit = incident_unit

    def _allowed(self) -> str:
        return (
            f"cells in {self.unit} from 0 to the incident energy of the event, which is in "
            f"{self.incident_unit} and above 0 (options unit and incident_unit)"
        )
