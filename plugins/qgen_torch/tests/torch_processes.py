"""Trainings that several processes share: ``torch_processes.py FOLDER STEPS`` under torchrun.

Every process writes its final state to the folder; only the first writes the run folders.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core import Events, Space
from qgen_core.losses.mean import Mean
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


def main(folder: Path, steps: int) -> None:
    rank = os.environ.get("RANK", "0")
    found: dict[str, Any] = {}
    for name, case in (("quadratic", quadratic), ("gan", gan)):
        trainer, model, data, loss = case(steps)
        history = trainer.fit(model, data, loss, seed=6, run=Checkpoints(folder / name, every=0))
        found |= {f"{name}-{key}": array for key, array in model.state().items()}
        found |= {f"{name}-critic-{key}": array for key, array in loss.state().items()}
        if rank == "0":
            found[f"{name}-losses"] = history.losses
    np.savez(folder / f"rank-{rank}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
