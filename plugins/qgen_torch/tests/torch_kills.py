"""Kill GAN trainings with SIGKILL and resume them: ``torch_kills.py CASE KILLS STEPS FOLDER``.

Prints JSON: the number of places there are, those tried, and those after which the resumed training
differs from the one that was never killed. Trains in forked children, one thread each.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core import Events, Generator, Loss, Space, Trainer, backend, hookimpl
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.random_streams import stream
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.generators.style_qgan import StyleQgan
from qgen_torch.networks.mlp import mlp
from qgen_torch.trainer import TorchTrainer

Parts = tuple[Trainer, Generator, Loss]
SPACES = {"space": Space("reals", 2), "condition": Space("reals", 1)}


def gan(steps: int) -> Parts:
    """Every kind of state: batch and spectral normalisation, momenta, a scheduler, an average."""
    trainer = TorchTrainer(
        optimizer="RMSprop",
        optimizer_options={"momentum": 0.5},
        scheduler="OneCycleLR",
        scheduler_options={"max_lr": 0.01},
        clip_norm=1.0,
        ema=0.9,
        shares=2,
        steps=steps,
        batch_size=16,
    )

    def critic(inputs: int, outputs: int) -> Any:
        return mlp(inputs, outputs, widths=(8,), spectral_norm=True)

    generator = MlpGenerator(**SPACES, latent=3, widths=(8,), norm="batch", seed=11)
    loss = Adversarial(
        **SPACES, variant="wgan-gp", critic=critic, updates=2, energy_weight=0.5, seed=11
    )
    return trainer, generator, loss


def style(steps: int) -> Parts:
    """A quantum generator, trained by Adadelta as published."""
    trainer = TorchTrainer(optimizer="Adadelta", learning_rate=0.5, steps=steps, batch_size=16)
    generator = StyleQgan(**SPACES, backend=backend("statevector"), layers=2, seed=11)
    return (
        trainer,
        generator,
        Adversarial(**SPACES, optimizer="Adadelta", learning_rate=0.1, seed=11),
    )


CASES: dict[str, Callable[[int], Parts]] = {"gan": gan, "style": style}


def events() -> Events:
    rng = stream(2, "toy")
    condition = rng.choice([0.0, 1.0], (60, 1))
    return Events(rng.normal(0.3 * condition, 0.2, (60, 2)), condition, rng.uniform(0.5, 2.0, 60))


class Places:
    """Counts steps and what is done to the disk, and dies at the ``at``-th of them."""

    def __init__(self, at: int = -1) -> None:
        self.at, self.count = at, 0
        self._replace = os.replace

    def tick(self) -> None:
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    @hookimpl
    def on_step(self) -> None:
        self.tick()

    def fsync(self, number: int) -> None:  # a kill loses nothing that the kernel holds
        self.tick()

    def replace(self, source: Any, target: Any) -> None:
        self.tick()
        self._replace(source, target)
        self.tick()


def train(case: str, steps: int, folder: Path, places: Places) -> dict[str, Any]:
    """One life of a training, and everything about its end that must not depend on kills."""
    trainer, generator, loss = CASES[case](steps)
    os.fsync, os.replace = places.fsync, places.replace
    try:
        trainer.fit(
            generator, events(), loss, seed=11, hooks=[places], run=Checkpoints(folder, every=0)
        )
    finally:
        os.replace = places._replace
    arrays = {**generator.state(), **loss.state(), **trainer.state()}
    condition = np.linspace(0, 1, 50)[:, None]
    return {
        "arrays": {
            name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()
        },
        "samples": generator.sample(50, condition, rng=stream(3, "samples")).tolist(),
        "history": (folder / "history.jsonl").read_text(),
        "places": places.count,
    }


def child(case: str, steps: int, folder: Path, at: int = -1) -> dict[str, Any] | None:
    """Train in a child; what it found, None if it was killed."""
    result = folder.with_suffix(".json")
    process = os.fork()
    if process == 0:
        try:
            result.write_text(json.dumps(train(case, steps, folder, Places(at))))
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code == -signal.SIGKILL:
        return None
    assert code == 0, code
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def main(case: str, kills: int, steps: int, folder: Path) -> None:
    CASES[case](steps)  # what torch imports at first use is there before the forks
    whole = child(case, steps, folder / "whole")
    assert whole is not None
    count = whole.pop("places")
    places = np.unique(np.linspace(0, count - 1, kills).astype(int)).tolist()
    wrong = []
    for place in places:
        killed = child(case, steps, folder / "killed", place) is None
        resumed = child(case, steps, folder / "killed") or {}
        resumed.pop("places", None)
        if not killed or resumed != whole:
            differing = [
                name
                for name, value in whole["arrays"].items()
                if resumed.get("arrays", {}).get(name) != value
            ]
            wrong.append({"place": place, "killed": killed, "arrays": differing})
        shutil.rmtree(folder / "killed")
    print(json.dumps({"places": count, "tried": len(places), "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
