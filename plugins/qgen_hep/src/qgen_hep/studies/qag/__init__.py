"""The study ``qag``: the Quantum Angle Generator of document 004."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.qag import grid
from qgen_hep.studies.qag.measurements import drifted, evaluated, null, trained
from qgen_hep.studies.qag.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw

Part = Literal["reproduction", "noise", "drift", "tuning"]
PARTS: tuple[Part, ...] = ("reproduction", "noise", "drift", "tuning")
#: The quick setting: seeds of the reproduction, and seeds and strengths of the noise.
QUICK_SEEDS = 1
QUICK_REPEATS = 2
QUICK_SCALES = (0.0, 1.0, 4.0)


class QagStudy(Study):
    """Document 004 (Monaco et al., EPS-HEP 2025) on showers of our own, with controls.

    The document's training and other optimisers at equal numbers of circuits; a network of as many
    parameters fed the same random numbers, the circuit at its start values, and a Gaussian; every
    reading of the published MMD with its null; trainings under the noise of a device, scaled
    (figure 6), and under other calibrations; tunings of single settings.

    The parts ``noise`` and ``drift`` need qgen-qiskit.

    Args:
        parts: which parts to run.
        seeds: trainings of each configuration but those of the noise.
        repeats: trainings at each strength of the noise.
        draws: calibrations drawn for each size of the drift.

    >>> cells = QagStudy().cells(quick=True)
    >>> sorted({str(cell.tags["part"]) for cell in cells})
    ['noise', 'null', 'reproduction']
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "null": null,
        "trained": trained,
        "evaluated": evaluated,
        "drifted": drifted,
    }

    def __init__(
        self,
        *,
        parts: tuple[Part, ...] = PARTS,
        seeds: int = 5,
        repeats: int = grid.REPEATS,
        draws: int = grid.DRAWS,
    ) -> None:
        require_positive(seeds=seeds, repeats=repeats, draws=draws)
        self.parts = parts
        self.seeds = seeds
        self.repeats = repeats
        self.draws = draws

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        if quick:
            found = grid.reproduction(QUICK_SEEDS)
            found += grid.noise(QUICK_REPEATS, QUICK_SCALES)
        else:
            found = self._full()
        # Seed by seed, so that a study that is stopped has as many seeds of each configuration.
        by_seed = sorted(found, key=lambda cell: int(str(cell.tags["seed"])))
        return [*grid.null_cells(), *by_seed]

    def _full(self) -> list[Cell]:
        found: list[Cell] = []
        if "reproduction" in self.parts:
            found += grid.reproduction(self.seeds)
        if "noise" in self.parts:
            found += grid.noise(self.repeats)
        if "tuning" in self.parts:
            found += grid.tunings(self.seeds)
        if "drift" in self.parts:
            found += grid.drift(self.draws, self.seeds)
        return found

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.qag.figures import FIGURES

        return draw(FIGURES, results, folder)
