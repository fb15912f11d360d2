"""The study ``models``: one benchmark of all generators on the same showers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.models import grid
from qgen_hep.studies.models.measurements import benchmarked, truth
from qgen_hep.studies.models.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw

Task = Literal["energies", "showers"]
TASKS: tuple[Task, ...] = ("energies", "showers")


class ModelsStudy(Study):
    """All generators on photons of 65.536 GeV, by the same measures, and what they cost.

    Every model generates the energies of five layers; those that can, full showers of 368 voxels
    too. Quantum models stand beside a network of as many parameters and, where there is one, the
    same model with a circuit that is not trained. They are trained on a stand-in and compared with
    held-out events of it, and with Geant4. The numbers are those of ``qgen evaluate`` and ``qgen
    compare``.

    Needs qgen-torch with its extra ``flows``.

    Args:
        tasks: layer energies, full showers, or both.
        seeds: trainings of each model; by default 5, and 1 with ``--quick``.

    >>> cells = ModelsStudy().cells(quick=True)
    >>> len(cells), len(ModelsStudy(tasks=("showers",)).cells(quick=True))
    (38, 13)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "truth": truth,
        "benchmarked": benchmarked,
    }

    def __init__(self, *, tasks: tuple[Task, ...] = TASKS, seeds: int | None = None) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.tasks = tasks
        self.seeds = seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        count = self.seeds or setting.calo.seeds
        every = [*grid.truths(setting, count), *grid.models(setting, count)]
        return [cell for cell in every if cell.tags["task"] in self.tasks]

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.models.figures import FIGURES

        return draw(FIGURES, results, folder)
