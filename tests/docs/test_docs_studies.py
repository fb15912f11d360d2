"""The committed tables and figures of the studies are those that the committed results give."""

from __future__ import annotations

import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qgen_hep")

import drawn_numbers

from qgen_core.studies import Cell, Outcome, Results, Study, build

FOLDER = drawn_numbers.ROOT / "docs" / "studies"
STUDIES = drawn_numbers.STUDIES
#: The setting of the committed results, besides the files of events that they were run on.
OPTIONS: dict[str, dict[str, Any]] = {
    "jets": {"shot_seeds": 3},
    "jets-noise": {},
    "mfc": {},
    "qag": {},
    "caloqvae": {},
    "calo": {},
    "reversible": {},
    "models": {},
    "qinn": {},
    "hits": {},
    "claims": {},
}
#: Studies with an option that takes a file of events, whose name their results do not know.
FILES = {"mfc": "spectrum", "reversible": "zmumu"}


def study_of(name: str) -> Study:
    """The study; where it takes a file of muons with some file, so that its tables show it."""
    options = dict(OPTIONS[name])
    if name in FILES:
        options[FILES[name]] = str(FOLDER / name / "results.json")
    return build({"name": name, **options})


def results_of(name: str) -> Results:
    return Results.read(FOLDER / name / "results.json")


@pytest.mark.parametrize("name", STUDIES)
def test_the_tables_are_those_of_the_results(name: str, tmp_path: Path) -> None:
    stored = json.loads((FOLDER / name / "results.json").read_text(encoding="utf-8"))
    results = results_of(name)
    tables = study_of(name).tables(results)
    figures = [tmp_path / figure for figure in stored["figures"]]
    outcome = Outcome(name, tmp_path, False, results, tables, figures, {})
    outcome.write(tmp_path)
    for file in ("tables.md", "results.json"):
        assert (tmp_path / file).read_bytes() == (FOLDER / name / file).read_bytes()


@pytest.mark.parametrize("name", STUDIES)
def test_the_results_are_of_the_cells_of_the_study(name: str) -> None:
    """But for the hash of a file of events, and for packages that are not installed here."""
    stored = [result.cell for result in results_of(name)]
    planned = study_of(name).cells(quick=False)
    if name != "mfc" or len(planned) == len(stored):
        assert [_content(cell) for cell in planned] == [_content(cell) for cell in stored]


def _content(cell: Cell) -> tuple[Any, ...]:
    dataset = {key: value for key, value in cell.recipe["dataset"].items() if key != "sha256"}
    return {**cell.recipe, "dataset": dataset}, cell.measurements, cell.tags


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    """All figures, drawn from the committed results."""
    pytest.importorskip("matplotlib")
    return {name: made for study in STUDIES for name, made in drawn_numbers.figures(study)}


def test_the_figures_show_the_numbers_of_the_results(drawn: dict[str, Any]) -> None:
    expected = json.loads(drawn_numbers.FILE.read_text(encoding="utf-8"))
    assert list(drawn) == list(expected)
    for name, figure in drawn.items():
        found = drawn_numbers.numbers_of(figure)
        assert len(found) == len(expected[name]), name
        for axes, wanted in zip(found, expected[name], strict=True):
            for key in ("title", "labels", "scales"):
                assert axes[key] == wanted[key], name
            assert len(axes["drawn"]) == len(wanted["drawn"]), name
            for line, numbers in zip(axes["drawn"], wanted["drawn"], strict=True):
                assert line[:2] == numbers[:2], name
                assert line[2:] == pytest.approx(numbers[2:], rel=1e-6, abs=1e-12), name


@pytest.mark.long
def test_the_committed_figures_are_the_drawn_ones(drawn: dict[str, Any]) -> None:
    """Pixel by pixel with the pinned matplotlib; edges may be smoothed otherwise elsewhere."""
    pinned = (drawn_numbers.ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if f"matplotlib=={version('matplotlib')}" not in pinned:
        pytest.skip("the fonts and layouts of another matplotlib differ")
    from matplotlib.image import imread

    from qgen_hep.studies.shared.style import DPI, look

    for name, figure in drawn.items():
        memory = io.BytesIO()
        with look():
            figure.savefig(memory, format="png", dpi=DPI)
        memory.seek(0)
        found = imread(memory)
        expected = imread(FOLDER / name)
        assert found.shape == expected.shape, name
        differs = np.abs(found - expected).max(axis=-1) > 0.1
        assert np.mean(differs) < 1e-4, name
