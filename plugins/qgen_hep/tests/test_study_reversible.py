"""The study ``reversible``: its grid, measurements, tables and figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError
from qgen_core.interfaces import Model
from qgen_core.studies import Cell, Result, Results, Trial
from qgen_hep.studies.reversible import ReversibleStudy, grid
from qgen_hep.studies.reversible.figures import FIGURES
from qgen_hep.studies.reversible.measurements import integral, relative_nll
from qgen_hep.studies.reversible.tables import normalised_nll, tables

#: A setting that takes seconds.
TINY = grid.Setting(
    seeds=1,
    parts={"energies": (300, 50, 200), "mass": (300, 50, 200)},
    steps=(5, 2, 5),
)


def measured(cell: Cell, folder: Path) -> Any:
    """What the measurement of a cell returns."""
    ((name, options),) = cell.measurements.items()
    return ReversibleStudy.measurements[name](Trial(cell.recipe, folder), **options)


# ------------------------------------------------------------------ the grid


def test_all_models_of_a_sample_have_about_as_many_parameters() -> None:
    pytest.importorskip("zuko")
    for sample, (least, most) in {"energies": (144, 154), "mass": (107, 112)}.items():
        for model in (*grid.QUANTUM, "inn"):
            recipe = grid.recipe(sample, model, 1, TINY, None)
            parameters = Trial(recipe, "unused").assembly.generator.parameters()
            assert least <= sum(value.size for value in parameters.values()) <= most, model


def test_each_cell_is_one_model_of_one_seed() -> None:
    cells = ReversibleStudy().cells(quick=False)
    assert len(cells) == 5 * 2 * (1 + len(grid.MODELS))
    assert len({json.dumps(dict(cell.tags), sort_keys=True) for cell in cells}) == len(cells)
    assert len({json.dumps(cell.content, sort_keys=True) for cell in cells}) == len(cells)
    assert len(ReversibleStudy(seeds=2).cells(quick=True)) == 2 * 2 * (1 + len(grid.MODELS))
    with pytest.raises(BadOption, match="seeds must be at least 1"):
        ReversibleStudy(seeds=0)


def test_a_control_differs_in_its_circuit_alone() -> None:
    plain = grid.recipe("mass", "giqnn", 1, TINY, None)
    frozen = grid.recipe("mass", "giqnn" + grid.FROZEN, 1, TINY, None)
    assert frozen["generator"].pop("frozen") is True
    assert frozen == plain
    circuit = grid.recipe("mass", "phase-qft", 1, TINY, None)
    assert grid.recipe("mass", "phase-qft" + grid.FROZEN, 1, TINY, None) == circuit


def test_a_file_of_muons_is_named_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "muons.h5"
    path.write_bytes(b"muons")
    study = ReversibleStudy(zmumu=str(path))
    (mass, *_) = [cell for cell in study.cells(quick=True) if cell.tags["sample"] == "mass"]
    assert str(path) not in json.dumps(mass.recipe)
    assert len(mass.recipe["dataset"]["sha256"]) == 64
    assert study.local(mass.recipe)["dataset"]["path"] == str(path)
    (energies, *_) = study.cells(quick=True)
    assert study.local(energies.recipe) == energies.recipe
    with pytest.raises(DataError, match="another zmumu"):
        ReversibleStudy(zmumu=str(tmp_path / "none")).cells(quick=True)


# ------------------------------------------------------------------ the measurements


def test_likelihoods_are_relative_to_a_flat_density() -> None:
    volume = 24_000.0 * 32_000.0
    window = grid.SAMPLES["energies"].window
    assert relative_nll(np.full(3, -np.log(volume)), window) == pytest.approx(0.0, abs=1e-12)
    assert relative_nll(np.full(3, 1 - np.log(volume)), window) == pytest.approx(-1.0)


def test_the_integral_of_a_flow_is_1_and_of_a_map_that_folds_more() -> None:
    pytest.importorskip("zuko")
    for sample, points in (("energies", 121), ("mass", 1001)):
        recipe = grid.recipe(sample, "inn", 1, TINY, None)
        assert integral(Trial(recipe, "unused").assembly.model, points) == pytest.approx(1.0)
    generator = qgen.generator("giqnn", space=qgen.Space("reals", 1), initial=0.0, seed=1)
    model = Model(generator, qgen.encoder("standard"))
    assert integral(model, 4001) == pytest.approx(1.0, abs=1e-6)
    # turned by pi/2, every y below 0 is reached twice and none above: z + 1 < 1 has the weight
    generator.parameters()["layers.0.theta"][0] = np.pi / 2
    generator.parameters()["norms.1.shift"][0] = 1.0
    assert integral(model, 4001) == pytest.approx(2 * 0.8413447, abs=1e-4)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Cells of the mass that have been run, and cells of the energies that have not."""
    pytest.importorskip("zuko")
    found = []
    for number, cell in enumerate(grid.cells(TINY, 1, None)):
        value = None
        if cell.tags["sample"] == "mass":
            folder = tmp_path_factory.mktemp("reversible") / str(number)
            ((name, _),) = cell.measurements.items()
            value = {name: measured(cell, folder)}
        found.append(Result(cell, "", value))
    return Results(found)


def test_every_row_is_measured(results: Results) -> None:
    for model in grid.MODELS:
        data = results.one(sample="mass", model=model).data()
        json.dumps(data, allow_nan=False)
        assert data["events"] == [200, 200] and len(data["W1"]) == 1
        assert ("invertibility" in data) == model.startswith("giqnn")
    true = results.one(sample="mass", model=grid.TRUTH).data()
    drawn = results.one(sample="mass", model="phase-qft" + grid.FROZEN).data()
    assert 0 < true["S2"][0] < 0.5 * drawn["S2"][0]
    assert drawn["steps"] == 0
    assert results.one(sample="mass", model="giqnn" + grid.FROZEN).data()["steps"] == 2


def test_the_histogram_is_a_density(results: Results) -> None:
    """Its likelihood, computed once more from the edges."""
    cell = results.one(sample="mass", model="histogram").cell
    train, _, held_out = Trial(cell.recipe, "unused").assembly.parts
    edges = np.linspace(60.0, 120.0, 65)
    counts = np.histogram(train.x[:, 0], edges)[0] + 0.5
    density = counts / counts.sum() / (60.0 / 64)
    place = np.searchsorted(edges, held_out.x[:, 0], side="right") - 1
    expected = -np.log(density[np.minimum(place, 63)] * 60.0).mean()
    found = results.one(sample="mass", model="histogram").data()
    assert found["nll"] == pytest.approx(expected, abs=1e-5)
    assert found["parameters"] == 63


def test_tables_have_the_numbers_of_the_results(results: Results) -> None:
    found = {table.title: table for table in tables(results)}
    mass = found["Z mass: measures"]
    rows = {row[0]: dict(zip(mass.columns, row, strict=True)) for row in mass.rows}
    data = results.one(sample="mass", model="giqnn").data()
    assert rows["giqnn"]["NLL"] == f"{data['nll']:.3f}"
    assert rows["giqnn"]["NLL, normalised"] == f"{data['nll'] + np.log(data['integral']):.3f}"
    assert rows["true events (floor)"]["NLL"] == "–"
    assert "**stand-in**" in mass.notes[0]
    energies = found["Layer energies: measures"]
    assert {row[2] for row in energies.rows[1:]} == {"missing"}
    inversion = found["How far giqnn is invertible"]
    assert {row[-1] for row in inversion.rows} <= {"missing", "invertible", "not invertible"}
    (giqnn,) = [row for row in inversion.rows if row[:2] == ("Z mass", "giqnn")]
    assert giqnn[2] == f"{data['invertibility']['mean fidelity']:.5f}"
    differences = {row[:2]: row for row in found["Differences of NLL"].rows}
    inn = results.one(sample="mass", model="inn").data()
    expected = normalised_nll(data) - normalised_nll(inn)
    assert differences["Z mass", "giqnn"][3] == f"{expected:.3f}"
    assert differences["Layer energies", "giqnn"][3] == "missing"
    for table in found.values():
        table.markdown()


def test_measured_masses_are_named_in_the_tables(results: Results) -> None:
    named = []
    for result in results:
        recipe = {**result.cell.recipe}
        recipe["dataset"] = {**recipe["dataset"], "sha256": "3e19"}
        named.append(replace(result, cell=replace(result.cell, recipe=recipe)))
    assert "measured by CMS" in tables(Results(named))[1].notes[0]


def test_figures_are_drawn_of_some_and_of_no_results(results: Results) -> None:
    pytest.importorskip("matplotlib")
    for make in FIGURES.values():
        assert make(results).axes
        assert make(Results()).axes
