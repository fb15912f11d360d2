"""The example angle generator and flow: by the kit, and trained."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
import qgen_example_angles
from qgen_core.testing import GeneratorKit


def angle_generator(width: int = 2) -> qgen.Generator:
    return qgen_example_angles.AngleGenerator(
        space=qgen.Space("reals", width),
        backend=qgen.backend("statevector"),
        ansatz=qgen.ansatz("hardware-efficient", layers=2),
        seed=3,
    )


class TestAngleGenerator(GeneratorKit):
    def make(self) -> qgen.Generator:
        return angle_generator()


def test_an_angle_generator_learns_the_width_of_its_events() -> None:
    rng = np.random.default_rng(1)
    x = 0.4 + 0.1 * rng.normal(size=(2000, 2))
    loss = qgen.loss("mmd", reads="samples", bandwidth=(0.05, 0.2))
    trainer = qgen.trainer("adam", steps=300, learning_rate=0.05, batch_size=200)
    model = angle_generator()
    history = trainer.fit(model, qgen.Events(x), loss, seed=1)
    assert history.losses[-10:].mean() < 0.2 * history.losses[:3].mean()
    assert model.sample(1000, rng=rng).mean(axis=0) == pytest.approx(0.4, abs=0.05)


zuko = pytest.importorskip("zuko", reason="the example flow needs zuko")
pytest.importorskip("qgen_torch")


def flow(condition: qgen.Space | None = None) -> qgen.Generator:
    import qgen_example_flow

    return qgen_example_flow.SplineFlow(
        space=qgen.Space("reals", 2), condition=condition, seed=3, transforms=2, hidden=(16, 16)
    )


@pytest.mark.usefixtures("one_thread")
class TestFlow(GeneratorKit):
    precision = "single"

    def make(self) -> qgen.Generator:
        return flow()


@pytest.mark.usefixtures("one_thread")
class TestConditionalFlow(GeneratorKit):
    precision = "single"

    def make(self) -> qgen.Generator:
        return flow(qgen.Space("reals", 1))


@pytest.mark.usefixtures("one_thread")
def test_a_flow_comes_near_the_entropy_of_its_events() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(size=3000), 0.5 * rng.normal(size=3000)])
    x[:, 1] += x[:, 0] ** 2 / 2 - 0.5  # a banana; the map has determinant one
    entropy = np.log(2 * np.pi * np.e) + np.log(0.5)
    trainer = qgen.trainer("torch", steps=400, learning_rate=0.005, batch_size=300)
    model = flow()
    history = trainer.fit(model, qgen.Events(x), qgen.loss("nll", reads="log_prob"), seed=1)
    assert history.losses[-50:].mean() == pytest.approx(entropy, abs=0.12)
    drawn = model.sample(4000, rng=rng)
    assert np.corrcoef(drawn[:, 0] ** 2, drawn[:, 1])[0, 1] == pytest.approx(
        np.corrcoef(x[:, 0] ** 2, x[:, 1])[0, 1], abs=0.1
    )
