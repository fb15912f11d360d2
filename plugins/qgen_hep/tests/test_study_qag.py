"""The study ``qag``: the document's setting, readings of the MMD, measurements, and tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption
from qgen_core.events import Batch, Events
from qgen_core.studies import SPACE, Cell, Result, Results, Table, Trial
from qgen_hep.studies.qag import QagStudy, grid
from qgen_hep.studies.qag.figures import FIGURES
from qgen_hep.studies.qag.grid import Training
from qgen_hep.studies.qag.measurements import evaluated, null, trained
from qgen_hep.studies.qag.monitor import Monitor, measures
from qgen_hep.studies.qag.readings import (
    MEDIAN,
    NAMES,
    biased_null,
    median_distance,
    readings,
    root,
)
from qgen_hep.studies.qag.selection import USUAL, Setting, settings
from qgen_hep.studies.qag.tables import tables
from qgen_hep.studies.shared.style import draw


@pytest.fixture(autouse=True)
def _offered() -> None:
    qgen.register("study", "qag", QagStudy)


def short(training: Training, steps: int) -> dict[str, Any]:
    recipe = training.recipe()
    return {**recipe, "trainer": {**recipe["trainer"], "steps": steps}}


def images(seed: int, count: int = 40, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 3))


# ------------------------------------------------------------------ the grid


def test_the_setting_is_that_of_table_1() -> None:
    recipe = Training(trainer="cobyla").recipe()
    trainer = recipe["trainer"]
    assert trainer == {
        "name": "cobyla",
        "tol": 0.004,
        "rhobeg": 5.593,
        "steps": 600,
        "batch_size": 50,
    }
    generator = recipe["generator"]
    assert generator["ansatz"] == {"name": "clic8", "layers": 2}
    assert (generator["shots"], generator["variance"]) == (2048, 0.5)
    assert recipe["dataset"] == {"name": "clic"}


def test_optimisers_have_the_same_number_of_circuits() -> None:
    for trainer in grid.TRAINERS:
        evaluations = grid.TRAINERS[trainer]["steps"] * grid.EVALUATIONS_OF[trainer]
        if trainer == "spsa":
            evaluations += 2 * grid.SPSA_CALIBRATION
        assert 0.97 * 600 <= evaluations <= 600, trainer


def test_the_noise_study_shares_its_clean_trainings() -> None:
    cells = grid.noise(30)
    assert len(cells) == 30 * (1 + 5 + 1)
    trained_cells = [cell for cell in cells if cell.tags["model"] == "qag"]
    clean = [cell for cell in trained_cells if cell.tags["scale"] == 0]
    assert len(clean) == 30
    assert clean[0].measurements == {"evaluated": {"scales": [0, 0.25, 0.5, 1, 2, 4]}}
    assert all("noise" not in cell.recipe for cell in clean)
    frozen = [cell for cell in cells if cell.tags["model"] == "frozen"]
    assert [cell.measurements for cell in frozen] == [cell.measurements for cell in clean]
    noisy = [cell for cell in cells if cell.tags["scale"] == 4]
    assert noisy[0].recipe["noise"] == {"name": "ibm_fez", "scale": 4.0}


def test_every_seed_has_its_controls_in_the_table() -> None:
    found = {(cell.tags["model"], cell.tags["trainer"]) for cell in grid.reproduction(1)}
    for model in grid.MODELS:
        assert any(name == model for name, _ in found)


def parameter_count(training: Training) -> int:
    generator = Trial(training.recipe(), "unused").assembly.generator
    return sum(value.size for value in generator.parameters().values())


@pytest.mark.parametrize("setting", settings(), ids=str)
def test_each_setting_has_a_network_of_as_many_parameters_and_a_frozen_circuit(
    setting: Setting,
) -> None:
    ansatz, layers, variance = setting
    tags = {"ansatz": ansatz, "layers": layers, "variance": variance, "trainer": "adam"}
    cells = grid.tunings(2)
    if setting == USUAL:
        cells = grid.reproduction(2)
        tags["encoding"] = "min-max"
    for model in ("qag", "network", "frozen"):
        found = []
        for cell in cells:
            if {**tags, "model": model}.items() <= cell.tags.items():
                found.append(cell.tags["seed"])
        assert found == [1, 2]
    made = Training(ansatz=ansatz, layers=layers, variance=variance)
    circuit = parameter_count(made)
    network = parameter_count(replace(made, model="network"))
    assert network == (24 if ansatz == "mera-up" else circuit)
    assert abs(network - circuit) <= 2
    assert parameter_count(replace(made, model="frozen")) == 0


def test_frozen_circuits_are_not_trained_again_under_drift() -> None:
    cells = grid.drift(30, 2)
    radii = {(cell.tags["model"], cell.measurements["drifted"]["radius"]) for cell in cells}
    assert radii == {("qag", 0.2), ("frozen", None)}
    (unchanged,) = (cell for cell in cells if cell.tags["drift"] == 0 and cell.tags["seed"] == 1)
    assert unchanged.measurements == {"drifted": {"drift": 0.0, "draws": 1, "radius": 0.2}}
    assert len(cells) == 2 * (1 + 3 + 3)


def test_the_cells_come_seed_by_seed_and_parts_can_be_chosen() -> None:
    cells = QagStudy(parts=("noise",), repeats=2).cells(quick=False)
    seeds = [int(str(cell.tags["seed"])) for cell in cells if cell.tags["part"] == "noise"]
    assert seeds == sorted(seeds) and len(seeds) == 14
    assert {cell.tags["part"] for cell in cells} == {"null", "noise"}
    with pytest.raises(BadOption, match="repeats must be at least 1"):
        QagStudy(repeats=0)


# ------------------------------------------------------------------ readings of the MMD


def test_readings_are_the_metric_of_each_bandwidth() -> None:
    a, b = images(1), images(2, shift=0.4)
    found = readings(a, b, 1.7)
    for name, bandwidth in (("0.3", 0.3), ("1", 1.0), (MEDIAN, 1.7)):
        for which, estimator in enumerate(("unbiased", "biased")):
            metric = qgen.metric("mmd", bandwidth=bandwidth, standardise=False, estimator=estimator)
            expected = metric(Events(a), Events(b))["mmd2"].value
            assert found[name][which] == pytest.approx(expected, rel=1e-9)
    loss = qgen.loss("mmd", reads="samples", distance="euclidean")  # the mixture is its default
    value, _ = loss(a, Batch(x=b))
    assert found["mixture"][1] == pytest.approx(value, rel=1e-9)


def test_the_biased_estimate_of_smaller_sets() -> None:
    """Averaged over subsets, the biased estimate is what :func:`biased_null` says."""
    a, b = images(1, 400), images(2, 400)
    unbiased, biased = readings(a, b, 1.0)[MEDIAN]
    of_subsets = []
    for start in range(0, 400, 20):
        part = slice(start, start + 20)
        of_subsets.append(readings(a[part], b[part], 1.0)[MEDIAN][1])
    expected = biased_null(20, unbiased, biased, 400)
    assert np.mean(of_subsets) == pytest.approx(expected, rel=0.05)
    assert root(biased) == pytest.approx(np.sqrt(biased)) and root(-1.0) == 0.0


def test_the_median_distance_is_that_of_all_pairs() -> None:
    x = images(3, 30)
    pairs = [np.linalg.norm(x[i] - x[j]) for i in range(30) for j in range(i)]
    assert median_distance(x) == pytest.approx(np.median(pairs))


def test_measures_are_those_of_the_metrics() -> None:
    a, b = Events(images(1)), Events(images(2, shift=0.5))
    found = measures(a, b, 1.3)
    assert found["mse"] == pytest.approx(np.mean((a.x.mean(axis=0) - b.x.mean(axis=0)) ** 2))
    difference = np.corrcoef(a.x.T) - np.corrcoef(b.x.T)
    assert found["correlation loss"] == pytest.approx(np.sum(difference**2))
    edges = np.linspace(a.x.sum(axis=1).min(), a.x.sum(axis=1).max(), 21)
    counts = []
    for sample in (a, b):
        inside = np.clip(sample.x.sum(axis=1), edges[0], edges[-1])
        counts.append(np.histogram(inside, edges)[0])
    total = counts[0] + counts[1]
    some = total > 0
    chi2 = np.sum((counts[0] - counts[1])[some] ** 2 / total[some])
    assert found["chi2"] == pytest.approx(chi2)


# ------------------------------------------------------------------ measurements


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A short training of the network, which takes a fraction of a second."""
    folder = tmp_path_factory.mktemp("trial")
    return trained(Trial(short(Training("network", "adam"), 150), folder / "run"), every=30)


def test_a_training_is_monitored_and_compared(small: dict[str, Any]) -> None:
    assert small["parameters"] == 24 and small["steps"] == 150
    for curve in small["curves"].values():
        assert curve["step"] == [0, 30, 60, 90, 120]
        assert curve["mmd2"][-1] < 0.3 * curve["mmd2"][0]
    assert set(small["readings"]) == set(NAMES)
    assert small["readings"][MEDIAN][0] == pytest.approx(small["encoded"]["mmd2"], rel=1e-5)
    true, made = small["sums"]
    assert sum(true) == pytest.approx(1, abs=0.01) and sum(made) <= 1.0001
    assert np.array(small["correlations"]).shape == (2, 8, 8)
    json.dumps(small)


def test_a_cell_that_was_stopped_gives_what_an_undisturbed_one_gives(tmp_path: Path) -> None:
    recipe = short(Training(trainer="adam"), 6)
    whole = trained(Trial(recipe, tmp_path / "whole"), every=2)
    assert Trial(short(Training(trainer="adam"), 3), tmp_path / "stopped").run.path.is_dir()
    again = trained(Trial(recipe, tmp_path / "stopped"), every=2)
    assert whole["curves"]["training"]["step"] == [0.0, 2.0, 4.0]
    assert again == whole


def test_the_monitor_sees_a_model_improve_with_common_random_numbers(tmp_path: Path) -> None:
    recipe = short(Training("network", "cobyla, common"), 40)
    validation = Trial(recipe, tmp_path / "run").assembly.validation
    assert validation is not None
    monitor = Monitor(1, validation)
    history = Trial(recipe, tmp_path / "run", hooks=[monitor]).history
    curve = monitor.curves["validation"]
    assert curve["step"] == [record["step"] for record in history]
    best = int(np.argmin([record["loss"] for record in history]))
    assert curve["mmd2"][best] < 0.8 * curve["mmd2"][0]


def test_the_null_has_no_bias_and_its_biased_estimate_the_known_one(tmp_path: Path) -> None:
    trial = Trial(Training("gaussian", "adam").recipe(), tmp_path / "run")
    found = null(trial, sizes=[50], draws=30)["sizes"]["50"]
    for name in NAMES:
        mean, deviation = np.array(found[name])
        assert abs(mean[0]) < 4 * deviation[0] / np.sqrt(30) + 2e-4
        assert mean[1] > mean[0]


def test_noise_is_applied_when_a_clean_model_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "DEVICE", "depolarizing")

    def noise_of(scale: float, **options: Any) -> dict[str, Any] | None:
        return {"name": "depolarizing", "scale": scale} if scale else None

    monkeypatch.setattr("qgen_hep.studies.qag.measurements.noise_of", noise_of)
    trial = Trial(short(Training(trainer="adam"), 120), tmp_path / "run")
    found = evaluated(trial, [0.0, 4.0, 16.0])["scales"]
    values = [found[scale]["mmd2"] for scale in ("0", "4", "16")]
    assert values[0] < values[1] < values[2]


# ------------------------------------------------------------------ tables and figures


def results_of(cells: list[Cell], small: dict[str, Any]) -> Results:
    """Results of a study in which everything has been run but the drift."""
    found = []
    for cell in cells:
        (name,) = cell.measurements
        scales = {f"{x:g}": {"mmd2": 0.01 + x, "correlation loss": 1.0} for x in grid.SCALES}
        row = {kernel: [[0.0, 0.01], [0.001, 0.001]] for kernel in NAMES}
        values = {
            "trained": small,
            "evaluated": {"scales": scales},
            "null": {"median": 0.7, "test events": 506, "sizes": {"50": row, "506": row}},
            "drifted": None,
        }
        value = None
        if values[name] is not None:
            value = {name: values[name]}
        found.append(Result(cell, "", value))
    return Results(found)


def table_of(found: list[Table], title: str) -> Table:
    (table,) = [table for table in found if table.title.startswith(title)]
    return table


def test_tables_name_what_is_missing_and_quote_the_document(small: dict[str, Any]) -> None:
    cells = list(QagStudy(seeds=2, repeats=2, draws=2).cells(quick=False))
    full = tables(results_of(cells, small))
    main = table_of(full, "The document's training")
    assert main.rows[-1][0] == "document 004" and "0.00241" in main.rows[-1][5]
    assert {"circuit", "network", "circuit, frozen", "Gaussian"} <= {row[0] for row in main.rows}
    drift = table_of(full, "Drift")
    assert [row[2:6] for row in drift.rows[:4]] == [("missing",) * 4] * 4
    assert [row[2:6] for row in drift.rows[4:7]] == [("missing",) * 3 + ("–",)] * 3
    noise = table_of(full, "Noise")
    assert [row[1] for row in noise.rows[:6]] == ["0", "0.25", "0.5", "1", "2", "4"]
    assert noise.rows[3][4].startswith("0")  # both scenarios have the same numbers here
    for table in (drift, noise):
        models = {row[0] for row in table.rows}
        assert models == {"circuit", "circuit, frozen", "network", "Gaussian"}
    tunings = table_of(full, "Tunings")
    assert all("missing" not in row for row in tunings.rows)
    assert tunings.rows[-1][0] == "Gaussian"
    left_out = table_of(tables(Results(results_of(cells[:2], small))), "Against the document")
    assert left_out.rows[-1][2] == "reproduction, noise, drift, tuning"


def test_changes_under_drift_are_those_of_each_seed() -> None:
    found = []
    for seed, level in ((1, 0.75), (2, 0.25)):
        cell = Cell({}, {"drifted": {}}, {"part": "drift", "model": "qag", "drift": 0.02})
        data = {
            "at the calibration": level,
            "before": [level + 0.25, level - 0.5],
            "after": [level - 0.25, level - 0.25 * seed],
        }
        found.append(Result(cell, "", {"drifted": data}))
    row = table_of(tables(Results(found)), "Drift").rows[1]
    texts = [text.replace(SPACE, " ") for text in row]
    assert texts[1:] == ["0.02", "0.5 ± 0.4", "-0.125", "0.5", "-0.312 ± 0.09", "2"]


def test_nothing_run_is_missing_everywhere(small: dict[str, Any]) -> None:
    cells = QagStudy().cells(quick=True)
    empty = Results(Result(cell, "") for cell in cells)
    for table in tables(empty):
        table.markdown()
    row = table_of(tables(empty), "The document's training").rows[0]
    assert row[5] == "missing"
    assert "drift, tuning" in table_of(tables(empty), "Against the document").rows[-1][2]


def test_figures_are_drawn_of_all_and_of_nothing(small: dict[str, Any], tmp_path: Path) -> None:
    cells = list(QagStudy(seeds=1, repeats=2).cells(quick=False))
    for name, results in (("full", results_of(cells, small)), ("empty", Results())):
        folder = tmp_path / name
        folder.mkdir()
        paths = draw(FIGURES, results, folder)
        assert [path.name for path in paths] == [f"figure-0{n}.png" for n in (3, 5, 6, 7)]
        assert all(path.stat().st_size > 5000 for path in paths)
