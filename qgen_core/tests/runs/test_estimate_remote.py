"""An estimate never spends: on a remote backend circuits are counted, not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import RemoteError
from qgen_core.interfaces import Capabilities
from qgen_core.runs.estimate import estimate
from qgen_core.runs.evaluation import EVENTS, LEAST_EVENTS, evaluate
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import Run, train


class Paid(qgen.Backend):
    capabilities = Capabilities(exact=False, remote=True)

    def run(self, circuit, angles, measure, shots=None):
        raise AssertionError("this would have been paid for")


def test_a_remote_training_is_counted_only(recipe: Recipe, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))  # forgotten after the test
    qgen.register("backend", "paid", Paid)
    here = estimate(recipe.changed(["generator.shots=100", "trainer.steps=3"]))
    there = estimate(recipe.changed(["generator.shots=100", "trainer.steps=3", "backend=paid"]))
    assert there == {key: here[key] for key in there} and {"circuits", "shots", "qubits"} <= set(
        there
    )
    assert set(here) - set(there) == {
        "memory",
        "memory_bytes",
        "seconds_per_step",
        "seconds",
        "steps_timed",
    }
    own = estimate(
        recipe.changed(["generator.shots=100", "trainer.steps=3", "generator.backend=paid"])
    )
    assert own == there


def test_training_on_correlators_runs_no_circuits(recipe: Recipe, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("backend", "paid", Paid)
    tables = recipe.to_dict() | {
        "generator": {"name": "iqp", "shots": 100},
        "loss": {"name": "mmd", "reads": "correlators"},
    }
    found = estimate(Recipe.from_dict(tables).changed(["trainer.steps=3", "backend=paid"]))
    assert found["circuits"] == found["shots"] == found["qpu_seconds"] == 0
    assert found["qubits"] == 4 and found["seconds"] > 0


class Transpiling(qgen.Backend):
    """It runs circuits as the simulator does, and says what a device would make of them."""

    capabilities = Capabilities()
    message = ""

    def run(self, circuit, angles, measure, shots=None):
        return qgen.backend("statevector").run(circuit, angles, measure, shots)

    def device_circuit(self, circuit):
        if self.message:
            raise RemoteError(self.message)
        return qgen.DeviceCircuit(10 * circuit.num_wires, circuit.counts["cx"])


def test_the_size_of_the_transpiled_circuit_is_told(recipe: Recipe, tmp_path: Path) -> None:
    qgen.register("backend", "transpiling", Transpiling)
    changed = recipe.changed(["trainer.steps=3", "backend=transpiling"])
    found = estimate(changed)
    expected = (10 * found["qubits"], found["gate_counts"]["cx"])
    assert (found["device_depth"], found["device_two_qubit_gates"]) == expected
    train(changed, tmp_path / "run")
    told = evaluate(Run(tmp_path / "run"))["device circuit"]
    assert told == "transpiled for transpiling: depth {}, {} two-qubit gates".format(*expected)


def test_a_service_that_does_not_answer_stops_no_evaluation(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transpiling, "message", "no connection")
    qgen.register("backend", "transpiling", Transpiling)
    changed = recipe.changed(["trainer.steps=3", "backend=transpiling"])
    assert estimate(changed)["no_device_circuit"] == "RemoteError: no connection"
    train(changed, tmp_path / "run")
    found = evaluate(Run(tmp_path / "run"))
    assert found["metrics"]
    assert found["device circuit"] == ("not transpiled for transpiling: RemoteError: no connection")


def test_a_device_over_the_network_is_not_asked_by_an_evaluation_of_given_events(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qgen.register("backend", "transpiling", Transpiling)
    train(recipe.changed(["trainer.steps=3", "backend=transpiling"]), tmp_path / "run")
    given = next(Run(tmp_path / "run").generate(100))
    assert "device circuit" in evaluate(Run(tmp_path / "run"), generated=given)
    monkeypatch.setattr(Transpiling, "capabilities", Capabilities(remote=True))
    assert "device circuit" not in evaluate(Run(tmp_path / "run"), generated=given)


@pytest.mark.parametrize("capabilities", [Capabilities(remote=True), Capabilities(exact=False)])
def test_an_evaluation_measures_fewer_events_on_a_device(
    capabilities: Capabilities, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qgen.register("backend", "transpiling", Transpiling)
    changed = recipe.changed(["trainer.steps=3", "generator.shots=100", "backend=transpiling"])
    train(changed, tmp_path / "run")
    assert evaluate(Run(tmp_path / "run"))["generated"]["events"] == EVENTS
    monkeypatch.setattr(Transpiling, "capabilities", capabilities)
    assert evaluate(Run(tmp_path / "run"))["generated"]["events"] == LEAST_EVENTS
    more = evaluate(Run(tmp_path / "run", ["evaluation.events=20000"]))
    assert more["generated"]["events"] == 20_000


class Timed(Paid):
    """It takes a second for each batch, and a thousandth for each shot."""

    def device_seconds(self, circuit, rows, shots):
        return 1.0 + rows * shots / 1000


class Silent(Paid):
    def device_seconds(self, circuit, rows, shots):
        raise RemoteError("nobody answers")


def test_the_time_on_a_device_is_forecast(recipe: Recipe, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("backend", "timed", Timed)
    qgen.register("backend", "silent", Silent)
    few = recipe.changed(["generator.shots=100", "trainer.steps=3"])
    found = estimate(few.changed(["backend=timed"]))
    # each step is a batch of values and one of shifted circuits
    assert found["qpu_seconds"] == pytest.approx(3 * 2 * 1.0 + found["shots"] / 1000)
    silent = estimate(few.changed(["backend=silent"]))
    assert silent["qpu_seconds"] is None
    assert "nobody answers" in silent["no_forecast"]
    assert silent["circuits"] == found["circuits"]


class PaidSampler(qgen.Sampler):
    remote = True

    def sample(self, ising, n, *, rng, initial=None):
        raise AssertionError("this would have been paid for")

    def device_seconds(self, ising, n):
        return 0.5 * (ising.rows or 1) + n / 1000


@pytest.fixture
def annealed(recipe: Recipe, monkeypatch) -> Recipe:
    """A Boltzmann machine whose sampler is paid for."""
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("sampler", "paid", PaidSampler)
    tables = recipe.to_dict()
    tables |= {
        "sampler": {"name": "paid"},
        "generator": {"name": "rbm", "hidden": 2, "chains": 40},
        "loss": {"name": "mean"},
    }
    return Recipe.from_dict(tables).changed(["trainer.steps=5"])


@pytest.mark.parametrize(
    ("sampler", "of_a_step"),
    [
        ({"name": "paid"}, 0.5 + 0.04),
        ({"name": "scaled", "sampler": {"name": "paid"}, "factor": 2.0}, 0.5 + 0.04),
        ({"name": "gauge-averaged", "sampler": {"name": "paid"}, "gauges": 4}, 4 * 0.5 + 0.04),
    ],
)
def test_draws_of_a_paid_sampler_are_forecast(
    annealed: Recipe, sampler: dict[str, Any], of_a_step: float
) -> None:
    tables = annealed.to_dict() | {"sampler": sampler}
    found = estimate(Recipe.from_dict(tables))
    assert found["qpu_seconds"] == pytest.approx(5 * of_a_step)


def test_a_paid_sampler_of_the_generator_itself_is_never_run(annealed: Recipe) -> None:
    tables = annealed.to_dict()
    tables["generator"] |= {"sampler": tables.pop("sampler")}
    found = estimate(Recipe.from_dict(tables))
    assert found["qpu_seconds"] is None
    assert "[sampler]" in found["no_forecast"]
