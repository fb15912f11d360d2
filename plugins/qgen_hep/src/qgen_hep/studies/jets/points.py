"""The configurations of the study ``jets``: from a point of its grid to a cell, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from qgen_core.studies import Cell

#: The ansatze of the paper, by its number: our name, the layers it scans, and those it chooses.
ANSATZE = {1: "brick", 2: "tree"}
SCAN = {1: (1, 3, 6, 9), 2: (2, 6, 12, 18)}
CHOSEN = {1: 6, 2: 12}
COLUMNS = {2: ("pt", "mass"), 3: ("pt", "mass", "eta")}
STARTS = {2: ("zero", "bell", "plus"), 3: ("zero", "bell", "ghz", "plus")}
#: Shots that a trained circuit is measured with, by the number of features.
SHOTS = {2: (8192,), 3: (8192, 20000)}
#: Parts of the data set to train on (figure 7).
FRACTIONS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
#: Lower and upper bounds that the 16 bins of a feature share out, GeV and 1.
WINDOW = {"pt": (250.0, 600.0), "mass": (0.0, 200.0), "eta": (-2.5, 2.5)}
STEPS, BITS, RESAMPLES = 300, 4, 1000
#: What becomes of bins without counts in a training from shots: every bin gets half a count, the
#: logarithm is clipped at half a count, or at 1e-12 (docs/readings.md; the paper does not say).
Empty = Literal["half", "clip", "raw"]


@dataclass(frozen=True)
class Point:
    """One training: ``shots`` None is exact, ``fraction`` of the events are trained on."""

    features: int
    ansatz: int
    layers: int
    start: str = "zero"
    shots: int | None = None
    fraction: float = 1.0
    seed: int = 1
    steps: int = STEPS
    empty: Empty = "half"

    def recipe(self, dataset: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe, on a dataset whose columns are still to be named."""
        columns = list(COLUMNS[self.features])
        ansatz = {"name": ANSATZE[self.ansatz], "layers": self.layers, "start": self.start}
        shots: dict[str, Any] = {} if self.shots is None else {"shots": self.shots}
        shots |= {} if self.empty == "half" else {"smoothing": 0.0}
        floor = {"floor": 0.5 / self.shots} if self.empty == "clip" and self.shots else {}
        return {
            "seed": self.seed,
            "split": [self.fraction, 0.0, round(1 - self.fraction, 9)],
            "dataset": {**dataset, "columns": columns},
            "encoder": {
                "name": "binning",
                "bits": BITS,
                "window": [list(WINDOW[c]) for c in columns],
            },
            "backend": {
                "name": "statevector",
                "threads": 1,
            },  # the executor fills the processors with cells
            "generator": {"name": "qcbm", "ansatz": ansatz, **shots},
            "loss": {"name": "js", **floor},
            "trainer": {"name": "adam", "learning_rate": 0.01, "steps": self.steps},
        }

    def cell(self, dataset: Mapping[str, Any]) -> Cell:
        """Train, and measure the trained circuit."""
        options = {"shots": list(SHOTS[self.features]), "resamples": RESAMPLES}
        return Cell(self.recipe(dataset), {"trained": options})

    @classmethod
    def of(cls, cell: Cell) -> Point:
        """The point that a cell was made of."""
        recipe = cell.recipe
        ansatz = recipe["generator"]["ansatz"]
        return cls(
            features=len(recipe["dataset"]["columns"]),
            ansatz=next(number for number, name in ANSATZE.items() if name == ansatz["name"]),
            layers=ansatz["layers"],
            start=ansatz["start"],
            shots=recipe["generator"].get("shots"),
            fraction=recipe["split"][0],
            seed=recipe["seed"],
            steps=recipe["trainer"]["steps"],
            empty="clip"
            if "floor" in recipe["loss"]
            else "raw"
            if "smoothing" in recipe["generator"]
            else "half",
        )


def target_cell(features: int, dataset: Mapping[str, Any]) -> Cell:
    """Look at the data alone: the recipe is only asked for its dataset and encoder."""
    options = {"shots": list(SHOTS[features]), "resamples": RESAMPLES, "pseudo_counts": 0.5}
    return Cell(Point(features, 1, CHOSEN[1]).recipe(dataset), {"target": options})


def full(seeds: int, shot_seeds: int) -> list[Point]:
    """Every configuration of the paper.

    The 12-qubit trainings from shots with ``shot_seeds`` seeds.
    """
    points = [p for seed in range(1, seeds + 1) for p in _exact(seed)]
    points += [p for seed in range(1, seeds + 1) for p in _fractions(seed, None)]
    points += [p for seed in range(1, seeds + 1) for p in _shots_2d(seed)]
    points += [p for seed in range(1, seeds + 1) for p in _empty_bins(seed)]
    points += _fractions(1, 8192)
    points += [p for seed in range(1, shot_seeds + 1) for p in _shots_3d(seed, STEPS)]
    points += [Point(3, ansatz, CHOSEN[ansatz], shots=20000, empty="raw") for ansatz in ANSATZE]
    return points


def quick() -> list[Point]:
    """One seed, fewer fractions, and only the first steps of four 12-qubit trainings from shots."""
    some = [p for p in _fractions(1, None) if p.fraction in (0.001, 0.01, 0.1)]
    shots = [p for p in _shots_2d(1) if p.layers == CHOSEN[p.ansatz]]
    return [*_exact(1), *some, *shots, *(p for p in _shots_3d(1, 40) if p.start == "zero")]


def _exact(seed: int) -> Iterator[Point]:
    for features in (2, 3):
        for ansatz, start in product(ANSATZE, STARTS[features]):
            yield Point(features, ansatz, CHOSEN[ansatz], start, seed=seed)
    for ansatz in ANSATZE:
        for layers in SCAN[ansatz]:
            yield Point(2, ansatz, layers, seed=seed)


def _fractions(seed: int, shots: int | None) -> Iterator[Point]:
    for ansatz, fraction in product(ANSATZE, FRACTIONS):
        yield Point(2, ansatz, CHOSEN[ansatz], shots=shots, fraction=fraction, seed=seed)


def _shots_2d(seed: int) -> Iterator[Point]:
    for ansatz in ANSATZE:
        for layers in SCAN[ansatz]:
            yield Point(2, ansatz, layers, shots=8192, seed=seed)
        yield Point(2, ansatz, CHOSEN[ansatz], "bell", shots=8192, seed=seed)


def _empty_bins(seed: int) -> Iterator[Point]:
    ways: tuple[Empty, ...] = ("clip", "raw")
    for ansatz, empty in product(ANSATZE, ways):
        yield Point(2, ansatz, CHOSEN[ansatz], shots=8192, seed=seed, empty=empty)


def _shots_3d(seed: int, steps: int) -> Iterator[Point]:
    for ansatz in ANSATZE:
        yield Point(3, ansatz, CHOSEN[ansatz], shots=8192, seed=seed, steps=steps)
    for start, ansatz in product(STARTS[3], ANSATZE):
        yield Point(3, ansatz, CHOSEN[ansatz], start, shots=20000, seed=seed, steps=steps)
