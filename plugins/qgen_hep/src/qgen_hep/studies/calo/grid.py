"""The grid of the study ``calo``: samples, tasks, models and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qgen_core.studies import Cell
from qgen_hep.calorimeters.showers import CALORIMETERS
from qgen_hep.studies.shared.grid import seeds

TASKS = ("energies", "showers")
#: A sum of all layers beyond this part of the incident energy cannot be encoded.
MOST = 1.1
#: Keeps the images of 0 and 1 finite; empty cells hold less than this part of most layers.
ALPHA = 1e-8


@dataclass(frozen=True)
class Sample:
    """Showers of one kind: where they come from, and how they are encoded.

    Args:
        dataset: the table of the stand-in, without the number of events.
        simulated: the table of the showers of Geant4.
        calorimeter: the name of the calorimeter.
        incident_unit: the unit of the incident energy.
        threshold: the least energy of a hit in MeV, in decoded showers and in all measures.
        noise: the width in MeV of the noise on each cell, so that empty cells have a density.
        tokens: of ``dit``, a group for each layer: the number of tokens, and cells of one.
        critic: widths of the critic of ``wgan`` on full showers.
        varied: whether incident energies vary.
    """

    dataset: Mapping[str, Any]
    simulated: Mapping[str, Any]
    calorimeter: str
    incident_unit: str
    threshold: float
    noise: float
    tokens: tuple[tuple[int, int], ...]
    critic: tuple[int, ...]
    varied: bool

    @property
    def layers(self) -> int:
        """The number of layers."""
        return len(self.tokens)

    @property
    def voxels(self) -> int:
        """The number of cells."""
        return sum(number * cells for number, cells in self.tokens)

    def calorimeter_of(self, task: str) -> str:
        """The calorimeter that showers of a task are measured in."""
        if task == "energies":
            return f"{self.calorimeter}-layers"
        return self.calorimeter

    def dataset_of(self, task: str, table: Mapping[str, Any]) -> dict[str, Any]:
        """The dataset of a task from that of full showers."""
        if task == "energies":
            return {"name": "layer-energies", "of": dict(table), "calorimeter": self.calorimeter}
        return dict(table)


#: The samples: photons of one energy in rings, whose tokens are the cells of one layer and angle,
#: and positrons of 1 to 100 GeV in grids, whose tokens are rows of cells.
SAMPLES = {
    "photons": Sample(
        dataset={"name": "calo-photons", "source": "gflash"},
        simulated={"name": "calo-photons", "source": "geant4"},
        calorimeter="ds1-photons",
        incident_unit="MeV",
        threshold=1.0,
        noise=0.1,
        tokens=((1, 8), (10, 16), (10, 19), (1, 5), (1, 5)),
        critic=(368, 368, 368),
        varied=False,
    ),
    "positrons": Sample(
        dataset={"name": "calogan", "species": "e+", "source": "gflash"},
        simulated={"name": "calogan", "species": "e+", "source": "geant4"},
        calorimeter="calogan",
        incident_unit="GeV",
        threshold=0.01,
        noise=0.01,
        tokens=((3, 96), (12, 12), (12, 6)),
        critic=(504, 504, 504),
        varied=True,
    ),
}


@dataclass(frozen=True)
class Size:
    """The network of a model and its training.

    Args:
        generator: options of the generator.
        steps: of the training.
        batch_size: events of a step.
        updates: of the critic before each step of ``wgan``.
        critic: widths of the critic; None: those of the sample.
        learning_rate: the highest of the cycle of a flow, or that of both networks of ``wgan``.
    """

    generator: Mapping[str, Any]
    steps: int
    batch_size: int = 256
    updates: int = 8
    critic: tuple[int, ...] | None = None
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Measures:
    """How much the measures take of the samples.

    Args:
        widths: of the hidden layers of the classifiers.
        epochs: of their trainings.
        neighbours: events in which nearest neighbours are searched.
        draws: of each measure that averages over random subsets for its Frechet distance.
    """

    widths: tuple[int, ...] = (256, 256, 256)
    epochs: int = 20
    neighbours: int = 5_000
    draws: int = 20

    def options(self) -> dict[str, Any]:
        """As plain data, for the recipe of a cell."""
        return {
            "widths": list(self.widths),
            "epochs": self.epochs,
            "neighbours": self.neighbours,
            "draws": self.draws,
        }


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        seeds: trainings of each model.
        events: training events.
        validation: events by which the parameters of ``inn`` and ``wgan`` are selected.
        held_out: events that no model sees, and generated events, which are compared with them.
        sizes: networks and trainings by task and model; ``staged`` models follow from those of
            their stages.
        measures: how much the measures take.
        protocol: whether one model is also told apart by the protocol of the CaloChallenge.
    """

    seeds: int
    events: int
    validation: int
    held_out: int
    sizes: Mapping[tuple[str, str], Size]
    measures: Measures = field(default_factory=Measures)
    protocol: bool = True

    @property
    def all_events(self) -> int:
        """Events of a sample."""
        return self.events + self.validation + self.held_out

    @property
    def split(self) -> list[float]:
        """The shares of training, validation and held-out events."""
        parts = (self.events, self.validation, self.held_out)
        return [part / self.all_events for part in parts]


#: What takes hours: about 5.7 of one core, 2.9 on two, and 1.6 GB a process. Measured processor
#: time of a cell, in s, on one of two busy cores of an AMD EPYC, with the fast matrix products that
#: the page of the study names; of photons and of positrons:
#: energies: inn 46, 44, affine 24, 22, cfm 18, 17, dit 48, 33, wgan 59, 53;
#: showers: inn 213, 315, affine 56, 86, cfm 81, 88, dit 307, 352, staged 186, 189 with cfm and 337,
#: 400 with dit, wgan 227, 391.
#: That is an hour a seed; the two networks of the full protocol take 850 each.
FULL = Setting(
    seeds=5,
    events=20_000,
    validation=2_000,
    held_out=10_000,
    sizes={
        ("energies", "inn"): Size({"blocks": 8, "widths": [64, 64]}, 3_000),
        ("energies", "affine"): Size({"blocks": 8, "widths": [64, 64]}, 3_000),
        ("energies", "cfm"): Size({"widths": [128, 128, 128]}, 10_000),
        ("energies", "dit"): Size({"features": 48, "blocks": 2}, 3_000),
        ("energies", "wgan"): Size({}, 4_000, 128, critic=(64, 64, 64), learning_rate=5e-4),
        ("showers", "inn"): Size({"blocks": 6, "widths": [128, 128]}, 2_000),
        ("showers", "affine"): Size({"blocks": 6, "widths": [128, 128]}, 3_000),
        ("showers", "cfm"): Size({"widths": [512, 512, 512]}, 8_000, 128),
        ("showers", "dit"): Size({"features": 96, "blocks": 4}, 3_140, 128),
        ("showers", "wgan"): Size({}, 3_000, 128, learning_rate=5e-4),
    },
)
#: What takes minutes: one seed, few events, small networks and short trainings.
QUICK = Setting(
    seeds=1,
    events=2_000,
    validation=300,
    held_out=1_000,
    sizes={
        ("energies", "inn"): Size({"blocks": 4, "widths": [32, 32]}, 300, 128, learning_rate=3e-3),
        ("energies", "affine"): Size(
            {"blocks": 4, "widths": [32, 32]}, 300, 128, learning_rate=3e-3
        ),
        ("energies", "cfm"): Size({"widths": [64, 64, 64]}, 800, 128, learning_rate=3e-3),
        ("energies", "dit"): Size({"features": 24, "blocks": 2}, 400, 128, learning_rate=3e-3),
        ("energies", "wgan"): Size({}, 800, 128, updates=2, critic=(32, 32), learning_rate=1e-3),
        ("showers", "inn"): Size({"blocks": 4, "widths": [64]}, 150, 128, learning_rate=3e-3),
        ("showers", "affine"): Size({"blocks": 4, "widths": [64]}, 250, 128, learning_rate=3e-3),
        ("showers", "cfm"): Size({"widths": [256, 256]}, 500, 128, learning_rate=3e-3),
        ("showers", "dit"): Size({"features": 32, "blocks": 2}, 200, 64, learning_rate=3e-3),
        ("showers", "wgan"): Size({}, 600, 64, updates=2, critic=(128, 128), learning_rate=1e-3),
    },
    measures=Measures(widths=(64, 64), epochs=10, neighbours=1_000, draws=5),
    protocol=False,
)

#: The models of each task, in order. ``affine`` is ``inn`` with affine couplings.
MODELS: dict[str, tuple[str, ...]] = {
    "energies": ("inn", "affine", "cfm", "dit", "wgan", "gaussian"),
    "showers": (
        "inn",
        "affine",
        "cfm",
        "dit",
        "staged-cfm",
        "staged-dit",
        "wgan",
        "gaussian",
    ),
}
#: The solvers of flow matching, sized for the time of 10,000 showers.
SOLVERS: dict[str, dict[str, Any]] = {
    "cfm": {"solver": "rk4", "steps": 20},
    "dit": {"solver": "midpoint", "steps": 10},
}
#: FastCaloGAN's.
WGAN_PENALTY = 3.0
WGAN_ADAM = {"optimizer_options": {"betas": [0.5, 0.999]}}
#: How often parameters are compared with the best so far.
VALIDATIONS = 20
#: The model that is told apart by the protocol of the CaloChallenge, in full showers of photons.
PROTOCOL_MODEL = "inn"


def encoder_of(sample: Sample, task: str, model: str) -> dict[str, Any]:
    """Shares of the incident energy for ``wgan``, and for all others logits of shares.

    >>> encoder_of(SAMPLES["positrons"], "showers", "wgan")
    {'name': 'ratio', 'factor': 1000.0}
    """
    place = CALORIMETERS[sample.calorimeter]
    if model == "wgan":
        return {"name": "ratio", "factor": place.incident_unit}
    units = {"unit": "MeV", "incident_unit": sample.incident_unit, "most": MOST}
    shares: dict[str, Any] = {"name": "energy-ratios", **units}
    if task == "showers":
        cells = [number * size for number, size in sample.tokens]
        shares = {"name": "layer-normalised", "layers": cells, **units}
    noise = {"name": "noise-threshold", "noise": sample.noise, "threshold": sample.threshold}
    logit = {"name": "logit", "alpha": ALPHA}
    return {"name": "chain", "encoders": [noise, shares, logit, {"name": "standard"}]}


def condition_encoder_of(sample: Sample, model: str) -> dict[str, Any]:
    """The logarithm of the incident energy; a constant if it does not vary."""
    if not sample.varied:
        return {"name": "standard"}
    last = "standard"
    if model == "wgan":
        last = "min-max"
    return {"name": "chain", "encoders": ["log", last]}


def recipe(name: str, task: str, model: str, seed: int, setting: Setting) -> dict[str, Any]:
    """The recipe of a model on a task of the sample of this name."""
    sample = SAMPLES[name]
    stand_in = {**sample.dataset, "events": setting.all_events}
    found: dict[str, Any] = {
        "seed": seed,
        "split": setting.split,
        "dataset": sample.dataset_of(task, stand_in),
        "encoder": encoder_of(sample, task, model),
        "condition_encoder": condition_encoder_of(sample, model),
    }
    if model == "gaussian":
        # It has no parameters; the loss is evaluated once.
        loss = {"name": "mmd", "reads": "samples"}
        trainer = {"name": "adam", "steps": 1, "batch_size": 100}
        return {**found, "generator": {"name": "gaussian"}, "loss": loss, "trainer": trainer}
    if model == "wgan":
        return {**found, **_wgan(sample, task, setting.sizes[task, model])}
    return {**found, **_flow(sample, task, model, setting)}


def _flow(sample: Sample, task: str, model: str, setting: Setting) -> dict[str, Any]:
    """Generator, loss and trainer of a flow."""
    stage = model.removeprefix("staged-")
    size = setting.sizes[task, stage]
    generator = _generator(sample, task, stage, size)
    loss = {"name": "mean"}
    if stage in ("inn", "affine"):
        loss = {"name": "nll", "reads": "log_prob"}
    if stage != model:
        first = sample.voxels
        energies = _generator(sample, "energies", "inn", setting.sizes["energies", "inn"])
        generator = {
            "name": "staged",
            "energies": energies,
            "shapes": _generator(sample, "shapes", stage, size),
            "energy_columns": list(range(first, first + sample.layers)),
        }
    trainer = {
        "name": "torch",
        "scheduler": "OneCycleLR",
        "scheduler_options": {"max_lr": size.learning_rate},
        "steps": size.steps,
        "batch_size": size.batch_size,
    }
    if "log_prob" in loss.values():
        trainer["select"] = "loss"
        trainer["validate_every"] = size.steps // VALIDATIONS
    return {"generator": generator, "loss": loss, "trainer": trainer}


def _generator(sample: Sample, task: str, model: str, size: Size) -> dict[str, Any]:
    """The table of a flow of energies, of shapes given these, or of full showers."""
    if model == "affine":
        return {"name": "inn", "univariate": "affine", **size.generator}
    found = {"name": model, **SOLVERS.get(model, {}), **size.generator}
    if model == "dit" and task != "energies":
        tokens = [list(group) for group in sample.tokens]
        if task == "showers":
            tokens.append([1, sample.layers])
        found["tokens"] = tokens
    return found


def _wgan(sample: Sample, task: str, size: Size) -> dict[str, Any]:
    """Generator, loss and trainer of FastCaloGAN."""
    layers = [[1, 1]] * sample.layers
    if task == "showers":
        layers = _selected_layers(sample)
    critic = {
        "name": "mlp",
        "widths": list(size.critic or sample.critic),
        "activation": "relu",
        "init": "he",
    }
    adam = {**WGAN_ADAM, "learning_rate": size.learning_rate}
    loss = {
        "name": "adversarial",
        "variant": "wgan-gp",
        "penalty": WGAN_PENALTY,
        "updates": size.updates,
        "critic": critic,
        **adam,
    }
    trainer = {
        "name": "torch",
        "steps": size.steps,
        "batch_size": size.batch_size,
        "validate_every": size.steps // VALIDATIONS,
        "select": {"name": "shower-selection", "layers": layers},
        **adam,
    }
    return {"generator": {"name": "wgan", **size.generator}, "loss": loss, "trainer": trainer}


def _selected_layers(sample: Sample) -> list[list[int]]:
    """The layers of the metric ``shower-selection``; of a grid, each row of cells is one."""
    if sample.calorimeter == "ds1-photons":
        return [list(group) for group in sample.tokens]
    rows = []
    for number, cells in sample.tokens:
        rows += [[1, cells]] * number
    return rows


def truths(setting: Setting, seed_count: int) -> list[Cell]:
    """Training events instead of generated ones, for each sample, task and seed."""
    found = []
    for seed in seeds(seed_count):
        for sample in SAMPLES:
            for task in TASKS:
                made = recipe(sample, task, "gaussian", seed, setting)
                options = _options(sample, task, seed, setting)
                tags = _tags("truth", sample, task, "truth", seed)
                found.append(Cell(made, {"truth": options}, tags))
    return found


def models(setting: Setting, seed_count: int) -> list[Cell]:
    """Each model of each sample and task, seed by seed."""
    found = []
    for seed in seeds(seed_count):
        for sample in SAMPLES:
            for task in TASKS:
                for model in MODELS[task]:
                    made = recipe(sample, task, model, seed, setting)
                    options = _options(sample, task, seed, setting)
                    tags = _tags("models", sample, task, model, seed)
                    found.append(Cell(made, {"compared": options}, tags))
    return found


def protocol(setting: Setting) -> list[Cell]:
    """One seed of one model, told apart by the full protocol, a cell for each network."""
    if not setting.protocol:
        return []
    found = []
    for level in ("low", "high"):
        made = recipe("photons", "showers", PROTOCOL_MODEL, 1, setting)
        options = {**_place("photons", "showers"), "level": level}
        tags = _tags("protocol", "photons", "showers", PROTOCOL_MODEL, 1)
        found.append(Cell(made, {"protocol": options}, tags))
    return found


def _tags(part: str, sample: str, task: str, model: str, seed: int) -> dict[str, Any]:
    """The place of a cell in the grid; the rows of true events have a name like models."""
    return {"part": part, "sample": sample, "task": task, "model": model, "seed": seed}


def _place(sample: str, task: str) -> dict[str, Any]:
    """Where showers are measured."""
    chosen = SAMPLES[sample]
    return {"calorimeter": chosen.calorimeter_of(task), "threshold": chosen.threshold}


def _options(sample: str, task: str, seed: int, setting: Setting) -> dict[str, Any]:
    chosen = SAMPLES[sample]
    return {
        **_place(sample, task),
        "simulated": chosen.dataset_of(task, chosen.simulated),
        "measures": setting.measures.options(),
        "details": seed == 1,
    }
