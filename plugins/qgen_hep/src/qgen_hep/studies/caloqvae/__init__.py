"""The study ``caloqvae``: calorimeter showers of a variational autoencoder, document 002."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.caloqvae import grid
from qgen_hep.studies.caloqvae.annealer import annealed, temperatures
from qgen_hep.studies.caloqvae.measurements import compared, reference
from qgen_hep.studies.caloqvae.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw

Part = Literal["reference", "models", "annealer"]
PARTS: tuple[Part, ...] = ("reference", "models", "annealer")


class CaloqvaeStudy(Study):
    """Document 002 (CaloQVAE) on stand-ins of its showers, with controls.

    Variational autoencoders whose prior is a restricted Boltzmann machine generate showers of
    electrons, photons and charged pions, with latent states drawn by Gibbs sampling and by an
    emulated annealer. Twins: a prior that is not trained, one without couplings, and a plain
    variational autoencoder. Classifiers tell species apart, trained and tested on reference and on
    generated showers, and generated from reference showers. One model is trained through the
    emulated annealer.

    Needs qgen-torch and qgen-dwave.

    Args:
        parts: which parts to run.
        seeds: trainings of each model; by default 5, and 1 with ``--quick``.

    >>> cells = CaloqvaeStudy().cells(quick=True)
    >>> sorted({str(cell.tags["part"]) for cell in cells})
    ['annealer', 'models', 'reference', 'temperatures']
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "reference": reference,
        "compared": compared,
        "annealed": annealed,
        "temperatures": temperatures,
    }

    def __init__(self, *, parts: tuple[Part, ...] = PARTS, seeds: int | None = None) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.parts = parts
        self.seeds = seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        found: list[Cell] = []
        if "reference" in self.parts:
            found += grid.references(setting)
        if "annealer" in self.parts:
            found += grid.annealer(setting)
        if "models" in self.parts:
            found += grid.models(setting, self.seeds or setting.seeds)
        return found

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.caloqvae.figures import FIGURES

        return draw(FIGURES, results, folder)
