"""What a training shares: steps with several processes, the last word with its trainer, the history
with a critic.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_toys import Critic, Point, Shifter, WeightedMean, real_events

from qgen_core.errors import Diverged
from qgen_core.events import Batch
from qgen_core.interfaces import Trainer
from qgen_core.support.checkpoint import Checkpoints, first_process
from qgen_core.support.parameters import flatten
from qgen_core.support.random_streams import stream
from qgen_core.trainers.adam import Adam

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "somewhere"}


class Told(Critic):
    """Says what it lost at each update."""

    def __init__(self, losses):
        super().__init__(updates=2)
        self.losses = iter(losses)

    def update(self, output, batch, *, rng):
        super().update(output, batch, rng=rng)
        return next(self.losses)


def test_the_history_has_what_a_critic_says_last():
    told = Told([4.0, 3.0, 2.0, 1.0])
    history = Adam(steps=2, batch_size=16).fit(Shifter(), real_events(width=2), told, seed=1)
    assert [record["critic"] for record in history.records] == [3.0, 1.0]
    silent = Adam(steps=2, batch_size=16).fit(Shifter(), real_events(width=2), Critic(), seed=1)
    assert "critic" not in silent.records[0]


def test_a_critic_that_is_no_number_stops_the_training():
    with pytest.raises(Diverged, match="critic became nan at step 1"):
        Adam(steps=5, batch_size=16).fit(
            Shifter(), real_events(width=2), Told([1.0, 1.0, np.nan]), seed=1
        )


class Rounds(Adam):
    """Rounds the parameters when all is done."""

    def finish(self, problem):
        for value in problem.generator.parameters().values():
            np.round(value, 1, out=value)


@pytest.mark.parametrize("life", ["first", "second"])
def test_a_trainer_has_the_last_word_before_the_state_is_saved(tmp_path: Path, life: str):
    for _ in range(1 if life == "first" else 2):
        model = Point()
        Rounds(learning_rate=0.07, steps=4).fit(
            model, real_events(), WeightedMean(), seed=1, run=tmp_path
        )
    place = model.parameters()["place"]
    assert np.array_equal(place, np.round(place, 1)) and np.any(place)
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None and np.array_equal(saved.arrays["generator/place"], place)


def test_a_part_of_a_batch_has_random_numbers_of_its_own():
    seen = []

    class Parts(Trainer):
        def step(self, problem):
            rows = problem.batch.x
            for worker in range(2):
                value, gradient = problem.value_and_gradient(Batch(rows[worker::2]), worker)
                seen.append(
                    (value, gradient["place"].copy(), problem.rng("forward", worker).random())
                )
            return value

    model, data = Point(), real_events()
    Parts(steps=1).fit(model, data, WeightedMean(), seed=5)
    for worker, (value, slope, drawn) in enumerate(seen):
        part = data.x[worker::2]
        assert value == pytest.approx(0.5 * np.mean(np.sum(part**2, axis=1)))
        assert np.allclose(slope, -part.mean(axis=0))
        assert drawn == stream(5, "forward", 0, worker).random()


def test_only_the_first_process_of_torchrun_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The others take up what it saved, leave its files alone and end where it ends."""

    def ended(steps):
        model = Point()
        Adam(steps=steps).fit(
            model, real_events(), WeightedMean(), seed=1, run=Checkpoints(tmp_path, every=0)
        )
        return flatten(model.parameters())

    ended(3)
    (tmp_path / "checkpoint-a.json.tmp").write_text("half")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    other = ended(6)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    monkeypatch.setenv("RANK", "0")
    assert np.array_equal(ended(6), other)


@pytest.mark.parametrize("absent", TORCHRUN)
def test_a_stray_variable_does_not_silence_a_run(absent: str, monkeypatch: pytest.MonkeyPatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert not first_process()
    monkeypatch.delenv(absent)
    assert first_process()
