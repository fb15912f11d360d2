"""The grid of the study ``claims``: circuits at several capacities, their twins and controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import one_thread, seeds

Part = Literal["angle", "style", "latent"]
PARTS: tuple[Part, ...] = ("angle", "style", "latent")
#: Rows of a capacity.
CIRCUIT = "circuit"
TWIN = "twin"
FROZEN = "frozen"
MODELS = (CIRCUIT, TWIN, FROZEN)
#: Rows without a circuit: true events, and mean and covariance of the encoded training events.
TRUTH = "truth"
GAUSSIAN = "gaussian"
CONTROLS = (TRUTH, GAUSSIAN)
#: Seeds without which there is no verdict.
LEAST_SEEDS = 5

DATASETS: dict[Part, dict[str, Any]] = {
    "angle": {"name": "clic"},
    "style": {"name": "jets", "columns": ["pt", "mass", "eta"]},
    "latent": {"name": "calo-photons", "source": "geant4", "condition_columns": []},
}
#: Columns of the jets, and wires of the circuit that makes them.
JET_COLUMNS = 3
#: Shares of training, validation and held-out events.
SPLIT = [0.6, 0.1, 0.3]
#: Draws of training events that are compared with held-out ones for the floor.
DRAWS = 20

#: Of the random angles, as in document 004.
VARIANCE = 0.5
IMAGES = 50
MMD = {"name": "mmd", "reads": "samples", "estimator": "unbiased", "bandwidth": "median"}
#: Layers of the circuit that makes latents; its capacity is the number of wires.
LATENT_LAYERS = 4
#: Numbers in [-1, 1] hold this factor more than the training events.
MARGIN = 1.1
BATCH = 128
CRITIC_UPDATES = 3
ADAM = {"learning_rate": 2e-3, "optimizer_options": {"betas": [0.5, 0.9]}}
#: Dimensions of the noise of a classical network, of which that with the nearest size is taken.
NOISES = range(4, 9)


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        seeds: trainings of each model.
        capacities: of the circuits: layers of ``angle`` and ``style``, wires of ``latent``.
        strengths: of the noise under which angle generators are trained.
        jets: events of the part ``style``.
        steps: of the trainings.
        epochs: of the autoencoders.
    """

    seeds: int
    capacities: Mapping[Part, tuple[int, ...]]
    strengths: tuple[float, ...]
    jets: int
    steps: Mapping[Part, int]
    epochs: int


FULL = Setting(
    seeds=5,
    capacities={"angle": (1, 2, 3, 4, 5), "style": (2, 4, 6, 10, 16), "latent": (2, 4, 6, 8, 10)},
    strengths=(1.0, 4.0),
    jets=8_000,
    steps={"angle": 600, "style": 2_000, "latent": 2_000},
    epochs=60,
)
QUICK = Setting(
    seeds=3,
    capacities={"angle": (1, 2, 4), "style": (2, 6, 10), "latent": (2, 6, 10)},
    strengths=(4.0,),
    jets=3_000,
    steps={"angle": 150, "style": 400, "latent": 400},
    epochs=20,
)


def recipe(part: Part, capacity: int, model: str, seed: int, setting: Setting) -> dict[str, Any]:
    """The recipe of a row.

    >>> recipe("style", 2, CIRCUIT, 1, QUICK)["generator"]
    {'name': 'style-qgan', 'layers': 2}
    >>> recipe("style", 2, TWIN, 1, QUICK)["generator"]["widths"]
    [4]
    """
    found: dict[str, Any] = {
        "seed": seed,
        "split": SPLIT,
        "dataset": dict(DATASETS[part]),
        "encoder": encoder(part, capacity, setting),
        "backend": one_thread("statevector"),
        "generator": generator(part, capacity, model),
    }
    if part == "style":
        found["dataset"]["events"] = setting.jets
    steps = setting.steps[part]
    if part == "angle":
        trainer = {"name": "adam", "learning_rate": 0.05, "steps": steps, "batch_size": IMAGES}
        return {**found, "loss": MMD, "trainer": trainer}
    loss = {
        "name": "adversarial",
        "variant": "wgan-gp",
        "penalty": 1.0,
        "updates": CRITIC_UPDATES,
        "critic": {"name": "mlp", "widths": [64, 64]},
        **ADAM,
    }
    trainer = {"name": "torch", "steps": steps, "batch_size": BATCH, **ADAM}
    return {**found, "loss": loss, "trainer": trainer}


def encoder(part: Part, capacity: int, setting: Setting) -> dict[str, Any]:
    """Numbers in [-1, 1] of pixels, of columns of jets, or of latents."""
    last = {"name": "min-max", "range": [-1.0, 1.0], "margin": MARGIN}
    if part == "angle":
        return {"name": "min-max", "range": [1.0, -1.0], "start": "zero", "margin": 1.05}
    if part == "style":
        return {"name": "chain", "encoders": [{"name": "log", "columns": ["pt", "mass"]}, last]}
    codes = {
        "name": "autoencoder",
        "latent": capacity,
        "widths": [64],
        "epochs": setting.epochs,
    }
    return {"name": "chain", "encoders": [{"name": "power", "exponent": 0.5}, codes, last]}


def generator(part: Part, capacity: int, model: str) -> dict[str, Any]:
    """The generator of a row; a frozen circuit is the same one, which is not trained."""
    if model in CONTROLS:
        return {"name": "gaussian"}
    if part == "angle":
        if model == TWIN:
            return {"name": "noise-mlp", "variance": VARIANCE, "size": capacity}
        ansatz = {"name": "clic8", "layers": capacity}
        return {"name": "qag", "ansatz": ansatz, "variance": VARIANCE}
    layers, wires = style_size(part, capacity)
    if model == TWIN:
        latent, width = network(style_parameters(layers, wires), wires)
        return {"name": "mlp-generator", "latent": latent, "widths": [width], "final": "tanh"}
    return {"name": "style-qgan", "layers": layers}


def style_size(part: Part, capacity: int) -> tuple[int, int]:
    """Layers and wires of a style-qGAN.

    >>> style_size("style", 6), style_size("latent", 6)
    ((6, 3), (4, 6))
    """
    if part == "style":
        return capacity, JET_COLUMNS
    return LATENT_LAYERS, capacity


def style_parameters(layers: int, wires: int) -> int:
    """The number of parameters of a style-qGAN of two wires or more.

    >>> style_parameters(2, 3)
    34
    """
    return 4 * layers * wires + 2 * wires + 2 * layers


def network(parameters: int, columns: int) -> tuple[int, int]:
    """Noise and hidden units of the network with the nearest number of parameters.

    >>> network(146, 3)  # 7 x 13 + 13 weights and biases, and 13 x 3 + 3
    (7, 13)
    """
    best = (0, 0)
    least = parameters
    for noise in NOISES:
        width = max(round((parameters - columns) / (noise + 1 + columns)), 1)
        distance = abs(width * (noise + 1 + columns) + columns - parameters)
        if distance < least:
            best = (noise, width)
            least = distance
    return best


def cells(setting: Setting, seed_count: int, parts: tuple[Part, ...]) -> list[Cell]:
    """Controls and each model of each capacity, seed by seed."""
    found = []
    for seed in seeds(seed_count):
        for part in parts:
            every = [control_capacity(part, capacity) for capacity in setting.capacities[part]]
            for capacity in dict.fromkeys(every):
                for model in CONTROLS:
                    found.append(_cell(part, capacity, model, seed, setting))
            for capacity in setting.capacities[part]:
                for model in MODELS:
                    found.append(_cell(part, capacity, model, seed, setting))
    return found


def control_capacity(part: Part, capacity: int) -> int:
    """The capacity of the controls beside a circuit: 0, for all, unless they are of its latents.

    >>> control_capacity("style", 6), control_capacity("latent", 6)
    (0, 6)
    """
    if part == "latent":
        return capacity
    return 0


def _cell(part: Part, capacity: int, model: str, seed: int, setting: Setting) -> Cell:
    made = recipe(part, capacity, model, seed, setting)
    tags = {"part": part, "capacity": capacity, "model": model, "seed": seed}
    return Cell(made, _measurement(part, capacity, model, seed, setting), tags)


def _measurement(
    part: Part, capacity: int, model: str, seed: int, setting: Setting
) -> dict[str, dict[str, Any]]:
    """What is measured of a row."""
    of_codes = {}
    if part == "latent":
        of_codes = {"codes": True}
    if model == TRUTH:
        return {"truth": {"draws": DRAWS, **of_codes}}
    trained = model in (CIRCUIT, TWIN)
    if part != "angle" or model == GAUSSIAN:
        return {"compared": {"trained": trained, **of_codes}}
    options: dict[str, Any] = {
        "trained": trained,
        "strengths": list(setting.strengths),
        "circuit": None,
    }
    if model == TWIN:
        options["circuit"] = recipe(part, capacity, CIRCUIT, seed, setting)
    return {"resilient": options}
