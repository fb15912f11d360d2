"""The study ``reversible``: circuits that can be run backwards, on one and two features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.reversible import grid
from qgen_hep.studies.reversible.measurements import compared, histogram, truth
from qgen_hep.studies.reversible.tables import tables
from qgen_hep.studies.shared.grid import named_by_content, require_positive, with_local_file
from qgen_hep.studies.shared.style import draw


class ReversibleStudy(Study):
    """``reversible-circuit``, ``phase-qft`` and ``giqnn`` beside a flow and a histogram.

    Each is trained on the energies of two layers of photons of 65.536 GeV (Geant4) and on the mass
    of two muons near the Z boson, with about as many parameters as the invertible network ``inn``.
    Controls are the same models with circuits as they were drawn; training events in place of
    generated ones are the floor.

    Needs qgen-torch with its extra ``flows``.

    Args:
        zmumu: a file of measured muon pairs, e.g. those of the CMS open data; None takes the
            stand-in of the dataset ``zmumu`` in their place, and the tables say so.
        seeds: trainings of each model; by default 5, and 1 with ``--quick``.

    >>> cells = ReversibleStudy().cells(quick=True)
    >>> sorted({str(cell.tags["sample"]) for cell in cells}), len(cells)
    (['energies', 'mass'], 22)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "truth": truth,
        "histogram": histogram,
        "compared": compared,
    }

    def __init__(self, *, zmumu: str | None = None, seeds: int | None = None) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.zmumu = zmumu
        self.seeds = seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        measured = None
        if self.zmumu is not None:
            measured = named_by_content(self.zmumu, "zmumu")
        return grid.cells(setting, self.seeds or setting.seeds, measured)

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        return with_local_file(recipe, "path", self.zmumu)

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.reversible.figures import FIGURES

        return draw(FIGURES, results, folder)
