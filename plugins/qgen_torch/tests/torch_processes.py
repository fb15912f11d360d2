"""Trainings that processes share: ``torch_processes.py FOLDER STEPS [CASE...]`` under torchrun.

Every process writes its final state to the folder; only the first writes the run folders. The
process of rank ``KILL_RANK``, if this is set, kills itself after the step ``KILL_STEP``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core import Batch, Events, Generator, Space, hookimpl
from qgen_core.losses.mean import Mean
from qgen_core.losses.mmd import MaximumMeanDiscrepancy
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.random_streams import stream
from qgen_core.testing.quadratic import Quadratic, events
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.trainer import TorchTrainer


def quadratic(steps: int) -> Any:
    data = events().replace(weight=np.random.default_rng(3).uniform(0.1, 3.0, 12))
    trainer = TorchTrainer(learning_rate=0.1, shares=2, ema=0.8, steps=steps)
    return trainer, Quadratic(), data, Mean()


def gan(steps: int) -> Any:
    rng = stream(2, "toy")
    space = Space("reals", 2)
    model = MlpGenerator(space=space, widths=(8,), latent=3, seed=4)
    trainer = TorchTrainer(learning_rate=0.01, shares=2, steps=steps, batch_size=20)
    return trainer, model, Events(rng.normal(size=(64, 2))), Adversarial(space=space, seed=4)


def averages(steps: int) -> Any:
    """Batch normalisation: running averages are state that is no parameter."""
    space = Space("reals", 2)
    model = MlpGenerator(
        space=space, widths=(8,), latent=3, norm="batch", precision="double", seed=4
    )
    trainer = TorchTrainer(learning_rate=0.01, shares=2, steps=steps, batch_size=20)
    data = Events(stream(3, "toy").normal(size=(64, 2)))
    return trainer, model, data, MaximumMeanDiscrepancy(reads="samples", bandwidth=(1.0,))


class Chains(Generator):
    """Chains that persist between steps, and an objective ``(m . x - mean of the chains)^2``."""

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        self.space = Space("reals", 2)
        self.mean = np.array([0.3, -0.2])
        self.chains = np.zeros(5)

    def parameters(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean.copy(), "chains": self.chains.copy()}

    def load(self, state: Any) -> None:
        self.mean[...] = state["mean"]
        self.chains = np.array(state["chains"])

    def prepare(self, batch: Batch, *, rng: np.random.Generator) -> None:
        self.chains = 0.9 * self.chains + batch.x.mean() + 0.1 * rng.normal(size=5)

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        return rng.normal(size=(n, 2)) + self.mean

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        difference = batch.x @ self.mean - self.chains.mean()
        return difference**2, lambda cotangent: {"mean": (2 * cotangent * difference) @ batch.x}


def chains(steps: int) -> Any:
    trainer = TorchTrainer(learning_rate=0.01, shares=2, steps=steps, batch_size=20)
    return trainer, Chains(), Events(stream(4, "toy").normal(1.0, size=(64, 2))), Mean()


CASES = {"quadratic": quadratic, "gan": gan, "averages": averages, "chains": chains}


class Killer:
    """A hook that ends a process with SIGKILL where the environment asks for it."""

    @hookimpl
    def on_step(self, record: dict[str, Any]) -> None:
        here = os.environ.get("RANK", "0"), str(record["step"])
        if here == (os.environ.get("KILL_RANK"), os.environ.get("KILL_STEP")):
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, steps: int, names: Iterable[str] = CASES) -> None:
    rank = os.environ.get("RANK", "0")
    found: dict[str, Any] = {}
    for name in names:
        trainer, model, data, loss = CASES[name](steps)
        run = Checkpoints(folder / name, every=0)
        history = trainer.fit(model, data, loss, seed=6, hooks=[Killer()], run=run)
        found |= {f"{name}-{key}": array for key, array in model.state().items()}
        found |= {f"{name}-critic-{key}": array for key, array in loss.state().items()}
        if rank == "0":
            found[f"{name}-losses"] = history.losses
    np.savez(folder / f"rank-{rank}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or CASES)
