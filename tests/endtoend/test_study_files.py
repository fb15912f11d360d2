"""The study files in recipes/studies can be run: their recipes fit and their cells differ."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("optuna")
pytest.importorskip("qgen_hep")
pytest.importorskip("qgen_torch")

from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.studies import build, key_of, read_scan

FILES = sorted((Path(__file__).parents[2] / "recipes" / "studies").glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_study_file_can_be_run(path: Path) -> None:
    study = build(read_scan(path))
    cells = study.cells(quick=False)
    assert len({key_of("scan", cell) for cell in cells}) == len(cells) >= 4
    # The extremes of an axis are the values that may not fit.
    for cell in (study.cells(quick=True)[0], study.cells(quick=True)[-1]):
        Assembly(Recipe.from_dict(cell.recipe)).validate()


def test_the_tuning_of_the_gan_covers_what_its_document_names() -> None:
    space = read_scan(FILES[0].parent / "mfc-search.toml")["search"]["space"]
    tuned = {"trainer.learning_rate", "trainer.steps", "generator.widths", "loss.energy_weight"}
    assert tuned <= set(space)
