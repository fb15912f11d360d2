"""The grid of the study ``reversible``: samples, models, controls and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Any

from qgen_core.studies import Cell
from qgen_hep.studies.shared.grid import one_thread, seeds

#: The models with circuits, in order.
QUANTUM = ("reversible-circuit", "phase-qft", "giqnn", "giqnn, hybrid")
#: Behind the name of a model whose circuit stays as it was drawn.
FROZEN = ", frozen"
CLASSICAL = ("inn", "histogram")
#: The rows of a sample but for true events.
MODELS = (*(name + control for name in QUANTUM for control in ("", FROZEN)), *CLASSICAL)
TRUTH = "truth"
#: Weight of the infidelity in the objective of ``giqnn``: less of it, and its maps fold.
FIDELITY_WEIGHT = 100.0
#: The densities of ``giqnn`` are integrated over encoded features within this.
REACH = 12.0


@dataclass(frozen=True)
class Sample:
    """Features that are learned.

    Args:
        window: [min, max] of each; every event is inside.
        bits: of each in ``reversible-circuit`` and in the histogram, and the wires in
            ``phase-qft``.
        layers: of the circuits of ``reversible-circuit`` and ``phase-qft``.
        giqnn: options of the plain one.
        hybrid: options of the one with couplings.
        inn: options of the classical flow.
        points: of the grid on which densities are integrated, along each feature.
    """

    window: tuple[tuple[float, float], ...]
    bits: int
    layers: tuple[int, int]
    giqnn: Mapping[str, Any]
    hybrid: Mapping[str, Any]
    inn: Mapping[str, Any]
    points: int


#: Energies of the two main layers in MeV, with 144 to 154 parameters in each model; the mass in
#: GeV, with 107 to 112.
SAMPLES = {
    "energies": Sample(
        window=((0.0, 24_000.0), (34_000.0, 66_000.0)),
        bits=4,
        layers=(3, 8),
        giqnn={"correction": 26},
        hybrid={"layers": 3, "inverse_layers": 3, "before": 2, "widths": [4]},
        inn={"blocks": 2, "bins": 8, "widths": [2]},
        points=241,
    ),
    "mass": Sample(
        window=((60.0, 120.0),),
        bits=6,
        layers=(3, 8),
        giqnn={"quantum_layers": 2},
        hybrid={"before": 2, "univariate": "spline"},
        inn={"blocks": 4, "bins": 9, "widths": [4]},
        points=4001,
    ),
}


@dataclass(frozen=True)
class Setting:
    """The sizes of the study.

    Args:
        seeds: trainings of each model.
        parts: training, validation and held-out events by sample. As many are generated as are
            held out.
        steps: of the circuits that are trained by ``adam``, of ``giqnn``, and of ``inn``.
    """

    seeds: int
    parts: Mapping[str, tuple[int, int, int]]
    steps: tuple[int, int, int]

    def events(self, sample: str) -> int:
        """Events of a sample."""
        return sum(self.parts[sample])

    def split(self, sample: str) -> list[float]:
        """The shares of training, validation and held-out events."""
        return [part / self.events(sample) for part in self.parts[sample]]


#: What takes 8 minutes of processor time; the quick setting takes 1.
FULL = Setting(
    seeds=5,
    parts={"energies": (2_000, 300, 1_000), "mass": (5_000, 1_000, 4_000)},
    steps=(1_000, 250, 600),
)
QUICK = Setting(
    seeds=1,
    parts={"energies": (2_000, 300, 1_000), "mass": (2_000, 300, 1_000)},
    steps=(400, 100, 300),
)


def dataset(sample: str, setting: Setting, measured: Mapping[str, str] | None) -> dict[str, Any]:
    """The table of a sample; ``measured`` names the file of muon pairs by its content."""
    events = setting.events(sample)
    if sample == "energies":
        showers = {"name": "calo-photons", "source": "geant4", "events": events}
        return {"name": "layer-energies", "only": [1, 2], "of": showers}
    return {"name": "zmumu", "events": events, **(measured or {})}


def recipe(
    sample: str, model: str, seed: int, setting: Setting, measured: Mapping[str, str] | None
) -> dict[str, Any]:
    """The recipe of a row; true events have that of the histogram."""
    frozen = model.endswith(FROZEN)
    name = model.removesuffix(FROZEN)
    features = SAMPLES[sample]
    window = [list(bounds) for bounds in features.window]
    found: dict[str, Any] = {
        "seed": seed,
        "split": setting.split(sample),
        "dataset": dataset(sample, setting, measured),
    }
    circuit_steps, giqnn_steps, flow_steps = setting.steps
    if name == "phase-qft":
        circles = {"name": "angle", "range": [-pi, pi], "window": window}
        ansatz = {"name": "hardware-efficient", "layers": features.layers[1]}
        generator = {"name": name, "wires": features.bits, "ansatz": ansatz}
        return {**found, "encoder": circles, **_by_adam(generator, circuit_steps, 200)}
    if name in ("reversible-circuit", "histogram", TRUTH):
        bins = {"name": "binning", "bits": features.bits, "window": window}
        ansatz = {"name": "brick", "layers": features.layers[0]}
        generator = {"name": "reversible-circuit", "latent": "ancilla", "latent_wires": 1}
        training = _by_adam({**generator, "ansatz": ansatz}, circuit_steps, 1_000)
        return {**found, "encoder": bins, **training}
    found["encoder"] = {"name": "standard"}
    if name == "inn":
        generator = {"name": "inn", **features.inn}
        loss = {"name": "nll", "reads": "log_prob"}
        training = _by_torch(flow_steps, 0.01)
        return {**found, "generator": generator, "loss": loss, **training}
    options = features.giqnn
    if name != "giqnn":
        options = features.hybrid
    generator = {"name": "giqnn", "fidelity_weight": FIDELITY_WEIGHT, **options}
    if frozen:
        generator["frozen"] = True
    generator["backend"] = one_thread("statevector")
    training = _by_torch(giqnn_steps, 0.02)
    return {**found, "generator": generator, "loss": {"name": "mean"}, **training}


def _by_adam(generator: dict[str, Any], steps: int, batch_size: int) -> dict[str, Any]:
    """A circuit that is trained by likelihood on the embedded engine."""
    return {
        "backend": one_thread("statevector"),
        "generator": generator,
        "loss": {"name": "nll", "reads": "log_prob"},
        "trainer": {
            "name": "adam",
            "learning_rate": 0.03,
            "steps": steps,
            "batch_size": batch_size,
        },
    }


def _by_torch(steps: int, learning_rate: float) -> dict[str, Any]:
    """The trainer of flows."""
    trainer = {
        "name": "torch",
        "learning_rate": learning_rate,
        "clip_norm": 10.0,
        "steps": steps,
        "batch_size": 256,
    }
    return {"trainer": trainer}


def cells(setting: Setting, seed_count: int, measured: Mapping[str, str] | None) -> list[Cell]:
    """True events and each model of each sample, seed by seed."""
    found = []
    for seed in seeds(seed_count):
        for sample in SAMPLES:
            for model in (TRUTH, *MODELS):
                made = recipe(sample, model, seed, setting, measured)
                tags: dict[str, str | int] = {"sample": sample, "model": model, "seed": seed}
                found.append(Cell(made, _measurement(sample, model, seed), tags))
    return found


def _measurement(sample: str, model: str, seed: int) -> dict[str, dict[str, Any]]:
    """What is measured of a row."""
    features = SAMPLES[sample]
    options: dict[str, Any] = {
        "window": [list(bounds) for bounds in features.window],
        "details": seed == 1,
    }
    if model in (TRUTH, "histogram"):
        return {model: options}
    # Circuits without other parameters are not trained at all if they are frozen.
    trained = not model.endswith(FROZEN) or model.startswith("giqnn")
    return {"compared": {**options, "trained": trained, "points": features.points}}
