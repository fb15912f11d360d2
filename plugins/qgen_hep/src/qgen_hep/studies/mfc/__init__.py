"""The study ``mfc``: conditional GAN and Born machines for muonic force carriers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.errors import BadOption
from qgen_core.studies import Cell, Result, Study, Table
from qgen_hep.readers.reading import file_hash
from qgen_hep.studies.mfc.book import Book
from qgen_hep.studies.mfc.cases import FULL, QUICK, Case, all_cases
from qgen_hep.studies.mfc.measure import binned, samples, tabulated
from qgen_hep.studies.mfc.tables import tables


class MfcStudy(Study):
    """Document 000 on a stand-in for its events: total variations with ours beside theirs.

    A GAN of all six features by incoming energy, with one energy held out; the outgoing muon at 125
    GeV with a Born machine and a GAN on the same bins; a conditional Born machine of the outgoing
    muon's energy, with and without a device's noise; Wasserstein GANs; incoming muons of a measured
    spectrum.

    GANs need qgen-torch, the noise needs qgen-qiskit. Without them their part is left out, and said
    to be.

    Args:
        spectrum: a file of measured muons with ``mu1_energy`` and ``mu2_energy``; None leaves that
        part out. seeds: trainings of each GAN, from different parameters and events. born_seeds:
        the same for Born machines, which take seconds.
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "samples": samples,
        "binned": binned,
        "tabulated": tabulated,
    }

    def __init__(self, *, spectrum: str | None = None, seeds: int = 3, born_seeds: int = 5) -> None:
        if seeds < 1 or born_seeds < 1:
            raise BadOption(f"seeds and born_seeds are at least 1, not {seeds} and {born_seeds}")
        self.spectrum, self.seeds, self.born_seeds = spectrum, seeds, born_seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        found = []
        for case in self._cases(quick=quick):
            if case.package is None:
                most = self.seeds if case.is_gan else self.born_seeds
                seeds = min(most, 1 if case.is_gan else 3) if quick else most
                found += [case.cell(seed) for seed in range(1, seeds + 1)]
        return found

    def _cases(self, *, quick: bool) -> Sequence[Case]:
        # a file is named by its content, not by where it lies
        spectrum = None if self.spectrum is None else {"sha256": file_hash(Path(self.spectrum))}
        return list(all_cases(QUICK if quick else FULL, spectrum))

    def local(self, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
        if "sha256" not in recipe["dataset"]:
            return recipe
        return {**recipe, "dataset": {**recipe["dataset"], "spectrum": self.spectrum}}

    def tables(self, results: Sequence[Result]) -> Sequence[Table]:
        return tables(self._book(results))

    def figures(self, results: Sequence[Result], folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.mfc.figures import draw

        return draw(self._book(results), folder)

    def _book(self, results: Sequence[Result]) -> Book:
        return Book(results, self._cases(quick=False))
