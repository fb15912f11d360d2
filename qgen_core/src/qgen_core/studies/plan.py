"""The cells of a study as far as they are known, and their results on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgen_core.discovery import registry
from qgen_core.studies.cell_files import read_cell
from qgen_core.studies.cells import Cell, distinct, key_of
from qgen_core.studies.results import Result, Results
from qgen_core.studies.study import Study, build


class Plan:
    """The cells of a study by key; those that depend on results are added by :meth:`grow`.

    Args:
        study: its name, or a table with ``name`` and options.
        folder: where cells and results are stored; None: ``runs/NAME`` or ``runs/NAME-quick``.
        quick: take the small setting of the study.

    >>> from qgen_core.discovery import registry
    >>> class Nothing(Study):
    ...     def cells(self, *, quick):
    ...         return []
    ...     def tables(self, results):
    ...         return []
    >>> registry.register("study", "nothing-planned", Nothing)
    >>> plan = Plan("nothing-planned", None, quick=True)
    >>> plan.folder.name, plan.cells, plan.grow()
    ('nothing-planned-quick', {}, False)
    """

    def __init__(self, study: registry.Ref, folder: str | Path | None, *, quick: bool) -> None:
        self.ref: Mapping[str, Any] = {"name": study} if isinstance(study, str) else dict(study)
        self.study: Study = build(self.ref)
        self.name = str(self.ref["name"])
        self.title = self.study.title or self.name
        self.quick = quick
        self.folder = Path("runs") / (f"{self.title}-quick" if quick else self.title)
        if folder is not None:
            self.folder = Path(folder)
        self.cells = self._by_key(self.study.cells(quick=quick))

    @property
    def cell_folder(self) -> Path:
        """Where the results of cells are stored."""
        return self.folder / "cells"

    def results(self) -> Results:
        """The stored results, without data for cells that have not been run."""
        found = []
        for key, cell in self.cells.items():
            stored = read_cell(self.cell_folder, key, cell)
            found.append(stored or Result(cell, key))
        return Results(found)

    def grow(self) -> bool:
        """Add the cells that follow from the results so far; whether there were new ones."""
        further = self._by_key(self.study.more_cells(self.results(), quick=self.quick))
        new = {key: cell for key, cell in further.items() if key not in self.cells}
        self.cells.update(new)
        return bool(new)

    def _by_key(self, cells: Sequence[Cell]) -> dict[str, Cell]:
        """Distinct cells by the keys of their results."""
        return {key_of(self.name, cell): cell for cell in distinct(cells)}
