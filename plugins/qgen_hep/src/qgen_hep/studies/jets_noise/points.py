"""The configurations of the study ``jets-noise``: from a point of its grid to a cell, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qgen_core.studies import Cell
from qgen_hep.studies.jets.points import ANSATZE, CHOSEN, RESAMPLES, STEPS, Point

Mode = Literal["jacobi", "single"]
#: Which of the study's two devices, by the number of features.
DEVICE_OF = {2: 0, 3: 1}
#: What the paper tuned: features and ansatz.
CONFIGURATIONS = ((2, 1), (2, 2), (3, 2))
DATASET = {"name": "jets"}
SHOTS, CIRCUITS = 20_000, 300
#: Iterations at most; a pass over ansatz 1 with 6 layers and over ansatz 2 with 12 has 39.
MOST = 1000
EXACT = {"name": "statevector", "threads": 1}


@dataclass(frozen=True)
class Tuning:
    """A training of ``steps`` steps without noise, tuned on ``device``."""

    features: int
    ansatz: int
    device: str
    mode: Mode = "jacobi"
    seed: int = 1
    layers: int = 0
    steps: int = STEPS
    circuits: int = CIRCUITS

    def recipe(self) -> dict[str, Any]:
        """The recipe of the tuning; what it starts from is trained by :func:`noiseless` of it."""
        layers = self.layers or CHOSEN[self.ansatz]
        exact = Point(self.features, self.ansatz, layers, seed=self.seed, steps=self.steps).recipe(
            DATASET
        )
        trainer = {
            "name": "lcd",
            "circuits": self.circuits,
            "mode": self.mode,
            "reference": dict(EXACT),
            "passes": 1,
            "steps": MOST,
            "keep_best": True,
        }
        return {
            **exact,
            "backend": {
                "name": "density",
                "threads": 1,
            },  # the executor fills the processors with cells
            "noise": {"name": self.device},
            "generator": {**exact["generator"], "shots": SHOTS},
            "trainer": trainer,
        }

    def cell(self) -> Cell:
        """Train without noise, tune with it, and measure both."""
        return Cell(
            self.recipe(), {"tuned": {"steps": self.steps, "shots": SHOTS, "resamples": RESAMPLES}}
        )

    @classmethod
    def of(cls, cell: Cell) -> Tuning:
        """The point that a cell was made of."""
        recipe = cell.recipe
        ansatz = recipe["generator"]["ansatz"]
        number = next(number for number, name in ANSATZE.items() if name == ansatz["name"])
        return cls(
            features=len(recipe["dataset"]["columns"]),
            ansatz=number,
            device=recipe["noise"]["name"],
            mode=recipe["trainer"]["mode"],
            seed=recipe["seed"],
            layers=0 if ansatz["layers"] == CHOSEN[number] else ansatz["layers"],
            steps=cell.measurements["tuned"]["steps"],
            circuits=recipe["trainer"]["circuits"],
        )


def noiseless(recipe: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """The training that a tuning starts from.

    The same circuit and data, exactly, with Adam as in the study jets.
    """
    kept = {key: value for key, value in recipe.items() if key != "noise"}
    generator = {key: value for key, value in recipe["generator"].items() if key != "shots"}
    trainer = {"name": "adam", "learning_rate": 0.01, "steps": steps}
    return {**kept, "backend": dict(EXACT), "generator": generator, "trainer": trainer}


def target_cell(features: int) -> Cell:
    """Look at the data alone: the recipe is only asked for its dataset and encoder."""
    options = {"shots": [SHOTS], "resamples": RESAMPLES, "pseudo_counts": 0.5}
    return Cell(Point(features, 2, CHOSEN[2]).recipe(DATASET), {"target": options})


def full(devices: tuple[str, str], seeds: int) -> list[Tuning]:
    """Both ways to move, each with so many seeds."""
    modes: tuple[Mode, ...] = ("jacobi", "single")
    return [
        Tuning(features, ansatz, devices[DEVICE_OF[features]], mode, seed)
        for mode in modes
        for seed in range(1, seeds + 1)
        for features, ansatz in CONFIGURATIONS
    ]


def quick(devices: tuple[str, str]) -> list[Tuning]:
    """One seed and one way to move."""
    return [point for point in full(devices, 1) if point.mode == "jacobi"]
