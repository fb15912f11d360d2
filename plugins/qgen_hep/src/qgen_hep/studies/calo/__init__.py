"""The study ``calo``: calorimeter showers by flows, flow matching and a GAN, document 003."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.calo import grid
from qgen_hep.studies.calo.measurements import compared, protocol, truth
from qgen_hep.studies.calo.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw

Part = Literal["truth", "models", "protocol"]
PARTS: tuple[Part, ...] = ("truth", "models", "protocol")


class CaloStudy(Study):
    """The classical models of document 003, measured as in the CaloChallenge.

    Invertible networks, flow matching by a perceptron and by a transformer, chains of two models,
    and FastCaloGAN generate the energies of layers, and full showers, of photons of 65.536 GeV in
    368 voxels and of positrons of 1 to 100 GeV in 504 cells. They are trained on stand-ins, and
    compared with held-out events of these and with Geant4; a Gaussian and true events are the
    ceiling and the floor.

    Needs qgen-torch with its extra ``flows``.

    Args:
        parts: which parts to run.
        seeds: trainings of each model; by default 5, and 1 with ``--quick``.

    >>> cells = CaloStudy().cells(quick=True)
    >>> sorted({str(cell.tags["part"]) for cell in cells}), len(cells)
    (['models', 'truth'], 32)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "truth": truth,
        "compared": compared,
        "protocol": protocol,
    }

    def __init__(self, *, parts: tuple[Part, ...] = PARTS, seeds: int | None = None) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.parts = parts
        self.seeds = seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        count = self.seeds or setting.seeds
        found: list[Cell] = []
        if "truth" in self.parts:
            found += grid.truths(setting, count)
        if "models" in self.parts:
            found += grid.models(setting, count)
        if "protocol" in self.parts:
            found += grid.protocol(setting)
        return found

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.calo.figures import FIGURES

        return draw(FIGURES, results, folder)
