"""The study ``mfc``: conditional GAN and Born machines for muonic force carriers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.mfc.grid import FULL, QUICK, Case, all_cases
from qgen_hep.studies.mfc.measurements import binned, frozen, samples, tabulated
from qgen_hep.studies.mfc.tables import tables
from qgen_hep.studies.mfc.texts import Texts
from qgen_hep.studies.shared.grid import named_by_content, require_positive, with_local_file
from qgen_hep.studies.shared.grid import seeds as seeds_up_to
from qgen_hep.studies.shared.style import draw

#: Seeds of each Born machine in the quick setting; a GAN has one.
QUICK_BORN_SEEDS = 3


class MfcStudy(Study):
    """Document 000 on a stand-in for its events: total variations with ours beside theirs.

    A GAN of all six features by incoming energy, with one energy held out; the outgoing muon at 125
    GeV with a Born machine and a GAN on the same bins; a conditional Born machine of the outgoing
    muon's energy, with and without a device's noise; Wasserstein GANs; incoming muons of a measured
    spectrum.

    GANs need qgen-torch, the noise needs qgen-qiskit. What is not installed is left out, and the
    tables say so.

    Args:
        spectrum: a file of measured muons with ``mu1_energy`` and ``mu2_energy``; None leaves that
            part out.
        seeds: trainings of each GAN, from different parameters and events.
        born_seeds: the same for Born machines, which take seconds.

    >>> cells = MfcStudy().cells(quick=True)
    >>> [cell.tags["seed"] for cell in cells if cell.tags["case"] == "born-125"]
    [1, 2, 3]
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "samples": samples,
        "binned": binned,
        "tabulated": tabulated,
        "frozen": frozen,
    }

    def __init__(self, *, spectrum: str | None = None, seeds: int = 3, born_seeds: int = 5) -> None:
        require_positive(seeds=seeds, born_seeds=born_seeds)
        self.spectrum = spectrum
        self.seeds = seeds
        self.born_seeds = born_seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        found: list[Cell] = []
        for case in self._cases(quick=quick):
            if case.package is None:
                count = self._seed_count(case, quick=quick)
                found += [case.cell(seed) for seed in seeds_up_to(count)]
        return found

    def _seed_count(self, case: Case, *, quick: bool) -> int:
        if case.is_gan:
            return 1 if quick else self.seeds
        if quick:
            return min(self.born_seeds, QUICK_BORN_SEEDS)
        return self.born_seeds

    def _cases(self, *, quick: bool) -> Sequence[Case]:
        spectrum = None
        if self.spectrum is not None:
            spectrum = named_by_content(self.spectrum, "spectrum")
        return list(all_cases(QUICK if quick else FULL, spectrum))

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        return with_local_file(recipe, "spectrum", self.spectrum)

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(Texts(results, self._cases(quick=False)))

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.mfc.figures import FIGURES

        return draw(FIGURES, results, folder)
