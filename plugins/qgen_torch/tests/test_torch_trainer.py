"""The trainer ``torch`` equals a hand-written loop; clipping, averages, shares and resuming."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qgen_core import Batch, Events, Generator, Loss, Space, hookimpl
from qgen_core.errors import BadOption, CheckpointError, Diverged, OutputMismatch
from qgen_core.losses.mean import Mean
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.parameters import flatten
from qgen_core.testing.quadratic import Quadratic, events
from qgen_core.testing.randomness import global_states
from qgen_torch.optim.data_parallel import split_batch
from qgen_torch.trainer import TorchTrainer


def fitted(
    trainer: TorchTrainer, data: Events | None = None, **options: Any
) -> tuple[Quadratic, list[float]]:
    model = Quadratic()
    history = trainer.fit(model, events() if data is None else data, Mean(), seed=1, **options)
    return model, history.losses.tolist()


class ByHand:
    """The loop that one writes with torch alone, on the same memory as a quadratic model."""

    def __init__(self, name: str, **options: Any) -> None:
        self.model = Quadratic()
        self.tensors = [torch.from_numpy(array) for array in self.model.parameters().values()]
        self.optimizer = getattr(torch.optim, name)(self.tensors, **options)

    def gradient(self) -> float:
        data = events()
        values, pullback = self.model.forward(
            "objective", Batch(data.x), rng=np.random.default_rng(1)
        )
        value, cotangent = Mean()(values, Batch(data.x))
        for tensor, slope in zip(self.tensors, pullback(cotangent).values(), strict=True):
            tensor.grad = torch.from_numpy(slope)
        return value


@pytest.mark.parametrize(
    ("name", "rate", "options"),
    [
        ("Adam", 0.1, {"betas": (0.5, 0.9), "amsgrad": True}),
        ("AdamW", 0.1, {"weight_decay": 0.1}),
        ("RMSprop", 0.01, {"alpha": 0.9, "momentum": 0.5, "centered": True}),
        ("SGD", 0.05, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("Adadelta", 0.5, {"rho": 0.8}),
    ],
)
def test_each_step_is_that_of_torch(name: str, rate: float, options: dict[str, Any]) -> None:
    """Bit by bit, with a scheduler and both ways of clipping."""
    scheduled: dict[str, Any] = {
        "scheduler": "CosineAnnealingLR",
        "scheduler_options": {"eta_min": 0.01},
    }
    clipped = {"clip_value": 0.6, "clip_norm": 0.7}
    model, losses = fitted(
        TorchTrainer(
            optimizer=name,
            learning_rate=rate,
            optimizer_options=options,
            steps=20,
            **scheduled,
            **clipped,
        )
    )
    hand = ByHand(name, lr=rate, **options)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(hand.optimizer, T_max=20, eta_min=0.01)
    expected = []
    for _ in range(20):
        expected.append(hand.gradient())
        torch.nn.utils.clip_grad_value_(hand.tensors, 0.6)
        torch.nn.utils.clip_grad_norm_(hand.tensors, 0.7)
        hand.optimizer.step()
        scheduler.step()
    assert losses == expected
    assert np.array_equal(flatten(model.parameters()), flatten(hand.model.parameters()))


def test_a_scheduler_on_plateaus_looks_at_the_loss() -> None:
    trainer = TorchTrainer(
        optimizer="SGD",
        learning_rate=1.6,  # too much for the steepest axes: the loss goes up
        scheduler="ReduceLROnPlateau",
        scheduler_options={"patience": 0, "factor": 0.5},
        steps=30,
    )
    _, losses = fitted(trainer)
    assert losses[1] > losses[0] and losses[-1] < losses[0]


def test_clipping_by_hand() -> None:
    """One step of plain descent from zero moves by the clipped gradient."""
    slope = flatten(
        Quadratic().forward("objective", Batch(events().x), rng=np.random.default_rng(1))[1](
            np.full(12, 1 / 12)
        )
    )
    for options, expected in (
        ({"clip_value": 0.3}, np.clip(slope, -0.3, 0.3)),
        ({"clip_norm": 0.3}, slope * 0.3 / np.linalg.norm(slope)),
        ({"clip_norm": 100.0}, slope),
    ):
        model, _ = fitted(TorchTrainer(optimizer="SGD", learning_rate=1.0, steps=1, **options))
        assert np.allclose(
            flatten(model.parameters()), -expected, rtol=2e-6
        )  # torch adds 1e-6 to the norm


class Path_:
    """Notes the parameters after each step."""

    def __init__(self) -> None:
        self.places: list[Any] = []

    @hookimpl
    def on_step(self, problem: Any) -> None:
        self.places.append(flatten(problem.generator.parameters()))


def test_the_run_ends_on_the_average() -> None:
    """``a_1 = theta_1``, then ``a = d a + (1 - d) theta``; the steps do not depend on it."""
    path = Path_()
    model, losses = fitted(TorchTrainer(learning_rate=0.1, ema=0.7, steps=9), hooks=[path])
    plain = Path_()
    _, same = fitted(TorchTrainer(learning_rate=0.1, steps=9), hooks=[plain])
    assert np.array_equal(path.places, plain.places) and losses == same
    average = path.places[0]
    for place in path.places[1:]:
        average = 0.7 * average + 0.3 * place
    assert np.allclose(flatten(model.parameters()), average, rtol=1e-14, atol=0)
    assert not np.allclose(average, path.places[-1])


def test_a_finished_run_with_an_average_is_taken_up_again(tmp_path: Path) -> None:
    """Resumed without further steps it is the same; with more it continues from the parameters."""
    ended, _ = fitted(TorchTrainer(ema=0.7, steps=6), run=Checkpoints(tmp_path, every=0))
    again, _ = fitted(TorchTrainer(ema=0.7, steps=6), run=Checkpoints(tmp_path, every=0))
    assert np.array_equal(flatten(ended.parameters()), flatten(again.parameters()))
    longer, _ = fitted(TorchTrainer(ema=0.7, steps=11), run=Checkpoints(tmp_path, every=0))
    whole, _ = fitted(TorchTrainer(ema=0.7, steps=11))
    assert np.array_equal(flatten(longer.parameters()), flatten(whole.parameters()))


@pytest.mark.parametrize("shares", [2, 5])
def test_shares_add_up_to_the_whole_batch(shares: int) -> None:
    """Also with weights: the weighted mean over events is the weighted sum over the shares."""
    data = events().replace(weight=np.random.default_rng(3).uniform(0.1, 3.0, 12))
    whole, losses = fitted(TorchTrainer(learning_rate=0.1, steps=15), data)
    cut_up, same = fitted(TorchTrainer(learning_rate=0.1, steps=15, shares=shares), data)
    assert np.allclose(losses, same, rtol=1e-13)
    assert np.allclose(flatten(whole.parameters()), flatten(cut_up.parameters()), rtol=1e-12)


def test_each_share_has_random_numbers_of_its_own() -> None:
    class Noisy(Quadratic):
        drawn: list[float] = []

        def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
            self.drawn.append(rng.random())
            return super().forward(output, batch, rng=rng)

    TorchTrainer(steps=2, shares=3).fit(Noisy(), events(), Mean(), seed=1)
    assert len(set(Noisy.drawn)) == 6


def test_batches_are_cut_by_rows() -> None:
    batch = Batch(np.arange(14.0).reshape(7, 2), np.arange(7.0)[:, None], np.arange(1.0, 8.0))
    parts = split_batch(batch, 3)
    for name in ("x", "condition", "weight"):
        assert np.array_equal(
            np.concatenate([getattr(part, name) for part, _ in parts]), getattr(batch, name)
        )
    assert [weight for _, weight in parts] == pytest.approx([3 / 28, 7 / 28, 18 / 28])
    table = Batch(condition=np.zeros((4, 1)), target=np.full((4, 8), 1 / 8))
    assert [weight for _, weight in split_batch(table, 2)] == [0.5, 0.5]
    with pytest.raises(OutputMismatch, match="7 rows cannot be split into 8"):
        split_batch(batch, 8)


def test_no_global_random_state_is_touched() -> None:
    before = global_states()
    fitted(
        TorchTrainer(
            optimizer="RAdam", scheduler="OneCycleLR", scheduler_options={"max_lr": 0.1}, steps=3
        )
    )
    assert global_states() == before


class Cliff(Generator):
    """Its objective is fine until the parameter passes 0.35, then it is no number."""

    outputs = frozenset({"objective"})
    space = Space("reals", 1)

    def __init__(self) -> None:
        self.place = np.zeros(1)

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        return np.zeros((n, 1))

    def parameters(self) -> dict[str, Any]:
        return {"place": self.place}

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        value = -self.place[0] if self.place[0] < 0.35 else math.nan
        return np.full(4, value), lambda cotangent: {"place": np.array([-cotangent.sum()])}


def test_no_number_ends_the_training_on_good_parameters() -> None:
    model = Cliff()
    with pytest.raises(Diverged, match="at step 4"):
        TorchTrainer(optimizer="SGD", learning_rate=0.1, steps=9).fit(
            model, Events(np.zeros((4, 1))), Mean(), seed=1
        )
    assert model.place[0] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "Adamm"}, "there are ASGD, Adadelta"),
        ({"optimizer": "LBFGS"}, "has no optimizer 'LBFGS'"),
        ({"optimizer": "Optimizer"}, "has no optimizer"),
        ({"optimizer_options": {"beta1": 0.5}}, "takes betas, eps"),
        ({"optimizer_options": {"lr": 0.5}}, "option 'learning_rate'"),
        ({"optimizer_options": {"betas": (1.5, 0.9)}}, "refuses its options: Invalid beta"),
        ({"optimizer_options": {"capturable": True}}, "refuses its options"),
        ({"learning_rate": 0.0}, "must be above 0"),
        ({"scheduler": "Cosine"}, "there are ConstantLR"),
        ({"scheduler": "LambdaLR"}, "has no scheduler"),
        ({"scheduler": "StepLR"}, "refuses its options"),
        (
            {"scheduler": "StepLR", "scheduler_options": {"last_epoch": 3}},
            "takes step_size, gamma; not 'last_epoch'",
        ),
        ({"scheduler_options": {"gamma": 0.5}}, "no scheduler"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_value": -1.0}, "clip_value"),
        ({"ema": 1.0}, "between 0 and 1"),
        ({"ema": 0.9, "keep_best": True}, "not on both"),
        ({"shares": 0}, "at least 1"),
    ],
)
def test_what_torch_does_not_take_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        TorchTrainer(**options)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop(next(iter(state))),
        lambda state: state.update({"optimizer/tensor/exp_avg/first": np.zeros(7)}),
        lambda state: state.update({"optimizer/tensor/exp_avg/third": np.zeros(3)}),
        lambda state: state.update({"optimizer/scheduler/last_epoch": np.zeros(2, dtype=np.int64)}),
        lambda state: state.update({"average/mean/first": np.zeros(7)}),
    ],
)
def test_a_state_of_something_else_is_refused(spoil: Any, tmp_path: Path) -> None:
    def made(steps: int) -> TorchTrainer:
        return TorchTrainer(
            scheduler="ExponentialLR", scheduler_options={"gamma": 0.9}, ema=0.9, steps=steps
        )

    trainer = made(3)
    fitted(trainer, run=Checkpoints(tmp_path, every=0))
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None
    arrays = dict(saved.arrays)
    state = {
        name.removeprefix("trainer/"): arrays.pop(name)
        for name in list(arrays)
        if name.startswith("trainer/")
    }
    spoil(state)
    Checkpoints(tmp_path).save(
        saved.step, arrays | {f"trainer/{n}": v for n, v in state.items()}, saved.meta
    )
    with pytest.raises(CheckpointError):
        fitted(made(5), run=Checkpoints(tmp_path, every=0))


def test_a_model_without_parameters_is_refused() -> None:
    class Nothing(Quadratic):
        def parameters(self) -> dict[str, Any]:
            return {}

    with pytest.raises(BadOption, match="no parameters"):
        TorchTrainer(steps=1).fit(Nothing(), events(), Mean(), seed=1)


def test_state_with_an_unknown_name_is_refused_at_once() -> None:
    with pytest.raises(CheckpointError, match="no state 'first/theta'"):
        TorchTrainer().load({"first/theta": np.zeros(3)})


def test_losses_of_any_kind_are_followed() -> None:
    """A table model of the core, float64 parameters, moved by the same trainer."""

    class Softmax(Generator):
        outputs = frozenset({"probabilities"})
        space = Space("bits", 2)

        def __init__(self) -> None:
            self.logits = np.zeros((2, 2))

        def parameters(self) -> dict[str, Any]:
            return {"logits": self.logits}

        def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
            return np.zeros((n, 2), dtype=np.int8)

        def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
            p = np.exp(self.logits.ravel())
            p = p / p.sum()
            return p[None], lambda c: {"logits": (p * (c[0] - c[0] @ p)).reshape(2, 2)}

    class Squared(Loss):
        reads = "probabilities"

        def __call__(self, output: Any, batch: Batch) -> tuple[float, Any]:
            return float(np.sum((output - batch.target) ** 2)), 2 * (output - batch.target)

    model = Softmax()
    data = Events(np.array([[0, 0], [0, 1], [0, 1], [1, 1]], dtype=np.int8))
    history = TorchTrainer(learning_rate=0.3, steps=200).fit(model, data, Squared(), seed=1)
    assert history.losses[-1] < 1e-3 * history.losses[0]
