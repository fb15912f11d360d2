"""The study ``jets-noise``.

Born machines tuned on noisy devices (Delgado and Hamilton, arXiv:2203.03578, IV B).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.errors import BadOption
from qgen_core.studies import Cell, Result, Study, Table
from qgen_hep.studies.jets.measure import target
from qgen_hep.studies.jets_noise import points
from qgen_hep.studies.jets_noise.book import Book
from qgen_hep.studies.jets_noise.measure import tuned
from qgen_hep.studies.jets_noise.tables import tables


class JetsNoiseStudy(Study):
    """Section IV B of document 001: layer-wise coordinate descent on two devices, figures 13 to 15.

    Ansatz 1 and 2 with 8 qubits and ansatz 2 with 12, trained without noise and then tuned in one
    pass of ``lcd`` with 20,000 shots a circuit. The devices are emulated: calibrations that retired
    devices had on one day, stored in qiskit-ibm-runtime, on exact density matrices; shots are drawn
    from their distributions.

    Args:
        seeds: trainings of each configuration, from different parameters.
        devices: noise models for 8 and for 12 qubits; the defaults come with qgen-qiskit.
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {"target": target, "tuned": tuned}

    def __init__(
        self, *, seeds: int = 3, devices: tuple[str, str] = ("ibm_guadalupe", "ibm_cairo")
    ) -> None:
        if seeds < 1:
            raise BadOption(f"seeds is at least 1, not {seeds}")
        self.seeds, self.devices = seeds, devices

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        chosen = points.quick(self.devices) if quick else points.full(self.devices, self.seeds)
        targets = [points.target_cell(features) for features in points.DEVICE_OF]
        return [*targets, *(point.cell() for point in chosen)]

    def tables(self, results: Sequence[Result]) -> Sequence[Table]:
        return tables(Book(results))

    def figures(self, results: Sequence[Result], folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.jets_noise.figures import draw

        return draw(Book(results), folder)
