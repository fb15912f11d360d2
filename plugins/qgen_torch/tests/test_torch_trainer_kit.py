"""The trainer ``torch`` fulfils the contract with every optimiser, scheduler and average."""

from __future__ import annotations

from typing import Any

import pytest

from qgen_core.interfaces import Trainer
from qgen_core.testing import TrainerKit
from qgen_torch.optim.factories import optimizers, schedulers
from qgen_torch.trainer import TorchTrainer

#: Learning rates with which sixty steps come down the bowl.
RATES = {"SGD": 0.3, "ASGD": 0.3, "Adadelta": 30.0, "Adagrad": 0.5, "Rprop": 0.05}
SCHEDULERS: dict[str, dict[str, Any]] = {
    "CyclicLR": {"base_lr": 0.05, "max_lr": 0.2, "step_size_up": 4, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 0.2},
    "MultiStepLR": {"milestones": (5.0, 9.0)},
    "StepLR": {"step_size": 4},
    "ExponentialLR": {"gamma": 0.97},
    "CosineAnnealingWarmRestarts": {"T_0": 4},
    "ReduceLROnPlateau": {"patience": 0, "factor": 0.8, "threshold": 0.2},
}


class TestAdam(TrainerKit):
    def make(self, steps: int) -> Trainer:
        return TorchTrainer(learning_rate=0.1, steps=steps)


class TestEverything(TrainerKit):
    """Momentum, clipping, shares, an average and a scheduler that changes rate and momentum."""

    reduction = 0.2

    def make(self, steps: int) -> Trainer:
        return TorchTrainer(
            optimizer="SGD",
            optimizer_options={"momentum": 0.5, "nesterov": True},
            learning_rate=0.1,
            scheduler="OneCycleLR",
            scheduler_options={"max_lr": 0.3},
            clip_norm=1.0,
            clip_value=0.8,
            ema=0.8,
            shares=3,
            steps=steps,
        )


@pytest.mark.parametrize("name", sorted(optimizers()))
class TestEveryOptimizer(TrainerKit):
    reduction = 0.9  # Adafactor moves by parts of a parameter's own size

    @pytest.fixture(autouse=True)
    def _name(self, name: str) -> None:
        self.name = name

    def make(self, steps: int) -> Trainer:
        return TorchTrainer(
            optimizer=self.name, learning_rate=RATES.get(self.name, 0.1), steps=steps
        )


@pytest.mark.parametrize("name", sorted(schedulers()))
class TestEveryScheduler(TrainerKit):
    reduction = 0.9  # some bring the rate down at once

    @pytest.fixture(autouse=True)
    def _name(self, name: str) -> None:
        self.name = name

    def make(self, steps: int) -> Trainer:
        options = SCHEDULERS.get(self.name)
        return TorchTrainer(
            scheduler=self.name, scheduler_options=options, learning_rate=0.1, steps=steps
        )
