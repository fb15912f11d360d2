"""The study ``jets-noise``.

Born machines tuned on noisy devices (Delgado and Hamilton, arXiv:2203.03578, IV B).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.jets.measurements import target
from qgen_hep.studies.jets_noise import grid
from qgen_hep.studies.jets_noise.measurements import frozen, tuned, twin
from qgen_hep.studies.jets_noise.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw


class JetsNoiseStudy(Study):
    """Section IV B of document 001: layer-wise coordinate descent on two devices, figures 13 to 15.

    Ansatz 1 and 2 with 8 qubits and ansatz 2 with 12, trained without noise and then tuned in one
    pass of ``lcd`` with 20,000 shots a circuit. The devices are emulated: calibrations that retired
    devices had on one day, stored in qiskit-ibm-runtime, on exact density matrices; shots are drawn
    from their distributions. Beside each tuning stand a classical model with as many parameters,
    and the circuit with the parameters that its training started from.

    Args:
        seeds: trainings of each configuration, from different parameters.
        devices: noise models for 8 and for 12 qubits; the defaults come with qgen-qiskit.

    >>> cells = JetsNoiseStudy().cells(quick=True)
    >>> [cell.tags["measured"] for cell in cells if cell.tags["wires"] == 12]
    ['target', 'tuned', 'twin', 'frozen']
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "target": target,
        "tuned": tuned,
        "twin": twin,
        "frozen": frozen,
    }

    def __init__(
        self, *, seeds: int = 5, devices: tuple[str, str] = ("ibm_guadalupe", "ibm_cairo")
    ) -> None:
        require_positive(seeds=seeds)
        self.seeds = seeds
        self.devices = devices

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        tunings = grid.quick(self.devices) if quick else grid.full(self.devices, self.seeds)
        cells = [grid.target_cell(wires) for wires in grid.DEVICE_OF]
        cells += [tuning.cell() for tuning in tunings]
        return [*cells, *grid.beside(tunings)]

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.jets_noise.figures import FIGURES

        return draw(FIGURES, results, folder)
