"""A conditional GAN of qgen against a bare loop of torch with the same networks, one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from benchmarks.contestants.bare_gan import Bare
from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from qgen_core import Events, Space
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.trainer import TorchTrainer

THREADS = 1

#: (batch, steps of a training)
TRAININGS = ((512, 150), (8192, 30))
EVENTS = 65_536
WIDTH = 6
LATENT = 16
GENERATED = 200_000
RATES = (2e-4, 1e-4)


def run(context: Context) -> Iterator[Case]:
    """Whole short trainings, divided by their steps, and generation."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(3)
    condition = rng.choice([-1.0, 0.0, 1.0], (EVENTS, 1))
    events = Events(rng.normal(condition, 0.2, (EVENTS, WIDTH)), condition)
    spaces = {"space": Space("reals", WIDTH), "condition": Space("reals", 1)}
    model = MlpGenerator(**spaces, latent=LATENT, seed=1)
    critic = Adversarial(**spaces, learning_rate=RATES[1], seed=1).critic
    numbers = (torch.from_numpy(a.astype(np.float32)) for a in (events.x, condition))
    bare = Bare(model.module, critic, *numbers, LATENT, RATES)
    for size, steps in TRAININGS:
        name = f"gan/step/{size}"
        if context.wants(name) and not (context.quick and size > 512):
            context.say(name)
            ours = partial(_train, spaces, events, steps, size)
            yield _measured(context, name, size, steps, ours, partial(bare.train, steps, size))
    if context.wants("gan/generation"):
        context.say("gan/generation")
        asked = np.zeros((GENERATED, 1))
        ours = partial(model.sample, GENERATED, asked, rng=rng)
        theirs = partial(bare.generate, GENERATED, model.events_at_once)
        yield _measured(context, "gan/generation", GENERATED, 1, ours, theirs)


def _train(spaces: dict[str, Space], events: Events, steps: int, size: int) -> None:
    """With its history, its guards against what is not finite, and the streams of its seed."""
    model = MlpGenerator(**spaces, latent=LATENT, seed=1)
    loss = Adversarial(**spaces, learning_rate=RATES[1], seed=1)
    trainer = TorchTrainer(optimizer="Adam", learning_rate=RATES[0], steps=steps, batch_size=size)
    trainer.fit(model, events, loss, seed=1)


def _measured(
    context: Context,
    name: str,
    size: int,
    steps: int,
    ours: Callable[[], object],
    bare: Callable[[], object],
) -> Case:
    rows = [Row("qgen", "single"), Row("bare torch loop", "single")]
    contestants: list[tuple[Row, Timed]] = [(rows[0], Local(ours)), (rows[1], Local(bare))]
    measure(contestants, context.repeats, context.slow)
    for row in rows:
        row.seconds = [seconds / steps for seconds in row.seconds]
    found = {"peers": versions(("torch", "qgen-torch"))}
    return {"id": name, "batch": size, "rows": [row.summary() for row in rows], "versions": found}
