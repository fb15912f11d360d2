"""The study ``calo``: its grid, the dataset of layer energies, measurements, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_showers import toy_photons, toy_positrons

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError
from qgen_core.studies import SPACE, Cell, Result, Results, Trial
from qgen_hep.calorimeters.showers import CALORIMETERS, showers_of
from qgen_hep.calorimeters.telling_apart import Told
from qgen_hep.studies.calo import CaloStudy, grid, measurements
from qgen_hep.studies.calo.distributions import Kept
from qgen_hep.studies.calo.figures import FIGURES
from qgen_hep.studies.calo.grid import Measures, Size
from qgen_hep.studies.calo.measures import Judge
from qgen_hep.studies.calo.selection import PLACES, Place, separation
from qgen_hep.studies.calo.tables import tables

#: A setting that takes seconds: what the others have, in miniature.
TINY = grid.Setting(
    seeds=1,
    events=120,
    validation=20,
    held_out=110,
    sizes={
        ("energies", "inn"): Size({"blocks": 2, "widths": [8]}, 20, 32),
        ("energies", "affine"): Size({"blocks": 2, "widths": [8]}, 20, 32),
        ("energies", "cfm"): Size({"widths": [8]}, 20, 32),
        ("energies", "dit"): Size({"features": 8, "blocks": 1}, 20, 32),
        ("energies", "wgan"): Size({}, 20, 32, updates=1, critic=(8,)),
        ("showers", "inn"): Size({"blocks": 2, "widths": [8]}, 20, 32),
        ("showers", "affine"): Size({"blocks": 2, "widths": [8]}, 20, 32),
        ("showers", "cfm"): Size({"widths": [8]}, 20, 32),
        ("showers", "dit"): Size({"features": 8, "blocks": 1}, 20, 32),
        ("showers", "wgan"): Size({}, 20, 32, updates=1, critic=(8,)),
    },
    measures=Measures(widths=(8,), epochs=1, neighbours=40, draws=2),
    protocol=False,
)


@pytest.fixture(autouse=True, scope="module")
def _offered() -> Iterator[None]:
    """Toys under the names of real datasets, for the tests of this file only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_local", dict(registry._local))
        qgen.register("dataset", "calo-photons", toy_photons)
        qgen.register("dataset", "calogan", toy_positrons)
        yield


def measured(cell: Cell, folder: Path) -> Any:
    """What the measurement of a cell returns."""
    ((name, options),) = cell.measurements.items()
    return CaloStudy.measurements[name](Trial(cell.recipe, folder), **options)


# ------------------------------------------------------------------ the dataset of layer energies


def test_layer_energies_are_sums_of_the_voxels() -> None:
    showers = toy_positrons(events=5, seed=3)
    table = {"name": "layer-energies", "of": {"name": "calogan", "events": 5}}
    data = qgen.build("dataset", {**table, "calorimeter": "calogan"}, {"seed": 3})()
    expected = [showers.x[:, :288].sum(axis=1), showers.x[:, 288:432].sum(axis=1)]
    np.testing.assert_allclose(data.x[:, :2].T, expected, rtol=1e-12)
    np.testing.assert_allclose(data.x.sum(axis=1), showers.x.sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(data.condition, showers.condition)
    layers = showers_of(data, CALORIMETERS["calogan-layers"])
    np.testing.assert_allclose(layers.total, showers.x.sum(axis=1), rtol=1e-12)


def test_layer_energies_of_other_showers_are_refused() -> None:
    dataset = qgen.dataset("layer-energies", of={"name": "calogan"}, calorimeter="ds1-photons")
    with pytest.raises(DataError, match="368 columns"):
        dataset()
    with pytest.raises(BadOption, match="no calorimeter 'none'"):
        qgen.dataset("layer-energies", of={"name": "calogan"}, calorimeter="none")()


# ------------------------------------------------------------------ the grid


def test_the_full_setting_has_the_sizes_that_were_agreed() -> None:
    inn = grid.recipe("photons", "showers", "inn", 1, grid.FULL)
    assert (inn["generator"]["blocks"], inn["generator"]["widths"]) == (6, [128, 128])
    for model in ("dit", "staged-dit"):
        found = grid.recipe("photons", "showers", model, 1, grid.FULL)
        shapes = found["generator"].get("shapes", found["generator"])
        assert (shapes["features"], shapes["blocks"]) == (96, 4)
        epochs = found["trainer"]["steps"] * found["trainer"]["batch_size"] / grid.FULL.events
        assert epochs <= 200
    # the staged shapes have one token for each layer and angle, and no token of energies
    assert sum(number for number, _ in shapes["tokens"]) == 23
    wgan = grid.recipe("photons", "showers", "wgan", 1, grid.FULL)
    assert wgan["generator"] == {"name": "wgan"}
    assert wgan["loss"]["critic"]["widths"] == [368] * 3
    assert (wgan["loss"]["penalty"], wgan["loss"]["updates"]) == (3.0, 8)
    assert wgan["trainer"]["batch_size"] == 128 and wgan["trainer"]["steps"] <= 20_000
    assert wgan["trainer"]["select"]["name"] == "shower-selection"


def test_each_cell_is_one_model_of_one_seed() -> None:
    cells = CaloStudy().cells(quick=False)
    assert len(cells) == 5 * (4 + 28) + 2
    places = [json.dumps(dict(cell.tags), sort_keys=True) for cell in cells[:160]]
    assert len(set(places)) == 160
    assert len({json.dumps(cell.content, sort_keys=True) for cell in cells}) == 162
    full = [cell.measurements["protocol"]["level"] for cell in cells[160:]]
    assert full == ["low", "high"]


def test_parts_and_seeds_can_be_chosen() -> None:
    cells = CaloStudy(parts=("truth",), seeds=2).cells(quick=True)
    assert [cell.tags["seed"] for cell in cells] == [1] * 4 + [2] * 4
    with pytest.raises(BadOption, match="seeds must be at least 1"):
        CaloStudy(seeds=0)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.text)
def test_the_full_recipes_fit_their_data(place: Place) -> None:
    """With few events, every model of the full setting is built on what its encoder gives."""
    pytest.importorskip("zuko")
    few = replace(grid.FULL, events=60, validation=20, held_out=20)
    for model in grid.MODELS[place.task]:
        recipe = grid.recipe(place.sample, place.task, model, 1, few)
        Trial(recipe, "unused").assembly.check()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.text)
def test_encoded_showers_decode_to_themselves(place: Place) -> None:
    recipe = grid.recipe(place.sample, place.task, "gaussian", 1, TINY)
    assembly = Trial(recipe, "unused").assembly
    events = assembly.parts[0]
    encoded = assembly.encoder.encode(events.x, events.condition)
    again = assembly.encoder.decode(encoded, events.condition, rng=np.random.default_rng(1))
    sample = grid.SAMPLES[place.sample]
    kept = events.x > sample.threshold + sample.noise
    assert kept.any()
    np.testing.assert_allclose(again[kept], events.x[kept], rtol=1e-4, atol=sample.noise)
    assert np.all(again[events.x == 0] == 0)


# ------------------------------------------------------------------ the measures


def test_separations_are_those_of_the_metric() -> None:
    first = toy_photons(events=150, seed=1)
    second = toy_photons(events=150, source="geant4", seed=2)
    place = CALORIMETERS["ds1-photons"]
    options = {"widths": [8], "epochs": 1, "neighbours": 50, "draws": 2}
    showers = [showers_of(events, place, threshold=1.0) for events in (first, second)]
    found = Judge(options, 1.0, 1).distances(*showers)
    metric = qgen.metric("separation-power", threshold=1.0, resamples=2)
    expected = metric(first, second, rng=np.random.default_rng(0))
    assert {f"S2({family})" for family in found["S2"]} == set(expected)
    for family, (power, outside, _) in found["S2"].items():
        estimate = expected[f"S2({family})"]
        assert power == pytest.approx(estimate.value, rel=1e-5, abs=1e-9)
        assert f"outside the bins: {outside:.2%}" in estimate.note
    assert found["FPD"] > 0.001 and found["S2"]["E_tot/E_inc"][0] > 0.9


def test_what_is_kept_is_in_the_bins_of_the_reference() -> None:
    place = CALORIMETERS["ds1-photons-layers"]
    data = qgen.dataset("layer-energies", of={"name": "calo-photons", "events": 400})()
    reference = showers_of(data, place)
    kept = Kept(reference)
    found = kept.of(reference)
    for name, shares in found["shares"].items():
        assert 0.98 < sum(shares) < 1.0 or name == "E_layer_0"
    lower = kept.of(showers_of(data.replace(x=0.5 * data.x), place))
    assert sum(lower["shares"]["E_tot/E_inc"]) == 0.0
    assert lower["edges"] == found["edges"]
    np.testing.assert_allclose(np.sum(found["layers"][0]), 0.95, atol=0.01)


# ------------------------------------------------------------------ cells, tables and figures


def chosen_cells() -> list[Cell]:
    """Every part, both samples and tasks, and every kind of model."""
    wanted = {
        ("photons", "energies", "dit"),
        ("photons", "showers", "staged-dit"),
        ("positrons", "showers", "wgan"),
        ("positrons", "showers", "gaussian"),
    }
    found = [cell for cell in grid.truths(TINY, 1) if cell.tags["task"] == "showers"]
    for cell in grid.models(TINY, 1):
        if (cell.tags["sample"], cell.tags["task"], cell.tags["model"]) in wanted:
            found.append(cell)
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Some cells that have been run, and all others that have not."""
    pytest.importorskip("zuko")
    _offered.__wrapped__()  # type: ignore[attr-defined]
    values = {}
    for number, cell in enumerate(chosen_cells()):
        folder = tmp_path_factory.mktemp("calo") / str(number)
        ((name, _),) = cell.measurements.items()
        values[json.dumps(cell.content)] = {name: measured(cell, folder)}
    every = [*grid.truths(TINY, 1), *grid.models(TINY, 1)]
    return Results(Result(cell, "", values.get(json.dumps(cell.content))) for cell in every)


def test_true_events_are_not_told_apart_and_the_control_is_worse(results: Results) -> None:
    true = results.one(part="truth", sample="positrons", task="showers").data()
    gaussian = results.one(sample="positrons", task="showers", model="gaussian").data()
    to_stand_in = separation("showers", "to stand-in")
    # training events are others than the held-out ones, of the same distribution
    assert 0.0 < to_stand_in(true) < 0.5 * to_stand_in(gaussian)
    assert true["to stand-in"]["FPD"] < gaussian["to stand-in"]["FPD"]
    # Geant4 has a tenth less energy in this toy
    response = "E_tot/E_inc"
    assert true["to simulated"]["S2"][response][0] > 0.9
    assert true["to stand-in"]["S2"][response][0] < 0.5
    assert true["events"] == [120, 110, 110]
    json.dumps(true, allow_nan=False)


def test_times_have_the_batches_that_were_asked_for(results: Results) -> None:
    data = results.one(sample="photons", task="showers", model="staged-dit").data()
    assert [size for size, _ in data["ms"]] == [1, 100, 110]
    assert data["ms"][0][1] > data["ms"][2][1] > 0
    assert data["steps"] == 20 and data["parameters"] > 1000


def test_tables_have_the_numbers_of_the_results(results: Results) -> None:
    found = {table.title: table for table in tables(results)}
    table = found["Measures: e+, full showers"]
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    data = results.one(sample="positrons", task="showers", model="gaussian").data()
    assert rows["Gaussian (control)"]["AUC, low"] == f"{data['to stand-in']['AUC low'][0]:.3f}"
    assert rows["Gaussian (control)"]["FPD"] == f"{1000 * data['to stand-in']['FPD']:.3g}"
    assert rows["cfm"]["AUC, low"] == "missing"
    assert rows["true events (floor)"]["ms, batch 1"] == "–"
    photons = found["Measures: photons, full showers"]
    published = [row for row in photons.rows if row[0].startswith("published")]
    assert len(published) == 11 and "of other data" in photons.notes[1]
    for one in found.values():
        one.markdown()


def test_differences_to_true_events_are_those_of_each_seed(results: Results) -> None:
    found = {table.title: table for table in tables(results)}["Against true events"]
    rows = {row[:3]: dict(zip(found.columns, row, strict=True)) for row in found.rows}
    true = results.one(part="truth", sample="positrons", task="showers").data()
    gaussian = results.one(sample="positrons", task="showers", model="gaussian").data()
    row = rows["e+", "full showers", "Gaussian (control)"]
    added = gaussian["to stand-in"]["FPD"] - true["to stand-in"]["FPD"]
    assert row["FPD"] == f"{1000 * added:.3g}"
    assert rows["e+", "full showers", "cfm"]["S2"] == "–"
    twice = []
    for seed in (1, 2):
        for result in results:
            cell = replace(result.cell, tags={**result.cell.tags, "seed": seed})
            twice.append(replace(result, cell=cell))
    again = {table.title: table for table in tables(Results(twice))}["Against true events"]
    rows = {row[:3]: dict(zip(again.columns, row, strict=True)) for row in again.rows}
    # the same difference in both seeds: seen, because the control is worse
    assert rows["e+", "full showers", "Gaussian (control)"]["S2"].endswith(": worse")


def test_figures_are_drawn_of_some_and_of_no_results(results: Results) -> None:
    for number, make in FIGURES.items():
        assert make(results).axes
        if number in (5, 6):  # profiles and features
            assert make(Results()).axes


def test_the_full_protocol_runs_with_its_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tiny model, and the split and the settings caught before the hours of training."""
    pytest.importorskip("zuko")
    (low, _) = grid.protocol(replace(TINY, protocol=True))
    caught: dict[str, Any] = {}

    def caught_instead(reference: Any, generated: Any, **options: Any) -> Any:
        caught.update(options, columns=generated.shape[1])
        return Told(0.6, 0.01, 0.1, 0.02)

    monkeypatch.setattr(measurements, "tell_apart", caught_instead)
    found = measured(low, tmp_path)
    settings = caught["settings"]
    assert settings.widths == (2048, 2048, 2048) and settings.precision == "float64"
    assert settings.epochs == 50 and caught["columns"] == 369
    assert found["AUC"] == [0.6, 0.01] and sum(found["split"]) <= 110
    by_title = {
        table.title: table for table in tables(Results([Result(low, "", {"protocol": found})]))
    }
    table = by_title["The full protocol of the classifiers"]
    assert table.rows[0][2].replace(SPACE, " ") == "0.600 ± 0.01"
