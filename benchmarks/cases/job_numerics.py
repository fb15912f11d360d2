"""Rows of the group ``job``: what surrounds the engine in a training, a sample or an evaluation.

Each function builds one call; ``CALLS`` names them. There are no peers: a row is compared with
another checkout. Only names that every checkout has are used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Call = Callable[[], Any]


def samples_mmd(events: int) -> Call:
    """Value and cotangent of ``mmd`` between samples of 12 bits in three registers."""
    from qgen_core.events import Batch, Space
    from qgen_core.losses.mmd import MaximumMeanDiscrepancy

    loss = MaximumMeanDiscrepancy(space=Space("bits", 12, (4, 4, 4)), reads="samples")
    rng = np.random.default_rng(1)
    samples = rng.integers(0, 2, (events, 12)).astype(np.int8)
    data = (rng.random((events, 12)) < 0.4).astype(np.int8)
    return lambda: loss(samples, Batch(data))


def tables_mmd(registers: tuple[int, ...]) -> Call:
    """Value and cotangent of ``mmd`` of a table."""
    from qgen_core.events import Batch, Space
    from qgen_core.losses.mmd import MaximumMeanDiscrepancy

    wires = sum(registers)
    loss = MaximumMeanDiscrepancy(space=Space("bits", wires, registers))
    rng = np.random.default_rng(1)
    p = rng.random((1, 2**wires))
    target = rng.random((1, 2**wires))
    batch = Batch(target=target / target.sum())
    p /= p.sum()
    return lambda: loss(p, batch)


def shot_row() -> Call:
    """8,192 shots of 4,096 outcomes, for 20 rows of probabilities."""
    from qgen_core.simulators.outcomes import sample_counts

    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.full(4096, 0.3), 20)
    return lambda: sample_counts(probabilities, 8192, rng)


def training(recipe: str, steps: int, *settings: str) -> Call:
    """All steps of the training that a recipe describes, on its events."""
    from pathlib import Path

    from qgen_core.runs.assembly import Assembly
    from qgen_core.runs.recipes import Recipe

    path = Path(__file__).parents[2] / "recipes" / recipe
    changed = Recipe.read(path).changed([f"trainer.steps={steps}", *settings])
    built = Assembly(changed)
    return lambda: built.trainer.fit(built.generator, built.data, built.loss, seed=1)


def training_of_a_file(events: int) -> Call:
    """Two steps of the demo's model on a file of events: reading, splitting, encoding, counting."""
    import tempfile
    from pathlib import Path

    import h5py

    from qgen_core.runs.recipes import Recipe
    from qgen_core.runs.run import train

    kept = tempfile.TemporaryDirectory()
    folder = Path(kept.name)
    rng = np.random.default_rng(1)
    with h5py.File(folder / "events.h5", "w") as file:
        file["pt"] = 250.0 + np.minimum(rng.exponential(80.0, events), 349.0)
        file["mass"] = np.minimum(rng.exponential(40.0, events), 199.0)
    recipe = Recipe.read(Path(__file__).parents[2] / "recipes" / "jets.toml").changed(
        [
            f'dataset={{name="file", path="{folder}/events.h5", columns=["pt", "mass"]}}',
            "trainer.steps=2",
        ]
    )
    numbers = iter(range(1000))
    return lambda: train(recipe, Path(kept.name) / f"run-{next(numbers)}")


def scores_of_many(events: int) -> Call:
    """The default metrics of two columns, with floors, against so many reference events."""
    from qgen_core.events import Events
    from qgen_core.metrics.correlation import correlation
    from qgen_core.metrics.joint import js, tv
    from qgen_core.metrics.marginals import marginal_d, marginal_tv
    from qgen_core.metrics.reference_edges import reference_edges
    from qgen_core.metrics.resample import Source
    from qgen_core.metrics.score import scores
    from qgen_core.metrics.wasserstein import wasserstein

    def sample(count: int, seed: int) -> Events:
        rng = np.random.default_rng(seed)
        pt = 250.0 + np.minimum(rng.exponential(80.0, count), 349.0)
        mass = np.minimum(rng.exponential(40.0, count) + pt / 10, 199.0)
        return Events(np.stack([pt, mass], axis=1))

    both = sample(events, 1), sample(100_000, 2)
    metrics = [marginal_d, marginal_tv, wasserstein, tv, js, correlation]

    def call() -> Any:
        reference, generated = Source(both[0]), Source(both[1])
        edges = reference_edges(reference)
        return scores(metrics, reference, generated, edges=edges, rng=np.random.default_rng(3))

    return call


def calls_with_pauses() -> Call:
    """100 batches in two threads with 2 ms between them: CPU time beyond that of the calls is idle
    spinning.
    """
    import time

    import qgen_core as qgen
    from qgen_core.ansatze.brick import brick

    backend = qgen.backend("statevector", threads=2)
    circuit = brick(8, inputs=8, layers=2, reupload=False)
    angles = np.random.default_rng(1).uniform(-1.0, 1.0, (64, circuit.num_angles))

    def call() -> None:
        for _ in range(100):
            backend.run(circuit, angles, qgen.Probabilities())
            time.sleep(0.002)

    return call


def generation(events: int) -> Call:
    """Events of the demo's model, from bits to numbers in GeV."""
    from pathlib import Path

    from qgen_core.runs.assembly import Assembly
    from qgen_core.runs.recipes import Recipe

    built = Assembly(Recipe.read(Path(__file__).parents[2] / "recipes" / "jets.toml"))

    def call() -> Any:
        rng = np.random.default_rng(1)
        encoded = built.generator.sample(events, rng=rng)
        return built.encoder.decode(encoded, rng=rng)

    return call


def density_step(layers: int = 6) -> Call:
    """Forward and backward passes of 4 noisy qubits."""
    import qgen_core as qgen
    from qgen_core.ansatze.brick import brick

    circuit = brick(4, layers=layers)
    noise = qgen.noise("depolarizing")
    measure = qgen.Probabilities()
    noisy, read = noise(circuit, measure)
    backend = qgen.backend("density", threads=1)
    angles = np.random.default_rng(1).uniform(-1.0, 1.0, (1, noisy.num_angles))
    cotangent = np.random.default_rng(2).normal(size=(1, 16))

    def call() -> Any:
        _, pullback = backend.forward(noisy, angles, read)
        return pullback(cotangent)

    return call


#: What builds each row, by the name of its case without ``job/``.
CALLS: dict[str, Callable[[], Call]] = {
    "mmd of 500 samples": partial(samples_mmd, 500),
    "mmd of 8,000 samples": partial(samples_mmd, 8000),
    "mmd of 2^16 outcomes, a register": partial(tables_mmd, (16,)),
    "mmd of 2^16 outcomes, two registers": partial(tables_mmd, (8, 8)),
    "mmd of 2^20 outcomes, a register": partial(tables_mmd, (20,)),
    "mmd of 2^20 outcomes, two registers": partial(tables_mmd, (10, 10)),
    "20 rows of 8,192 shots, 4,096 outcomes": shot_row,
    "300 steps of conditional.toml": partial(training, "toolbox/conditional.toml", 300),
    "training on 10^7 events": partial(training_of_a_file, 10**7),
    "scores against 10^6 reference events": partial(scores_of_many, 10**6),
    "2,000 steps of jets.toml, 8 qubits": partial(training, "jets.toml", 2000),
    "300 steps of mlp-generator, mmd": partial(
        training,
        "toolbox/conditional-gan.toml",
        300,
        'loss={name="mmd", reads="samples", bandwidth=[1.0]}',
        'trainer={name="torch", steps=300, batch_size=32}',
    ),
    "100 calls in two threads with pauses": calls_with_pauses,
    "10^6 generated events": partial(generation, 10**6),
    "density, 4 qubits, both ways": density_step,
}
