"""Selecting parameters by validation events: what is kept, when training stops, and resuming."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, Interrupted


class Place(qgen.Generator):
    """Normal events around a trained place, with a density."""

    outputs = frozenset({"log_prob", "samples"})

    def __init__(self) -> None:
        self.space = qgen.Space("reals", 1)
        self.place = np.array([2.0])

    def parameters(self) -> dict[str, np.ndarray]:
        return {"place": self.place}

    def sample(self, n, condition=None, *, rng):  # type: ignore[no-untyped-def]
        return self.place + rng.normal(size=(n, 1))

    def forward(self, output, batch, *, rng):  # type: ignore[no-untyped-def]
        if output != "log_prob":
            return super().forward(output, batch, rng=rng)
        away = batch.x - self.place
        values = -0.5 * away[:, 0] ** 2 - 0.5 * np.log(2 * np.pi)
        return values, lambda cotangent: {"place": cotangent @ away}


def normal(mean: float, events: int, seed: int) -> qgen.Events:
    x = np.random.default_rng(seed).normal(mean, 1.0, size=(events, 1))
    return qgen.Events(x)


#: Trained on events around -1 from a start at 2; the validation events are around 0.5, so a
#: training is best on them when it passes there.
TRAINING = normal(-1.0, 400, 1)
VALIDATION = normal(0.5, 400, 2)
NLL = {"reads": "log_prob"}


class Recorder:
    """The place after each step."""

    def __init__(self) -> None:
        self.places: list[float] = []

    @qgen.hookimpl
    def on_step(self, problem: Any) -> None:
        self.places.append(float(problem.generator.place[0]))


def trained(trainer: qgen.Trainer, **options: Any) -> tuple[Place, Any, Recorder]:
    model = Place()
    recorder = Recorder()
    history = trainer.fit(
        model,
        TRAINING,
        qgen.loss("nll", **NLL),
        seed=3,
        hooks=[recorder],
        validation=VALIDATION,
        **options,
    )
    return model, history, recorder


def test_the_parameters_of_least_validation_loss_are_kept() -> None:
    trainer = qgen.trainer("adam", steps=60, learning_rate=0.1, select="loss", validate_every=4)
    model, history, recorder = trained(trainer)
    validated = [record["step"] for record in history.records if "validation" in record]
    assert validated == list(range(3, 60, 4))
    losses = []
    for step in validated:
        away = VALIDATION.x - recorder.places[step]
        losses.append(float(np.mean(0.5 * away**2 + 0.5 * np.log(2 * np.pi))))
    found = [record["validation"] for record in history.records if "validation" in record]
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    best = validated[int(np.argmin(losses))]
    assert model.place[0] == recorder.places[best]
    assert (history.kept_step, history.kept_value) == (best, pytest.approx(min(losses)))
    assert history.kept_by == "loss of validation"
    assert abs(model.place[0] - VALIDATION.x.mean()) < 0.25
    assert recorder.places[-1] < -0.9  # where training went on to


def test_validation_changes_nothing_of_the_training_itself() -> None:
    options: dict[str, Any] = {"steps": 20, "learning_rate": 0.1, "batch_size": 50}
    _, plain, without = trained(qgen.trainer("adam", **options))
    _, validated, with_validation = trained(qgen.trainer("adam", select="wasserstein", **options))
    np.testing.assert_array_equal(plain.losses, validated.losses)
    assert without.places == with_validation.places
    assert plain.kept_step is None


@pytest.mark.parametrize(
    "select", ["wasserstein", {"name": "wasserstein", "unit": "column"}], ids=["name", "table"]
)
def test_a_metric_selects(select: Any) -> None:
    trainer = qgen.trainer("adam", steps=60, learning_rate=0.1, select=select, validate_every=1)
    model, history, _ = trained(trainer)
    assert abs(model.place[0] - VALIDATION.x.mean()) < 0.35
    values = [record["validation"] for record in history.records]
    assert history.kept_step == int(np.argmin(values))


def test_patience_counts_steps_without_a_better_validation() -> None:
    trainer = qgen.trainer("adam", steps=500, learning_rate=0.1, select="loss", patience=12)
    _, history, _ = trained(trainer)
    assert history.stopped == "no new least loss of validation in 12 steps"
    assert history.records[-1]["step"] == history.kept_step + 12


def test_a_trainer_that_owns_its_loop_selects_too() -> None:
    trainer = qgen.trainer("cobyla", steps=40, select="loss", validate_every=1)
    model, history, _ = trained(trainer)
    values = [record["validation"] for record in history.records]
    assert history.kept_value == min(values)
    away = VALIDATION.x - model.place
    at_kept = float(np.mean(0.5 * away**2 + 0.5 * np.log(2 * np.pi)))
    assert at_kept == pytest.approx(min(values), rel=1e-12)
    assert model.place[0] > TRAINING.x.mean() + 0.5  # not where the training loss is least


class Interrupt:
    """Sends the signal of ctrl-C after a step."""

    @qgen.hookimpl
    def on_step(self, record: Any) -> None:
        if record["step"] == 25:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("select", ["loss", "wasserstein"])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, select: str) -> None:
    def fit(folder: str, *hooks: object) -> tuple[Place, Any]:
        trainer = qgen.trainer("adam", steps=40, learning_rate=0.1, select=select, validate_every=3)
        model = Place()
        loss = qgen.loss("nll", **NLL)
        history = trainer.fit(
            model,
            TRAINING,
            loss,
            seed=3,
            hooks=hooks,
            run=tmp_path / folder,
            validation=VALIDATION,
        )
        return model, history

    whole, expected = fit("whole")
    with pytest.raises(Interrupted):
        fit("parts", Interrupt())
    resumed, found = fit("parts")
    assert expected.kept_step is not None and 0 < expected.kept_step < 39
    np.testing.assert_array_equal(resumed.place, whole.place)
    assert (found.kept_step, found.kept_value) == (expected.kept_step, expected.kept_value)
    texts = [(tmp_path / name / "history.jsonl").read_text() for name in ("whole", "parts")]
    assert texts[0] == texts[1]


def test_what_cannot_select_is_refused() -> None:
    with pytest.raises(BadOption, match="select = 'loss' needs validation events"):
        qgen.trainer("adam", steps=2, select="loss").fit(
            Place(), TRAINING, qgen.loss("nll", **NLL), seed=1
        )
    with pytest.raises(BadOption, match="validate_every must be at least 1, not 0"):
        qgen.trainer("adam", validate_every=0)

    def asks(reference: Any, generated: Any, model: Any) -> dict[str, float]:
        return {"number": 0.0}

    with pytest.raises(BadOption, match="select = 'function' asks for model, which a training"):
        trained(qgen.trainer("adam", steps=2, select=asks))
