"""The grid of the study ``jets``: every configuration that is trained, and its recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal

from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import one_thread, seeds

#: The paper's number of each ansatz, the layers that it scans, and those that it chose.
NUMBER = {"brick": 1, "tree": 2}
SCAN = {"brick": (1, 3, 6, 9), "tree": (2, 6, 12, 18)}
CHOSEN = {"brick": 6, "tree": 12}
ANSATZE = tuple(NUMBER)
#: Wires of each feature, and the features by the number of wires.
BITS = 4
COLUMNS = {8: ("pt", "mass"), 12: ("pt", "mass", "eta")}
STARTS = {8: ("zero", "bell", "plus"), 12: ("zero", "bell", "ghz", "plus")}
#: Shots that a trained circuit is measured with, and those of the paper's trainings, by wires.
SHOTS = {8: (8192,), 12: (8192, 20000)}
TRAINING_SHOTS = {8: 8192, 12: 20000}
#: Fractions of the events to train on (figure 7).
FRACTIONS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
#: The range that the 16 bins of a feature divide, in GeV or dimensionless.
WINDOW = {"pt": (250.0, 600.0), "mass": (0.0, 200.0), "eta": (-2.5, 2.5)}
STEPS = 300
#: Steps of the 12-wire trainings from shots in the quick setting.
QUICK_STEPS = 40
RESAMPLES = 1000
#: How a training from shots treats bins without counts: every bin gets half a count, or the
#: logarithm is clipped at half a count or at 1e-12 (docs/readings.md; the paper does not say).
EmptyBins = Literal["half", "clip", "raw"]


@dataclass(frozen=True)
class Training:
    """One training. ``shots`` None is exact; ``fraction`` of the events are trained on."""

    wires: int
    ansatz: str
    layers: int
    start: str = "zero"
    shots: int | None = None
    fraction: float = 1.0
    steps: int = STEPS
    empty_bins: EmptyBins = "half"
    seed: int = 1

    @property
    def tags(self) -> dict[str, Any]:
        """The tags of the cell: all fields, and what is measured."""
        return {"measured": "trained", **asdict(self)}

    @property
    def configuration(self) -> dict[str, Any]:
        """The tags that all seeds of this configuration have."""
        tags = self.tags
        del tags["seed"]
        return tags

    def recipe(self, dataset: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe, on a dataset without its columns."""
        columns = list(COLUMNS[self.wires])
        generator: dict[str, Any] = {
            "name": "qcbm",
            "ansatz": {"name": self.ansatz, "layers": self.layers, "start": self.start},
        }
        loss: dict[str, Any] = {"name": "js"}
        if self.shots is not None:
            generator["shots"] = self.shots
        if self.empty_bins != "half":
            generator["smoothing"] = 0.0
        if self.empty_bins == "clip" and self.shots is not None:
            loss["floor"] = 0.5 / self.shots
        return {
            "seed": self.seed,
            "split": [self.fraction, 0.0, round(1 - self.fraction, 9)],
            "dataset": {**dataset, "columns": columns},
            "encoder": {
                "name": "binning",
                "bits": BITS,
                "window": [list(WINDOW[column]) for column in columns],
            },
            "backend": one_thread("statevector"),
            "generator": generator,
            "loss": loss,
            "trainer": {"name": "adam", "learning_rate": 0.01, "steps": self.steps},
        }

    def cell(self, dataset: Mapping[str, Any]) -> Cell:
        """Train, and measure the trained circuit."""
        options = {"shots": list(SHOTS[self.wires]), "resamples": RESAMPLES}
        return Cell(self.recipe(dataset), {"trained": options}, self.tags)


def chosen(wires: int, ansatz: str, **others: Any) -> Training:
    """A training with the layers that the paper chose, unless ``layers`` is given."""
    return Training(wires, ansatz, **{"layers": CHOSEN[ansatz], **others})


def target_cell(
    training: Training,
    dataset: Mapping[str, Any],
    shots: Sequence[int],
    resamples: int = RESAMPLES,
) -> Cell:
    """Measure the events alone: only the dataset and the encoder of the training are used."""
    options = {"shots": list(shots), "resamples": resamples, "pseudo_counts": 0.5}
    tags: dict[str, Any] = {"measured": "target", "wires": training.wires}
    return Cell(training.recipe(dataset), {"target": options}, tags)


def target_cells(dataset: Mapping[str, Any]) -> list[Cell]:
    """The events with the features of 8 and of 12 wires."""
    return [target_cell(chosen(wires, "brick"), dataset, SHOTS[wires]) for wires in COLUMNS]


def full(seed_count: int, shot_seed_count: int) -> list[Training]:
    """Every configuration of the paper, each once.

    The 12-wire trainings from shots have ``shot_seed_count`` seeds, all others ``seed_count``.
    """
    found: list[Training] = []
    for seed in seeds(seed_count):
        found += _exact(seed)
    for seed in seeds(seed_count):
        found += _fractions(seed, None)
    for seed in seeds(seed_count):
        found += _shots_8_wires(seed)
    for seed in seeds(seed_count):
        found += _empty_bins(seed)
    found += _fractions(1, 8192)
    for seed in seeds(shot_seed_count):
        found += _shots_12_wires(seed, STEPS)
    found += [chosen(12, ansatz, shots=20000, empty_bins="raw") for ansatz in ANSATZE]
    return _distinct(found)


def quick() -> list[Training]:
    """One seed, fewer fractions, and only the first steps of four 12-wire trainings from shots."""
    found = list(_exact(1))
    found += [t for t in _fractions(1, None) if t.fraction in (0.001, 0.01, 0.1)]
    found += [t for t in _shots_8_wires(1) if t.layers == CHOSEN[t.ansatz]]
    found += [t for t in _shots_12_wires(1, QUICK_STEPS) if t.start == "zero"]
    return _distinct(found)


def _distinct(found: Iterable[Training]) -> list[Training]:
    return list(dict.fromkeys(found))


def _exact(seed: int) -> Iterator[Training]:
    for wires in COLUMNS:
        for ansatz, start in product(ANSATZE, STARTS[wires]):
            yield chosen(wires, ansatz, start=start, seed=seed)
    for ansatz in ANSATZE:
        for layers in SCAN[ansatz]:
            yield Training(8, ansatz, layers, seed=seed)


def _fractions(seed: int, shots: int | None) -> Iterator[Training]:
    for ansatz, fraction in product(ANSATZE, FRACTIONS):
        yield chosen(8, ansatz, shots=shots, fraction=fraction, seed=seed)


def _shots_8_wires(seed: int) -> Iterator[Training]:
    for ansatz in ANSATZE:
        for layers in SCAN[ansatz]:
            yield Training(8, ansatz, layers, shots=8192, seed=seed)
        yield chosen(8, ansatz, start="bell", shots=8192, seed=seed)


def _empty_bins(seed: int) -> Iterator[Training]:
    for ansatz, empty_bins in product(ANSATZE, ("clip", "raw")):
        yield chosen(8, ansatz, shots=8192, seed=seed, empty_bins=empty_bins)


def _shots_12_wires(seed: int, steps: int) -> Iterator[Training]:
    for ansatz in ANSATZE:
        yield chosen(12, ansatz, shots=8192, seed=seed, steps=steps)
    for start, ansatz in product(STARTS[12], ANSATZE):
        yield chosen(12, ansatz, start=start, shots=20000, seed=seed, steps=steps)
