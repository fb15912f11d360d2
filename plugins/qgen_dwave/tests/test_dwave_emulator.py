"""The emulated annealer: its law without errors, each of its knobs, and what it refuses."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, Unsupported
from qgen_core.samplers.temperature import beta_by_pseudo_likelihood
from qgen_core.testing import SamplerKit
from qgen_dwave.annealers.chip import Ranges, with_defects
from qgen_dwave.annealers.embedding import embedding_of
from qgen_dwave.annealers.emulator import EmulatorSampler
from qgen_dwave.tree import TreeSampler

QUIET: dict[str, Any] = {
    "noise_h": 0.0,
    "noise_J": 0.0,
    "offset_h": 0.0,
    "size": 2,
    "estimate_every": 0,
}


def emulator(**options: Any) -> EmulatorSampler:
    return EmulatorSampler(**{**QUIET, **options})


def on_native(sampler: EmulatorSampler, scale: float = 0.2, **changes: Any) -> qgen.Ising:
    """A random energy on the native graph of a sampler."""
    graph = sampler.native_graph()
    rng = np.random.default_rng(5)
    arguments = {
        "h": rng.normal(0, scale, graph.num_spins),
        "J": rng.normal(0, scale, len(graph.edges)),
        "graph": graph,
    }
    return qgen.Ising(**{**arguments, **changes})


class TestNative(SamplerKit):
    draws = 4_000

    def make(self):
        return emulator(native=[3, 3], true_beta=2.0, beta=2.0, anneal_time=6.0)

    def ising(self, **changes):
        return on_native(self.make(), **changes)


class TestHeldByFlux(TestNative):
    def make(self):
        return emulator(
            native=[3, 3], true_beta=2.0, beta=2.0, anneal_time=6.0, clamp="flux", gauges=3
        )


def test_with_chains_it_follows_the_model() -> None:
    """Seven spins that are all coupled need chains, whose breaks bias the law a little."""
    kit = TestNative()
    kit.spins = 7
    kit.bias = 0.04
    kit.make = lambda: emulator(true_beta=2.0, beta=2.0, chain_strength=1.0, anneal_time=20.0)
    graph = qgen.Graph(7, np.array([[i, j] for i in range(7) for j in range(i + 1, 7)]))
    rng = np.random.default_rng(2)
    energy = qgen.Ising(h=rng.normal(0, 0.2, 7), J=rng.normal(0, 0.2, 21), graph=graph)
    kit.ising = lambda: energy
    kit.test_boltzmann()
    chip = kit.make().device.chip
    assert embedding_of(chip, energy.graph, ()).lengths.max() > 1
    _, info = kit.make().sample(energy, 100, rng=rng)
    assert 0 < info["chain_breaks"] < 0.05


def test_energies_on_qubits_are_those_of_the_model() -> None:
    """Unbroken chains have the energy of the spins, less a constant for the chains."""
    chip = emulator().device.chip
    graph = qgen.Graph(7, np.array([[i, j] for i in range(7) for j in range(i + 1, 7)]))
    rng = np.random.default_rng(3)
    energy = qgen.Ising(h=rng.normal(size=7), J=rng.normal(size=21), graph=graph)
    embedding = embedding_of(chip, graph, ())
    spins = 2 * rng.integers(2, size=(20, 7), dtype=np.int8) - 1
    on_qubits = embedding.program(energy, 1.5).energy(spins[:, embedding.spin_of])
    in_chains = np.count_nonzero(embedding.edge_of < 0)
    assert np.allclose(on_qubits + 1.5 * in_chains, energy.energy(spins))
    read, broken = embedding.read(spins[:, embedding.spin_of], rng)
    assert np.array_equal(read, spins) and broken == 0
    pairs = np.sort(embedding.qubits[embedding.graph.edges], axis=1)
    couplers = {tuple(pair) for pair in chip.couplers.tolist()}
    assert {tuple(pair) for pair in pairs.tolist()} <= couplers
    assert len(set(embedding.qubits.tolist())) == len(embedding.qubits)


@pytest.mark.parametrize("topology", ["zephyr", "pegasus"])
@pytest.mark.parametrize("sizes", [[8, 6], [5, 5, 5, 5], [12]])
def test_native_graphs_are_made_of_couplers(topology: str, sizes: list[int]) -> None:
    chip = with_defects(topology, 3, 0.05, 4, Ranges())
    sampler = emulator(topology=topology, size=3, chip=4, missing=0.05, native=sizes)
    graph = sampler.native_graph()
    embedding = embedding_of(chip, graph, sizes)
    couplers = {tuple(pair) for pair in chip.couplers.tolist()}
    pairs = np.sort(embedding.qubits[graph.edges], axis=1)
    assert {tuple(pair) for pair in pairs.tolist()} <= couplers
    part_of = np.repeat(np.arange(len(sizes)), sizes)
    ends = part_of[graph.edges]
    assert len(sizes) == 1 or np.all(ends[:, 0] != ends[:, 1])
    if len(sizes) == 2:
        # The middle of a chip has nearly complete cells, unlike any qubits taken at random.
        assert len(graph.edges) > 0.6 * 48
    assert embedding.lengths.max() == 1


@pytest.mark.parametrize("topology", ["zephyr", "pegasus"])
def test_a_model_with_the_couplings_of_a_chip_runs_there_without_chains(topology: str) -> None:
    chip = {"size": 3, "chip": 4, "missing": 0.05}
    options = {"space": qgen.Space("bits", 15), "condition": qgen.Space("bits", 1), "hidden": 12}
    native = emulator(topology=topology, native=[16, 12], **chip)
    model = qgen.generator(
        "rbm",
        couplings={"name": topology, **chip},
        sampler={"name": "gibbs", "sweeps": 50},
        scale=0.3,
        seed=1,
        **options,
    )
    energy = model.energy(np.array([[1]]))
    assert np.array_equal(energy.edges, native.native_graph().edges)
    spins, info = native.draw(energy, 2000, rng=np.random.default_rng(1))
    assert "chain_breaks" not in info
    exact, _ = TreeSampler().draw(energy, 2000, rng=np.random.default_rng(2))
    assert np.abs(spins.mean(axis=1) - exact.mean(axis=1)).max() < 0.15
    dense = qgen.generator("rbm", sampler="gibbs", **options).energy(np.array([[1]]))
    with pytest.raises(Unsupported, match="no coupler for"):
        native.draw(dense, 10, rng=np.random.default_rng(1))


def test_a_chip_has_its_defects() -> None:
    whole = with_defects("zephyr", 4, 0.0, 0, Ranges())
    chip = with_defects("zephyr", 4, 0.05, 1, Ranges())
    other = with_defects("zephyr", 4, 0.05, 2, Ranges())
    assert len(whole.qubits) == 576 and len(whole.couplers) == 5032
    assert len(chip.qubits) == 576 - round(0.05 * 576)
    assert not np.array_equal(chip.qubits, other.qubits)
    assert np.all(np.isin(chip.couplers, chip.qubits))
    assert np.array_equal(chip.couplers, with_defects("zephyr", 4, 0.05, 1, Ranges()).couplers)


def test_results_say_emulated_and_count_the_time() -> None:
    sampler = emulator(native=[3, 3], gauges=4, anneal_time=20.0)
    energy = on_native(sampler, h=np.zeros((2, 6)))
    spins, info = sampler.sample(energy, 10, rng=np.random.default_rng(1))
    assert spins.shape == (2, 10, 6)
    assert info["source"].startswith("emulated annealer (zephyr 2, chip 0), embedding ")
    assert info["programmings"] == 8
    assert info["qpu_ms"] == pytest.approx(8 * 8.468 + 20 * (0.02 + 0.062))


def test_ranges_refuse_with_numbers() -> None:
    sampler = emulator(native=[3, 3])
    energy = on_native(sampler)
    for scaled, said in [
        (qgen.Ising(np.full(6, 4.5), energy.J, energy.graph), r"6 of 6 fields .*\[-4, 4\].* 4.5"),
        (qgen.Ising(energy.h, np.full(len(energy.J), 1.2), energy.graph), r"\[-2, 1\]"),
    ]:
        with pytest.raises(Unsupported, match=said) as caught:
            sampler.sample(scaled, 1, rng=np.random.default_rng(1))
        assert "Nothing was clamped" in str(caught.value)
    edge = qgen.Ising(np.full(6, -4.0), np.full(len(energy.J), -2.0), energy.graph)
    sampler.sample(edge, 1, rng=np.random.default_rng(1))
    with pytest.raises(Unsupported, match=r"sums of couplings at a qubit .*\[-18, 15\]"):
        wide = emulator(native=[12, 12], size=3)
        graph = wide.native_graph()
        wide.sample(
            qgen.Ising(np.zeros(24), np.full(len(graph.edges), -2.0), graph),
            1,
            rng=np.random.default_rng(1),
        )


def test_gauges_average_offsets_out() -> None:
    """Free spins with zero fields: the offsets of the chip are seen, and gauges remove them."""
    means = {}
    for gauges in (0, 40):
        sampler = emulator(native=[10, 10], offset_h=0.1, gauges=gauges, anneal_time=1.0)
        graph = sampler.native_graph()
        free = qgen.Ising(np.zeros(20), np.zeros(len(graph.edges)), graph)
        spins, _ = sampler.sample(free, 4000, rng=np.random.default_rng(1))
        means[gauges] = np.mean(spins, axis=0)
    offsets = sampler.device._offsets[embedding_of(sampler.device.chip, graph, [10, 10]).qubits]
    assert np.allclose(means[0], -np.tanh(4.0 * offsets), atol=0.07)
    assert np.std(means[0]) > 0.25
    assert np.std(means[40]) < 0.1


def test_noise_is_new_at_each_programming() -> None:
    sampler = emulator(native=[10, 10], noise_h=0.1, anneal_time=1.0)
    graph = sampler.native_graph()
    free = qgen.Ising(np.zeros(20), np.zeros(len(graph.edges)), graph)
    rng = np.random.default_rng(1)
    means = [np.mean(sampler.sample(free, 2000, rng=rng)[0], axis=0) for _ in range(2)]
    assert np.std(means[0]) > 0.2
    assert abs(np.corrcoef(means)[0, 1]) < 0.7


@pytest.mark.parametrize("chi", [-0.3, 0.3])
def test_susceptibility_couples_the_ends_of_a_path(chi: float) -> None:
    """Two spins with a common neighbour: the energy with J + chi J^2 has the samples' law."""
    sampler = emulator(native=[1, 2], susceptibility=chi, true_beta=2.0, anneal_time=6.0)
    graph = sampler.native_graph()
    assert graph.edges.tolist() == [[0, 1], [0, 2]]
    energy = qgen.Ising([0.3, 0.0, 0.0], [0.6, -0.5], graph)
    spins, _ = sampler.sample(energy, 20_000, rng=np.random.default_rng(1))
    states = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    h = np.array([0.3, chi * 0.6 * 0.3, chi * -0.5 * 0.3])
    weight = np.exp(
        -2.0
        * (
            states @ h
            + 0.6 * states[:, 0] * states[:, 1]
            - 0.5 * states[:, 0] * states[:, 2]
            + chi * 0.6 * -0.5 * states[:, 1] * states[:, 2]
        )
    )
    weight /= weight.sum()
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        expected = np.sum(weight * states[:, one] * states[:, other])
        assert np.mean(spins[:, one] * spins[:, other]) == pytest.approx(expected, abs=0.03)


def test_a_transverse_field_lowers_the_order() -> None:
    orders = []
    for transverse in (0.0, 2.0):
        sampler = emulator(native=[1], transverse=transverse, true_beta=2.0, anneal_time=2.0)
        spin = qgen.Ising([0.5], [], qgen.Graph(1, np.empty((0, 2))))
        orders.append(-np.mean(sampler.sample(spin, 4000, rng=np.random.default_rng(1))[0]))
    expected = 0.5 / np.hypot(0.5, 2.0) * np.tanh(2.0 * np.hypot(0.5, 2.0))
    assert orders[0] == pytest.approx(np.tanh(1.0), abs=0.05)
    assert orders[1] == pytest.approx(expected, abs=0.06)


def glass(**options: Any) -> tuple[EmulatorSampler, qgen.Ising]:
    """An emulator of 32 spins at beta 4.7 and an energy to draw from, at beta 1."""
    sampler = emulator(
        size=3,
        native=[16, 16],
        true_beta=4.7,
        estimate_every=1,
        reference=TreeSampler(most_width=16),
        **options,
    )
    return sampler, on_native(sampler, scale=0.8)


@pytest.mark.parametrize("start", [3.0, 10.0, 30.0])
def test_beta_is_found_while_drawing(start: float) -> None:
    sampler, energy = glass(beta=start)
    rng = np.random.default_rng(1)
    for _ in range(4):
        _, info = sampler.draw(energy, 300, rng=rng)
    assert sampler.beta == pytest.approx(4.7, rel=0.04)
    record = sampler.take_record().numbers
    assert record["beta_energy"] == info["beta_energy"]
    assert record["beta"] == pytest.approx(4.7, rel=0.08)


def test_the_alarm_fires_on_a_quench_and_not_on_a_slow_anneal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alarms = {}
    for sweeps in (20, 1000):
        sampler, energy = glass(beta=4.7, anneal_time=sweeps / 50)
        rng = np.random.default_rng(1)
        with caplog.at_level(logging.WARNING, "qgen"):
            found = [sampler.draw(energy, 600, rng=rng)[1] for _ in range(2)]
        alarms[sweeps] = [info["beta_alarm"] for info in found]
        assert ("not those of a Boltzmann" in caplog.text) == (sweeps == 20)
        caplog.clear()
    assert alarms == {20: [1, 1], 1000: [0, 0]}


def test_susceptibility_shifts_the_estimate() -> None:
    found = {}
    for chi in (0.0, -0.1):
        sampler, energy = glass(beta=4.7, susceptibility=chi)
        spins, _ = sampler.sample(energy.scaled(1 / 4.7), 1000, rng=np.random.default_rng(1))
        found[chi] = beta_by_pseudo_likelihood(energy.scaled(1 / 4.7), spins)
    assert abs(found[0.0].value - 4.7) < 4 * found[0.0].error
    assert abs(found[-0.1].value - found[0.0].value) > 4 * found[0.0].error


def test_broken_chains_are_refused_with_the_share() -> None:
    sampler = emulator(true_beta=2.0, chain_strength=0.05, most_broken=0.05)
    graph = qgen.Graph.complete_bipartite(20, 20)
    energy = qgen.Ising(np.zeros(40), np.random.default_rng(1).normal(0, 0.3, 400), graph)
    with pytest.raises(Unsupported, match=r"of the chains on zephyr 2, chip 0 are broken"):
        sampler.sample(energy, 50, rng=np.random.default_rng(1))


def test_what_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(1)
    large = qgen.Graph.complete_bipartite(60, 60)
    with pytest.raises(Unsupported, match="no embedding of 120 spins and 3600 couplings"):
        emulator(size=1).sample(qgen.Ising(np.zeros(120), np.zeros(3600), large), 1, rng=rng)
    with pytest.raises(Unsupported, match="places 6 spins, the model has 120"):
        emulator(native=[3, 3]).sample(qgen.Ising(np.zeros(120), np.zeros(3600), large), 1, rng=rng)
    wide = emulator(native=[12, 12], size=3)
    there = set(map(tuple, wide.native_graph().edges.tolist()))
    missing = next([0, j] for j in range(12, 24) if (0, j) not in there)
    with pytest.raises(Unsupported, match="no coupler for 1 of the 1"):
        wide.sample(qgen.Ising(np.zeros(24), [0.1], [missing]), 1, rng=rng)
    with pytest.raises(Unsupported, match="transverse field of 0.5"):
        emulator().sample(qgen.Ising([0.0], [], np.empty((0, 2)), transverse=0.5), 1, rng=rng)


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"missing": 1.0},
        {"true_beta": 0.0},
        {"anneal_time": 0.001},
        {"noise_h": -0.1},
        {"susceptibility": 1.5},
        {"native": [1, 2, 3]},
        {"chain_strength": 0.0},
        {"most_broken": 1.5},
        {"gauges": -1},
        {"estimate_every": -1},
        {"beta": 0.0},
    ],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption):
        emulator(**options)


def test_the_state_holds_the_temperature() -> None:
    sampler, energy = glass(beta=10.0)
    sampler.draw(energy, 200, rng=np.random.default_rng(1))
    fresh, _ = glass(beta=3.0)
    fresh.load(sampler.state())
    assert fresh.beta == sampler.beta != 3.0
    first, _ = sampler.draw(energy, 50, rng=np.random.default_rng(2))
    second, _ = fresh.draw(energy, 50, rng=np.random.default_rng(2))
    assert np.array_equal(first, second) and fresh.beta == sampler.beta
