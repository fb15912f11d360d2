"""The study ``hits``: which cells of a calorimeter are hit, by models trained on a laptop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.hits import grid
from qgen_hep.studies.hits.measurements import compared, window
from qgen_hep.studies.hits.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw


class HitsStudy(Study):
    """``iqp`` on the hits of all cells of a shower, beside its classical twins.

    504 cells of positrons of 1 to 100 GeV, whose energy is a condition, and 368 voxels of photons
    of 65.536 GeV, both of Geant4. Models are ``iqp`` with all pairs of cells, with neighbours only,
    with frozen pairs and from random angles; ``pairwise-ising`` and ``rbm`` of as many parameters,
    and ``chow-liu-tree``. Hit rates, correlations of two to four cells at a given energy and MMD
    are those against held-out showers. A window of cells of the trained model is then drawn without
    noise, on a noisy device in simulation, and with its readout mitigated.

    The noisy device needs qgen-qiskit; without it those numbers are missing.

    Args:
        seeds: trainings of each model; by default 5, and 1 with ``--quick``.

    >>> cells = HitsStudy().cells(quick=True)
    >>> sorted({str(cell.tags["sample"]) for cell in cells}), len(cells)
    (['photons', 'positrons'], 18)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "compared": compared,
        "window": window,
        "device": window,
    }

    def __init__(self, *, seeds: int | None = None) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.seeds = seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        return grid.cells(setting, self.seeds or setting.seeds)

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.hits.figures import FIGURES

        return draw(FIGURES, results, folder)
