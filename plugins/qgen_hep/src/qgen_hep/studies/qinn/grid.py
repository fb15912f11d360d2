"""The grid of the study ``qinn``: what is trained, with which circuit or control, and how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qgen_core.studies import Cell
from qgen_hep.studies.calo.grid import SAMPLES, encoder_of
from qgen_hep.studies.shared.grid import seeds

#: The document's run: training events, the size of a batch, the noise of its generator, the factor
#: of its gradient penalty, and wires and layers of its circuit.
EVENTS = 1_000
BATCH = 10
LATENT = 10
PENALTY = 20.0
DOCUMENT = (6, 2)
#: The other capacities, in wires and layers, and the other batch.
CAPACITIES = ((4, 1), (8, 3))
LARGE_BATCH = 100
#: The incident energy in MeV.
INCIDENT = 65_536.0

#: What is trained: the GAN with the module frozen, the same trained end to end, and the flow.
KINDS = ("A", "B", "C")
#: The options of ``core`` by the name of a row. Circuits as run and as printed; the classical twin
#: of the first; controls.
CORES: dict[str, dict[str, Any]] = {
    "ring": {"core": "quantum", "entanglement": "ring", "rotations": "rz-ry-rx"},
    "linear": {"core": "quantum", "entanglement": "linear", "rotations": "ry-rz"},
    "network": {"core": "network", "entanglement": "ring", "rotations": "rz-ry-rx"},
    "tanh": {"core": "tanh"},
    "cos": {"core": "cos"},
    "frozen": {"core": "quantum", "entanglement": "ring", "rotations": "rz-ry-rx"},
}
#: Nothing of the module of A is trained, so it has no row of its own that is frozen.
VARIANTS: dict[str, tuple[str, ...]] = {
    "A": ("ring", "linear", "network", "tanh", "cos"),
    "B": ("ring", "linear", "network", "tanh", "cos", "frozen"),
    "C": ("ring", "linear", "network", "tanh", "cos", "frozen"),
}
#: A circuit and its twin.
PAIR = ("ring", "network")
#: The stages of ``staged`` that hold a circuit or its twin; the other stage is an ``inn``.
STAGES = ("energies", "shapes")
#: So many captures of a training are kept.
CAPTURES = 50
#: Adam with one kernel for all parameters, and the moments of FastCaloGAN for the GAN.
FUSED = {"fused": True}
GAN_ADAM = {"betas": [0.5, 0.999], "fused": True}


@dataclass(frozen=True)
class Staged:
    """The sizes of full showers in two stages.

    Args:
        events: training events.
        held_out: events that are compared, and as many true ones for the floor.
        steps: of the training.
        batch_size: events of a step.
        blocks: of each flow.
        widths: of its perceptrons.
    """

    events: int
    held_out: int
    steps: int
    batch_size: int
    blocks: int
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        seeds: trainings of the document's run, its twin, and each control.
        other_seeds: trainings of rows at other capacities, batches and numbers of events, and of
            showers in two stages.
        held_out: events that no model sees, with which generated ones are compared; as many true
            events are the floor.
        epochs: of 1,000 events, at full length and at the short one.
        numbers: of training events besides 1,000, at the steps of the short length.
        staged: the sizes of showers in two stages.
        gan_rate: the learning rate of generator and critic.
        flow_rate: that of the flows, at first.
    """

    seeds: int
    other_seeds: int
    held_out: int
    epochs: Mapping[str, int]
    numbers: tuple[int, ...]
    staged: Staged
    gan_rate: float
    flow_rate: float


#: The document's length for the document's run, a tenth of it for everything else;
#: docs/studies/qinn.md has the time of a step and the sum.
FULL = Setting(
    seeds=5,
    other_seeds=5,
    held_out=4_000,
    epochs={"full": 2_000, "short": 200},
    numbers=(10_000, 100_000),
    staged=Staged(5_000, 2_000, 1_000, 128, 4, (64,)),
    gan_rate=2e-4,
    flow_rate=2e-3,
)
#: What takes minutes.
QUICK = Setting(
    seeds=3,
    other_seeds=1,
    held_out=2_000,
    epochs={"full": 8, "short": 3},
    numbers=(10_000,),
    staged=Staged(1_000, 1_000, 100, 100, 4, (32,)),
    gan_rate=1e-3,
    flow_rate=5e-3,
)


@dataclass(frozen=True)
class Row:
    """A training that is repeated for several seeds; its fields are the tags of its cells.

    Args:
        kind: one of KINDS; ``gaussian`` for the control without training, ``truth`` for the floor.
        variant: a name in CORES; empty without a core.
        length: ``full`` or ``short``.
        wires: of each circuit.
        layers: of each circuit.
        batch_size: events of a step.
        events: training events.
        sample: ``photons`` or ``pions``.

    >>> Row("C", "ring").capacity
    (6, 2)
    """

    kind: str
    variant: str = ""
    length: str = "short"
    wires: int = DOCUMENT[0]
    layers: int = DOCUMENT[1]
    batch_size: int = BATCH
    events: int = EVENTS
    sample: str = "photons"

    @property
    def capacity(self) -> tuple[int, int]:
        """Wires and layers of a circuit."""
        return self.wires, self.layers

    def tags(self) -> dict[str, Any]:
        """As tags of a cell, but for its part and seed."""
        return dict(vars(self))


TRUTH = Row("truth")
GAUSSIAN = Row("gaussian")


def encoder(most: float = 1.1) -> dict[str, Any]:
    """Logits of the ratios of the layers' energies, standardised.

    ``most`` is the largest response that can be encoded.
    """
    noise = {"name": "noise-threshold", "noise": 0.1, "threshold": 1.0}
    ratios = {"name": "energy-ratios", "unit": "MeV", "incident_unit": "MeV", "most": most}
    logit = {"name": "logit", "alpha": 1e-8}
    return {"name": "chain", "encoders": [noise, ratios, logit, {"name": "standard"}]}


#: The largest response that is encoded; hadrons scatter more.
MOST = {"photons": 1.1, "pions": 2.0}


def recipe(row: Row, seed: int, setting: Setting, pions: Mapping[str, Any] | None) -> Any:
    """The recipe of a row. ``pions`` names the file of pions by its content."""
    every = row.events + 2 * setting.held_out
    found: dict[str, Any] = {
        "seed": seed,
        "split": split(row.events, setting.held_out),
        "dataset": _dataset(row.sample, every, pions),
        "encoder": encoder(MOST[row.sample]),
        "condition_encoder": {"name": "standard"},
    }
    if row.kind in ("truth", "gaussian"):
        return {**found, **untrained()}
    steps = setting.epochs[row.length] * EVENTS // row.batch_size
    trainer: dict[str, Any] = {"name": "torch", "steps": steps, "batch_size": row.batch_size}
    if row.kind == "C":
        found["generator"] = _flow(row, steps)
        found["loss"] = {"name": "nll", "reads": "log_prob"}
        trainer["learning_rate"] = setting.flow_rate
        trainer["optimizer_options"] = FUSED
        trainer["scheduler"] = "CosineAnnealingLR"
    else:
        found["generator"] = _bridge(row)
        found["loss"] = {
            "name": "adversarial",
            "variant": "wgan-gp",
            "penalty": PENALTY,
            "critic": {"name": "mlp", "widths": [100, 64], "activation": "relu", "init": "he"},
            "learning_rate": setting.gan_rate,
            "optimizer_options": GAN_ADAM,
        }
        trainer["learning_rate"] = setting.gan_rate
        trainer["optimizer_options"] = GAN_ADAM
    return {**found, "trainer": trainer}


def untrained() -> dict[str, Any]:
    """Generator, loss and trainer of the Gaussian, which has no parameters: one evaluation."""
    return {
        "generator": {"name": "gaussian"},
        "loss": {"name": "mmd", "reads": "samples"},
        "trainer": {"name": "adam", "steps": 1, "batch_size": 100},
    }


def split(events: int, held_out: int) -> list[float]:
    """The shares of training events, of true events for the floor, and of held-out ones."""
    every = events + 2 * held_out
    return [events / every, held_out / every, held_out / every]


def _dataset(sample: str, events: int, pions: Mapping[str, Any] | None) -> dict[str, Any]:
    if sample == "photons":
        of: dict[str, Any] = {"name": "calo-photons", "source": "gflash", "events": events}
        return {"name": "layer-energies", "of": of, "calorimeter": "ds1-photons"}
    of = {"name": "calochallenge-1-pions", **(pions or {})}
    one_energy = {"incident": INCIDENT, "events": events}
    return {"name": "layer-energies", "of": of, "calorimeter": "ds1-pions", **one_energy}


def _core(row: Row) -> dict[str, Any]:
    """The options of what is between the two linear maps."""
    found = {"wires": row.wires, **CORES[row.variant]}
    if found["core"] not in ("tanh", "cos"):
        found["layers"] = row.layers
    return found


def _flow(row: Row, steps: int) -> dict[str, Any]:
    """Two couplings with a circuit each: the document's two blocks."""
    found = {"name": "qinn", "blocks": 2, **_core(row)}
    if row.variant == "frozen":
        found["frozen"] = True
    if row.variant == "ring" and row.length == "full":
        found["capture_every"] = max(steps // CAPTURES, 1)
    return found


def _bridge(row: Row) -> dict[str, Any]:
    """The document's generator; as printed, it has one circuit."""
    found = {"name": "quantum-bridge", "latent": LATENT, **_core(row)}
    if row.variant == "linear":
        found["circuits"] = 1
    if row.kind == "A":
        found["frozen"] = "module"
    elif row.variant == "frozen":
        found["frozen"] = "core"
    return found


def at_length() -> Iterator[Row]:
    """The document's run as A, B and C, each with its twin, at full length."""
    for kind in KINDS:
        for variant in PAIR:
            yield Row(kind, variant, length="full")


def controls() -> Iterator[Row]:
    """Every variant at the short length."""
    for kind, variants in VARIANTS.items():
        for variant in variants:
            yield Row(kind, variant)


def others(numbers: tuple[int, ...]) -> Iterator[Row]:
    """A circuit and its twin at other capacities, batches and numbers of training events."""
    for kind in ("C", "B"):
        for variant in PAIR:
            for wires, layers in CAPACITIES:
                yield Row(kind, variant, wires=wires, layers=layers)
            yield Row(kind, variant, batch_size=LARGE_BATCH)
    for events in numbers:
        for variant in PAIR:
            yield Row("C", variant, events=events)


def cells(
    part: str,
    rows: Iterator[Row],
    setting: Setting,
    seed_count: int,
    pions: Mapping[str, Any] | None = None,
) -> list[Cell]:
    """The cells of rows, seed by seed."""
    found = []
    every = list(rows)
    for seed in seeds(seed_count):
        for row in every:
            made = recipe(row, seed, setting, pions)
            is_photons = row.sample == "photons"
            simulated = None
            if is_photons:
                simulated = _simulated_layers()
            options = {
                "calorimeter": f"ds1-{row.sample}-layers",
                "simulated": simulated,
                "details": is_photons and seed == 1,
            }
            name = "compared"
            if row.kind == "truth":
                name = "truth"
            found.append(Cell(made, {name: options}, {"part": part, **row.tags(), "seed": seed}))
    return found


def _simulated_layers() -> dict[str, Any]:
    return {"name": "layer-energies", "of": dict(SAMPLES["photons"].simulated)}


def of_pions() -> Iterator[Row]:
    """The floor, and a circuit and its twin, on pions."""
    for row in (TRUTH, GAUSSIAN, *[Row("C", variant) for variant in PAIR]):
        yield replace(row, sample="pions")


@dataclass(frozen=True)
class StagedRow:
    """Full showers in two stages: which of them has a core, and which one."""

    stage: str
    variant: str


#: The floor and the pairs of both stages.
STAGED_TRUTH = StagedRow("truth", "")
STAGED = tuple(StagedRow(stage, variant) for stage in STAGES for variant in PAIR)


def staged_recipe(row: StagedRow, seed: int, sizes: Staged) -> dict[str, Any]:
    """The recipe of showers in two stages."""
    sample = SAMPLES["photons"]
    every = sizes.events + 2 * sizes.held_out
    found = {
        "seed": seed,
        "split": split(sizes.events, sizes.held_out),
        "dataset": {**sample.dataset, "events": every},
        "encoder": encoder_of(sample, "showers", "inn"),
        "condition_encoder": {"name": "standard"},
    }
    if row == STAGED_TRUTH:
        return {**found, **untrained()}
    plain = {"univariate": "affine", "blocks": sizes.blocks, "widths": list(sizes.widths)}
    stages: dict[str, Any] = {stage: {"name": "inn", **plain} for stage in STAGES}
    core = {"wires": DOCUMENT[0], "layers": DOCUMENT[1], **CORES[row.variant]}
    stages[row.stage] = {"name": "qinn", **plain, **core}
    first = sample.voxels
    columns = list(range(first, first + sample.layers))
    return {
        **found,
        "generator": {"name": "staged", **stages, "energy_columns": columns},
        "loss": {"name": "mean"},
        "trainer": {
            "name": "torch",
            "scheduler": "OneCycleLR",
            "scheduler_options": {"max_lr": 3e-3},
            "steps": sizes.steps,
            "batch_size": sizes.batch_size,
        },
    }


def staged_cells(sizes: Staged, seed_count: int) -> list[Cell]:
    """The cells of showers in two stages, seed by seed."""
    found = []
    for seed in seeds(seed_count):
        for row in (STAGED_TRUTH, *STAGED):
            made = staged_recipe(row, seed, sizes)
            name = "showers"
            if row == STAGED_TRUTH:
                name = "true showers"
            options = {"simulated": dict(SAMPLES["photons"].simulated)}
            kind = {"kind": row.stage, "variant": row.variant}
            tags: dict[str, Any] = {"part": "staged", **kind, "seed": seed}
            found.append(Cell(made, {name: options}, tags))
    return found
