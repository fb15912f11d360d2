"""The grid of the study ``caloqvae``: species, models, samplers and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import seeds

SPECIES = ("e+", "gamma", "pi+")
#: Pairs of species that are classified; both of a pair come from the same kind of generator, or
#: are a parametrised electron and the hadronic stand-in.
PAIRS = (("e+", "pi+"), ("e+", "gamma"))
#: The events that are told apart from the stand-ins: simulated by Geant4, of this species alone.
SIMULATED = {"name": "calogan", "species": "e+", "source": "geant4"}
#: The stand-in of each species.
SOURCES = {"e+": "gflash", "gamma": "gflash", "pi+": "hadronic"}
#: The head of the decoder. The published one makes the energies too small and gives hits their mean
#: energies, which classifiers find in every shower, whatever the prior is.
HEAD = "hits-truncated"
#: The model and its twins, by what makes them differ from it. ``published-head`` has the head of
#: the published code of CaloQVAE.
MODELS: dict[str, dict[str, Any]] = {
    "rbm": {"name": "rbm-vae", "prior": "rbm"},
    "published-head": {"name": "rbm-vae", "prior": "rbm", "head": "hits"},
    "frozen": {"name": "rbm-vae", "prior": "rbm", "frozen_prior": True},
    "factorised": {"name": "rbm-vae", "prior": "factorised"},
    "plain": {"name": "hybrid-vae", "block": "classical"},
}
#: Those whose prior has the couplings of the annealer's chip.
ON_CHIP = ("rbm", "published-head", "frozen")
#: The model whose showers are also drawn by the emulated annealer.
ANNEALED = "rbm"
#: Normal latents of the plain model; its encoder has as many columns in front of them.
PLAIN_LATENTS = 20
#: The incident energy and its logarithm, each with mean 0 and deviation 1.
CONDITION_ENCODER = {"name": "chain", "encoders": ["energy-features", "standard"]}
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
#: The emulated annealer: a Zephyr chip, whose temperature is estimated against own Markov chains.
EMULATOR: dict[str, Any] = {
    "name": "dwave-emulator",
    "beta": 4.5,
    "reference": {"name": "gibbs", "sweeps": 500},
}


#: Incident energies (GeV) at which the temperature of the annealer is estimated.
ENERGIES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 99.0)
#: Microseconds of an anneal in these estimates: the first freezes out early, the second is slow.
ANNEAL_TIMES = (0.2, 20.0)


@dataclass(frozen=True)
class Classification:
    """The networks: one of cells, each shower scaled to length 1, and one of observables."""

    epochs: int = 30
    cells: tuple[int, ...] = (512, 512, 128)
    observables: tuple[int, ...] = (64, 64)

    def options(self) -> dict[str, Any]:
        """As plain data, for the recipe of a cell."""
        return {
            "epochs": self.epochs,
            "cells": list(self.cells),
            "observables": list(self.observables),
        }


@dataclass(frozen=True)
class AnnealerSetting:
    """The training through the emulated annealer, on one species.

    Args:
        latents: latent units on each side of the prior.
        chip: size of the emulated chip.
        epochs: passes over the training events.
        reads: samples of a step.
        compared_reads: samples that are compared with long chains after each epoch.
        long_sweeps: the length of these chains.
    """

    latents: int = 64
    chip: int = 6
    epochs: int = 10
    reads: int = 128
    compared_reads: int = 1000
    long_sweeps: int = 2000


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        seeds: trainings of each model.
        events: training events of each species.
        validation: validation events of each species.
        held_out: events that no generator sees; classifiers are trained and tested on them.
        epochs: passes over the training events.
        latents: latent units on each side of the prior.
        chip: size of the emulated chip, on which that many units have a place.
        sweeps: of the persistent chains in a step.
        drawing_sweeps: of the chains that latent states of generated showers are drawn by.
        annealer: the training through the emulated annealer.
    """

    seeds: int = 5
    events: int = 10_000
    validation: int = 1_000
    held_out: int = 8_000
    epochs: int = 40
    latents: int = 150
    chip: int = 12
    sweeps: int = 25
    drawing_sweeps: int = 1000
    encoder: tuple[int, ...] = (500, 400, 300)
    decoder: tuple[int, ...] = (400, 500, 600)
    classification: Classification = field(default_factory=Classification)
    annealer: AnnealerSetting = field(default_factory=AnnealerSetting)

    @property
    def all_events(self) -> int:
        """Events of a species."""
        return self.events + self.validation + self.held_out

    @property
    def split(self) -> list[float]:
        """The shares of training, validation and held-out events."""
        parts = (self.events, self.validation, self.held_out)
        return [part / self.all_events for part in parts]

    @property
    def steps_an_epoch(self) -> int:
        """Steps of a pass over the training events, the last of which may have fewer events."""
        return -(-self.events // BATCH_SIZE)

    @property
    def steps(self) -> int:
        """Steps of a training."""
        return self.epochs * self.steps_an_epoch


#: What takes hours.
FULL = Setting()
#: What takes minutes: one seed, few events, small networks and a small prior.
QUICK = Setting(
    seeds=1,
    events=3_000,
    validation=400,
    held_out=2_000,
    epochs=35,
    latents=32,
    chip=4,
    sweeps=10,
    drawing_sweeps=500,
    encoder=(200, 100),
    decoder=(100, 200),
    classification=Classification(epochs=15, cells=(128, 64), observables=(32, 32)),
    annealer=AnnealerSetting(
        latents=16, chip=3, epochs=10, reads=64, compared_reads=1000, long_sweeps=500
    ),
)


def dataset_of(species: str, events: int) -> dict[str, Any]:
    """The stand-in of a species.

    >>> dataset_of("pi+", 100)
    {'name': 'calogan', 'species': 'pi+', 'source': 'hadronic', 'events': 100}
    """
    return {"name": "calogan", "species": species, "source": SOURCES[species], "events": events}


def with_species(recipe: Mapping[str, Any], species: str) -> dict[str, Any]:
    """The same recipe on another species."""
    return {**recipe, "dataset": dataset_of(species, recipe["dataset"]["events"])}


def gibbs(sweeps: int) -> dict[str, Any]:
    """Markov chains of so many sweeps, on one thread, since the executor runs cells in parallel."""
    return {"name": "gibbs", "sweeps": sweeps, "threads": 1}


def couplings(chip: int) -> dict[str, Any]:
    """The couplings between two sides of qubits in the middle of a chip of this size."""
    return {"name": "zephyr", "size": chip}


def emulator(latents: int, chip: int) -> dict[str, Any]:
    """The emulated annealer, which has these couplings without chains."""
    return {**EMULATOR, "topology": "zephyr", "size": chip, "native": [latents, latents]}


def recipe(model: str, seed: int, setting: Setting, species: str = "e+") -> dict[str, Any]:
    """The recipe of a model on a species."""
    found = {
        "seed": seed,
        "split": setting.split,
        "dataset": dataset_of(species, setting.all_events),
        "encoder": {"name": "hit-standard"},
        "condition_encoder": CONDITION_ENCODER,
        "sampler": gibbs(setting.sweeps),
        "generator": {
            "head": HEAD,
            **MODELS[model],
            **_latents(model, setting),
            "encoder": list(setting.encoder),
            "decoder": list(setting.decoder),
        },
        "loss": {"name": "mean"},
        "trainer": {
            "name": "torch",
            "learning_rate": LEARNING_RATE,
            "steps": setting.steps,
            "batch_size": BATCH_SIZE,
        },
    }
    if model == "plain":
        del found["sampler"]
    return found


def _latents(model: str, setting: Setting) -> dict[str, Any]:
    """The latents of a model, and the chip whose couplings its prior has."""
    if model == "plain":
        return {"latents": PLAIN_LATENTS, "wires": PLAIN_LATENTS}
    found: dict[str, Any] = {"latents": 2 * setting.latents}
    if model in ON_CHIP:
        found["couplings"] = couplings(setting.chip)
    return found


def references(setting: Setting) -> list[Cell]:
    """The held-out events of each species, of the first seed."""
    found = []
    for species in SPECIES:
        options: dict[str, Any] = {"simulated": None}
        if species == SIMULATED["species"]:
            options["simulated"] = SIMULATED
        tags: dict[str, Any] = {"part": "reference", "species": species, "seed": 1}
        found.append(Cell(recipe("plain", 1, setting, species), {"reference": options}, tags))
    return found


def models(setting: Setting, seed_count: int) -> list[Cell]:
    """Each model of each seed, seed by seed, so that reference classifiers are shared."""
    found = []
    for seed in seeds(seed_count):
        for model in MODELS:
            samplers: dict[str, Any] = {"gibbs": None}
            if model != "plain":
                samplers["gibbs"] = gibbs(setting.drawing_sweeps)
            if model == ANNEALED:
                samplers["emulated"] = emulator(setting.latents, setting.chip)
            options = {
                "samplers": samplers,
                "classification": setting.classification.options(),
                "simulated": SIMULATED,
                "details": seed == 1,
            }
            tags: dict[str, Any] = {"part": "models", "model": model, "seed": seed}
            found.append(Cell(recipe(model, seed, setting), {"compared": options}, tags))
    return found


def annealer(setting: Setting) -> list[Cell]:
    """The training through the emulated annealer, and its temperature at each incident energy."""
    return [_trained_through_annealer(setting), _temperatures(setting)]


def _trained_through_annealer(setting: Setting) -> Cell:
    chosen = setting.annealer
    made = _small_recipe(setting)
    made["sampler"] = {
        **emulator(chosen.latents, chosen.chip),
        "estimate_every": 10,
        "reference_draws": chosen.reads,
    }
    options = {"reads": chosen.compared_reads, "sweeps": chosen.long_sweeps}
    tags: dict[str, Any] = {"part": "annealer", "species": "e+", "seed": 1}
    return Cell(made, {"annealed": options}, tags)


def _temperatures(setting: Setting) -> Cell:
    """Here the prior depends on the energy, whose bits are clamped; it is trained with chains."""
    chosen = setting.annealer
    made = _small_recipe(setting)
    made["condition_encoder"] = {"name": "energy-bits"}
    made["generator"]["conditioning"] = "partition"
    options = {
        "sampler": emulator(chosen.latents, chosen.chip),
        "energies": list(ENERGIES),
        "anneal_times": list(ANNEAL_TIMES),
        "reads": chosen.compared_reads,
    }
    tags: dict[str, Any] = {"part": "temperatures", "species": "e+", "seed": 1}
    return Cell(made, {"temperatures": options}, tags)


def _small_recipe(setting: Setting) -> dict[str, Any]:
    """The model with a small prior and a short training, for both parts about the annealer."""
    chosen = setting.annealer
    made = recipe("rbm", 1, setting)
    generator = {
        **made["generator"],
        "latents": 2 * chosen.latents,
        "couplings": couplings(chosen.chip),
        "chains": chosen.reads,
    }
    trainer = {**made["trainer"], "steps": chosen.epochs * setting.steps_an_epoch}
    return {**made, "generator": generator, "trainer": trainer}
