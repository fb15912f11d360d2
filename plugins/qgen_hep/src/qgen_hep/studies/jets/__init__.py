"""The study ``jets``.

Quantum circuit Born machines for LHC jets (Delgado and Hamilton, arXiv:2203.03578).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.errors import BadOption, DataError
from qgen_core.studies import Cell, Result, Study, Table
from qgen_hep.studies.jets import points
from qgen_hep.studies.jets.book import Book
from qgen_hep.studies.jets.measure import target, trained
from qgen_hep.studies.jets.tables import tables


class JetsStudy(Study):
    """Every configuration of document 001: Tables I to IV with ours beside theirs, figures 3 to 11.

    Two ansatze, their layers and start states, 8 qubits (pT, mass) and 12 qubits (pT, mass, eta),
    trained exactly and from shots, and on fractions of the data.

    Args:
        path: a dijet file to train on, e.g. of ``qgen data jets --events``; None: the shipped one.
        seeds: trainings of each configuration, from different parameters.
        shot_seeds: the same for the 12-qubit trainings from shots, each of which takes minutes.
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "target": target,
        "trained": trained,
    }

    def __init__(self, *, path: str | None = None, seeds: int = 3, shot_seeds: int = 1) -> None:
        if seeds < 1 or shot_seeds < 1:
            raise BadOption(f"seeds and shot_seeds are at least 1, not {seeds} and {shot_seeds}")
        self.path, self.seeds, self.shot_seeds = path, seeds, shot_seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        dataset = self._dataset()
        chosen = points.quick() if quick else points.full(self.seeds, self.shot_seeds)
        targets = [points.target_cell(features, dataset) for features in points.COLUMNS]
        return [*targets, *(point.cell(dataset) for point in chosen)]

    def _dataset(self) -> dict[str, Any]:
        """The dataset without its columns; a file is named by its content, not by where it lies."""
        if self.path is None:
            return {"name": "jets"}
        try:
            with open(self.path, "rb") as file:
                return {"name": "jets", "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        except OSError as error:
            raise DataError(
                f"cannot read {self.path}: {error.strerror}; give the study another path"
            ) from error

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.path is None:
            return recipe
        return {**recipe, "dataset": {**recipe["dataset"], "path": self.path}}

    def tables(self, results: Sequence[Result]) -> Sequence[Table]:
        return tables(Book(results))

    def figures(self, results: Sequence[Result], folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.jets.figures import draw

        return draw(Book(results), folder)
