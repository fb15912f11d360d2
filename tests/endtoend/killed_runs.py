"""Runs that are killed with SIGKILL and resumed: ``killed_runs.py FOLDER CASE...``.

Prints JSON: for each case the step at which its run was killed, the arrays that its checkpoint
holds, and everything in which the resumed run differs from one that was never killed. Every life of
a run is a forked child, so that only one process imports the packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np

import qgen_core as qgen
from qgen_core import cli, hookimpl
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.runs.run import train
from qgen_core.support.checkpoint import Checkpoints

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples" / "rbm" / "src"))
from qgen_example_rbm import BoltzmannMachine, Gibbs

STEPS = 7

MACHINE = """
seed = 5
metrics = []
dataset = "toy-points"
encoder = { name = "binning", bits = 2, window = [[0.0, 8.0], [0.0, 8.0]] }
generator = "toy-rbm"
loss = "mean"
"""
NETWORK = """
seed = 5
metrics = []
dataset = { name = "toy-points", conditions = true }
encoder = { name = "chain", encoders = ["log", "min-max", "standard"] }
condition_encoder = "standard"
"""
KERNELS = """
generator = { name = "mlp-generator", widths = [8], latent = 2 }
loss = { name = "mmd", reads = "samples", bandwidth = [1.0] }
"""
NORMALISED = KERNELS.replace("latent = 2", 'latent = 2, norm = "batch"')
CRITIC = """
generator = { name = "mlp-generator", widths = [8], latent = 2 }
loss = { name = "adversarial", variant = "hinge", critic = "toy-critic" }
"""


def trained(name: str, **options: Any) -> str:
    """The line of a recipe that names a trainer with its options."""
    words = [f'name = "{name}"']
    for option, value in {"steps": STEPS, **options}.items():
        words.append(f"{option} = {json.dumps(value)}")
    return f"trainer = {{ {', '.join(words)} }}\n"


ADAM = trained("adam", batch_size=30)
TORCH = trained("torch", scheduler="CosineAnnealingLR", ema=0.8, batch_size=30)
#: The recipe of each kind of state.
CASES: dict[str, str] = {
    "chains": MACHINE + ADAM + 'sampler = { name = "toy-gibbs", sweeps = 2 }\n',
    "sampler": MACHINE + ADAM + 'sampler = { name = "toy-warming", sweeps = 2 }\n',
    "batch-norm": NETWORK + NORMALISED + ADAM,
    "critic": NETWORK + CRITIC + TORCH,
    "selection": NETWORK + KERNELS + trained("adam", select="loss", validate_every=2, patience=3),
    "torch": NETWORK + KERNELS + TORCH,
}


class Coupled(BoltzmannMachine):
    """Couplings so strong that chains from two starts stay apart, with equal random numbers too."""

    def __init__(
        self,
        *,
        space: qgen.Space,
        sampler: Annotated[qgen.Sampler, qgen.Component("sampler")],
        seed: int,
    ) -> None:
        super().__init__(space=space, sampler=sampler, seed=seed, hidden=3, chains=20)
        self.J *= 200


class Warming(Gibbs):
    """Gibbs sampling that cools with each draw: the number of draws is its state."""

    def __init__(self, *, sweeps: int = 20) -> None:
        super().__init__(sweeps=sweeps)
        self.draws = np.zeros(1)

    @property
    def beta(self) -> float:
        return float(1 - 0.9 ** (self.draws[0] + 1))

    def sample(self, ising: Any, n: int, *, rng: Any, initial: Any = None) -> Any:
        found = super().sample(ising, n, rng=rng, initial=initial)
        self.draws += 1
        return found

    def state(self) -> dict[str, Any]:
        return {"draws": self.draws.copy()}

    def load(self, state: Any) -> None:
        self.draws[...] = state["draws"]


def points(*, conditions: bool = False) -> qgen.Events:
    rng = np.random.default_rng(3)
    shift = rng.choice([0.0, 1.0], (150, 1))
    x = np.exp(rng.normal(0.5 * shift, 0.4, (150, 2)))
    if not conditions:
        return qgen.Events(x, columns=("a", "b"))
    return qgen.Events(x, shift, columns=("a", "b"), condition_columns=("shift",))


def offer_components() -> None:
    """Register what the recipes name."""
    qgen.register("dataset", "toy-points", points)
    qgen.register("generator", "toy-rbm", Coupled)
    qgen.register("sampler", "toy-gibbs", Gibbs)
    qgen.register("sampler", "toy-warming", Warming)
    qgen.register("network", "toy-critic", critic)


def critic(inputs: int, outputs: int) -> Any:
    """Its vectors of the power iterations are state beside the parameters."""
    from qgen_torch.networks.mlp import mlp

    return mlp(inputs, outputs, widths=(8,), spectral_norm=True)


class Killer:
    """A hook that kills the process at the end of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    @hookimpl
    def on_step(self, record: dict[str, Any]) -> None:
        if record["step"] == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def life(work: Callable[[], None]) -> int:
    """Do this in a forked child; its exit code, negative if a signal ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_qgen(*arguments: str) -> None:
    """The command line; it ends with an exception unless the command succeeds."""
    try:
        cli.main(arguments)
    except SystemExit as end:
        if end.code:
            raise


def finish(recipe: Path, folder: Path) -> None:
    """Train to the end with ``--resume``, generate events, and write down what there is."""
    words = ["--checkpoint-every", "0", "--resume"]
    run_qgen("train", str(recipe), "--run", str(folder), *words)
    events = folder.with_suffix(".h5")
    run_qgen("generate", str(folder), "-n", "60", "-o", str(events))
    found: dict[str, Any] = {"history": (folder / "history.jsonl").read_text()}
    for part, place in (("run", folder), ("encoders", folder / "encoders")):
        saved = Checkpoints(place).latest()
        assert saved is not None
        for name, array in saved.arrays.items():
            found[name] = hashlib.sha256(array.tobytes()).hexdigest()
        for name, value in saved.meta.items():
            found[f"{part}: {name}"] = value
    with h5py.File(events) as file:
        for name in sorted(file):
            found[f"events: {name}"] = hashlib.sha256(file[name][()].tobytes()).hexdigest()
    folder.with_suffix(".json").write_text(json.dumps(found))


def compare(case: str, folder: Path) -> dict[str, Any]:
    """Train a case twice, once with a kill, and say what differs."""
    folder.mkdir()
    recipe = folder / "recipe.toml"
    recipe.write_text(CASES[case])
    rng = np.random.default_rng(zlib.crc32(case.encode()))
    step = int(rng.integers(1, STEPS - 1))
    killed = folder / "killed"

    def first_life() -> None:
        train(Recipe.parse(CASES[case]), killed, every=0, hooks=[Killer(step)])

    code = life(first_life)
    results = []
    for run in (folder / "whole", killed):
        assert life(partial(finish, recipe, run)) == 0, (case, run.name)
        results.append(json.loads(run.with_suffix(".json").read_text()))
    whole, resumed = results
    names = sorted(whole.keys() | resumed.keys())
    return {
        "step": step,
        "killed": code == -signal.SIGKILL,
        "holds": sorted(whole),
        "differing": [name for name in names if whole.get(name) != resumed.get(name)],
    }


def main(folder: Path, cases: list[str]) -> None:
    os.fsync = lambda number: None  # a kill loses nothing that the kernel holds
    output = os.dup(1)
    os.dup2(2, 1)  # what the runs print is not part of the result
    offer_components()
    found = {}
    for case in cases:
        Assembly(Recipe.parse(CASES[case])).check()  # imports what the lives of the run need
        found[case] = compare(case, folder / case)
    os.write(output, json.dumps(found).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(CASES))
