"""The grid of the study ``hits``: samples, models, windows and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import one_thread, seeds

TRUTH = "truth"
IQP = "iqp"
#: The quantum models: all pairs of cells, with the two-body angles as they started, started from
#: random angles, and neighbouring cells only.
FROZEN = "iqp, frozen pairs"
RANDOM = "iqp, random start"
NEIGHBOURS = "iqp, neighbours"
QUANTUM = (IQP, FROZEN, RANDOM, NEIGHBOURS)
#: The first two and ``rbm`` have as many parameters as the quantum models above them.
ISING = "pairwise-ising"
ISING_NEIGHBOURS = "pairwise-ising, neighbours"
RBM = "rbm"
TREE = "chow-liu-tree"
TWINS = (ISING, ISING_NEIGHBOURS, RBM, TREE)
MODELS = (*QUANTUM, *TWINS)

#: Bits of the energy as the condition of ``rbm``, whose conditions are units.
ENERGY_BITS = 4
#: Events of a step.
BATCH = 500
#: Wires of a word on average, for the curves of MMD over bandwidths.
WORD_SIZES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
#: The devices of the windows.
DEVICE = "fake_guadalupe"


@dataclass(frozen=True)
class Sample:
    """Showers whose hits are learned.

    Args:
        dataset: options of the dataset.
        threshold: in MeV; a cell above it is hit.
        lattice: the grids of cells.
        hidden: units of ``rbm``, so that it has about the parameters of all pairs of cells.
        learning_rate: of the quantum models.
        window: the grid of the window of cells, and its first row and column in it.
    """

    dataset: Mapping[str, Any]
    threshold: float
    lattice: tuple[tuple[int, int], ...]
    hidden: int
    learning_rate: float
    window: tuple[int, int, int]

    @property
    def has_energies(self) -> bool:
        """Whether the incident energy varies, and is a condition."""
        return bool(self.dataset.get("condition_columns", True))


SAMPLES = {
    "positrons": Sample(
        dataset={"name": "calogan", "source": "geant4"},
        threshold=1.0,
        lattice=((3, 96), (12, 12), (12, 6)),
        hidden=250,
        learning_rate=0.002,
        window=(2, 4, 1),
    ),
    "photons": Sample(
        dataset={"name": "calo-photons", "source": "geant4", "condition_columns": []},
        threshold=5.0,
        lattice=((1, 8), (10, 16), (10, 19), (1, 5), (1, 5)),
        hidden=184,
        learning_rate=0.003,
        window=(1, 3, 5),
    ),
}


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        seeds: trainings of each model.
        parts: training, validation and held-out events by sample.
        steps: of the quantum models, and of the Boltzmann machines.
        sweeps: by which the chains of training go on for the events that are compared.
        sets: how many random pairs, triples and quadruples of cells are compared.
        words: for each point of a curve of MMD.
        conditions: held-out energies at which expectations of quantum models are computed.
        window: cells along each side of the window that is drawn without noise.
        device_window: the same of the window on the noisy device, whose simulation takes more time.
        shots: events of a window, and of each circuit that calibrates the readout.
        draws: sign vectors of the cells outside the window, each one circuit.
    """

    seeds: int
    parts: Mapping[str, tuple[int, int, int]]
    steps: tuple[int, int]
    sweeps: int
    sets: int
    words: int
    conditions: int
    window: tuple[int, int]
    device_window: tuple[int, int]
    shots: int
    draws: int

    def split(self, sample: str) -> list[float]:
        """The shares of training, validation and held-out events."""
        total = sum(self.parts[sample])
        return [part / total for part in self.parts[sample]]


FULL = Setting(
    seeds=5,
    parts={"positrons": (5000, 860, 2000), "photons": (2000, 300, 1000)},
    steps=(2000, 1500),
    sweeps=200,
    sets=5000,
    words=1000,
    conditions=400,
    window=(6, 4),
    device_window=(4, 4),
    shots=2000,
    draws=40,
)
QUICK = Setting(
    seeds=1,
    parts={"positrons": (3000, 400, 1000), "photons": (2000, 300, 1000)},
    steps=(400, 300),
    sweeps=100,
    sets=2000,
    words=300,
    conditions=100,
    window=(4, 4),
    device_window=(3, 4),
    shots=1200,
    draws=40,
)


def recipe(sample: str, model: str, seed: int, setting: Setting) -> dict[str, Any]:
    """The recipe of a row; true events have that of the tree, which trains nothing."""
    showers = SAMPLES[sample]
    events = sum(setting.parts[sample])
    found: dict[str, Any] = {
        "seed": seed,
        "split": setting.split(sample),
        "dataset": {**showers.dataset, "events": events},
        "encoder": {"name": "binarise", "threshold": showers.threshold},
    }
    if showers.has_energies:
        found["condition_encoder"] = "standard"
    if model in QUANTUM:
        return {**found, **_quantum(showers, model, setting)}
    if model.startswith(ISING):
        generator: dict[str, Any] = {"name": ISING, "method": "pcd"}
        if model == ISING_NEIGHBOURS:
            generator["lattice"] = _lists(showers.lattice)
        trainer = _adam(0.001, setting.steps[1])
        return {**found, **_sampled(generator, 5), "loss": "mean", "trainer": trainer}
    if model == RBM:
        if showers.has_energies:
            found["condition_encoder"] = _energy_in_bits()
        generator = {"name": RBM, "hidden": showers.hidden, "precision": "single"}
        trainer = _adam(0.0005, setting.steps[1])
        return {**found, **_sampled(generator, 10), "loss": "mean", "trainer": trainer}
    return {
        **found,
        "generator": TREE,
        "loss": {"name": "nll", "reads": "log_prob"},
        "trainer": "adam",
    }


def _quantum(showers: Sample, model: str, setting: Setting) -> dict[str, Any]:
    generator: dict[str, Any] = {"name": IQP}
    if model == NEIGHBOURS:
        generator["lattice"] = _lists(showers.lattice)
    if model == FROZEN:
        generator["frozen_couplings"] = True
    if model == RANDOM:
        generator["start"] = "random"
    return {
        "backend": one_thread("statevector"),
        "generator": generator,
        "loss": {"name": "mmd", "reads": "correlators"},
        "trainer": _adam(showers.learning_rate, setting.steps[0]) | {"select": "loss"},
    }


def _sampled(generator: dict[str, Any], sweeps: int) -> dict[str, Any]:
    """Chains as many as a batch has events, of so many sweeps a step."""
    sampler = {"name": "gibbs", "sweeps": sweeps, "threads": 1}
    return {"sampler": sampler, "generator": {**generator, "chains": BATCH}}


def _adam(learning_rate: float, steps: int) -> dict[str, Any]:
    return {
        "name": "adam",
        "learning_rate": learning_rate,
        "schedule": "cosine",
        "steps": steps,
        "batch_size": BATCH,
    }


def _energy_in_bits() -> dict[str, Any]:
    return {"name": "binning", "bits": ENERGY_BITS, "window": [[1.0, 100.0]]}


def _lists(lattice: tuple[tuple[int, int], ...]) -> list[list[int]]:
    return [list(sides) for sides in lattice]


def window_of(sample: str, sides: tuple[int, int]) -> list[int]:
    """The numbers of the cells of a window of so many rows and columns, row by row.

    >>> window_of("photons", (2, 3))
    [61, 62, 63, 77, 78, 79]
    """
    showers = SAMPLES[sample]
    layer, first_row, first_column = showers.window
    before = sum(rows * columns for rows, columns in showers.lattice[:layer])
    rows, columns = sides
    width = showers.lattice[layer][1]
    found = []
    for row in range(first_row, first_row + rows):
        start = before + row * width + first_column
        found += list(range(start, start + columns))
    return found


def cells(setting: Setting, seed_count: int) -> list[Cell]:
    """True events and each model of each sample, seed by seed; the windows of seed 1."""
    found = []
    for sample in SAMPLES:
        for model in (TRUTH, *MODELS):
            for seed in seeds(seed_count):
                made = recipe(sample, model, seed, setting)
                compared = {
                    "lattice": _lists(SAMPLES[sample].lattice),
                    "sets": setting.sets,
                    "words": setting.words,
                    "conditions": setting.conditions,
                    "sweeps": setting.sweeps,
                    "details": seed == 1,
                }
                measurements: dict[str, Any] = {"compared": compared | {"truth": model == TRUTH}}
                if model in (IQP, NEIGHBOURS) and seed == 1:
                    measurements["window"] = _window(sample, setting.window, setting, None)
                if model == NEIGHBOURS and seed == 1:
                    measurements["device"] = _window(sample, setting.device_window, setting, DEVICE)
                found.append(Cell(made, measurements, _tags(sample, model, seed)))
    return found


def _window(
    sample: str, sides: tuple[int, int], setting: Setting, device: str | None
) -> dict[str, Any]:
    """The options of the measurement of a window."""
    return {
        "cells": window_of(sample, sides),
        "shots": setting.shots,
        "draws": setting.draws,
        "device": device,
    }


def _tags(sample: str, model: str, seed: int) -> dict[str, Any]:
    return {"sample": sample, "model": model, "seed": seed}
