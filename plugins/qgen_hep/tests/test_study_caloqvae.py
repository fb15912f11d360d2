"""The study ``caloqvae``: its grid, classifiers, measurements, the watched annealer and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import Batch, Events, Generator, Graph, Ising, Sampler, Space
from qgen_core.discovery import registry
from qgen_core.errors import BadOption
from qgen_core.metrics.model_numbers import number_of_model
from qgen_core.studies import SPACE, Cell, Result, Results, Trial
from qgen_hep.showers import CALOGAN
from qgen_hep.studies.caloqvae import CaloqvaeStudy, annealer, grid, measurements, telling_apart
from qgen_hep.studies.caloqvae.figures import FIGURES
from qgen_hep.studies.caloqvae.tables import tables

SCALES = {"e+": (1.0, 4.0, 0.1), "gamma": (0.5, 4.5, 0.1), "pi+": (0.2, 2.0, 1.0)}


def toy_showers(
    species: str = "e+", source: str = "gflash", events: int = 120, seed: int = 0
) -> Events:
    """Showers whose layers have other energies for each species; Geant4 has ten times as much."""
    rng = np.random.default_rng([seed, len(species)])
    energy = rng.uniform(1.0, 100.0, (events, 1))
    parts = []
    for layer, scale in zip(CALOGAN.layers, SCALES[species], strict=True):
        hit = rng.random((events, layer.cells)) < 0.3
        parts.append(scale * energy * hit * rng.exponential(1.0, hit.shape))
    kind = "stand-in"
    if source == "geant4":
        kind = "simulated"
    x = np.concatenate(parts, axis=1) * (1 + 9 * (kind == "simulated"))
    return Events(
        x,
        energy,
        columns=CALOGAN.column_names,
        condition_columns=("energy",),
        provenance={"kind": kind},
    )


class Copies(Generator):
    """Draws the training event of the nearest energy; the sampler's spins are ignored."""

    outputs = frozenset({"objective"})

    def __init__(self, *, space: Space, condition: Space, data: Events, sampler: Sampler) -> None:
        self.space = space
        self.condition = condition
        self.sampler = sampler
        self.theta = np.zeros(1)
        self.data = data

    def parameters(self) -> dict[str, Any]:
        return {"theta": self.theta}

    def energy(self, condition: Any = None) -> Ising:
        return Ising([0.1, 0.2], [0.3], [[0, 1]])

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        assert self.sampler is not None
        self.sampler.draw(self.energy(), n, rng=rng)
        distance = np.abs(np.asarray(condition) - np.asarray(self.data.condition).T)
        return np.asarray(self.data.x)[np.argmin(distance, axis=1)]

    def forward(self, output: str, batch: Batch, *, rng: Any) -> Any:
        def pullback(cotangent: Any) -> dict[str, Any]:
            return {"theta": np.zeros(1)}

        assert batch.x is not None
        return np.zeros(len(batch.x)), pullback


class Annealer(Sampler):
    """Independent spins in random fields, with an estimate of beta that grows at each call."""

    def __init__(self, *, beta: float = 2.0, estimate_every: int = 1) -> None:
        self.beta = beta
        self.estimate_every = estimate_every

    def sample(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        if self.estimate_every:
            self.beta += 0.5
        up = 1 / (1 + np.exp(2 * self.beta * ising.h))
        spins = np.where(rng.random((n, ising.num_spins)) < up, 1, -1).astype(np.int8)
        return spins, {"source": "emulated toy", "qpu_ms": 8.0 + 0.1 * n}


class Thermometer(Sampler):
    """Says the sum of the fields that are programmed, and counts its calls in the error."""

    def __init__(self, *, anneal_time: float = 1.0) -> None:
        self.anneal_time = anneal_time
        self.calls = 0

    def sample(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        assert ising.fixed is None
        self.calls += 1
        info = {"beta_energy": float(ising.h.sum()) / self.anneal_time}
        info["beta_energy_error"] = float(self.calls)
        return np.ones((n, ising.num_spins), dtype=np.int8), info


@pytest.fixture(autouse=True, scope="module")
def _offered() -> Iterator[None]:
    """Toys under the names of real components, for the tests of this file only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_local", dict(registry._local))
        qgen.register("dataset", "calogan", toy_showers)
        qgen.register("generator", "copies", Copies)
        qgen.register("sampler", "toy-annealer", Annealer)
        qgen.register("sampler", "thermometer", Thermometer)
        qgen.register(
            "metric",
            "nelbo",
            lambda reference, generated: {"nelbo, AIS": number_of_model(5.0, 0.5)},
        )
        yield


def toy_cell(**tags: Any) -> Cell:
    recipe = {
        "seed": 1,
        "split": [0.5, 0.0, 0.5],
        "dataset": grid.dataset_of("e+", 600),
        "encoder": {"name": "hit-standard"},
        "condition_encoder": {"name": "standard"},
        "sampler": {"name": "gibbs", "sweeps": 2},
        "generator": {"name": "copies"},
        "loss": {"name": "mean"},
        "trainer": {"name": "adam", "steps": 2, "batch_size": 16},
    }
    options = {
        "samplers": {"gibbs": None, "emulated": {"name": "toy-annealer"}},
        "classification": {"epochs": 60, "cells": [8], "observables": [16]},
        "simulated": grid.SIMULATED,
        "details": True,
    }
    return Cell(recipe, {"compared": options}, {"part": "models", "seed": 1, **tags})


# ------------------------------------------------------------------ the grid


def test_twins_differ_from_the_model_in_their_prior_alone() -> None:
    for setting in (grid.FULL, grid.QUICK):
        model = grid.recipe("rbm", 3, setting)
        frozen = grid.recipe("frozen", 3, setting)
        assert frozen["generator"] == {**model["generator"], "frozen_prior": True}
        published = grid.recipe("published-head", 3, setting)
        assert published == {**model, "generator": {**model["generator"], "head": "hits"}}
        factorised = grid.recipe("factorised", 3, setting)
        of_model = {key: value for key, value in model["generator"].items() if key != "couplings"}
        assert factorised["generator"] == {**of_model, "prior": "factorised"}
        plain = grid.recipe("plain", 3, setting)
        for name in ("head", "encoder", "decoder"):
            assert plain["generator"][name] == model["generator"][name]
        for name in ("dataset", "encoder", "condition_encoder", "trainer", "split", "seed"):
            assert model[name] == frozen[name] == factorised[name] == plain[name]
    every = {(cell.tags["model"], cell.tags["seed"]) for cell in grid.models(grid.FULL, 5)}
    assert every == {(model, seed) for model in grid.MODELS for seed in range(1, 6)}


def test_the_full_setting_is_the_published_size_shortened() -> None:
    recipe = grid.recipe("rbm", 1, grid.FULL)
    assert recipe["generator"]["latents"] == 300 and recipe["sampler"]["sweeps"] == 25
    assert recipe["trainer"]["steps"] == 40 * 79
    assert [round(19_000 * share) for share in recipe["split"]] == [10_000, 1_000, 8_000]
    annealed = grid.annealer(grid.FULL)[0].recipe
    assert annealed["sampler"]["name"] == "dwave-emulator"
    assert annealed["sampler"]["native"] == [64, 64]


def test_the_sampler_changes_by_its_name_alone() -> None:
    (cell,) = [cell for cell in grid.models(grid.QUICK, 1) if cell.tags["model"] == "rbm"]
    samplers = cell.measurements["compared"]["samplers"]
    assert samplers["gibbs"]["name"] == cell.recipe["sampler"]["name"]
    assert samplers["emulated"]["name"] == "dwave-emulator"
    couplings = cell.recipe["generator"]["couplings"]  # the model fits without chains
    emulated = samplers["emulated"]
    assert (emulated["topology"], emulated["size"]) == (couplings["name"], couplings["size"])
    assert emulated["native"] == 2 * [cell.recipe["generator"]["latents"] // 2]


def test_parts_and_seeds_can_be_chosen() -> None:
    cells = CaloqvaeStudy(parts=("models",), seeds=2).cells(quick=True)
    assert [cell.tags["seed"] for cell in cells] == [1] * 5 + [2] * 5
    with pytest.raises(BadOption, match="seeds must be at least 1"):
        CaloqvaeStudy(seeds=0)


# ------------------------------------------------------------------ the classifiers


def test_reference_networks_are_trained_once_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models with other samples have the same reference row, from one training."""
    pytest.importorskip("torch")
    telling_apart._remembered.cache_clear()
    trainings = []
    train = telling_apart.train_classifier

    def counted(*samples: Any, **options: Any) -> Any:
        trainings.append(samples)
        return train(*samples, **options)

    monkeypatch.setattr(telling_apart, "train_classifier", counted)
    options = {"epochs": 2, "observables": [8]}
    rows = []
    for names in (["one"], ["another", "one"]):
        networks = telling_apart.Networks("observables", options, 1, "origin")
        for species in ("e+", "gamma"):
            networks.add(species, toy_showers(species))
            for name in names:
                networks.add(f"{species}, {name}", toy_showers(species, seed=len(name)))
        rows.append(networks.transferred(("e+", "gamma"), ("e+, one", "gamma, one")))
    assert rows[0] == rows[1]
    assert len(trainings) == 3  # the reference once, generated samples twice
    other = telling_apart.Networks("observables", options, 1, "other events")
    for species in ("e+", "gamma"):
        other.add(species, toy_showers(species, seed=5))
    other.transferred(("e+", "gamma"), ("e+", "gamma"))
    assert len(trainings) == 5


# ------------------------------------------------------------------ the measurements


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The result of a model that draws training events, and what its networks were given."""
    pytest.importorskip("torch")
    _offered.__wrapped__()  # type: ignore[attr-defined]
    given: list[Events] = []
    add = telling_apart.Networks.add

    def noted(self: Any, name: str, events: Events) -> None:
        given.append(events)
        add(self, name, events)

    cell = toy_cell(model="rbm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling_apart.Networks, "add", noted)
        patch.setattr(measurements, "RESAMPLES", 3)
        trial = Trial(cell.recipe, tmp_path_factory.mktemp("caloqvae") / "cell")
        data = measurements.compared(trial, **cell.measurements["compared"])
    return cell, data, given


def test_a_model_that_draws_true_showers_is_not_told_apart(compared: Any) -> None:
    _, data, _ = compared
    for species in grid.SPECIES:
        for sampler, source in (("gibbs", "Gibbs"), ("emulated", "emulated")):
            found = data["species"][species]["samplers"][sampler]
            assert source in found["source"]
            accuracy, _, auc, error = found["apart"]["observables"]
            assert abs(auc - 0.5) < 4 * error and 0.35 < accuracy < 0.65
            value, _, floor, _ = found["W1"]["W1(layer_1 width)"]
            assert value < 3 * floor


def test_species_are_told_apart_on_reference_and_generated(compared: Any) -> None:
    _, data, _ = compared
    found = data["pairs"]["e+ pi+"]["gibbs"]["observables"]
    assert set(found) == {
        f"{trained}, {tested}"
        for trained in ("reference", "generated")
        for tested in ("reference", "generated")
    }
    for accuracy, _, auc, _ in found.values():
        assert accuracy > 0.6 and auc > 0.75


def test_simulated_showers_are_compared_but_never_classified(compared: Any) -> None:
    _, data, given = compared
    assert {events.provenance["kind"] for events in given} == {"stand-in", "generated"}
    for sampler in ("gibbs", "emulated"):
        distances = data["species"]["e+"]["samplers"][sampler]["W1 to simulated"]
        assert distances["W1(layer_1 energy)"][0] > 1  # they have ten times the energy
        assert "W1 to simulated" not in data["species"]["pi+"]["samplers"][sampler]


def test_generated_showers_have_the_energies_of_the_held_out_ones(compared: Any) -> None:
    _, _, given = compared
    of_electrons = given[:3]
    for events in of_electrons[1:]:
        np.testing.assert_array_equal(events.condition, of_electrons[0].condition)


def test_the_reference_cell_compares_with_simulated_showers(tmp_path: Path) -> None:
    found = measurements.reference(Trial(toy_cell().recipe, tmp_path), grid.SIMULATED)
    assert found["kind"].startswith("stand-in") and found["events"] == 300
    assert found["simulated"]["kind"].startswith("simulated")
    assert found["W1 to simulated"]["W1(layer_0 energy)"][0] > 0.5
    assert sum(found["shares"]["depth"]) == pytest.approx(1.0)
    json.dumps(found, allow_nan=False)


# ------------------------------------------------------------------ the annealer


def test_statistics_of_spins() -> None:
    """Means, products and covariances against those of all states with their probabilities."""
    graph = Graph(3, np.array([[0, 1], [1, 2]]))
    energy = Ising([0.3, -0.2, 0.1], [0.4, -0.5], graph)
    spins, _ = qgen.sampler("exact").sample(energy, 40_000, rng=np.random.default_rng(1))
    states = np.array(np.meshgrid(*[[-1, 1]] * 3, indexing="ij")).reshape(3, -1).T
    weight = np.exp(-(states @ energy.h + (states[:, :2] * states[:, 1:]) @ energy.J))
    weight /= weight.sum()
    means = weight @ states
    products = weight @ (states[:, :2] * states[:, 1:])
    found = annealer.moments(spins, energy)
    np.testing.assert_allclose(found, np.concatenate([means, products]), atol=0.02)
    expected = products - means[:2] * means[1:]
    np.testing.assert_allclose(annealer.covariances(spins, energy), expected, atol=0.02)
    assert annealer.cosine(found, found) == pytest.approx(1.0)
    assert annealer.cosine(found, np.zeros(5)) == 0.0


def test_watching_an_annealer_leaves_its_training_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    bits = (rng.random((64, 3)) < [0.2, 0.5, 0.9]).astype(np.int8)
    qgen.register("dataset", "toy-bits", lambda: Events(bits))
    recipe = {
        "seed": 1,
        "split": [1.0, 0.0, 0.0],
        "dataset": {"name": "toy-bits"},
        "encoder": {"name": "binning", "bits": 1},
        "sampler": {"name": "toy-annealer"},
        "generator": {"name": "rbm", "hidden": 2, "chains": 16},
        "loss": {"name": "mean"},
        "trainer": {"name": "adam", "steps": 6, "batch_size": 32},
    }
    plain = Trial(recipe, tmp_path / "plain")
    watched = annealer.annealed(Trial(recipe, tmp_path / "watched"), reads=50, sweeps=20)
    again = Trial(recipe, tmp_path / "watched")
    first = plain.run.assembly.generator.state()
    second = again.run.assembly.generator.state()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    epochs = watched["epochs"]
    assert epochs["epoch"] == [1, 2, 3] and len(epochs["loss"]) == 3
    assert epochs["beta"] == [3.0, 4.0, 5.0]  # half a unit a step
    assert watched["source"] == "emulated toy"
    assert watched["qpu ms an event"][0] == [1, 8.1] and watched["qpu ms an event"][-1][0] == 1000


def test_the_temperature_is_measured_with_the_bits_of_each_energy_clamped(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    bits = (rng.random((64, 3)) < [0.2, 0.5, 0.9]).astype(np.int8)
    energies = rng.uniform(1.0, 100.0, (64, 1))
    qgen.register("dataset", "toy-bits", lambda: Events(bits, energies))
    recipe = {
        "seed": 1,
        "split": [1.0, 0.0, 0.0],
        "dataset": {"name": "toy-bits"},
        "encoder": {"name": "binning", "bits": 1},
        "condition_encoder": {"name": "energy-bits"},
        "sampler": {"name": "gibbs", "sweeps": 1},
        "generator": {"name": "rbm", "hidden": 2, "chains": 16, "centred": False},
        "loss": {"name": "mean"},
        "trainer": {"name": "adam", "steps": 6, "batch_size": 32},
    }
    trial = Trial(recipe, tmp_path / "trained")
    sampler = {"name": "thermometer"}
    found = annealer.temperatures(trial, sampler, [2.0, 50.0], [0.5, 20.0], reads=10)
    model = trial.run.assembly.generator
    couplings = model.J[:60].sum(axis=1)  # of each bit of the energy, with all hidden units
    encoder = qgen.encoder("energy-bits").fit(energies)
    for place, energy in enumerate((2.0, 50.0)):
        spins = 2.0 * encoder.encode(np.array([[energy]]))[0] - 1
        fields = model.h.sum() + spins @ couplings
        for time in (0.5, 20.0):
            value, calls = found[f"{time:g} us"][place]
            assert value == pytest.approx(fields / time, rel=1e-5)
            assert calls == annealer.CALLS_OF_AN_ESTIMATE
    assert found["energies"] == [2.0, 50.0]


# ------------------------------------------------------------------ tables and figures


def test_tables_and_figures_of_results_and_of_none(compared: Any) -> None:
    _, data, _ = compared
    every = []
    for cell in CaloqvaeStudy().cells(quick=True):
        value = None
        if cell.tags.get("model") == "rbm":
            value = {"compared": data}
        every.append(Result(cell, "", value))
    stored = Results(every)
    for results in (stored, Results(Result(one.cell, "") for one in every)):
        made = tables(results)
        for table in made:
            assert all(len(row) == len(table.columns) for row in table.rows), table.title
        drawn = {name: make(results) for name, make in FIGURES.items()}
        assert all(len(figure.axes) for figure in drawn.values())
    chosen = ("e+ against π+", "RBM, Gibbs", "observables")
    (row,) = [row for row in tables(stored)[0].rows if tuple(row[:3]) == chosen]
    found = data["pairs"]["e+ pi+"]["gibbs"]["observables"]
    difference = found["generated, reference"][0] - found["reference, reference"][0]
    assert row[-1] == f"{100 * difference:+.2f}"
    assert row[3] == f"{100 * found['reference, reference'][0]:.2f}"


def test_the_rbm_is_held_against_its_controls_seed_by_seed(compared: Any) -> None:
    _, data, _ = compared
    every = []
    for cell in CaloqvaeStudy().cells(quick=False):
        model = cell.tags.get("model")
        value = None
        if model in ("rbm", "frozen"):
            changed = deepcopy(data)
            distances = changed["species"]["gamma"]["samplers"]["gibbs"]["W1"]
            distances["W1(mean)"][0] = 1.0
            if model == "frozen":
                distances["W1(mean)"][0] += 0.1 * cell.tags["seed"]
            value = {"compared": changed}
        every.append(Result(cell, "", value))
    found = {table.title: table for table in tables(Results(every))}
    rows = {row[:2]: row[2:] for row in found["The RBM against its controls"].rows}
    # differences are -0.1 to -0.5: mean -0.3, deviation 0.158, over the root of five seeds
    text = rows["γ", "RBM, frozen prior"][0].replace(SPACE, " ")
    assert text == "-0.3 ± 0.071: better"
    assert rows["γ", "RBM, frozen prior"][1:] == ("0: no difference seen",) * 2
    assert rows["γ", "plain VAE"] == ("–",) * 3
    assert rows["γ", "RBM, published head"][2] == "–"  # in another unit
