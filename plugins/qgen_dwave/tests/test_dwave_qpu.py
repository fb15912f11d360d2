"""D-Wave's real client against a service on this machine: results, faults, and no second bill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dwave_service import Service, access_time

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, CheckpointError, RemoteError, RemotePending, Unsupported
from qgen_core.remote import one_line
from qgen_core.remote import service as calling
from qgen_core.runs.estimate import estimate
from qgen_core.runs.recipes import Recipe
from qgen_core.testing import SamplerKit
from qgen_dwave.annealers import qpu
from qgen_dwave.annealers.qpu import QpuSampler
from qgen_dwave.tree import TreeSampler

TOKEN = "DEV-" + 40 * "5"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    server = Service()
    monkeypatch.setenv("DWAVE_API_ENDPOINT", server.url)
    monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(tmp_path / "none.conf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(calling, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(qpu, "REQUEST_LIMIT", 5.0)
    (tmp_path / "none.conf").touch()
    yield server
    server.shutdown()
    server.server_close()


def sampler(**options: Any) -> QpuSampler:
    return QpuSampler(**{"native": [4, 4], "estimate_every": 0, "deadline": 20.0, **options})


def energy(of: QpuSampler) -> qgen.Ising:
    graph = of.native_graph()
    rng = np.random.default_rng(3)
    return qgen.Ising(rng.normal(0, 0.2, 8), rng.normal(0, 0.2, len(graph.edges)), graph)


def draw(of: QpuSampler, seed: int = 1, n: int = 20) -> tuple[np.ndarray, dict[str, Any]]:
    return of.sample(energy(of), n, rng=np.random.default_rng(seed))


def test_samples_follow_the_law_of_the_device(service: Service) -> None:
    device = sampler(beta=2.0, gauges=4)

    class Local(SamplerKit):
        spins = 8
        draws = 2_000

        def make(self):
            return device

        def ising(self, **changes):
            return energy(device)

    Local().test_boltzmann()
    assert len(service.problems) == 4
    _, info = draw(device)
    assert info["source"].startswith("D-Wave annealer (local_zephyr), embedding ")
    assert info["job"] == [f"problem-{number}" for number in range(4, 8)]
    assert info["qpu_ms"] == pytest.approx(4 * access_time(8, 5, 20.0) / 1000)


@pytest.mark.parametrize(
    ("options", "n", "rows"),
    [
        ({}, 20, 1),
        ({"gauges": 4}, 22, 1),
        ({"anneal_time": 100.0}, 300, 1),
        ({}, 10_050, 1),  # more than one problem may read
        ({}, 30, 3),
    ],
)
def test_the_forecast_is_the_access_time_that_is_charged(
    service: Service, options: dict[str, Any], n: int, rows: int
) -> None:
    device = sampler(**options)
    ising = energy(device)
    if rows > 1:
        ising = ising.with_fields(np.tile(ising.h, (rows, 1)))
    forecast = device.device_seconds(ising, n)
    assert not service.problems
    _, info = device.sample(ising, n, rng=np.random.default_rng(1))
    assert forecast == pytest.approx(info["qpu_ms"] / 1000, rel=1e-9)


def test_without_timing_data_there_is_no_forecast(service: Service) -> None:
    del service.solver["properties"]["problem_timing_data"]
    device = sampler()
    assert device.device_seconds(energy(device), 20) is None


def test_an_estimate_of_a_training_submits_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = np.random.default_rng(1).choice([0.0, 1.0], size=(60, 4))
    monkeypatch.setattr(registry, "_local", dict(registry._local))  # forgotten after the test
    qgen.register("dataset", "four-bits", lambda: qgen.Events(states))
    recipe = Recipe.from_dict(
        {
            "seed": 1,
            "dataset": {"name": "four-bits"},
            "encoder": {"name": "binning", "bits": 1, "window": [[-0.5, 1.5]] * 4},
            "sampler": {"name": "dwave-qpu", "native": [4, 4], "gauges": 2, "deadline": 20.0},
            "generator": {"name": "rbm", "hidden": 4, "chains": 50},
            "loss": {"name": "mean"},
            "trainer": {"name": "adam", "steps": 7},
        }
    )
    found = estimate(recipe)
    assert not service.problems
    one_step = 2 * access_time(8, 25, 20.0) / 1e6
    assert found["qpu_seconds"] == pytest.approx(7 * one_step, rel=1e-9)


def test_parameters_never_rescale(service: Service) -> None:
    draw(sampler(anneal_time=50.0))
    (problem,) = service.problems.values()
    assert problem["body"]["params"] == {
        "answer_mode": "raw",
        "auto_scale": False,
        "num_reads": 20,
        "annealing_time": 50.0,
    }
    with pytest.raises(Unsupported, match=r"anneals for 1 to 2000 microseconds.* is 5000"):
        draw(sampler(anneal_time=5000.0))
    device = sampler()
    wrong = qgen.Ising(np.full(8, 5.0), energy(device).J, device.native_graph())
    with pytest.raises(Unsupported, match=r"local_zephyr cannot be programmed: 8 of 8 fields"):
        device.sample(wrong, 1, rng=np.random.default_rng(1))
    assert len(service.problems) == 1


def test_fixed_spins_are_held_by_flux(service: Service) -> None:
    device = sampler(clamp="flux", gauges=2)
    fixed = np.array([1, 0, -1, 0, 0, 0, 0, 1])
    held = energy(device)
    held = qgen.Ising(held.h, held.J, held.graph, fixed=fixed)
    spins, info = device.sample(held, 200, rng=np.random.default_rng(1))
    assert info["clamp_errors"] == 0
    assert np.all(spins[:, fixed != 0] == fixed[fixed != 0])
    body = service.problems["problem-0"]["body"]
    biases = np.array(body["params"]["flux_biases"])
    assert np.count_nonzero(biases) == 3 and np.abs(biases).max() == pytest.approx(8.426e-3)
    assert body["params"]["flux_drift_compensation"] is False


def test_biclique_with_chains(service: Service) -> None:
    device = sampler(native=[], chain_strength=1.0)
    graph = qgen.Graph.complete_bipartite(16, 16)
    model = qgen.Ising(np.zeros(32), np.random.default_rng(1).normal(0, 0.05, 256), graph)
    spins, info = device.sample(model, 50, rng=np.random.default_rng(1))
    assert spins.shape == (50, 32) and 0 <= info["chain_breaks"] < 0.1


def test_beta_is_estimated(service: Service) -> None:
    device = sampler(estimate_every=1, beta=6.0, reference=TreeSampler())
    model = energy(device).scaled(2.0)
    for seed in range(4):
        device.draw(model, 1000, rng=np.random.default_rng(seed))
    assert device.beta == pytest.approx(2.0, rel=0.15)
    assert device.take_record().numbers["beta_alarm"] == 0


def test_the_same_run_collects_what_it_submitted(service: Service) -> None:
    first, one = draw(sampler())
    again, two = draw(sampler())
    assert np.array_equal(first, again) and one["job"] == two["job"]
    _, other = draw(sampler(), seed=2)
    assert other["job"] != one["job"] and len(service.problems) == 2


def test_a_queue_longer_than_the_deadline(service: Service) -> None:
    service.looks = 10**6
    with pytest.raises(RemotePending, match=r"problem-0 on local_zephyr is not finished after 1 s"):
        draw(sampler(deadline=1.0))
    service.looks = 1
    _, info = draw(sampler())
    assert info["job"] == ["problem-0"] and len(service.problems) == 1


def test_a_lost_answer_makes_no_second_problem(service: Service) -> None:
    service.script = ["lost"]
    with pytest.raises(RemotePending, match="run again to continue"):
        draw(sampler())
    assert len(service.problems) == 1
    _, info = draw(sampler())
    assert info["job"] == ["problem-0"] and len(service.problems) == 1


def test_a_refused_problem_is_not_submitted_again(service: Service) -> None:
    service.script = [400]
    with pytest.raises(RemoteError, match="did not take a problem.*nothing was submitted"):
        draw(sampler())
    assert not service.problems
    draw(sampler())
    assert len(service.problems) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(service: Service, status: int) -> None:
    service.script = [status, status]
    _, info = draw(sampler())
    assert info["job"] == ["problem-0"] and len(service.problems) == 1


def test_embeddings_repeat(service: Service) -> None:
    graph = qgen.Graph.complete_bipartite(16, 16)
    model = qgen.Ising(np.zeros(32), np.full(256, 0.01), graph)
    sources = set()
    for _ in range(2):
        device = sampler(native=[], chain_strength=1.0)
        sources.add(device.sample(model, 2, rng=np.random.default_rng(1))[1]["source"])
    assert len(sources) == 1


def test_a_failed_problem_can_be_submitted_anew(service: Service) -> None:
    service.script = ["failed"]
    with pytest.raises(RemoteError, match="problem-0 on local_zephyr gave no result"):
        draw(sampler())
    _, info = draw(sampler())
    assert info["job"] == ["problem-1"]


def test_missing_samples_are_refused(service: Service) -> None:
    service.script = ["short"]
    with pytest.raises(RemoteError, match="has 19 samples of values .* and 20 of -1 and 1"):
        draw(sampler())


def test_a_forgotten_problem_says_what_to_remove(service: Service) -> None:
    draw(sampler())
    service.problems.clear()
    with pytest.raises(RemoteError, match="cannot be read: no such problem; .* remove .*json"):
        draw(sampler())


def test_a_damaged_record_is_refused(service: Service, tmp_path: Path) -> None:
    draw(sampler(jobs=str(tmp_path / "jobs")))
    (record,) = (tmp_path / "jobs").glob("*.json")
    record.write_text("{")
    with pytest.raises(CheckpointError, match="may be paid for"):
        draw(sampler(jobs=str(tmp_path / "jobs")))


def test_no_token_is_shown_or_written(service: Service, tmp_path: Path) -> None:
    draw(sampler())
    assert service.tokens == {TOKEN}
    for path in (tmp_path / "state").rglob("*.json"):
        assert TOKEN not in path.read_text()
        stored = set(json.loads(path.read_text()))
        assert stored == {"key", "device", "calibration", "attempt", "job"}
    service.script = [401]
    with pytest.raises(RemoteError, match="account was refused") as caught:
        draw(sampler(profile=None), seed=3)
    assert TOKEN not in str(caught.value)
    assert one_line(f"bad {TOKEN}") == "bad [hidden]"
    with pytest.raises(BadOption, match="vendor's own store"):
        sampler(solver={"token": "x"})


def test_without_an_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DWAVE_API_TOKEN", raising=False)
    (tmp_path / "none.conf").touch()
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(tmp_path / "none.conf"))
    with pytest.raises(RemoteError, match="no D-Wave account is configured.*dwave setup") as caught:
        sampler().native_graph()
    assert caught.value.exit_code == 5
    with pytest.raises(RemoteError, match="profile 'nope' not found"):
        sampler(profile="nope").native_graph()


def test_a_solver_that_is_not_there(service: Service) -> None:
    with pytest.raises(RemoteError, match="connecting to D-Wave: .*not"):
        sampler(solver={"num_qubits__gt": 10**6}).native_graph()


@pytest.mark.parametrize("options", [{"deadline": 0.0}, {"anneal_time": 0.0}, {"beta": -1.0}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        sampler(**options)
