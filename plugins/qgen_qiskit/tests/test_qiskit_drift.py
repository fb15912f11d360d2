"""Noise that drifts is a function of the step, so a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.measures import Probabilities
from qgen_core.errors import BadOption
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.support.random_streams import stream
from qgen_qiskit.devices.calibration import fake_device

RECIPE = """
seed = 5
[dataset]
name = "drift-toy"
[encoder]
name = "binning"
bits = 1
[backend]
name = "density"
[noise]
name = "ibm_casablanca"
drift = 0.5
[generator]
name = "qcbm"
ansatz = { name = "brick", layers = 1 }
[loss]
name = "js"
[trainer]
name = "adam"
learning_rate = 0.05
steps = 6
"""
CIRCUIT = qgen.ansatz("brick", layers=1)(2)


def toy() -> qgen.Events:
    x = np.random.default_rng(1).exponential(1.0, (500, 2))
    return qgen.Events(x, columns=("a", "b"), units=("GeV", "GeV"), provenance={"kind": "stand-in"})


@pytest.fixture(autouse=True)
def _offered() -> None:
    qgen.register("dataset", "drift-toy", toy)


class Step:
    """As much of a training problem as noise looks at."""

    def __init__(self, step: int) -> None:
        self.step = step


def losses(folder: Path) -> list[float]:
    return [
        json.loads(line)["loss"] for line in (folder / "history.jsonl").read_text().splitlines()
    ]


def test_every_rate_stays_within_the_fraction() -> None:
    device = fake_device("ibm_casablanca")
    drifted = device.drifted(0.08, stream(1, "drift", 3))
    again = device.drifted(0.08, stream(1, "drift", 3))
    ratios = [
        device.t1 / drifted.t1,
        device.t2 / drifted.t2,
        drifted.mean_readout / device.mean_readout,
    ]
    ratios.append((drifted.readout / device.readout).ravel())
    errors = [
        drifted.gates[name][on].error / record.error
        for name, gate in device.gates.items()
        for on, record in gate.items()
        if record.error
    ]
    every = np.concatenate([*ratios, errors])
    assert np.all(np.abs(every - 1) <= 0.08 + 1e-12)
    assert np.std(every) == pytest.approx(0.08 / np.sqrt(3), rel=0.2)
    assert np.array_equal(drifted.t1, again.t1) and drifted.gates == again.gates
    assert drifted.gates["cx"][0, 1].error / device.gates["cx"][0, 1].error == pytest.approx(
        drifted.gates["cx"][1, 0].error / device.gates["cx"][1, 0].error
    )
    assert not np.array_equal(drifted.t1, device.drifted(0.08, stream(1, "drift", 4)).t1)


def test_the_noise_changes_with_the_step_alone() -> None:
    noise, still = qgen.noise("ibm_casablanca", drift=0.3, seed=2), qgen.noise("ibm_casablanca")
    backend, angles = (
        NoisyBackend(qgen.backend("density"), noise),
        np.full((1, CIRCUIT.num_angles), 0.4),
    )

    def value(step: int | None) -> np.ndarray:
        noise.on_fit_end() if step is None else noise.on_fit_start(problem=Step(step))
        return backend.run(CIRCUIT, angles, Probabilities())[0]

    first, second, first_again = value(0), value(1), value(0)
    assert np.array_equal(first, first_again)
    assert 1e-5 < np.max(np.abs(first - second)) < 0.05
    calibrated = NoisyBackend(qgen.backend("density"), still).run(CIRCUIT, angles, Probabilities())[
        0
    ]
    assert np.array_equal(value(None), calibrated)
    assert np.max(np.abs(calibrated - first)) > 1e-6
    other = qgen.noise("ibm_casablanca", drift=0.3, seed=3)
    other.on_fit_start(problem=Step(0))
    assert not np.array_equal(
        NoisyBackend(qgen.backend("density"), other).run(CIRCUIT, angles, Probabilities())[0], first
    )


def test_within_a_step_and_without_drift_nothing_is_made_anew() -> None:
    noise = qgen.noise("ibm_casablanca", drift=0.3)
    noise.on_fit_start(problem=Step(4))
    assert noise(CIRCUIT, Probabilities())[0] is noise(CIRCUIT, Probabilities())[0]
    still = qgen.noise("ibm_casablanca")
    before = still(CIRCUIT, Probabilities())[0]
    for step in (4, 5):
        still.on_fit_start(problem=Step(step))
        assert still(CIRCUIT, Probabilities())[0] is before


def test_a_resumed_run_drifts_on(tmp_path: Path) -> None:
    recipe = Recipe.parse(RECIPE)
    runs.train(recipe, tmp_path / "whole")
    runs.train(recipe.changed(["trainer.steps=3"]), tmp_path / "parts")
    runs.train(recipe, tmp_path / "parts", resume=True)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    runs.train(recipe.changed(["noise.drift=0.0"]), tmp_path / "still")
    assert losses(tmp_path / "still") != losses(tmp_path / "whole")
    runs.train(recipe.changed(["seed=6", "noise.drift=0.0"]), tmp_path / "other")
    assert losses(tmp_path / "other") != losses(tmp_path / "still")


def test_a_run_says_and_records_where_it_lies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="qgen"):
        runs.train(Recipe.parse(RECIPE).changed(["trainer.steps=1"]), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())["noise"]
    assert record["device"] == "ibm_casablanca"
    assert "FakeCasablancaV2 of qiskit-ibm-runtime" in record["calibration"]
    assert sorted(record["layout"]) == sorted(record["read on"]) and len(record["layout"]) == 2
    assert (record["scale"], record["mode"], record["readout"], record["drift"]) == (
        1.0,
        "semigroup",
        "mean",
        0.5,
    )
    assert f"wires begin on qubits {record['layout'][0]}, {record['layout'][1]}" in caplog.text
    layout = ",".join(map(str, record["layout"]))
    runs.train(
        Recipe.parse(RECIPE).changed(["trainer.steps=1", f"noise.layout=[{layout}]"]),
        tmp_path / "again",
    )
    assert losses(tmp_path / "again") == pytest.approx(losses(tmp_path / "run"), rel=1e-12)


def test_a_draw_is_the_noise_of_that_step_in_all_steps() -> None:
    angles = np.full((1, CIRCUIT.num_angles), 0.4)
    fixed = qgen.noise("ibm_casablanca", drift=0.3, draw=1, seed=2)
    drifting = qgen.noise("ibm_casablanca", drift=0.3, seed=2)
    drifting.on_fit_start(problem=Step(1))
    values = []
    for noise in (fixed, drifting):
        backend = NoisyBackend(qgen.backend("density"), noise)
        values.append(backend.run(CIRCUIT, angles, Probabilities())[0])
    assert np.array_equal(values[0], values[1])
    fixed.on_fit_start(problem=Step(5))
    again = NoisyBackend(qgen.backend("density"), fixed).run(CIRCUIT, angles, Probabilities())[0]
    assert np.array_equal(again, values[0])
    assert fixed.describe()["draw"] == 1 and "draw" not in drifting.describe()
    for options in ({"draw": 1}, {"draw": -1, "drift": 0.1}):
        with pytest.raises(BadOption, match="draw is the number of a draw"):
            qgen.noise("ibm_casablanca", **options)
