"""The study ``jets-noise``: the paper's setting, a small tuning on a noisy circuit, tables and
figures.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import studies
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, UnknownName
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.studies import Cell, Result, Results, Table, Trial
from qgen_hep.studies.jets.grid import Training
from qgen_hep.studies.jets.measurements import reference_of
from qgen_hep.studies.jets.statistics import js as divergence
from qgen_hep.studies.jets_noise import JetsNoiseStudy, grid
from qgen_hep.studies.jets_noise.figures import FIGURES
from qgen_hep.studies.jets_noise.grid import Tuning
from qgen_hep.studies.jets_noise.measurements import frozen, tuned, twin
from qgen_hep.studies.jets_noise.tables import skipped, tables, widths
from qgen_hep.studies.shared.born_machines import circuit_of, theta_of
from qgen_hep.studies.shared.style import draw

DEVICES = ("ibm_guadalupe", "ibm_cairo")
SMALL = Tuning(8, "tree", "depolarizing", layers=2, steps=120, circuits=72)
#: Wires relax towards 0, which other angles can make up for in part.
STRONG = {
    "name": "thermal-relaxation",
    "t1": 50.0,
    "t2": 50.0,
    "one_wire_time": 1.0,
    "two_wire_time": 8.0,
}


@pytest.fixture(autouse=True)
def _offered() -> None:
    qgen.register("study", "jets-noise", JetsNoiseStudy)


def trial_of(point: Tuning, folder: Path, noise: dict[str, Any]) -> Trial:
    return Trial({**point.recipe(), "noise": noise}, folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[int]]:
    """A small tuning, and the batches that ran on its noisy backend."""
    batches: list[int] = []
    run = NoisyBackend.run

    def counted(self: NoisyBackend, circuit: Any, angles: Any, measure: Any, *shots: Any) -> Any:
        batches.append(len(angles))
        return run(self, circuit, angles, measure, *shots)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NoisyBackend, "run", counted)
        found = tuned(
            trial_of(SMALL, tmp_path_factory.mktemp("small"), STRONG), SMALL.steps, 20_000, 50
        )
    return found, batches


def test_the_setting_is_that_of_the_paper() -> None:
    full = grid.full(DEVICES, 3)
    assert {(p.wires, p.ansatz, p.device) for p in full} == {
        (8, "brick", "ibm_guadalupe"),
        (8, "tree", "ibm_guadalupe"),
        (12, "tree", "ibm_cairo"),
    }
    assert (
        len(full) == 18
        and {p.mode for p in full} == {"jacobi", "single"}
        and {p.seed for p in full} == {1, 2, 3}
    )
    for point in full:
        recipe = point.recipe()
        circuit = qgen.build("ansatz", recipe["generator"]["ansatz"])(point.wires)
        groups = {(label.layer, label.angle) for label in circuit.labels}
        assert (
            len(groups) == 39
            and circuit.num_params
            == {(8, "brick"): 276, (8, "tree"): 312, (12, "tree"): 468}[point.wires, point.ansatz]
        )
        assert recipe["generator"]["shots"] == 20_000 and recipe["trainer"]["circuits"] == 300
        trainer = qgen.build("trainer", recipe["trainer"])
        assert (trainer.skip_below, trainer.passes, trainer.window) == (
            5e-7,
            1,
            pytest.approx(np.pi / 4),
        )
        # spacing 2 eps / n of the paper: 0.0419 with n = 37.5 and 0.0628 with n = 25
        spacing = np.diff(trainer._shifts(point.wires))[0]
        assert spacing == pytest.approx({8: 0.0436, 12: 0.0654}[point.wires], abs=1e-4)


@pytest.mark.parametrize("point", grid.full(DEVICES, 2))
def test_a_cell_has_the_tags_of_its_tuning(point: Tuning) -> None:
    cell = point.cell()
    assert set(cell.measurements) == {cell.tags["measured"]} == {"tuned"}
    for name in ("wires", "ansatz", "device", "mode", "seed"):
        assert cell.tags[name] == getattr(point, name)
    other = replace(point, layers=3, steps=7, circuits=99, device="readout").cell()
    assert other.recipe["generator"]["ansatz"]["layers"] == 3
    assert other.recipe["trainer"]["circuits"] == 99
    assert other.recipe["noise"] == {"name": "readout"}
    assert other.measurements["tuned"]["steps"] == 7


def test_what_is_tuned_was_trained_as_in_the_study_without_noise() -> None:
    for point in grid.full(DEVICES, 2):
        layers = {"brick": 6, "tree": 12}[point.ansatz]
        exact = Training(point.wires, point.ansatz, layers, seed=point.seed)
        assert grid.noiseless(point.recipe(), 300) == exact.recipe({"name": "jets"})


@pytest.mark.parametrize("point", grid.full(DEVICES, 1)[:3])
def test_the_twin_is_trained_as_what_is_tuned(point: Tuning) -> None:
    """All is equal but the model, whose number of parameters is the nearest."""
    twin, frozen = point.cells_beside()
    exact = point.training.recipe({"name": "jets"})
    circuit = qgen.build("ansatz", exact["generator"]["ansatz"])(point.wires)
    del exact["backend"]
    assert {**twin.recipe, "generator": None} == {**exact, "generator": None}
    assert twin.recipe["generator"] == {"name": "nade", "parameters": circuit.num_params}
    space = qgen.Space("bits", point.wires)
    model = qgen.generator("nade", space=space, parameters=circuit.num_params)
    count = sum(value.size for value in model.parameters().values())
    assert abs(count - circuit.num_params) <= 4
    assert frozen.recipe == point.recipe()
    for cell in (twin, frozen):
        assert cell.tags["measured"] in cell.measurements
        assert (cell.tags["wires"], cell.tags["ansatz"]) == (point.wires, point.ansatz)


def test_each_start_of_a_tuning_has_one_twin_and_one_frozen_circuit() -> None:
    cells = JetsNoiseStudy().cells(quick=False)
    counts = dict.fromkeys(("target", "tuned", "twin", "frozen"), 0)
    for cell in cells:
        counts[str(cell.tags["measured"])] += 1
    assert counts == {"target": 2, "tuned": 30, "twin": 15, "frozen": 15}


def test_without_the_devices_it_fails_at_once_with_the_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QGEN_PLUGINS", "qgen-hep")
    assert "ibm_guadalupe" not in registry.names("noise")
    with pytest.raises(UnknownName, match=r"`pip install \S*qgen.qiskit` provides it"):
        studies.reproduce("jets-noise", tmp_path / "run", quick=True)
    assert not (tmp_path / "run").exists()
    with pytest.raises(BadOption, match="at least 1"):
        JetsNoiseStudy(seeds=0)


def test_noise_spoils_tuning_mends_a_part_and_spoils_the_noiseless(
    small: tuple[dict[str, Any], list[int]],
) -> None:
    found, _ = small
    js = {
        (when, how): found[when][how]["exact"]["js"]
        for when in ("before", "after")
        for how in ("ideal", "noisy")
    }
    assert js["before", "ideal"] < 0.02 and js["before", "noisy"] > 2 * js["before", "ideal"]
    spread = found["before"]["noisy"]["shots"]["20000"]["js"][1]
    assert js["after", "noisy"] < js["before", "noisy"] - 10 * spread, (
        "better than any luck with shots"
    )
    assert js["after", "ideal"] > js["before", "ideal"]
    assert js["before", "noisy"] < found["uniform"]["js"]
    lines = found["iterations"]
    # the first loss is of 20,000 shots of the start, whose floor is 255 / (8 * 20000)
    assert lines["loss"][0] == pytest.approx(js["before", "noisy"] + 0.0016, rel=0.03)
    assert found["best"] == int(np.argmin(lines["loss"])) > 0
    assert lines["loss"][found["best"]] == pytest.approx(js["after", "noisy"] + 0.0016, rel=0.03)
    assert lines["reference_least"][0] <= js["before", "ideal"] * 1.001
    for when in ("before", "after"):
        sampled = found[when]["noisy"]["shots"]["20000"]["js"]
        assert sampled[0] == pytest.approx(js[when, "noisy"] + 0.0016, rel=0.03)


def test_frozen_parameters_are_those_that_the_training_starts_from(tmp_path: Path) -> None:
    trial = trial_of(SMALL, tmp_path, STRONG)
    found = frozen(trial, 20_000, 20)
    start = Trial(SMALL.training.recipe({"name": "jets"}), tmp_path / "start").assembly
    p = start.backend.probabilities(circuit_of(start), theta_of(start))
    expected = divergence(p, reference_of(trial).table)
    assert found["ideal"]["exact"]["js"] == pytest.approx(expected, rel=1e-5)
    assert expected > 0.1, "no training has come near the target"
    assert found["noisy"]["exact"]["js"] != pytest.approx(expected, rel=1e-3)
    assert not (tmp_path / "noiseless").exists(), "nothing was trained"


def test_the_twin_is_trained_and_evaluated(tmp_path: Path) -> None:
    trial = Trial(SMALL.twin_recipe(), tmp_path)
    found = twin(trial, 20_000, 50)
    assert found["parameters"] == sum(
        value.size for value in trial.run.assembly.generator.parameters().values()
    )
    assert len(found["losses"]) == SMALL.steps
    assert found["exact"]["js"] == pytest.approx(found["losses"][-1], rel=0.1)
    assert found["exact"]["js"] < 0.3 * found["losses"][0]
    assert found["shots"]["20000"]["js"][0] == pytest.approx(
        found["exact"]["js"] + 0.0016, rel=0.03
    )


def test_the_landscape_is_flatter_with_noise(small: tuple[dict[str, Any], list[int]]) -> None:
    found, _ = small
    assert widths(found)[0] < 0.8 * widths(found, "reference_")[0]
    lines = found["iterations"]
    for way in ("", "reference_"):
        ordered = np.array([lines[way + name] for name in ("least", "q1", "median", "q3", "most")])
        assert np.all(np.diff(ordered, axis=0) >= 0)


def test_an_iteration_is_one_batch_and_flat_groups_are_not_run(
    small: tuple[dict[str, Any], list[int]],
) -> None:
    found, batches = small
    assert len(found["groups"]) == 9
    # a turn about z before the measurement and one of |0> change nothing
    assert {(2, 2), (0, 0)} <= set(skipped(found))
    runs = 9 - len(skipped(found))
    assert found["iterations"]["circuits"] == [72] * runs
    assert [size for size in batches if size > 1] == [72] * runs
    assert found["iterations"]["layer"] == sorted(found["iterations"]["layer"], reverse=True)


def test_noise_of_rate_zero_changes_nothing(tmp_path: Path) -> None:
    point = replace(SMALL, layers=1, steps=3, circuits=24)
    found = tuned(
        trial_of(point, tmp_path, {"name": "depolarizing", "one_wire": 0.0, "two_wire": 0.0}),
        3,
        20_000,
        5,
    )
    for when in ("before", "after"):
        ideal, noisy = (found[when][how]["exact"] for how in ("ideal", "noisy"))
        assert noisy["js"] == pytest.approx(ideal["js"], rel=1e-5)
        assert np.allclose(noisy["marginals"], ideal["marginals"], atol=1e-5)
    assert found["after"]["noisy"]["exact"]["js"] < found["before"]["noisy"]["exact"]["js"]


def test_the_whole_study_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {"layers": 1, "steps": 3, "circuits": 36}
    chosen = [Tuning(8, "tree", "depolarizing", **tiny), Tuning(12, "tree", "readout", **tiny)]
    monkeypatch.setattr(grid, "quick", lambda devices: chosen)
    monkeypatch.setattr(grid, "RESAMPLES", 5)
    monkeypatch.setattr(grid, "SAMPLES", {"shots": 20_000, "resamples": 5})
    outcome = studies.reproduce("jets-noise", tmp_path, quick=True)
    assert outcome.done == len(outcome.results) == 8 and not outcome.failed
    assert [path.name for path in outcome.figures] == [f"figure-{n}.png" for n in (13, 14, 15)]
    stored = json.loads((tmp_path / "result" / "results.json").read_text(encoding="utf-8"))
    assert stored["done"] == 8
    monkeypatch.setattr(JetsNoiseStudy, "measurements", {})  # so nothing could be measured again
    monkeypatch.setattr(JetsNoiseStudy, "figures", lambda *_: ())
    again = studies.reproduce("jets-noise", tmp_path, quick=True)
    assert again.markdown() == outcome.markdown()


# Made-up results from here on.


def target_value(features: int) -> dict[str, Any]:
    floors = {
        str(n): {k: [v / n, 1 / n] for k, v in {"js": 30.0, "js_smoothed": 22.0, "d": 10.0}.items()}
        for n in (20000, 1000)
    }
    return {
        "events": 1000,
        "cells": 16**features,
        "occupied": 200,
        "edges": [np.linspace(0, 1, 17).tolist()] * features,
        "marginals": [[1 / 16] * 16] * features,
        "correlation": np.eye(features).tolist(),
        "binned_correlation": (0.3 + 0.7 * np.eye(features)).tolist(),
        "independent": {"js": 0.0141},
        "floors": floors,
    }


def sight(features: int, js: float) -> dict[str, Any]:
    matrix = (js + (1 - js) * np.eye(features)).tolist()
    exact = {"js": js, "d": js / 10, "correlation": matrix, "marginals": [[1 / 16] * 16] * features}
    return {"exact": exact, "shots": {"20000": {"js": [js + 0.001, 0.0001]}}}


def tuned_value(wires: int, device: str, seed: int) -> dict[str, Any]:
    f = wires // 4
    done = [
        (layer, angle)
        for layer in (12, 11, 0)
        for angle in (2, 1, 0)
        if (layer, angle) not in ((12, 2), (0, 0))
    ]
    lines: dict[str, list[float]] = {
        "layer": [layer for layer, _ in done],
        "angle": [angle for _, angle in done],
        "skipped": [0] * len(done),
        "circuits": [296] * len(done),
        "loss": [0.5 - 0.03125 * k * seed for k in range(len(done))],
    }
    for way, size in (("", 0.001), ("reference_", 0.01)):
        for number, name in enumerate(("least", "q1", "median", "q3", "most")):
            lines[way + name] = [0.05 + size * number * (1 + k) for k in range(len(done))]
    sights = (("before", 0.01, 0.09), ("after", 0.06, 0.08))
    return {
        "parameters": 312,
        "device": {"device": device, "calibration": "a snapshot", "layout": [3, 5]},
        "groups": [[layer, angle] for layer in (0, 11, 12) for angle in range(3)],
        "iterations": lines,
        "best": 2,
        "uniform": {"js": 0.3},
        **{w: {"ideal": sight(f, i * seed), "noisy": sight(f, n * seed)} for w, i, n in sights},
    }


def value_of(cell: Cell) -> dict[str, Any]:
    tags: Any = cell.tags
    if tags["measured"] == "target":
        return {"target": target_value(tags["wires"] // 4)}
    features = tags["wires"] // 4
    if tags["measured"] == "twin":
        return {"twin": {"parameters": 280, **sight(features, 0.004 * tags["seed"])}}
    if tags["measured"] == "frozen":
        ideal = sight(features, 0.2 * tags["seed"])
        return {"frozen": {"ideal": ideal, "noisy": sight(features, 0.1 * tags["seed"])}}
    return {"tuned": tuned_value(tags["wires"], tags["device"], tags["seed"])}


def made_up(there: float = 1.0) -> Results:
    """Made-up results of the study, of which the first ``there`` have been run."""
    cells = JetsNoiseStudy(seeds=3).cells(quick=False)
    run = round(there * len(cells))
    found = [Result(cell, str(i), value_of(cell)) for i, cell in enumerate(cells[:run])]
    return Results([*found, *(Result(cell, "none") for cell in cells[run:])])


def row(table: Table, *head: str) -> list[str]:
    found = next(texts for texts in table.rows if texts[: len(head)] == head)
    return [text.replace("\u00a0", " ") for text in found[len(head) :]]


def test_tables_show_what_was_found() -> None:
    made = {table.title: table for table in tables(made_up())}
    head = ("8", "1", "ibm_guadalupe", "jacobi")
    # seeds 1, 2, 3 have 0.01, 0.02, 0.03 and so on
    js = made["Jensen-Shannon divergence before and after tuning"]
    tuned_columns = ["0.02 ± 0.01", "0.18 ± 0.09", "0.16 ± 0.08", "0.12 ± 0.06"]
    assert row(js, *head) == [
        *tuned_columns,
        "0.008 ± 0.004",
        "0.4 ± 0.2",
        "0.2 ± 0.1",
    ]
    assert len(js.rows) == 6
    assert "8 qubits: 0.3 and 0.0141" in js.notes[-1]
    assert row(made["D of the marginals before and after tuning"], *head)[0] == "0.002 ± 0.001"
    correlation = made["Correlation of pT and mass before and after tuning"]
    assert row(correlation, "12", "2", "ibm_cairo", "single")[0] == "0.020 ± 0.010"
    shots = made["Jensen-Shannon divergence of 20000 shots"]
    assert row(shots, *head) == [
        "0.021 ± 0.0001",
        "0.181 ± 0.0001",
        "0.161 ± 0.0001",
        "0.121 ± 0.0001",
        "0.009 ± 0.0001",
        "0.401 ± 0.0001",
        "0.201 ± 0.0001",
        "0.0015 ± 5e-05",
    ]
    # noise adds 0.08, tuning takes 0.01 off, times the seed; the twin has 0.004
    gains = made["What noise costs and tuning regains"]
    assert row(gains, *head)[:4] == ["0.16 ± 0.08", "0.02 ± 0.01", "3 of 3", "0.12"]
    assert row(gains, *head)[4:] == ["2.5", "20"]
    assert "8 qubits, ansatz 1: 312 angles, twin 280" in gains.notes[-1]
    tuning = row(made["The tuning"], *head)
    assert tuning[:4] == ["9", "7", "2072", "0 first (3), 12 third (3)"]
    assert tuning[4:] == ["0.5", "0.125 ± 0.2", "3"]
    assert any(
        "ibm_cairo is emulated, a snapshot; wires begin on qubits 3, 5" in note
        for note in made["The tuning"].notes
    )
    # the quartiles are 2 steps of 0.01 and 0.001 apart, times the number of the iteration
    assert row(made["Width of the landscape"], *head) == [
        f"{w:.3g}" for w in (0.02, 0.002, 0.14, 0.014, 0.08, 0.008, 0.000135)
    ]
    assert "missing" not in "".join(table.markdown() for table in made.values())


@pytest.mark.parametrize("there", [0.0, 0.3])
def test_missing_cells_are_shown_as_missing(tmp_path: Path, there: float) -> None:
    results = made_up(there)
    assert sum(table.markdown().count("missing") for table in tables(results)) > 10
    assert there or len(draw(FIGURES, results, tmp_path)) == 3


def test_figures_13_to_15_are_drawn(tmp_path: Path) -> None:
    files = draw(FIGURES, made_up(), tmp_path)
    assert [file.name for file in files] == ["figure-13.png", "figure-14.png", "figure-15.png"]
    for file in files:
        data = file.read_bytes()
        assert data.startswith(b"\x89PNG") and 20_000 < len(data) < 400_000, file
