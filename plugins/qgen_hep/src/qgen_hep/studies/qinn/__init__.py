"""The study ``qinn``: what a circuit in a generator of layer energies is good for, document 003."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.qinn import grid
from qgen_hep.studies.qinn.measurements import compared, showers, true_showers, truth
from qgen_hep.studies.qinn.tables import tables
from qgen_hep.studies.shared.grid import named_by_content, require_positive
from qgen_hep.studies.shared.style import draw

Part = Literal["truth", "length", "controls", "others", "staged", "pions"]
PARTS: tuple[Part, ...] = ("truth", "length", "controls", "others", "staged", "pions")


class QinnStudy(Study):
    """The quantum network of document 003 and its controls, on the layer energies of photons.

    A GAN whose circuits are not trained, as the document ran it, the same trained end to end, and
    a flow with circuits in its conditioners, each beside a classical twin of equal parameters and
    beside controls, paired seed by seed. Further rows have other circuits, batches and numbers of
    training events, and full showers in two stages.

    Needs qgen-torch with its extra ``flows``.

    Args:
        parts: which parts to run.
        seeds: trainings of each row; by default 5; with ``--quick`` 3, and 1 of other circuits and
            sizes.
        pions: the file ``dataset_1_pions_1.hdf5`` of the CaloChallenge, for the same on pions;
            None leaves that out.

    >>> cells = QinnStudy().cells(quick=True)
    >>> sorted({str(cell.tags["part"]) for cell in cells}), len(cells)
    (['controls', 'length', 'others', 'staged', 'truth'], 94)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "truth": truth,
        "compared": compared,
        "true showers": true_showers,
        "showers": showers,
    }

    def __init__(
        self,
        *,
        parts: tuple[Part, ...] = PARTS,
        seeds: int | None = None,
        pions: str | None = None,
    ) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.parts = parts
        self.seeds = seeds
        self.pions = pions

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        return self.cells_of(setting)

    def cells_of(self, setting: grid.Setting) -> list[Cell]:
        """The cells of a setting, the most valuable ones first."""
        count = self.seeds or setting.seeds
        others = self.seeds or setting.other_seeds
        found: list[Cell] = []
        if "truth" in self.parts:
            untrained = iter((grid.TRUTH, grid.GAUSSIAN))
            found += grid.cells("truth", untrained, setting, count)
        if "length" in self.parts:
            found += grid.cells("length", grid.at_length(), setting, count)
        if "controls" in self.parts:
            found += grid.cells("controls", grid.controls(), setting, count)
        if "staged" in self.parts:
            found += grid.staged_cells(setting.staged, others)
        if "others" in self.parts:
            found += grid.cells("others", grid.others(setting.numbers), setting, others)
        if "pions" in self.parts and self.pions is not None:
            named = named_by_content(self.pions, "pions")
            found += grid.cells("pions", grid.of_pions(), setting, others, named)
        return found

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.qinn.figures import FIGURES

        return draw(FIGURES, results, folder)

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        dataset = recipe["dataset"]
        of = dataset.get("of", {})
        if "sha256" not in of:
            return recipe
        return {**recipe, "dataset": {**dataset, "of": {**of, "path": self.pions}}}
