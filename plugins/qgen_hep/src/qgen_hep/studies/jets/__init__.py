"""The study ``jets``.

Quantum circuit Born machines for LHC jets (Delgado and Hamilton, arXiv:2203.03578).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.jets import grid
from qgen_hep.studies.jets.measurements import target, trained
from qgen_hep.studies.jets.tables import tables
from qgen_hep.studies.shared.grid import named_by_content, require_positive, with_local_file
from qgen_hep.studies.shared.style import draw


class JetsStudy(Study):
    """Every configuration of document 001: Tables I to IV with ours beside theirs, figures 3 to 11.

    Two ansatze, their layers and start states, 8 qubits (pT, mass) and 12 qubits (pT, mass, eta),
    trained exactly and from shots, and on fractions of the data.

    Args:
        path: a dijet file to train on, e.g. of ``qgen data jets --events``; None: the shipped one.
        seeds: trainings of each configuration, from different parameters.
        shot_seeds: the same for the 12-qubit trainings from shots, each of which takes minutes.

    >>> study = JetsStudy()
    >>> cell = study.cells(quick=True)[2]
    >>> cell.tags["wires"], cell.tags["ansatz"], cell.tags["layers"]
    (8, 'brick', 6)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "target": target,
        "trained": trained,
    }

    def __init__(self, *, path: str | None = None, seeds: int = 3, shot_seeds: int = 1) -> None:
        require_positive(seeds=seeds, shot_seeds=shot_seeds)
        self.path = path
        self.seeds = seeds
        self.shot_seeds = shot_seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        dataset = {"name": "jets"}
        if self.path is not None:
            dataset.update(named_by_content(self.path, "path"))
        trainings = grid.quick() if quick else grid.full(self.seeds, self.shot_seeds)
        cells = grid.target_cells(dataset)
        cells += [training.cell(dataset) for training in trainings]
        return cells

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        return with_local_file(recipe, "path", self.path)

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.jets.figures import FIGURES

        return draw(FIGURES, results, folder)
