"""The study ``hits``: its grid, statistics, measurements, tables and figures."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption
from qgen_core.events import Space
from qgen_core.studies import Cell, Result, Results, Trial
from qgen_hep.studies.hits import HitsStudy, grid
from qgen_hep.studies.hits.figures import FIGURES
from qgen_hep.studies.hits.measurements import _map, surviving, window_covariances
from qgen_hep.studies.hits.statistics import EventSide, ExpectationSide, Rates, neighbouring_pairs
from qgen_hep.studies.hits.tables import explained, tables

#: A setting that takes seconds.
TINY = grid.Setting(
    seeds=1,
    parts={"positrons": (120, 20, 60), "photons": (120, 20, 60)},
    steps=(3, 2),
    sweeps=2,
    sets=20,
    words=10,
    conditions=8,
    window=(2, 2),
    device_window=(2, 2),
    shots=40,
    draws=4,
)


def parameters_of(sample: str, model: str) -> int:
    generator = Trial(grid.recipe(sample, model, 1, TINY), "unused").assembly.generator
    return int(sum(value.size for value in generator.parameters().values()))


@pytest.mark.parametrize("sample", grid.SAMPLES)
def test_twins_have_as_many_parameters(sample: str) -> None:
    assert parameters_of(sample, grid.ISING) == parameters_of(sample, grid.IQP)
    neighbours = parameters_of(sample, grid.NEIGHBOURS)
    assert parameters_of(sample, grid.ISING_NEIGHBOURS) == neighbours
    assert parameters_of(sample, grid.RBM) == pytest.approx(
        parameters_of(sample, grid.IQP), rel=0.01
    )


def test_each_cell_is_one_model_of_one_seed() -> None:
    cells = HitsStudy().cells(quick=False)
    assert len(cells) == 5 * 2 * (1 + len(grid.MODELS))
    assert len({json.dumps(dict(cell.tags), sort_keys=True) for cell in cells}) == len(cells)
    assert len({json.dumps(cell.content, sort_keys=True) for cell in cells}) == len(cells)
    with pytest.raises(BadOption, match="seeds must be at least 1"):
        HitsStudy(seeds=0)


def test_a_control_differs_in_one_option() -> None:
    plain = grid.recipe("photons", grid.IQP, 1, TINY)
    for model, option in ((grid.FROZEN, "frozen_couplings"), (grid.RANDOM, "start")):
        control = grid.recipe("photons", model, 1, TINY)
        control["generator"].pop(option)
        assert control == plain


def test_neighbours_are_those_of_the_model() -> None:
    for showers in grid.SAMPLES.values():
        count = sum(rows * columns for rows, columns in showers.lattice)
        model = qgen.generator(
            "iqp",
            backend="statevector",
            space=Space("bits", count),
            lattice=showers.lattice,
            start="random",
        )
        pairs = neighbouring_pairs(showers.lattice, np.arange(count))
        assert {tuple(pair) for pair in pairs.tolist()} == {
            tuple(pair) for pair in model.bodies.edges.tolist()
        }


def test_both_sides_agree_on_exact_events() -> None:
    """Products centred at an energy: from expectations, and from all events by their weights."""
    model = qgen.generator(
        "iqp",
        backend="statevector",
        space=Space("bits", 4),
        condition=Space("reals", 1),
        start="random",
        scale=0.4,
        seed=1,
    )
    model.slopes[:] = 0.3
    bits = np.array(list(product((0, 1), repeat=4)))
    condition = np.array([[0.7]])
    batch = qgen.Batch(condition=condition)
    table, _ = model.forward("probabilities", batch, rng=np.random.default_rng(1))
    rates = np.array([[0.1, -0.2, 0.3, 0.0]])
    for order in (1, 2, 3, 4):
        sets = np.array([list(range(order)), list(range(4 - order, 4))])
        found = ExpectationSide(model, condition, rates).products(sets).mean
        residuals = 1.0 - 2.0 * bits - rates
        expected = [table[0] @ np.prod(residuals[:, one], axis=1) for one in sets]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_maps_have_the_correlations_of_pairs_and_of_triples_with_the_strongest_cell() -> None:
    rng = np.random.default_rng(3)
    common = rng.random((4000, 1))
    bits = (rng.random((4000, 60)) < 0.1 + 0.8 * common).astype(np.int8)
    bits[:, 17] = common[:, 0] ** 3 > 0.3
    side = EventSide(bits, Rates.of(bits, None).at(None, 4000))
    found = _map(side, side, np.arange(60))
    first, second = np.triu_indices(60, k=1)
    z = 1.0 - 2.0 * bits
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    expected = 100 * (z[:, first] * z[:, second]).mean(axis=0)
    np.testing.assert_allclose(found["data"], expected, atol=0.51)
    assert found["triples"]["third"] == 17
    others = (first != 17) & (second != 17)
    of_three = 100 * (z[:, first] * z[:, second] * z[:, [17]]).mean(axis=0)[others]
    np.testing.assert_allclose(found["triples"]["model"], of_three, atol=0.51)
    assert np.abs(of_three).mean() > 5


def test_events_are_centred_at_their_energy() -> None:
    rng = np.random.default_rng(1)
    energies = rng.uniform(1, 100, 4000)
    bits = (rng.random((4000, 3)) * 100 < energies[:, None]).astype(np.int8)
    rates = Rates.of(bits, energies)
    side = EventSide(bits, rates.at(energies, len(bits)))
    found = side.products(np.array([[0, 1], [0, 2], [1, 2]]))
    # the energy makes a covariance of 1/3 of Z; at a given energy the cells are independent
    assert abs(np.cov(1.0 - 2.0 * bits[:, 0], 1.0 - 2.0 * bits[:, 1])[0, 1]) > 0.25
    assert np.all(np.abs(found.mean) < 5 * np.sqrt(found.variance))


def test_what_is_explained() -> None:
    assert explained({"rms": 0.02, "floor": 0.02, "size": 0.1}) == 1.0
    assert explained({"rms": 0.1, "floor": 0.0, "size": 0.1}) == pytest.approx(0.0)
    assert explained({"rms": 0.1, "floor": 0.02, "size": 0.0}) is None


def test_the_share_that_survives() -> None:
    """Events of a window have the covariances of the model; of flipped bits, fewer."""
    model = qgen.generator(
        "iqp",
        backend="statevector",
        space=Space("bits", 5),
        start="random",
        scale=0.5,
        seed=3,
    )
    reference = window_covariances(model, [1, 2, 4], None)
    rng = np.random.default_rng(1)
    bits = model.window([1, 2, 4], draws=500).sample(20_000, rng=rng)
    share, error = surviving(bits, reference, 500)["share"]
    assert abs(share - 1) < 5 * error < 0.5
    flipped = bits ^ (rng.random(bits.shape) < 0.2)
    share, error = surviving(flipped, reference, 500)["share"]
    assert abs(share - 0.6**2) < 5 * error < 0.5


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Cells of photons that have been run, and cells of positrons that have not."""
    found = []
    for number, cell in enumerate(grid.cells(TINY, 1)):
        value = None
        if cell.tags["sample"] == "photons":
            trial = Trial(cell.recipe, tmp_path_factory.mktemp("hits") / str(number))
            value = measured(cell, trial)
        found.append(Result(cell, "", value))
    return Results(found)


def measured(cell: Cell, trial: Trial) -> dict[str, Any]:
    """What the measurements of a cell return; the noisy device is another test's."""
    value = {}
    for name, options in cell.measurements.items():
        value[name] = HitsStudy.measurements[name](trial, **{**options, **_without_device(name)})
    return value


def _without_device(name: str) -> dict[str, Any]:
    if name == "compared":
        return {}
    return {"device": None}


def test_every_row_is_measured(results: Results) -> None:
    photons = [table for table in tables(results) if table.title.startswith("Photons")]
    for table in photons:
        assert [row[0] for row in table.rows[1:]] == list(grid.MODELS)
        assert "missing" not in table.markdown()
    for result in results.where(sample="photons", model=grid.TRUTH):
        numbers = result.data("compared")["numbers"]
        # true events differ by chance alone
        assert numbers["pairs"]["rms"] < 2 * numbers["pairs"]["floor"]


def test_figures_of_unfinished_studies(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = HitsStudy().figures(results, tmp_path)
    assert len(drawn) == len(FIGURES)
    nothing = Results([Result(cell, "") for cell in grid.cells(TINY, 1)])
    assert len(HitsStudy().figures(nothing, tmp_path)) == len(FIGURES)
    assert "missing" in tables(nothing)[0].markdown()
