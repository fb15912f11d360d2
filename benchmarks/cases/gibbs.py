"""Gibbs sampling of many chains, two threads: a dense bipartite graph, and that of a Zephyr chip.

Every contestant makes the same number of updates of every spin. It is first run on a small graph,
where its samples are held against all probabilities by a chi-square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases.sampling import p_value
from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from qgen_core.ising import Graph, Ising

THREADS = 2
Spins = NDArray[np.int8]
#: From an energy, the number of chains and of sweeps to a function that returns spins (C, S).
Build = Callable[[Ising, int, int], Callable[[], Any]]
#: Chains and sweeps of the check on a small graph.
CHECKED = (20_000, 60)
#: The row of torch's matrix products.
PRODUCTS = "matrix products of torch alone"
DISTRIBUTIONS = ("numpy", "torch", "dwave-samplers", "thrml", "jax", "dwave-pytorch-plugin")


def run(context: Context) -> Iterator[Case]:
    """Both graphs."""
    if context.wants("gibbs/bipartite-1024"):
        context.say("gibbs/bipartite-1024")
        yield bipartite(context)
    if context.wants("gibbs/zephyr-12"):
        context.say("gibbs/zephyr-12")
        yield zephyr(context)


def bipartite(context: Context) -> Case:
    """1024 + 1024 spins, 4096 chains; the limit is the time of the two matrix products a sweep.

    It is numpy's. ``torch-gibbs`` is held against the products of torch, which take part as well.
    """
    side = 1024
    chains = 4096
    sweeps = 10
    energy = random_energy(Graph.complete_bipartite(side, side), 0.5 / np.sqrt(side))
    contestants: dict[str, Build] = {
        "qgen": qgen,
        "torch-gibbs": torch_gibbs,
        "torch matrix products": torch_sides,
        "D-Wave samplers": dwave,
    }
    if context.quick:
        del contestants["D-Wave samplers"]
        chains = 256
        sweeps = 2
    bare = {PRODUCTS: torch_products}
    case = measured(context, "gibbs/bipartite-1024", energy, (chains, sweeps), contestants, bare)
    return {**case, "limit": {"": product_seconds(side, chains, sweeps, context)}}


def zephyr(context: Context) -> Case:
    """A Zephyr 12 without defects: 4800 spins of degree 20."""
    from dwave.graphs import zephyr_graph

    network = zephyr_graph(12)
    edges = np.array(sorted(sorted(pair) for pair in network.edges))
    energy = random_energy(Graph(len(network), edges), 0.2)
    size = (1024, 50)
    contestants = {"qgen": qgen, "D-Wave samplers": dwave, "thrml": thrml}
    contestants["D-Wave torch plugin"] = dwave_torch
    if context.quick:
        size = (256, 10)
        contestants = {"qgen": qgen, "D-Wave samplers": dwave}
    return measured(context, "gibbs/zephyr-12", energy, size, contestants)


def random_energy(graph: Graph, scale: float) -> Ising:
    """Fields and couplings of a normal distribution."""
    rng = np.random.default_rng(8)
    h = rng.normal(0.0, scale, graph.num_spins)
    return Ising(h, rng.normal(0.0, scale, len(graph.edges)), graph)


def measured(
    context: Context,
    name: str,
    energy: Ising,
    size: tuple[int, int],
    builders: dict[str, Build],
    bare: Mapping[str, Build] = MappingProxyType({}),
) -> Case:
    """One row a contestant; its note has the chi-square and spin updates per second.

    What is ``bare`` draws nothing, and is only timed.
    """
    chains, sweeps = size
    contestants: list[tuple[Row, Timed]] = []
    for label, build in builders.items():
        row = Row(label)
        try:
            chance = chance_of(build)
        except ImportError as error:
            context.say(f"{name}: {label} is left out: {error}")
            continue
        row.note = f"chi-square p = {chance:.2g}"
        if not chance > 1e-6:
            row.error = "its samples do not follow the energy"
        contestants.append((row, Local(build(energy, chains, sweeps))))
    only_timed: list[tuple[Row, Timed]] = []
    for label, build in bare.items():
        only_timed.append((Row(label), Local(build(energy, chains, sweeps))))
    samplers = [c for c in contestants if not c[0].error]
    measure(samplers + only_timed, context.repeats, context.slow)
    updates = chains * sweeps * energy.num_spins
    for row, _ in contestants:
        if row.seconds:
            rate = updates / float(np.median(row.seconds))
            row.note += f", {rate / 1e6:.0f} million spin updates a second"
    return {
        "id": name,
        "spins": energy.num_spins,
        "edges": len(energy.edges),
        "chains": chains,
        "sweeps": sweeps,
        "rows": [row.summary() for row, _ in contestants + only_timed],
        "versions": {"peers": versions(DISTRIBUTIONS)},
    }


def chance_of(build: Build) -> float:
    """The chance of what a contestant draws on the complete bipartite graph of 5 and 6 spins."""
    small = random_energy(Graph.complete_bipartite(5, 6), 0.3)
    spins = np.asarray(build(small, *CHECKED)())
    count = small.num_spins
    numbers = np.arange(2**count)
    states = 2 * (numbers[:, None] >> np.arange(count)[::-1] & 1) - 1
    weights = np.exp(-small.energy(states))
    drawn = (spins > 0).astype(np.int64) @ (1 << np.arange(count)[::-1])
    return p_value(np.bincount(drawn, minlength=2**count), weights / weights.sum())


def product_seconds(side: int, chains: int, sweeps: int, context: Context) -> float:
    """Seconds of the matrix products of the sweeps alone, in float32."""
    rng = np.random.default_rng(9)
    spins = rng.choice(np.array([-1, 1], dtype=np.float32), (chains, side))
    couplings = rng.normal(size=(side, side)).astype(np.float32)
    out = np.empty_like(spins)

    def products() -> None:
        for _ in range(sweeps):
            np.matmul(spins, couplings, out=out)
            np.matmul(spins, couplings.T, out=out)

    row = Row("matrix products")
    measure([(row, Local(products))], context.repeats, context.slow)
    return float(np.median(row.seconds))


def qgen(energy: Ising, chains: int, sweeps: int) -> Callable[[], Spins]:
    """The sampler ``gibbs``, from random spins."""
    from qgen_core.samplers.gibbs import GibbsSampler

    sampler = GibbsSampler(sweeps=sweeps)
    rng = np.random.default_rng(1)
    return lambda: sampler.sample(energy, chains, rng=rng)[0]


def dwave(energy: Ising, chains: int, sweeps: int) -> Callable[[], Spins]:
    """Simulated annealing at a constant temperature with Gibbs acceptance; it has one thread."""
    import dimod
    from dwave.samplers import SimulatedAnnealingSampler

    sampler = SimulatedAnnealingSampler()
    first, second = energy.edges.T
    model = dimod.BinaryQuadraticModel.from_numpy_vectors(
        energy.h, (first, second, energy.J), 0.0, "SPIN"
    )
    seeds = np.random.default_rng(1)

    def draw() -> Spins:
        found = sampler.sample(
            model,
            num_reads=chains,
            beta_schedule_type="custom",
            beta_schedule=np.ones(sweeps),
            num_sweeps_per_beta=1,
            randomize_order=True,
            proposal_acceptance_criteria="Gibbs",
            seed=int(seeds.integers(2**31)),
        )
        order = np.argsort(list(found.variables))
        spins: Spins = found.record.sample[:, order]
        return spins

    return draw


def torch_gibbs(energy: Ising, chains: int, sweeps: int) -> Callable[[], Spins]:
    """The sampler ``torch-gibbs`` in float32, from random spins."""
    import torch

    from qgen_torch.samplers.gibbs import TorchGibbsSampler

    torch.set_num_threads(THREADS)
    sampler = TorchGibbsSampler(sweeps=sweeps)
    rng = np.random.default_rng(1)
    return lambda: sampler.sample(energy, chains, rng=rng)[0]


def torch_products(energy: Ising, chains: int, sweeps: int) -> Callable[[], Any]:
    """The matrix products of the sweeps alone, by torch in float32."""
    import torch

    torch.set_num_threads(THREADS)
    couplings = torch.as_tensor(np.array(energy.couplings), dtype=torch.float32)
    left = torch.ones(chains, couplings.shape[0])
    right = torch.ones(chains, couplings.shape[1])
    onto_left = torch.empty_like(left)
    onto_right = torch.empty_like(right)

    def products() -> None:
        for _ in range(sweeps):
            torch.mm(right, couplings.T, out=onto_left)
            torch.mm(left, couplings, out=onto_right)

    return products


def torch_sides(energy: Ising, chains: int, sweeps: int) -> Callable[[], Any]:
    """Both sides in turn by matrix products of torch, in float32."""
    import torch

    torch.set_num_threads(THREADS)
    left, right = energy.graph.sides
    couplings = torch.as_tensor(np.array(energy.couplings), dtype=torch.float32)
    of_left = torch.as_tensor(energy.h[left], dtype=torch.float32)
    of_right = torch.as_tensor(energy.h[right], dtype=torch.float32)
    random = torch.Generator().manual_seed(1)

    def drawn(fields: Any) -> Any:
        up = torch.sigmoid(-2 * fields)
        return (torch.rand(up.shape, generator=random) < up).to(torch.float32) * 2 - 1

    def draw() -> Any:
        second = drawn(torch.zeros(chains, len(right)))
        for _ in range(sweeps):
            first = drawn(second @ couplings.T + of_left)
            second = drawn(first @ couplings + of_right)
        return torch.cat([first, second], dim=1).numpy()

    return draw


def thrml(energy: Ising, chains: int, sweeps: int) -> Callable[[], Any]:
    """thrml's blocks of one colour each, all chains by jax.vmap under jax.jit."""
    import jax
    import jax.numpy as jnp
    from thrml import Block, SamplingSchedule, SpinNode, sample_states
    from thrml.models import IsingEBM, IsingSamplingProgram, hinton_init

    nodes = [SpinNode() for _ in range(energy.num_spins)]
    edges = [(nodes[first], nodes[second]) for first, second in energy.edges.tolist()]
    model = IsingEBM(nodes, edges, jnp.asarray(-energy.h), jnp.asarray(-energy.J), jnp.array(1.0))
    blocks = [Block([nodes[spin] for spin in group]) for group in energy.graph.groups]
    program = IsingSamplingProgram(model, blocks, clamped_blocks=[])
    schedule = SamplingSchedule(n_warmup=sweeps - 1, n_samples=1, steps_per_sample=1)

    def one_chain(key: Any) -> Any:
        first, second = jax.random.split(key)
        start = hinton_init(first, model, blocks, ())
        return sample_states(second, program, schedule, start, [], [Block(nodes)])[0]

    run_all = jax.jit(jax.vmap(one_chain))
    keys = iter(range(10**9))

    def draw() -> Any:
        keys_of_chains = jax.random.split(jax.random.key(next(keys)), chains)
        up = np.asarray(run_all(keys_of_chains)).reshape(chains, -1)
        return 2 * up.astype(np.int8) - 1

    return draw


def dwave_torch(energy: Ising, chains: int, sweeps: int) -> Callable[[], Any]:
    """The block sampler of D-Wave's torch plugin."""
    import torch
    from dwave.plugins.torch.models import GraphRestrictedBoltzmannMachine
    from dwave.plugins.torch.samplers import BlockSampler

    torch.set_num_threads(THREADS)
    nodes = list(range(energy.num_spins))
    pairs = [tuple(pair) for pair in energy.edges.tolist()]
    colours = energy.graph.colours.tolist()
    model = GraphRestrictedBoltzmannMachine(
        nodes,
        pairs,
        linear=dict(enumerate(energy.h.tolist())),
        quadratic=dict(zip(pairs, energy.J.tolist(), strict=True)),
    )
    sampler = BlockSampler(model, lambda node: colours[node], chains, [1.0] * sweeps, seed=1)
    return lambda: sampler.sample().detach().numpy().astype(np.int8)
