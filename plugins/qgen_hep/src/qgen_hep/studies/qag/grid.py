"""The grid of the study ``qag``: every training, and its recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import one_thread, seeds

#: Table 1 of the document.
IMAGES = 50
EVALUATIONS = 600
SHOTS = 2048
VARIANCE = 0.5
COBYLA = {"name": "cobyla", "tol": 0.004, "rhobeg": 5.593}
#: Strengths of the noise in figure 6, and its device; the document has them only in the figure.
SCALES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
DEVICE = "ibm_fez"
REPEATS = 30
#: Largest changes of the rates of a calibration, and calibrations drawn for each. Where the
#: calibration stays as it is, training again only goes on: a control.
UNCHANGED = 0.0
DRIFTS = (0.02, 0.04, 0.08)
DRAWS = 30
#: The radius of the search when a trained model is trained again under another calibration.
RETRAINING_RADIUS = 0.2
DATASET = {"name": "clic"}
SPLIT = [0.6, 0.2, 0.2]
ENCODERS: dict[str, dict[str, Any]] = {
    "min-max": {"name": "min-max", "range": [1.0, -1.0], "start": "zero", "margin": 1.05},
    "arccos": {"name": "arccos"},
}
LOSS = {"name": "mmd", "reads": "samples", "estimator": "unbiased", "bandwidth": "median"}
#: Circuits of a step of each trainer, in images; adam's gradient is one adjoint sweep.
COMMON = {"random_numbers": "common"}
CMA_POPULATION = 13
SPSA_CALIBRATION = 10
TRAINERS: dict[str, dict[str, Any]] = {
    "cobyla": {**COBYLA, "steps": EVALUATIONS},
    "cobyla, common": {**COBYLA, "steps": EVALUATIONS, **COMMON},
    "adam": {"name": "adam", "learning_rate": 0.05, "steps": EVALUATIONS},
    "spsa": {
        "name": "spsa",
        "calibration": SPSA_CALIBRATION,
        "steps": EVALUATIONS // 2 - SPSA_CALIBRATION,
    },
    "cma": {
        "name": "cma",
        "population": CMA_POPULATION,
        "steps": EVALUATIONS // (CMA_POPULATION + 1),
    },
}
#: Evaluations of the loss in a step.
EVALUATIONS_OF = {
    "cobyla": 1,
    "cobyla, common": 1,
    "adam": 1,
    "spsa": 2,
    "cma": CMA_POPULATION + 1,
    "adam, long": 1,
}
#: Adam without shots and on larger batches: what the models can reach.
LONG = {"name": "adam", "learning_rate": 0.03, "steps": 800}
LONG_IMAGES = 100
#: The trainer of the noise study: of the document's optimiser the variant that converges.
NOISE_TRAINER = "cobyla, common"
MODELS = ("qag", "network", "frozen", "gaussian")
TRAINED = ("qag", "network")
#: Settings of the tunings that differ from the document's.
TUNED_ANSATZE = ("mera-up", "hardware-efficient")
TUNED_LAYERS = (1, 3, 4)
TUNED_VARIANCES = (0.05, 0.2, 1.0)


@dataclass(frozen=True)
class Training:
    """One training: model, trainer, encoding and seed; the rest is as in the document."""

    model: str = "qag"
    trainer: str = "cobyla, common"
    encoding: str = "min-max"
    seed: int = 1
    layers: int = 2
    variance: float = VARIANCE
    images: int = IMAGES
    scale: float = 0.0
    ansatz: str = "clic8"

    def recipe(self) -> dict[str, Any]:
        """The recipe; without noise on state vectors, with noise on density matrices."""
        found: dict[str, Any] = {
            "seed": self.seed,
            "split": SPLIT,
            "dataset": DATASET,
            "encoder": ENCODERS[self.encoding],
            "backend": one_thread("statevector"),
            "generator": self._generator(),
            "loss": LOSS,
            "trainer": {**self._trainer(), "batch_size": self.images},
        }
        return under(found, noise_of(self.scale))

    def _trainer(self) -> dict[str, Any]:
        if self.trainer == "adam, long":
            return dict(LONG)
        return dict(TRAINERS[self.trainer])

    def _generator(self) -> dict[str, Any]:
        if self.model == "gaussian":
            return {"name": "gaussian"}
        if self.model == "network":
            size = network_size(self.ansatz, self.layers)
            return {"name": "noise-mlp", "variance": self.variance, "size": size}
        ansatz: dict[str, Any] = {"name": self.ansatz}
        if self.ansatz != "mera-up":  # its number of layers follows from the wires
            ansatz["layers"] = self.layers
        found: dict[str, Any] = {
            "name": "qag",
            "ansatz": ansatz,
            "variance": self.variance,
        }
        if self.trainer != "adam, long":
            found = {**found, "shots": SHOTS, "drawing": "binomial"}
        if self.model == "frozen":
            found["frozen"] = True
        return found

    def cell(self, part: str, measurement: str, options: Mapping[str, Any]) -> Cell:
        """Train, and measure; ``part`` is the part of the study."""
        tags: dict[str, Any] = {
            "part": part,
            "model": self.model,
            "trainer": self.trainer,
            "encoding": self.encoding,
            "seed": self.seed,
            "layers": self.layers,
            "variance": self.variance,
            "images": self.images,
            "scale": self.scale,
            "ansatz": self.ansatz,
        }
        return Cell(self.recipe(), {measurement: dict(options)}, tags)


def network_size(ansatz: str, layers: int) -> int:
    """The size of the network with as many parameters as the ansatz has on 8 wires.

    ``mera-up`` has 22 parameters, the network nearest to it 24.

    >>> network_size("clic8", 2), network_size("hardware-efficient", 2), network_size("mera-up", 2)
    (2, 5, 2)
    """
    if ansatz == "hardware-efficient":
        return 3 * layers - 1
    if ansatz == "mera-up":
        return 2
    return layers


def noise_of(scale: float, **options: Any) -> dict[str, Any] | None:
    """The noise of the device at a strength; None at 0.

    >>> noise_of(2.0)
    {'name': 'ibm_fez', 'scale': 2.0}
    """
    if not scale:
        return None
    return {"name": DEVICE, "scale": scale, **options}


def calibration(drift: float, draw: int) -> dict[str, Any] | None:
    """The noise of the device at another calibration, at its own where nothing drifts.

    >>> calibration(0.02, 3), calibration(UNCHANGED, 0) == noise_of(1.0)
    ({'name': 'ibm_fez', 'scale': 1.0, 'drift': 0.02, 'draw': 3}, True)
    """
    if drift == UNCHANGED:
        return noise_of(1.0)
    return noise_of(1.0, drift=drift, draw=draw)


def under(recipe: Mapping[str, Any], noise: Mapping[str, Any] | None) -> dict[str, Any]:
    """The same recipe on a simulator of this noise, or without noise.

    >>> under({"seed": 1}, noise_of(1.0))["backend"]
    {'name': 'density', 'threads': 1}
    """
    kept = {key: value for key, value in recipe.items() if key != "noise"}
    if noise is None:
        return {**kept, "backend": one_thread("statevector")}
    return {**kept, "backend": one_thread("density"), "noise": dict(noise)}


def null_cells() -> list[Cell]:
    """Training against test events in each encoding, without a model."""
    found = []
    for encoding in ENCODERS:
        recipe = Training("gaussian", "adam", encoding).recipe()
        tags: dict[str, Any] = {"part": "null", "encoding": encoding, "seed": 1}
        found.append(Cell(recipe, {"null": {"sizes": [IMAGES, 0], "draws": 40}}, tags))
    return found


def reproduction(seed_count: int) -> list[Cell]:
    """The document's training, other optimisers, and controls."""
    found = []
    for training in _reproductions(seed_count):
        every = max(training.recipe()["trainer"]["steps"] // 30, 1)
        found.append(training.cell("reproduction", "trained", {"every": every}))
    return found


def _reproductions(seed_count: int) -> list[Training]:
    found = []
    for seed in seeds(seed_count):
        for trainer in TRAINERS:
            found.append(Training("qag", trainer, seed=seed))
        for trainer in ("cobyla", "cobyla, common", "adam"):
            found.append(Training("network", trainer, seed=seed))
        found.append(Training("frozen", "adam", seed=seed))
        found.append(Training("gaussian", "adam", seed=seed))
        for model in MODELS:
            found.append(Training(model, "adam", "arccos", seed))
        found.append(Training("qag", "cobyla, common", "arccos", seed))
        found.append(Training("frozen", "adam", seed=seed, layers=6))
        for layers in (2, 6):
            for model in TRAINED:
                found.append(
                    Training(model, "adam, long", seed=seed, layers=layers, images=LONG_IMAGES)
                )
    return found


def noise(repeats: int, scales: Sequence[float] = SCALES) -> list[Cell]:
    """Figure 6: one training without noise for all strengths, one under each of them.

    The circuit at its start values is evaluated at each strength as a control.
    """
    found = []
    for seed in seeds(repeats):
        clean = Training(trainer=NOISE_TRAINER, seed=seed)
        frozen = Training("frozen", "adam", seed=seed)
        for training in (clean, frozen):
            found.append(training.cell("noise", "evaluated", {"scales": list(scales)}))
        for scale in scales:
            if scale:
                noisy = Training(trainer=NOISE_TRAINER, seed=seed, scale=scale)
                found.append(noisy.cell("noise", "evaluated", {"scales": [scale]}))
    return found


def drift(draws: int, seed_count: int) -> list[Cell]:
    """Trained at the calibration, evaluated and trained again at others; and frozen circuits."""
    found = []
    for seed in seeds(seed_count):
        trained = Training(trainer=NOISE_TRAINER, seed=seed, scale=1.0)
        frozen = Training("frozen", "adam", seed=seed, scale=1.0)
        found.append(_drifted(trained, UNCHANGED, 1))
        for size in DRIFTS:
            found.append(_drifted(trained, size, draws))
            found.append(_drifted(frozen, size, draws))
    return found


def _drifted(training: Training, drift: float, draws: int) -> Cell:
    """The cell of one size of the drift, which is a tag of its own; frozen circuits stay so."""
    radius = None
    if training.model in TRAINED:
        radius = RETRAINING_RADIUS
    options = {"drift": drift, "draws": draws, "radius": radius}
    cell = training.cell("drift", "drifted", options)
    return Cell(cell.recipe, cell.measurements, {**cell.tags, "drift": drift})


def tunings(seed_count: int) -> list[Cell]:
    """One setting at a time, by adam: topology, layers and variance; with their controls."""
    found = []
    for seed in seeds(seed_count):
        for model in ("qag", "network", "frozen"):
            usual = Training(model, "adam", seed=seed)
            for ansatz in TUNED_ANSATZE:
                found.append(replace(usual, ansatz=ansatz))
            for layers in TUNED_LAYERS:
                found.append(replace(usual, layers=layers))
            for variance in TUNED_VARIANCES:
                found.append(replace(usual, variance=variance))
    return [training.cell("tuning", "trained", {"every": EVALUATIONS}) for training in found]
