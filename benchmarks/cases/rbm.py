"""Trainings of a restricted Boltzmann machine of 784 and 256 units against scikit-learn.

The 60,000 events are drawn from a fixed machine of that size. Both sides have batches of 100, as
many persistent chains, and one sweep a step; ours is trained by Adam, scikit-learn's by its own
rule, each from its own start: ours has the fields of the events' frequencies. The log
pseudo-likelihood that is reached is measured by the same function for both. An epoch of ours
reaches more than one of scikit-learn, so a further row of ours stops after a sixth of an epoch: it
counts if it reaches no less than the whole epoch of scikit-learn.

Both have the best of a few learning rates, by that measure after one epoch in float32. Adam reached
-349, -346, -359, -400 and -973 with 0.00025, 0.0005, 0.001, 0.002 and 0.004; scikit-learn -386,
-379, -378, -382, -380 and -393 with 0.005, 0.01, 0.02, 0.05, 0.1 and 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from qgen_core.events import Events, Space
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.gibbs import GibbsSampler

THREADS = 2
VISIBLE = 784
HIDDEN = 256
EVENTS = 60_000
BATCH = 100
PRECISIONS = {"float32": "single", "float64": "double"}
#: Learning rates of Adam and of scikit-learn; the likelihoods that they reach are in the notes.
RATE = 0.0005
PEER_RATE = 0.02
#: The share of an epoch after which ours has about the likelihood of a whole one of scikit-learn.
EQUAL = 1 / 6


def run(context: Context) -> Iterator[Case]:
    """Seconds an epoch in both precisions."""
    if not context.wants("rbm/784x256"):
        return
    context.say("rbm/784x256")
    bits = events(6_000 if context.quick else EVENTS)
    contestants: list[tuple[Row, Timed]] = []
    likelihoods: dict[str, float] = {}
    for kind, precision in PRECISIONS.items():
        builders = {
            "qgen": ours,
            "qgen, a sixth of an epoch": partial(ours, epochs=EQUAL),
            "scikit-learn": theirs,
        }
        for label, build in builders.items():
            call, model = build(bits, precision)
            row = Row(f"{label}, {kind}")
            call()
            likelihoods[row.label] = reached(model(), bits)
            row.note = f"log pseudo-likelihood {likelihoods[row.label]:.2f} afterwards"
            contestants.append((row, Local(call)))
    measure(contestants, 3 if context.quick else 7, context.slow)
    yield {
        "id": "rbm/784x256",
        "events": len(bits),
        "batch": BATCH,
        "log pseudo-likelihood": likelihoods,
        "rows": [row.summary() for row, _ in contestants],
        "versions": {"peers": versions(("numpy", "scikit-learn"))},
    }


def events(count: int) -> NDArray[np.int8]:
    """Bits (count, 784) drawn from a machine with random couplings, by 50 sweeps each."""
    rng = np.random.default_rng(11)
    h = rng.normal(0.4, 0.4, VISIBLE + HIDDEN)
    J = rng.normal(0.0, 0.06, VISIBLE * HIDDEN)
    fixed = Ising(h, J, Graph.complete_bipartite(VISIBLE, HIDDEN))
    spins, _ = GibbsSampler(sweeps=50).sample(fixed, count, rng=rng)
    return (spins[:, :VISIBLE] > 0).astype(np.int8)


def machine(precision: str, data: Events | None = None) -> Any:
    """An untrained machine of ours; fields are those of the frequencies of data."""
    import qgen_core as qgen

    return qgen.generator(
        "rbm",
        space=Space("bits", VISIBLE),
        data=data,
        hidden=HIDDEN,
        sampler={"name": "gibbs", "sweeps": 1, "precision": precision},
        method="pcd",
        chains=BATCH,
        precision=precision,
        seed=1,
    )


def ours(
    bits: NDArray[np.int8], precision: str, *, epochs: float = 1.0
) -> tuple[Callable[[], None], Callable[[], Any]]:
    """Epochs of the generator ``rbm`` with the trainer ``adam``, and the trained machine."""
    import qgen_core as qgen

    data = Events(bits)
    trained: dict[str, Any] = {}

    def train() -> None:
        model = machine(precision, data)
        steps = round(epochs * len(bits) / BATCH)
        trainer = qgen.trainer("adam", steps=steps, batch_size=BATCH, learning_rate=RATE)
        trainer.fit(model, data, "mean", seed=1)
        trained["model"] = model

    return train, lambda: trained["model"]


def theirs(bits: NDArray[np.int8], precision: str) -> tuple[Callable[[], None], Callable[[], Any]]:
    """An epoch of ``BernoulliRBM``, and a machine of ours with its parameters."""
    from sklearn.neural_network import BernoulliRBM

    data = bits.astype(np.float32 if precision == "single" else np.float64)
    trained = BernoulliRBM(
        HIDDEN, learning_rate=PEER_RATE, batch_size=BATCH, n_iter=1, random_state=1
    )

    def as_ours() -> Any:
        # -E = a v + b s + v W s of bits is that of spins with J = -W / 4 and fields as below.
        weights = trained.components_.T.astype(np.float64)
        model = machine("double")
        model.J[:] = -weights / 4
        model.h[:VISIBLE] = -trained.intercept_visible_ / 2 - weights.sum(axis=1) / 4
        model.h[VISIBLE:] = -trained.intercept_hidden_ / 2 - weights.sum(axis=0) / 4
        return model

    return lambda: trained.fit(data), as_ours


def reached(model: Any, bits: NDArray[np.int8]) -> float:
    """The mean log pseudo-likelihood of 500 events."""
    return float(model.log_pseudo_likelihood(bits[:500]).mean())
