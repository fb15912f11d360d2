"""The grid of the study ``models``: generators, their twins and controls, and their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qgen_core.studies import Cell
from qgen_hep.studies.calo import grid as calo
from qgen_hep.studies.calo.grid import Size
from qgen_hep.studies.shared.grid import one_thread, seeds

SAMPLE = "photons"
TASKS = calo.TASKS
Kind = Literal["quantum", "twin", "frozen", "classical", "control"]


@dataclass(frozen=True)
class Model:
    """A row of the tables.

    Args:
        label: its text.
        kind: what it is; a ``twin`` has as many parameters as the quantum model ``of``, and of a
            ``frozen`` one the circuit keeps its first parameters.
        of: the quantum model that it belongs to.
    """

    label: str
    kind: Kind
    of: str = ""


MODELS: dict[str, Model] = {
    "qcbm": Model("qcbm", "quantum"),
    "qcbm-twin": Model("nade", "twin", "qcbm"),
    "qcbm-frozen": Model("qcbm, frozen", "frozen", "qcbm"),
    "reversible": Model("reversible-circuit", "quantum"),
    "reversible-frozen": Model("reversible-circuit, frozen", "frozen", "reversible"),
    "qag": Model("qag", "quantum"),
    "qag-twin": Model("noise-mlp", "twin", "qag"),
    "qag-frozen": Model("qag, frozen", "frozen", "qag"),
    "style-qgan": Model("style-qgan", "quantum"),
    "style-qgan-twin": Model("mlp-generator", "twin", "style-qgan"),
    "style-qgan-frozen": Model("style-qgan, frozen", "frozen", "style-qgan"),
    "hybrid-vae": Model("hybrid-vae", "quantum"),
    "hybrid-vae-twin": Model("hybrid-vae, classical", "twin", "hybrid-vae"),
    "hybrid-vae-frozen": Model("hybrid-vae, frozen", "frozen", "hybrid-vae"),
    "qinn": Model("qinn", "quantum"),
    "qinn-twin": Model("qinn, network", "twin", "qinn"),
    "qinn-frozen": Model("qinn, frozen", "frozen", "qinn"),
    "rbm-vae": Model("rbm-vae", "classical"),
    "inn": Model("inn", "classical"),
    "cfm": Model("cfm", "classical"),
    "dit": Model("dit", "classical"),
    "wgan": Model("wgan", "classical"),
    "gaussian": Model("Gaussian", "control"),
}
#: Twins of models with other names; one network of bits has as many parameters as both circuits.
TWINS = {"reversible": "qcbm-twin"}
#: The models of each task. Those of bits and of one wire a column make layer energies alone.
OF_TASK: dict[str, tuple[str, ...]] = {
    "energies": tuple(MODELS),
    "showers": (
        "hybrid-vae",
        "hybrid-vae-twin",
        "hybrid-vae-frozen",
        "qinn",
        "qinn-twin",
        "qinn-frozen",
        "rbm-vae",
        "inn",
        "cfm",
        "dit",
        "wgan",
        "gaussian",
    ),
}
#: Rows of true events: as they are, and encoded in bits and decoded.
TRUTH = "truth"
IN_BITS = "in bits"
TRUTHS: dict[str, tuple[str, ...]] = {"energies": (TRUTH, IN_BITS), "showers": (TRUTH,)}
#: Models of the study ``calo``, whose recipes are taken from there.
OF_CALO = ("inn", "cfm", "dit", "wgan", "gaussian")
#: The energy of all photons in MeV is in the middle of this window, and has the angle 0.
CONDITION_ANGLE = {"name": "angle", "window": [[0.0, 131_072.0]]}
#: Angles and pixels in [-1, 1] hold this factor more than the training events.
MARGIN = 1.1
#: The metric of a network; it says nothing with few events, and a setting may leave it out.
NETWORK = "calo-classifier"
#: A step of this rate leaves every parameter as it was drawn, within rounding.
NO_RATE = 1e-12


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        calo: seeds, events, and the sizes of the models of the study ``calo``.
        sizes: networks and trainings of the other models by task and model; twins and frozen models
            have those of their quantum model. ``twin`` is the number of parameters of the twin of
            ``qcbm``, and the width of that of ``style-qgan``, which is as near as it can be.
        bits: of each column, for models of bits.
        metrics: options of the metrics, by name.
    """

    calo: calo.Setting
    sizes: Mapping[tuple[str, str], Size]
    bits: int
    metrics: Mapping[str, Mapping[str, Any]]


#: What takes hours: about 2.7 of one core. Measured processor seconds of the trainings of one seed,
#: from the time of a step on one of two busy cores:
#: energies: qcbm 19, nade 21, reversible 29, qag 17, noise-mlp 12, style-qgan 33, mlp-generator 19,
#: hybrid-vae 27 (its twin 14), qinn 83 (29, frozen 72), rbm-vae 16, inn 37, cfm 36, dit 32,
#: wgan 43;
#: showers: hybrid-vae 78 (49), qinn 78 (36, 81), rbm-vae 44, inn 80, cfm 53, dit 42, wgan 74.
#: That is 19 minutes a seed. Data and evaluations take 14 s a cell of energies and 18 s one of
#: showers, and sampling at most a minute.
FULL = Setting(
    calo=calo.Setting(
        seeds=5,
        events=10_000,
        validation=1_000,
        held_out=5_000,
        sizes={
            ("energies", "inn"): Size({"blocks": 6, "widths": [64, 64]}, 1_000),
            ("energies", "cfm"): Size({"widths": [128, 128, 128]}, 5_000),
            ("energies", "dit"): Size({"features": 32, "blocks": 2}, 1_000),
            ("energies", "wgan"): Size({}, 1_500, 128, 4, (64, 64), 5e-4),
            ("showers", "inn"): Size({"blocks": 4, "widths": [128]}, 250),
            ("showers", "cfm"): Size({"widths": [256, 256, 256]}, 3_000, 128),
            ("showers", "dit"): Size({"features": 48, "blocks": 3}, 500, 128),
            ("showers", "wgan"): Size({}, 1_000, 128, 4, (256, 256), 5e-4),
        },
    ),
    sizes={
        ("energies", "qcbm"): Size({"layers": 10, "twin": 915}, 400, learning_rate=0.03),
        ("energies", "reversible"): Size({"layers": 10}, 400, learning_rate=0.03),
        ("energies", "qag"): Size({"layers": 5}, 3_000, 128, learning_rate=0.02),
        ("energies", "style-qgan"): Size({"layers": 4, "twin": 8}, 1_500, 128, 2, (64, 64), 2e-3),
        ("energies", "hybrid-vae"): Size(
            {"latents": 4, "wires": 6, "encoder": [64], "decoder": [64, 64]}, 1_500
        ),
        ("energies", "qinn"): Size({"blocks": 6, "wires": 6, "layers": 2}, 1_000),
        ("energies", "rbm-vae"): Size(
            {"latents": 32, "encoder": [64], "decoder": [64, 64], "chains": 128}, 1_500
        ),
        ("showers", "hybrid-vae"): Size(
            {"latents": 16, "wires": 6, "encoder": [256, 128], "decoder": [128, 256]}, 2_000
        ),
        ("showers", "qinn"): Size({"blocks": 4, "wires": 6, "layers": 2}, 800),
        ("showers", "rbm-vae"): Size(
            {"latents": 128, "encoder": [256], "decoder": [256, 256], "chains": 128}, 1_200
        ),
    },
    bits=3,
    metrics={
        "separation-power": {"resamples": 30},
        "fpd": {"resamples": 3},
        "calo-classifier": {"widths": [128, 128], "epochs": 10},
    },
)
#: What takes minutes: one seed, few events, small networks and short trainings.
QUICK = Setting(
    calo=calo.Setting(
        seeds=1,
        events=2_000,
        validation=300,
        held_out=1_000,
        sizes={
            ("energies", "inn"): Size({"blocks": 4, "widths": [32, 32]}, 150, 128, 8, None, 3e-3),
            ("energies", "cfm"): Size({"widths": [64, 64, 64]}, 800, 128, 8, None, 3e-3),
            ("energies", "dit"): Size({"features": 24, "blocks": 2}, 200, 128, 8, None, 3e-3),
            ("energies", "wgan"): Size({}, 400, 128, 2, (32, 32), 1e-3),
            ("showers", "inn"): Size({"blocks": 4, "widths": [64]}, 80, 128, 8, None, 3e-3),
            ("showers", "cfm"): Size({"widths": [256, 256]}, 400, 128, 8, None, 3e-3),
            ("showers", "dit"): Size({"features": 32, "blocks": 2}, 80, 64, 8, None, 3e-3),
            ("showers", "wgan"): Size({}, 300, 64, 2, (128, 128), 1e-3),
        },
    ),
    sizes={
        ("energies", "qcbm"): Size({"layers": 6, "twin": 354}, 300, learning_rate=0.05),
        ("energies", "reversible"): Size({"layers": 6}, 300, learning_rate=0.05),
        ("energies", "qag"): Size({"layers": 4}, 300, 100, learning_rate=0.05),
        ("energies", "style-qgan"): Size({"layers": 2, "twin": 4}, 300, 64, 2, (32, 32), 5e-3),
        ("energies", "hybrid-vae"): Size(
            {"latents": 4, "wires": 4, "encoder": [32], "decoder": [32, 32]},
            400,
            128,
            8,
            None,
            3e-3,
        ),
        ("energies", "qinn"): Size({"blocks": 4, "wires": 4, "layers": 2}, 200, 128, 8, None, 5e-3),
        ("energies", "rbm-vae"): Size(
            {"latents": 16, "encoder": [32], "decoder": [32, 32], "chains": 64},
            300,
            128,
            8,
            None,
            3e-3,
        ),
        ("showers", "hybrid-vae"): Size(
            {"latents": 8, "wires": 4, "encoder": [128], "decoder": [128, 128]},
            300,
            128,
            8,
            None,
            2e-3,
        ),
        ("showers", "qinn"): Size({"blocks": 4, "wires": 4, "layers": 2}, 150, 128, 8, None, 3e-3),
        ("showers", "rbm-vae"): Size(
            {"latents": 32, "encoder": [128], "decoder": [128, 128], "chains": 64},
            250,
            128,
            8,
            None,
            2e-3,
        ),
    },
    bits=2,
    metrics={
        "separation-power": {"resamples": 20},
        "fpd": {"resamples": 8},
    },
)


def metrics_of(task: str, setting: Setting) -> list[dict[str, Any]]:
    """The metrics of an evaluation, as the recipe names them."""
    sample = calo.SAMPLES[SAMPLE]
    place = {"calorimeter": sample.calorimeter_of(task), "threshold": sample.threshold}
    found: list[dict[str, Any]] = [
        {"name": "separation-power", **place, **setting.metrics["separation-power"]},
        {"name": "fpd", **place, **setting.metrics["fpd"]},
    ]
    if NETWORK in setting.metrics:
        options = {"levels": ["low"], "precision": "float32", **setting.metrics[NETWORK]}
        found.append({"name": NETWORK, **place, **options})
    if task == "energies":
        found += [{"name": "correlation-loss"}, {"name": "energy-sum"}]
    return found


def reference_metrics_of(task: str, setting: Setting) -> list[dict[str, Any]]:
    """The metrics of the comparison with Geant4.

    A network would tell the generators apart, and the Frechet distance takes too long.

    >>> [one["name"] for one in reference_metrics_of("energies", QUICK)]
    ['separation-power', 'correlation-loss', 'energy-sum']
    """
    left_out = (NETWORK, "fpd")
    return [one for one in metrics_of(task, setting) if one["name"] not in left_out]


def recipe(task: str, model: str, seed: int, setting: Setting) -> dict[str, Any]:
    """The recipe of a model on a task, with the metrics of its evaluation.

    >>> recipe("energies", "qcbm-twin", 1, QUICK)["generator"]
    {'name': 'nade', 'parameters': 354}
    """
    found = _trained(task, model, seed, setting)
    found["metrics"] = metrics_of(task, setting)
    found["evaluation"] = {"events": setting.calo.held_out}
    return found


def _trained(task: str, model: str, seed: int, setting: Setting) -> dict[str, Any]:
    if model in OF_CALO:
        return calo.recipe(SAMPLE, task, model, seed, setting.calo)
    quantum = MODELS[model].of or model
    size = setting.sizes[task, quantum]
    common = calo.recipe(SAMPLE, task, "gaussian", seed, setting.calo)
    for part in ("generator", "loss", "trainer"):
        del common[part]
    made = MAKERS[quantum](model, size)
    if quantum in ("qcbm", "reversible", "qag"):
        common["condition_encoder"] = CONDITION_ANGLE
    last = last_encoder(quantum, setting)
    if last:
        chain = common["encoder"]
        common["encoder"] = {**chain, "encoders": [*chain["encoders"], last]}
    return {**common, **made}


def last_encoder(quantum: str, setting: Setting) -> dict[str, Any]:
    """What follows the encoder of the flows: bits, or numbers in [-1, 1]; nothing for reals."""
    if quantum in ("qcbm", "reversible"):
        return {
            "name": "binning",
            "bits": setting.bits,
            "spacing": "quantile",
            "outside": "clip",
        }
    if quantum in ("qag", "style-qgan"):
        return {"name": "min-max", "range": [-1.0, 1.0], "margin": MARGIN}
    return {}


def in_bits(seed: int, setting: Setting) -> dict[str, Any]:
    """The encoder of the models of bits."""
    found: dict[str, Any] = recipe("energies", "qcbm", seed, setting)["encoder"]
    return found


def _born_machine(model: str, size: Size) -> dict[str, Any]:
    layers = size.generator["layers"]
    generator: dict[str, Any] = {
        "name": "qcbm",
        "ansatz": {"name": "brick", "layers": layers},
    }
    trainer: dict[str, Any] = {
        "name": "adam",
        "learning_rate": size.learning_rate,
        "steps": size.steps,
    }
    if model.startswith("reversible"):
        generator = {**generator, "name": "reversible-circuit", "latent": "ancilla"}
    if model == "qcbm-twin":
        generator = {"name": "nade", "parameters": size.generator["twin"]}
    if model.endswith("-frozen"):
        trainer = {"name": "adam", "learning_rate": NO_RATE, "steps": 1}
    return {
        "backend": one_thread("statevector"),
        "generator": generator,
        "loss": {"name": "kl"},
        "trainer": trainer,
    }


def _angle_generator(model: str, size: Size) -> dict[str, Any]:
    layers = size.generator["layers"]
    trainer: dict[str, Any] = {
        "name": "adam",
        "learning_rate": size.learning_rate,
        "steps": size.steps,
        "batch_size": size.batch_size,
    }
    generator: dict[str, Any] = {"name": "qag", "ansatz": {"name": "clic8", "layers": layers}}
    if model == "qag-twin":
        generator = {"name": "noise-mlp", "size": layers}
    if model == "qag-frozen":
        generator["frozen"] = True
        trainer["steps"] = 1
    loss = {"name": "mmd", "reads": "samples", "estimator": "unbiased", "bandwidth": "median"}
    return {
        "backend": one_thread("statevector"),
        "generator": generator,
        "loss": loss,
        "trainer": trainer,
    }


def _style_generator(model: str, size: Size) -> dict[str, Any]:
    adam = {"learning_rate": size.learning_rate, "optimizer_options": {"betas": [0.5, 0.9]}}
    critic = {"name": "mlp", "widths": list(size.critic or ())}
    loss = {
        "name": "adversarial",
        "variant": "wgan-gp",
        "penalty": 1.0,
        "updates": size.updates,
        "critic": critic,
        **adam,
    }
    trainer = {"name": "torch", "steps": size.steps, "batch_size": size.batch_size, **adam}
    generator = {"name": "style-qgan", "layers": size.generator["layers"]}
    if model == "style-qgan-twin":
        generator = {
            "name": "mlp-generator",
            "latent": 5,
            "widths": [size.generator["twin"]],
            "final": "tanh",
        }
    if model == "style-qgan-frozen":
        trainer = {**trainer, "steps": 1, "learning_rate": NO_RATE}
    return {
        "backend": one_thread("statevector"),
        "generator": generator,
        "loss": loss,
        "trainer": trainer,
    }


def _hybrid_autoencoder(model: str, size: Size) -> dict[str, Any]:
    block = "quantum"
    if model == "hybrid-vae-twin":
        block = "classical"
    generator = {"name": "hybrid-vae", "block": block, **size.generator}
    if model == "hybrid-vae-frozen":
        generator["frozen"] = True
    return {"generator": generator, "loss": {"name": "mean"}, "trainer": _torch(size)}


def _boltzmann_autoencoder(_: str, size: Size) -> dict[str, Any]:
    return {
        "sampler": {"name": "gibbs", "sweeps": 10, "threads": 1},
        "generator": {"name": "rbm-vae", **size.generator},
        "loss": {"name": "mean"},
        "trainer": _torch(size),
    }


def _quantum_flow(model: str, size: Size) -> dict[str, Any]:
    generator: dict[str, Any] = {"name": "qinn", "reupload": True, **size.generator}
    if model == "qinn-twin":
        generator["core"] = "network"
    if model == "qinn-frozen":
        generator["frozen"] = True
    trainer = {
        **_torch(size),
        "select": "loss",
        "validate_every": size.steps // calo.VALIDATIONS,
    }
    return {
        "generator": generator,
        "loss": {"name": "nll", "reads": "log_prob"},
        "trainer": trainer,
    }


def _torch(size: Size) -> dict[str, Any]:
    """Adam with the rates of a cycle."""
    return {
        "name": "torch",
        "scheduler": "OneCycleLR",
        "scheduler_options": {"max_lr": size.learning_rate},
        "steps": size.steps,
        "batch_size": size.batch_size,
    }


#: How generator, loss and trainer of a quantum model, its twin and its frozen control are made.
MAKERS = {
    "qcbm": _born_machine,
    "reversible": _born_machine,
    "qag": _angle_generator,
    "style-qgan": _style_generator,
    "hybrid-vae": _hybrid_autoencoder,
    "rbm-vae": _boltzmann_autoencoder,
    "qinn": _quantum_flow,
}


def truths(setting: Setting, seed_count: int) -> list[Cell]:
    """Training events in place of generated ones, as they are and through the encoder of bits."""
    found = []
    for seed in seeds(seed_count):
        for task, names in TRUTHS.items():
            for name in names:
                encoder = None
                if name == IN_BITS:
                    encoder = in_bits(seed, setting)
                made = recipe(task, "gaussian", seed, setting)
                options = {**_simulated(task, setting), "encoder": encoder}
                found.append(Cell(made, {"truth": options}, _tags(task, name, seed)))
    return found


def models(setting: Setting, seed_count: int) -> list[Cell]:
    """Each model of each task, seed by seed."""
    found = []
    for seed in seeds(seed_count):
        for task, names in OF_TASK.items():
            for name in names:
                made = recipe(task, name, seed, setting)
                options = _simulated(task, setting)
                found.append(Cell(made, {"benchmarked": options}, _tags(task, name, seed)))
    return found


def _simulated(task: str, setting: Setting) -> dict[str, Any]:
    """What the comparison with Geant4 takes."""
    sample = calo.SAMPLES[SAMPLE]
    return {
        "simulated": sample.dataset_of(task, sample.simulated),
        "simulated_metrics": reference_metrics_of(task, setting),
    }


def _tags(task: str, model: str, seed: int) -> dict[str, Any]:
    return {"task": task, "model": model, "seed": seed}
