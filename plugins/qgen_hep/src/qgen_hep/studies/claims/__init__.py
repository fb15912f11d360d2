"""The study ``claims``: published claims of a quantum advantage, put to the same test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgen_core.studies import Cell, Results, Study, Table
from qgen_hep.studies.claims import grid
from qgen_hep.studies.claims.measurements import compared, resilient, truth
from qgen_hep.studies.claims.tables import tables
from qgen_hep.studies.shared.grid import require_positive
from qgen_hep.studies.shared.style import draw


class ClaimsStudy(Study):
    """Circuits at several capacities against networks of equal size and circuits as drawn.

    Three claims: that a Quantum Angle Generator resists the noise of a device, that a style-qGAN
    needs few parameters, and that a quantum GAN of latents (``style-qgan`` behind ``autoencoder``)
    needs few. Each has 5 capacities and 5 seeds; the verdicts follow from the differences by a rule
    that the tables state. With ``--quick`` there are fewer, and no verdict.

    Needs qgen-torch, and qgen-qiskit for the part ``angle``.

    Args:
        parts: ``angle``, ``style``, ``latent``.
        seeds: trainings of each model; by default 5, and 3 with ``--quick``.

    >>> cells = ClaimsStudy().cells(quick=True)
    >>> len(cells), len(ClaimsStudy(parts=("style",), seeds=1).cells(quick=True))
    (111, 11)
    """

    measurements: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "truth": truth,
        "compared": compared,
        "resilient": resilient,
    }

    def __init__(
        self, *, parts: tuple[grid.Part, ...] = grid.PARTS, seeds: int | None = None
    ) -> None:
        if seeds is not None:
            require_positive(seeds=seeds)
        self.parts = parts
        self.seeds = seeds

    def cells(self, *, quick: bool) -> Sequence[Cell]:
        setting = grid.FULL
        if quick:
            setting = grid.QUICK
        return grid.cells(setting, self.seeds or setting.seeds, self.parts)

    def tables(self, results: Results) -> Sequence[Table]:
        return tables(results)

    def figures(self, results: Results, folder: Path) -> Sequence[Path]:
        from qgen_hep.studies.claims.figures import FIGURES

        return draw(FIGURES, results, folder)
