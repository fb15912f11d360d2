"""The grid of the study ``jets-noise``.

Every tuning on a noisy device, with its recipe and the models that stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import qgen_core as qgen
from qgen_core.studies import Cell
from qgen_hep.studies.jets.grid import CHOSEN, RESAMPLES, STEPS, Training, chosen
from qgen_hep.studies.jets.grid import target_cell as target_cell_of
from qgen_hep.studies.shared.grid import one_thread, seeds

#: ``lcd`` moves all gates of a group at once, or one at a time.
Mode = Literal["jacobi", "single"]
MODES: tuple[Mode, ...] = ("jacobi", "single")
#: The position among the study's two devices, by the number of wires.
DEVICE_OF = {8: 0, 12: 1}
#: What the paper tuned: wires and ansatz.
CONFIGURATIONS = ((8, "brick"), (8, "tree"), (12, "tree"))
DATASET = {"name": "jets"}
SHOTS = 20_000
CIRCUITS = 300
#: More iterations than a pass has: 39 for ansatz 1 with 6 layers and ansatz 2 with 12.
MOST_ITERATIONS = 1000
EXACT = one_thread("statevector")
#: How each model is sampled.
SAMPLES = {"shots": SHOTS, "resamples": RESAMPLES}


@dataclass(frozen=True)
class Tuning:
    """A training of ``steps`` steps without noise, tuned on ``device``.

    ``layers`` None are those that the paper chose.
    """

    wires: int
    ansatz: str
    device: str
    mode: Mode = "jacobi"
    seed: int = 1
    layers: int | None = None
    steps: int = STEPS
    circuits: int = CIRCUITS

    @property
    def training(self) -> Training:
        """The noiseless training that is tuned, as the study ``jets`` trains it."""
        layers = self.layers or CHOSEN[self.ansatz]
        return Training(self.wires, self.ansatz, layers, seed=self.seed, steps=self.steps)

    def recipe(self) -> dict[str, Any]:
        """The recipe of the tuning. It starts from the training that :func:`noiseless` gives."""
        exact = self.training.recipe(DATASET)
        trainer = {
            "name": "lcd",
            "circuits": self.circuits,
            "mode": self.mode,
            "reference": dict(EXACT),
            "passes": 1,
            "steps": MOST_ITERATIONS,
            "keep_best": True,
        }
        return {
            **exact,
            "backend": one_thread("density"),
            "noise": {"name": self.device},
            "generator": {**exact["generator"], "shots": SHOTS},
            "trainer": trainer,
        }

    def cell(self) -> Cell:
        """Train without noise, tune with it, and measure both."""
        tags = self._tags("tuned")
        tags["mode"] = self.mode
        return Cell(self.recipe(), {"tuned": {"steps": self.steps, **SAMPLES}}, tags)

    def twin_recipe(self) -> dict[str, Any]:
        """The noiseless training, of a classical model with as many parameters."""
        exact = self.training.recipe(DATASET)
        circuit = qgen.build("ansatz", exact["generator"]["ansatz"])(self.wires)
        del exact["backend"]
        return {**exact, "generator": {"name": "nade", "parameters": circuit.num_params}}

    def cells_beside(self) -> list[Cell]:
        """The classical twin, and the circuit with the parameters that no training has moved."""
        return [
            Cell(self.twin_recipe(), {"twin": dict(SAMPLES)}, self._tags("twin")),
            Cell(self.recipe(), {"frozen": dict(SAMPLES)}, self._tags("frozen")),
        ]

    def _tags(self, measured: str) -> dict[str, Any]:
        return {
            "measured": measured,
            "wires": self.wires,
            "ansatz": self.ansatz,
            "device": self.device,
            "seed": self.seed,
        }


def noiseless(recipe: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """The training that a tuning starts from.

    The same circuit and data, exactly, with Adam as in the study ``jets``.
    """
    kept = dict(recipe)
    kept.pop("noise", None)
    generator = dict(recipe["generator"])
    generator.pop("shots", None)
    trainer = {"name": "adam", "learning_rate": 0.01, "steps": steps}
    return {**kept, "backend": dict(EXACT), "generator": generator, "trainer": trainer}


def target_cell(wires: int) -> Cell:
    """Measure the events alone."""
    return target_cell_of(chosen(wires, "tree"), DATASET, [SHOTS], RESAMPLES)


def full(devices: tuple[str, str], seed_count: int) -> list[Tuning]:
    """Both modes, each with this number of seeds."""
    found = []
    for mode in MODES:
        for seed in seeds(seed_count):
            for wires, ansatz in CONFIGURATIONS:
                device = devices[DEVICE_OF[wires]]
                found.append(Tuning(wires, ansatz, device, mode, seed))
    return found


def quick(devices: tuple[str, str]) -> list[Tuning]:
    """One seed and one mode."""
    return [tuning for tuning in full(devices, 1) if tuning.mode == "jacobi"]


def beside(tunings: Iterable[Tuning]) -> list[Cell]:
    """The cells beside the tunings, for each start of a tuning once."""
    found: list[Cell] = []
    for tuning in tunings:
        if tuning.mode == MODES[0]:
            found += tuning.cells_beside()
    return found
