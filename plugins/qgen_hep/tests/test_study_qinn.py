"""The study ``qinn``: its grid, measurements, verdicts, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import Events
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError
from qgen_core.studies import MISSING, Cell, Result, Results, Trial
from qgen_hep.calorimeters.showers import CALORIMETERS, Showers
from qgen_hep.studies.qinn import QinnStudy, grid
from qgen_hep.studies.qinn.figures import FIGURES
from qgen_hep.studies.qinn.grid import Row, Staged
from qgen_hep.studies.qinn.measurements import Clock, distances
from qgen_hep.studies.qinn.selection import VERDICTS, comparisons, seeds_of
from qgen_hep.studies.qinn.tables import tables
from qgen_hep.studies.shared.paired import difference

#: A setting that takes seconds: what the others have, in miniature.
TINY = grid.Setting(
    seeds=2,
    other_seeds=1,
    held_out=150,
    epochs={"full": 2, "short": 1},
    numbers=(2_000,),
    staged=Staged(100, 60, 3, 20, 2, (4,)),
    gan_rate=1e-3,
    flow_rate=5e-3,
)


def toy_photons(
    *, source: str = "gflash", events: int = 300, seed: int = 0, response: float = 0.95
) -> Events:
    """Cells that hold random parts of the incident energy; Geant4 has a tenth less of it."""
    place = CALORIMETERS["ds1-photons"]
    rng = np.random.default_rng([seed, len(source)])
    weights = rng.exponential(1.0, (events, place.voxels))
    found = rng.normal(response, 0.01, (events, 1))
    if source == "geant4":
        found -= 0.1
    shares = found * weights / weights.sum(axis=1, keepdims=True)
    return Events(
        shares * grid.INCIDENT,
        np.full((events, 1), grid.INCIDENT),
        columns=place.column_names,
        condition_columns=("incident_energies",),
        provenance={"kind": "stand-in"},
    )


def toy_pions(*, path: str, sha256: str) -> Events:
    """Pions of two energies, one after the other."""
    place = CALORIMETERS["ds1-pions"]
    rng = np.random.default_rng(5)
    cells = rng.exponential(100.0, (800, place.voxels))
    incident = np.where(np.arange(800) % 2, grid.INCIDENT, 0.5 * grid.INCIDENT)[:, None]
    return Events(
        cells,
        incident,
        columns=place.column_names,
        condition_columns=("incident_energies",),
        provenance={"kind": "toy", "path": path, "sha256": sha256},
    )


@pytest.fixture(autouse=True, scope="module")
def _offered() -> Iterator[None]:
    """Toys under the names of real datasets, for the tests of this file only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_local", dict(registry._local))
        qgen.register("dataset", "calo-photons", toy_photons)
        qgen.register("dataset", "calochallenge-1-pions", toy_pions)
        yield


def measured(cell: Cell, folder: Path, study: QinnStudy | None = None) -> Any:
    """What the measurement of a cell returns, with few steps."""
    ((name, options),) = cell.measurements.items()
    recipe = dict(cell.recipe)
    recipe["trainer"] = {**recipe["trainer"], "steps": min(recipe["trainer"]["steps"], 6)}
    if study is not None:
        recipe = dict(study.local(recipe))
    return QinnStudy.measurements[name](Trial(recipe, folder), **options)


# ------------------------------------------------------------------ layer energies


def test_layer_energies_of_one_incident_energy() -> None:
    of = {"name": "calochallenge-1-pions", "path": "a", "sha256": "b"}
    table = {"name": "layer-energies", "of": of, "calorimeter": "ds1-pions"}
    found = qgen.build("dataset", {**table, "incident": grid.INCIDENT, "events": 30})()
    every = qgen.build("dataset", table)()
    np.testing.assert_array_equal(found.x, every.x[1::2][:30])
    assert set(found.condition.ravel()) == {grid.INCIDENT}
    with pytest.raises(DataError, match="400 such showers, not 401"):
        qgen.build("dataset", {**table, "incident": grid.INCIDENT, "events": 401})()
    with pytest.raises(DataError, match="incident energy 3"):
        qgen.build("dataset", {**table, "incident": 3.0})()
    with pytest.raises(BadOption, match="events must be at least 1"):
        qgen.build("dataset", {**table, "events": 0})()


# ------------------------------------------------------------------ the grid


def test_the_full_setting_has_the_sizes_that_were_agreed() -> None:
    run = grid.recipe(Row("A", "ring", length="full"), 1, grid.FULL, None)
    events = run["dataset"]["of"]["events"]
    assert run["split"][0] * events == pytest.approx(1000)
    assert run["trainer"]["steps"] * run["trainer"]["batch_size"] == 2000 * 1000
    assert run["trainer"]["batch_size"] == run["generator"]["latent"] == 10
    assert run["loss"]["penalty"] == 20 and run["loss"]["variant"] == "wgan-gp"
    short = grid.recipe(Row("B", "frozen"), 1, grid.FULL, None)
    assert short["trainer"]["steps"] == 20_000
    cells = QinnStudy().cells(quick=False)
    places = [json.dumps(dict(cell.tags), sort_keys=True) for cell in cells]
    assert len(set(places)) == len(cells)
    assert len({json.dumps(cell.content, sort_keys=True) for cell in cells}) == len(cells)
    at_length = [cell.tags for cell in cells if cell.tags["part"] == "length"]
    # A, B and C, each with its twin
    assert len(at_length) == 5 * 6
    steps = {cell.recipe["trainer"]["steps"] for cell in cells if "wires" in cell.tags}
    assert steps == {1, 200_000, 20_000, 2_000}
    others = {(cell.tags["wires"], cell.tags["layers"]) for cell in cells if "wires" in cell.tags}
    assert others == {(6, 2), (4, 1), (8, 3)}
    # the captures of a training do not change it: only C as run has them
    captured = [cell for cell in cells if "capture_every" in cell.recipe["generator"]]
    assert {(cell.tags["kind"], cell.tags["variant"]) for cell in captured} == {("C", "ring")}


def test_the_most_valuable_cells_come_first() -> None:
    parts = [str(cell.tags["part"]) for cell in QinnStudy().cells(quick=False)]
    assert list(dict.fromkeys(parts)) == ["truth", "length", "controls", "staged", "others"]
    chosen = QinnStudy(parts=("length",), seeds=2).cells(quick=True)
    assert [cell.tags["seed"] for cell in chosen] == [1] * 6 + [2] * 6
    with pytest.raises(BadOption, match="seeds must be at least 1"):
        QinnStudy(seeds=0)


@pytest.mark.parametrize("kind", grid.KINDS)
@pytest.mark.parametrize("capacity", [grid.DOCUMENT, *grid.CAPACITIES])
def test_a_circuit_and_its_twin_have_equally_many_parameters(
    kind: str, capacity: tuple[int, int]
) -> None:
    pytest.importorskip("zuko")
    wires, layers = capacity
    found = []
    for variant in grid.PAIR:
        row = Row(kind, variant, wires=wires, layers=layers)
        recipe = grid.recipe(row, 1, replace(TINY, held_out=20), None)
        state = Trial(recipe, "unused").assembly.generator.state()
        cores = [values.size for name, values in state.items() if name.endswith("theta")]
        parameters = sum(values.size for name, values in state.items() if "draws" not in name)
        found.append((sum(cores), parameters))
    assert found[0] == found[1] and found[0][0] == 2 * layers * wires * 3


@pytest.mark.parametrize("stage", grid.STAGES)
def test_the_recipes_of_showers_fit_their_data(stage: str) -> None:
    pytest.importorskip("zuko")
    few = replace(grid.FULL.staged, events=30, held_out=10)
    for row in grid.STAGED:
        if row.stage == stage:
            recipe = grid.staged_recipe(row, 1, few)
            assembly = Trial(recipe, "unused").assembly
            assembly.check()
            (name,) = [key for key in grid.STAGES if recipe["generator"][key]["name"] == "qinn"]
            assert name == stage


# ------------------------------------------------------------------ the measures


def layers_of(events: int, seed: int, shift: float = 0.0) -> Showers:
    """Showers whose total energy is normal, of width 0.01 of the incident energy."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(5, 20.0), events)
    total = grid.INCIDENT * rng.normal(0.95 + shift, 0.01, (events, 1))
    incident = np.full(events, grid.INCIDENT)
    return Showers(shares * total, incident, CALORIMETERS["ds1-photons-layers"])


def test_distances_are_those_of_the_definitions() -> None:
    first = layers_of(4000, 1)
    same = distances(first, layers_of(4000, 2))
    moved = distances(first, layers_of(4000, 3, shift=0.01))
    # a shift by one standard deviation is the Wasserstein distance
    assert moved["W1"] == pytest.approx(1.0, abs=0.05) and same["W1"] < 0.06
    assert 0.5 < same["chi2/ndf"] < 1.8 and moved["chi2/ndf"] > 20
    # 100 bins of 0.01 have about 6 that are filled: (K - 1) (1/n + 1/m) / 4 on average
    assert same["S2"] < 10 * 6 * (2 / 4000) / 4
    edges = np.linspace(0.5, 1.5, 101)
    shares = []
    for showers in (first, layers_of(4000, 3, shift=0.01)):
        counts, _ = np.histogram(showers.total / grid.INCIDENT, edges)
        shares.append(counts / counts.sum())
    p, q = shares
    total = np.where(p + q > 0, p + q, 1.0)
    assert moved["S2"] == pytest.approx(np.sum((p - q) ** 2 / total) / 2, rel=1e-5)


def test_the_clock_leaves_out_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    assert clock.seconds is None
    times = iter([5.0, 7.0, 8.0])  # the first step is not seen to begin
    monkeypatch.setattr("time.process_time", lambda: next(times))
    problem: Any = None
    clock.on_step(problem)
    assert clock.seconds is None
    clock.on_step(problem)
    clock.on_step(problem)
    assert clock.seconds == pytest.approx(1.5)


# ------------------------------------------------------------------ cells, tables and figures


def chosen(cell: Cell) -> bool:
    """Of every part and kind some cells, one seed of most."""
    tags = cell.tags
    if tags["part"] == "controls":
        return tags["kind"] == "C" and tags["variant"] in ("ring", "cos")
    if tags["seed"] != 1:
        return False
    if tags["part"] == "staged":
        return (tags["kind"], tags["variant"]) in (("truth", ""), ("shapes", "ring"))
    if tags["part"] == "others":
        return tags["kind"] == "B" and tags["wires"] == 4 and tags["variant"] == "ring"
    return tags["variant"] != "network" and tags["kind"] != "B"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Some cells that have been run, and all others that have not."""
    pytest.importorskip("zuko")
    _offered.__wrapped__()  # type: ignore[attr-defined]
    found = []
    folder = tmp_path_factory.mktemp("qinn")
    for number, cell in enumerate(QinnStudy().cells_of(TINY)):
        value = None
        if chosen(cell):
            ((name, _),) = cell.measurements.items()
            value = {name: measured(cell, folder / str(number))}
        found.append(Result(cell, "", value))
    return Results(found)


def test_what_is_measured_of_a_flow_and_of_a_gan(results: Results) -> None:
    flow = results.one(part="length", kind="C", variant="ring", seed=1).data()
    assert flow["in cores"] == 72 and flow["events"] == [1000, 150, 150]
    held_out, training = flow["NLL"]
    assert np.isfinite(held_out) and np.isfinite(training)
    captures = flow["captures"]
    assert len(captures["steps"]) == len(captures["latents"]) == len(captures["fidelity"]) == 2
    np.testing.assert_allclose(captures["fidelity"][-1], 1.0, atol=1e-6)
    gan = results.one(part="length", kind="A", variant="ring", seed=1).data()
    assert gan["in cores"] == 0 and "NLL" not in gan and "captures" not in gan
    both = results.one(part="others", kind="B", variant="ring", wires=4, seed=1).data()
    assert both["in cores"] == 2 * 3 * 4 and both["seconds of a step"] > 0
    for data in (flow, gan, both):
        json.dumps(data, allow_nan=False)
    floor = results.one(part="truth", kind="truth", seed=1).data()
    # Geant4 has a tenth less energy in this toy, true events have not
    assert floor["to simulated"]["S2"] > 0.9 > 0.3 > floor["to sample"]["S2"]
    assert floor["to sample"]["W1"] < 0.4 < gan["to sample"]["W1 of layers"]


def test_verdicts_pair_equal_seeds() -> None:
    def result(variant: str, seed: int, value: float | None) -> Result:
        tags = {"part": "controls", **Row("C", variant).tags(), "seed": seed}
        data = None
        if value is not None:
            data = {"compared": {"to sample": {"S2": value}}}
        return Result(Cell({}, {"compared": {}}, tags), "", data)

    values = {1: 0.5, 2: 0.7, 3: 0.1}
    found = [result("ring", seed, value) for seed, value in values.items()]
    found += [result("cos", seed, values[seed] + 0.01 * seed) for seed in (3, 1)]
    found.append(result("cos", 2, None))
    every = Results(found)
    first = seeds_of(every, "controls", Row("C", "ring"))
    second = seeds_of(every, "controls", Row("C", "cos"))
    paired = difference(first, second, VERDICTS["S2"])
    assert paired.count == 2 and paired.mean == pytest.approx(-0.02)


def test_every_control_is_compared(results: Results) -> None:
    against = {(one.kind, other.variant, one.length) for _, one, other in comparisons()}
    for kind, variants in grid.VARIANTS.items():
        for variant in variants[1:]:
            assert (kind, variant, "short") in against
        assert (kind, "network", "full") in against
    table = tables(results)[1]
    rows = {(row[0], row[1], row[2]): row for row in table.rows}
    assert len(rows) == len(comparisons())
    cosine = dict(zip(table.columns, rows["C: flow", "1", "cosine"], strict=True))
    assert cosine["seeds"] == "2" and "±" in cosine["NLL"] and ":" in cosine["NLL"]
    assert "Of 5 differences" in table.notes[0] and "12.7 of 2 seeds" in table.notes[0]


def test_tables_have_the_numbers_of_the_results(results: Results) -> None:
    found = {table.title: table for table in tables(results)}
    table = found["Layer energies of photons"]
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows[:8]}
    data = results.one(part="length", kind="C", variant="ring", seed=1).data()
    row = rows["C: flow, circuit, ring"]
    assert row["S2"].startswith(f"{data['to sample']['S2']:.3g}")
    assert row["NLL"].startswith(f"{data['NLL'][0]:.3f}")
    assert rows["C: flow, network (twin)"]["S2"] == MISSING
    assert rows["A: GAN, module frozen, circuit, ring"]["NLL"] == "–"
    milliseconds = 1000 * data["seconds of a step"]
    assert row["step / 36 ms"] == f"{milliseconds / 36:.2g}"
    pions = found["Layer energies of pions"]
    assert pions.rows[0][0].startswith("missing") and len(pions.rows) == 1
    for one in found.values():
        one.markdown()
    for one in tables(Results()):
        one.markdown()


def test_pions_are_run_from_a_file_that_the_recipe_names_by_content(tmp_path: Path) -> None:
    pytest.importorskip("zuko")
    file = tmp_path / "pions.hdf5"
    file.write_bytes(b"some bytes")
    study = QinnStudy(parts=("pions",), pions=str(file))
    setting = replace(TINY, held_out=20)
    cells = study.cells_of(replace(setting, other_seeds=1))
    assert len(cells) == 4 and str(file) not in json.dumps([cell.content for cell in cells])
    local = study.local(cells[0].recipe)
    assert local["dataset"]["of"]["path"] == str(file)
    few = []
    for cell in cells:
        recipe = {**cell.recipe, "split": [0.8, 0.1, 0.1]}
        dataset = {**recipe["dataset"], "events": 400}
        few.append(Cell({**recipe, "dataset": dataset}, cell.measurements, cell.tags))
    values = []
    for number, cell in enumerate(few):
        ((name, _),) = cell.measurements.items()
        values.append(Result(cell, "", {name: measured(cell, tmp_path / str(number), study)}))
    (table,) = [one for one in tables(Results(values)) if one.title.endswith("of pions")]
    assert len(table.rows) == 4 and "missing" not in table.rows[0][0]
    assert "to simulated" not in values[0].data()


def test_figures_are_drawn_of_some_and_of_no_results(results: Results) -> None:
    for make in FIGURES.values():
        assert make(results).axes
        assert make(Results()).axes
