"""``inn`` against the same flow in plain zuko and in normflows, ``qinn`` against its classical
twin, and what ``cfm`` and ``dit`` take.

All flows have 10 columns and 8 spline couplings. That of zuko has exactly as many parameters as
ours; that of normflows, whose conditioners are residual networks, as nearly as many as whole hidden
features allow. Events are drawn by all in blocks of the size that ``inn`` draws them in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.contestants import flow_peers
from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from qgen_core import Events, Space

THREADS = 1
COLUMNS = 10
COUPLINGS = 8
BATCH = 512
STEPS = 30
#: Events of a step of ``qinn``, which has a circuit in each of two couplings.
FEW = 10
RATE = 1e-3
EVENTS = 65_536
DRAWN = 10_000
#: Cells of a photon shower by layer and angle, as tokens of ``dit``, and showers drawn by it.
TOKENS = ((1, 8), (10, 16), (10, 19), (1, 5), (1, 5))
SHOWERS = 50
#: Solvers of the velocities; ``evaluations`` are counted.
SOLVERS: dict[str, dict[str, Any]] = {
    "rk4, 20 steps": {"solver": "rk4", "steps": 20},
    "midpoint, 20 steps": {"solver": "midpoint", "steps": 20},
    "dopri5, 1e-4": {"solver": "dopri5", "tolerance": 1e-4},
}


def run(context: Context) -> Iterator[Case]:
    """Training steps and samples of the flows; samples of the others with their evaluations."""
    torch.set_num_threads(1)
    if context.wants("flows/step") or context.wants("flows/sampling"):
        yield from couplings(context)
    if context.wants("flows/qinn"):
        context.say("flows/qinn")
        yield conditioned(context)
    for name, shape, options in (
        ("cfm", (COLUMNS, DRAWN), {}),
        ("dit", (sum(number * size for number, size in TOKENS), SHOWERS), {"tokens": TOKENS}),
    ):
        if context.wants(f"flows/{name}"):
            context.say(f"flows/{name}")
            yield velocities(context, name, *shape, options)


def couplings(context: Context) -> Iterator[Case]:
    """Training steps and samples of ``inn`` and of its peers."""
    events = correlated()
    ours = network()
    bare = flow_peers.bare_zuko(COLUMNS, COUPLINGS)
    other = flow_peers.normflows(COLUMNS, COUPLINGS, flow_peers.count(bare))
    sizes = {
        "qgen": sum(value.size for value in ours.parameters().values()),
        "bare zuko": flow_peers.count(bare),
        "normflows": flow_peers.count(other),
    }
    tensor = torch.from_numpy(events.x.astype(np.float32))
    loop = partial(flow_peers.trained, events=tensor, steps=STEPS, batch=BATCH, rate=RATE)
    if context.wants("flows/step"):
        context.say("flows/step")
        calls: dict[str, Callable[[], Any]] = {
            "qgen": partial(train, events, network, BATCH),
            "bare zuko": partial(loop, bare, lambda x: -bare().log_prob(x).mean()),
            "normflows": partial(loop, other, other.forward_kld),
        }
        yield measured(context, "flows/step", calls, sizes, STEPS, BATCH)
    if context.wants("flows/sampling"):
        context.say("flows/sampling")
        block = ours.events_at_once
        rng = np.random.default_rng(1)
        calls = {
            "qgen": partial(ours.sample, DRAWN, rng=rng),
            "bare zuko": flow_peers.in_blocks(lambda n: bare().sample((n,)), DRAWN, block),
            "normflows": flow_peers.in_blocks(other.sample, DRAWN, block),
        }
        yield measured(context, "flows/sampling", calls, sizes, 1, DRAWN)


def conditioned(context: Context) -> Case:
    """Training steps of ``qinn`` and of its classical twin, which has as many parameters."""
    import qgen_core as qgen

    events = correlated()
    calls: dict[str, Callable[[], Any]] = {}
    sizes = {}
    for label, core in (("qinn", "quantum"), ("its classical twin", "network")):
        options = {"space": Space("reals", COLUMNS), "blocks": 2, "core": core, "seed": 1}
        build = partial(qgen.generator, "qinn", **options)
        calls[label] = partial(train, events, build, FEW)
        sizes[label] = sum(value.size for value in build().parameters().values())
    return measured(context, "flows/qinn", calls, sizes, STEPS, FEW)


def correlated() -> Events:
    """Normal columns, each correlated with the one before."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(EVENTS, COLUMNS))
    for column in range(1, COLUMNS):
        x[:, column] = 0.6 * x[:, column - 1] + 0.8 * x[:, column]
    return Events(x)


def network() -> Any:
    """``inn`` without what the peers lack: normalisations and permutations."""
    import qgen_core as qgen

    return qgen.generator(
        "inn",
        space=Space("reals", COLUMNS),
        blocks=COUPLINGS,
        bins=flow_peers.BINS,
        bound=flow_peers.BOUND,
        widths=flow_peers.LAYERS * (flow_peers.HIDDEN,),
        mixing="none",
        act_norm=False,
        seed=1,
    )


def train(events: Events, build: Callable[[], Any], batch: int) -> None:
    """A short training with its history, its guards and the streams of its seed."""
    import qgen_core as qgen

    trainer = qgen.trainer("torch", learning_rate=RATE, steps=STEPS, batch_size=batch)
    trainer.fit(build(), events, {"name": "nll", "reads": "log_prob"}, seed=1)


def measured(
    context: Context,
    name: str,
    calls: dict[str, Callable[[], Any]],
    sizes: dict[str, int],
    divided: int,
    events: int,
) -> Case:
    """Seconds of each call, divided by the number of steps in it, for so many events each."""
    contestants: list[tuple[Row, Timed]] = []
    for label, call in calls.items():
        row = Row(label, "single", note=f"{sizes[label]} parameters")
        contestants.append((row, Local(call)))
    measure(contestants, 5 if context.quick else context.repeats, context.slow)
    for row, _ in contestants:
        row.seconds = [seconds / divided for seconds in row.seconds]
    return case(name, contestants, events=events)


def velocities(context: Context, name: str, width: int, n: int, options: dict[str, Any]) -> Case:
    """Seconds for n events of each solver, with the evaluations that each of them takes."""
    import qgen_core as qgen

    contestants: list[tuple[Row, Timed]] = []
    rng = np.random.default_rng(1)
    for label, solver in SOLVERS.items():
        model: Any = qgen.generator(name, space=Space("reals", width), seed=1, **options, **solver)
        for value in model.parameters().values():  # the first velocity of dit is 0
            value += 0.02 * rng.standard_normal(value.shape).astype(value.dtype)
        model.sample(min(n, model.events_at_once), rng=rng)
        note = f"{model.evaluations} evaluations an event"
        contestants.append(
            (Row(label, "single", note=note), Local(partial(model.sample, n, rng=rng)))
        )
    measure(contestants, 3, context.slow)
    return case(f"flows/{name}", contestants, events=n, columns=width)


def case(name: str, contestants: list[tuple[Row, Timed]], **facts: Any) -> Case:
    packages = ("torch", "qgen-torch", "zuko", "normflows", "torchdiffeq")
    return {
        "id": name,
        **facts,
        "rows": [row.summary() for row, _ in contestants],
        "versions": {"peers": versions(packages)},
    }
