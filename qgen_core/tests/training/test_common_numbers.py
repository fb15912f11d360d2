"""Common random numbers: the same events, noise and shots at every evaluation."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import Events, Space
from qgen_core.training.problem import TrainingProblem

PIXELS = 3


def model() -> qgen.Generator:
    return qgen.generator(
        "qag", backend="statevector", space=Space("reals", PIXELS), shots=20, seed=3
    )


def events() -> Events:
    return Events(np.random.default_rng(1).uniform(-1, 1, (40, PIXELS)))


def problem(*, common: bool) -> TrainingProblem:
    loss = qgen.loss("mmd", reads="samples", bandwidth=(1.0,), space=Space("reals", PIXELS))
    made = TrainingProblem(model(), events(), loss, 1, 10, 8)
    made.common_numbers = common
    return made


@pytest.mark.parametrize("common", [True, False])
def test_the_loss_is_a_function_of_the_parameters(common: bool):
    made = problem(common=common)
    theta = np.random.default_rng(2).normal(size=(1, made.generator.theta.size))
    values = []
    batches = []
    for step in range(5):
        made.step = step
        values.append(float(made.values(theta)[0]))
        batches.append(made.batch.x)
    same_batch = all(np.array_equal(batches[0], x) for x in batches)
    assert same_batch == common
    assert (len(set(values)) == 1) == common
    assert made.batch.step == 4  # a loss that depends on the step still sees it


def test_every_vector_of_a_step_gets_the_same_numbers():
    made = problem(common=True)
    theta = np.random.default_rng(2).normal(size=made.generator.theta.size)
    values = made.values(np.stack([theta, theta + 0.1, theta]))
    assert values[0] == values[2] != values[1]
    fresh = problem(common=False).values(np.stack([theta, theta + 0.1, theta]))
    assert fresh[0] != fresh[2]  # the shots are others


@pytest.mark.parametrize("name", ["cobyla", "spsa", "cma", "lcd"])
def test_trainers_draw_common_numbers_when_asked(name: str):
    losses = {}
    for numbers in ("fresh", "common"):
        trainer = qgen.trainer(name, steps=16, batch_size=8, random_numbers=numbers)
        loss = qgen.loss("mmd", reads="samples", bandwidth=(1.0,), space=Space("reals", PIXELS))
        seen = []
        made = model()
        outputs_at = made.outputs_at

        def noted(output, thetas, batch, *, rng, backend=None, outputs_at=outputs_at, seen=seen):
            seen.append((batch.x.tobytes(), rng.bit_generator.state["state"]["state"]))
            return outputs_at(output, thetas, batch, rng=rng, backend=backend)

        made.outputs_at = noted
        trainer.fit(made, events(), loss, seed=1)
        losses[numbers] = len(set(seen))
    assert losses["common"] == 1 and losses["fresh"] >= 15


@pytest.mark.parametrize("numbers", ["fresh", "common"])
def test_an_interrupted_search_continues_with_the_same_numbers(tmp_path, numbers: str):
    histories = []
    for folder, steps in (("whole", (20,)), ("parts", (12, 20))):
        for count in steps:
            made = model()
            trainer = qgen.trainer(
                "cobyla", steps=count, batch_size=8, random_numbers=numbers, search="own"
            )
            loss = qgen.loss("mmd", reads="samples", bandwidth=(1.0,), space=Space("reals", PIXELS))
            history = trainer.fit(made, events(), loss, seed=1, run=tmp_path / folder)
        histories.append(history.losses)
    assert np.array_equal(*histories)
