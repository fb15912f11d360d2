"""The example Boltzmann machine: exact gradients, samplers by the kit, and samplers in runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import qgen_core as qgen
import qgen_example_rbm as example
from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.interfaces import Sampler
from qgen_core.runs import evaluation
from qgen_core.runs import run as runs
from qgen_core.runs.eventfile import write_events
from qgen_core.runs.folder import RunFolder
from qgen_core.runs.reading import Layout, read_file
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.report import write_report
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.testing import GeneratorKit, SamplerKit

BITS = np.array(list(itertools.product((0, 1), repeat=3)), dtype=np.int8)


class TestGibbs(SamplerKit):
    def make(self) -> Sampler:
        return example.Gibbs(sweeps=60)


class TestEnumeration(SamplerKit):
    def make(self) -> Sampler:
        return example.Enumeration(beta=0.7)


def machine(sampler: Sampler, chains: int = 50, hidden: int = 2) -> example.BoltzmannMachine:
    return example.BoltzmannMachine(
        space=qgen.Space("bits", 3), sampler=sampler, seed=3, hidden=hidden, chains=chains
    )


def log_likelihood(model: example.BoltzmannMachine, x: np.ndarray) -> float:
    """Mean log probability of events, by a sum over all states."""
    states = 2 * np.array(list(itertools.product((0, 1), repeat=5))) - 1
    log_z = np.logaddexp.reduce(-model.energy().energy(states))
    return float(np.mean(-model.free_energy(2.0 * x - 1)) - log_z)


def test_with_exact_samples_the_gradient_is_that_of_the_likelihood() -> None:
    model = machine(example.Enumeration(), chains=200_000)
    model.J *= 30
    events = BITS[[0, 0, 3, 5, 7, 7, 7]]
    batch = qgen.Batch(events)
    model.prepare(batch, rng=np.random.default_rng(2))
    _, pullback = model.forward("objective", batch, rng=np.random.default_rng(1))
    gradient = pullback(np.full(len(events), 1 / len(events)))
    step = 1e-5
    for name, parameter in model.parameters().items():
        for place in np.ndindex(parameter.shape):
            parameter[place] += step
            above = log_likelihood(model, events)
            parameter[place] -= 2 * step
            below = log_likelihood(model, events)
            parameter[place] += step
            slope = -(above - below) / (2 * step)
            assert gradient[name][place] == pytest.approx(slope, abs=5 / np.sqrt(200_000))


@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_training_does_not_depend_on_the_inverse_temperature_of_the_sampler(beta: float) -> None:
    probabilities = np.array([0.3, 0.02, 0.02, 0.16, 0.02, 0.16, 0.02, 0.3])
    x = BITS[np.random.default_rng(1).choice(8, 4000, p=probabilities)]
    model = machine(example.Enumeration(beta=beta), chains=4000, hidden=6)
    history = qgen.trainer("adam", steps=400, learning_rate=0.05).fit(
        model, qgen.Events(x), qgen.loss("mean"), seed=1
    )
    drawn = model.sample(20_000, rng=np.random.default_rng(5))
    counts = np.bincount(drawn @ [4, 2, 1], minlength=8)
    assert 0.5 * np.abs(counts / counts.sum() - probabilities).sum() < 0.05
    assert history.records[-1]["sampler.beta"] == beta
    assert history.draws.sources == ["enumeration of all states"]


def test_forward_is_a_function_of_state_batch_and_random_numbers() -> None:
    model = machine(example.Gibbs())
    batch = qgen.Batch(BITS)
    model.prepare(batch, rng=np.random.default_rng(1))
    theta = np.concatenate([value.ravel() for value in model.parameters().values()])
    before = model.state()
    three = model.outputs_at("objective", np.tile(theta, (3, 1)), batch, rng=None)
    np.testing.assert_array_equal(three[0], three[1])
    np.testing.assert_array_equal(three[0], three[2])
    for name, value in model.state().items():
        np.testing.assert_array_equal(value, before[name])


class TestMachine(GeneratorKit):
    def make(self) -> qgen.Generator:
        return machine(example.Enumeration())


@pytest.mark.parametrize(
    ("trainer", "options", "reason"),
    [
        ("spsa", {}, "trainer 'spsa' compares its values; use one that follows gradients"),
        ("cobyla", {}, "trainer 'cobyla' compares its values"),
        ("adam", {"keep_best": True}, "set keep_best to false"),
        ("adam", {"patience": 5}, "leave patience out"),
    ],
)
def test_what_compares_values_refuses_a_surrogate(
    trainer: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(OutputMismatch, match=f"is a surrogate.*{reason}"):
        qgen.trainer(trainer, steps=2, **options).fit(
            machine(example.Enumeration()), qgen.Events(BITS), qgen.loss("mean"), seed=1
        )


class Remote(example.Gibbs):
    """Stands for a device: it counts its calls, which are its state, and names jobs."""

    def __init__(self, *, sweeps: int = 2) -> None:
        super().__init__(sweeps=sweeps)
        self.calls = 0

    def state(self) -> dict[str, Any]:
        return {"calls": np.array(self.calls)}

    def load(self, state: Any) -> None:
        self.calls = int(state["calls"])

    def sample(self, ising: qgen.Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        self.calls += 1
        spins, _ = super().sample(ising, n, rng=rng, initial=initial)
        return spins, {
            "source": "emulated device",
            "job": f"job-{self.calls}",
            "chain_breaks": 0.25,
            "energies": ising.energy(spins),
        }


def pairs() -> qgen.Events:
    """Two correlated columns: made up, for tests."""
    x = np.random.default_rng(4).gamma(2.0, 1.0, size=(600, 2))
    return qgen.Events(
        x + x[:, ::-1], columns=("a", "b"), units=("GeV", "GeV"), provenance={"kind": "stand-in"}
    )


@pytest.fixture
def recipe() -> Iterator[Recipe]:
    qgen.register("generator", "example-rbm", example.BoltzmannMachine)
    qgen.register("sampler", "example-gibbs", example.Gibbs)
    qgen.register("sampler", "remote", Remote)
    qgen.register("dataset", "pairs", pairs)
    yield Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "pairs",
            "encoder": {"name": "binning", "bits": 2},
            "sampler": {"name": "remote", "sweeps": 3},
            "generator": {"name": "example-rbm", "hidden": 3, "chains": 20},
            "loss": "mean",
            "trainer": {"name": "adam", "steps": 6, "learning_rate": 0.05},
        }
    )


def saved_arrays(folder: Path) -> dict[str, np.ndarray]:
    saved = Checkpoints(folder).latest()
    assert saved is not None
    return saved.arrays


def test_a_run_says_who_drew_its_samples_wherever_one_looks(recipe: Recipe, tmp_path: Path) -> None:
    history = runs.train(recipe, tmp_path / "run")
    assert [record["sampler.chain_breaks"] for record in history.records] == [0.25] * 6
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    jobs = [f"job-{number}" for number in range(1, 7)]
    assert record["sampler"] == {"sources": ["emulated device"], "jobs": jobs}
    run = runs.Run(tmp_path / "run")
    file = tmp_path / "events.h5"
    write_events(run.generate(100), file, {})
    with h5py.File(file) as written:
        assert written.attrs["sampler source"] == "emulated device"
        assert written.attrs["sampler jobs"] == "job-7"
    layout = Layout.of_run(run.recipe.tables["dataset"], run.record["data"])
    assert read_file(file, layout).provenance["sampler source"] == "emulated device"
    result = evaluation.evaluate(run)
    assert result["generated"]["sampler source"] == "emulated device"
    RunFolder(tmp_path / "run").save_evaluation(result)
    report = write_report(tmp_path / "run").read_text()
    assert "emulated device" in report and "job-1, job-2" in report


def test_the_state_of_the_sampler_is_its_own_part_of_the_checkpoint(
    recipe: Recipe, tmp_path: Path
) -> None:
    runs.train(recipe, tmp_path / "whole")
    runs.train(recipe.changed(["trainer.steps=2"]), tmp_path / "parts")
    history = runs.train(recipe, tmp_path / "parts", resume=True)
    whole = saved_arrays(tmp_path / "whole")
    assert int(whole["sampler/calls"]) == 6
    assert not [name for name in whole if name.startswith("generator/") and "calls" in name]
    for name, value in saved_arrays(tmp_path / "parts").items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)
    assert history.draws.jobs == [f"job-{number}" for number in range(1, 7)]


def test_a_sampler_is_exchanged_by_name(
    recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs.train(recipe.changed(["trainer.steps=2"]), tmp_path)
    history = runs.train(recipe.changed(["sampler.name=example-gibbs"]), tmp_path, resume=True)
    assert "the checkpoint is of a training with sampler 'remote'" in history.warnings[0]
    assert history.draws.sources == ["emulated device", "Gibbs sampling, 3 sweeps"]
    assert "sampler/calls" not in saved_arrays(tmp_path)
    run = runs.Run(tmp_path, ["sampler.name=remote"])
    events = next(run.generate(10))
    assert events.provenance["sampler source"] == "emulated device"
    assert "was trained with sampler 'example-gibbs'" in caplog.text


def test_a_file_of_several_pieces_names_all_jobs(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.train(recipe, tmp_path / "run")
    monkeypatch.setattr(runs, "PIECE", 40)
    run = runs.Run(tmp_path / "run")
    write_events(run.generate(100), tmp_path / "events.h5", {})
    with h5py.File(tmp_path / "events.h5") as written:
        assert written.attrs["sampler jobs"] == "job-7; job-8; job-9"
    commas = runs.Run(tmp_path / "run", ["sampler.name=example-gibbs"])
    pieces = list(commas.generate(100))
    assert pieces[-1].provenance["sampler source"] == "Gibbs sampling, 3 sweeps"


def test_all_components_of_a_run_share_one_sampler(recipe: Recipe) -> None:
    assembly = runs.Assembly(recipe)
    assert assembly.generator.sampler is assembly.sampler
    assert assembly.given["sampler"].compute() is assembly.sampler


def test_a_model_without_a_sampler_says_what_to_add(recipe: Recipe) -> None:
    tables = {key: table for key, table in recipe.tables.items() if key != "sampler"}
    with pytest.raises(BadOption, match=r"'example-rbm' needs 'sampler': add a table \[sampler\]"):
        runs.Assembly(Recipe.from_dict(tables)).check()
