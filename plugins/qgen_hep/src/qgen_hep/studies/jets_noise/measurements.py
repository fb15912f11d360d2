"""The measurements of the study ``jets-noise``.

A training without noise and the result of tuning it on a device, and the models beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.events import Batch
from qgen_core.studies import Trial
from qgen_core.support.checkpoint import read_history
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats, Rng
from qgen_hep.studies.jets.grid import STEPS
from qgen_hep.studies.jets.measurements import Reference, compared, reference_of
from qgen_hep.studies.jets.statistics import resampled
from qgen_hep.studies.jets_noise.grid import noiseless
from qgen_hep.studies.shared.born_machines import circuit_of, theta_of
from qgen_hep.studies.shared.six_digits import six_digits

QUARTILES = ("least", "q1", "median", "q3", "most")
#: The entries of an iteration that a result stores.
STORED = (
    *("layer", "angle", "skipped", "circuits", "loss"),
    *QUARTILES,
    *(f"reference_{quartile}" for quartile in QUARTILES),
)


def tuned(trial: Trial, steps: int, shots: int, resamples: int) -> dict[str, Any]:
    """Train without noise, tune on the device, and evaluate both with and without noise.

    ``after`` is of the parameters of least loss during the tuning. ``groups`` are the parameters
    by layer and angle in the order of the circuit; those that no iteration has were skipped.
    """
    recipe = trial.recipe.to_dict()
    before = Trial(noiseless(recipe, steps), trial.folder / "noiseless")
    after = Trial(recipe, trial.folder / "noisy", start=before.run.path)
    reference = reference_of(trial)
    first = before.run.assembly
    last = after.run.assembly
    circuit = circuit_of(last)
    samples = Samples(shots, resamples, stream(trial.recipe.seed, "jets-noise-shots"))
    parameters = {"before": theta_of(first), "after": theta_of(last)}
    history = read_history(after.run.path / "history.jsonl")
    record: dict[str, Any] = {
        "parameters": len(parameters["after"]),
        "device": after.run.record.get("noise", {}),
        "groups": sorted({(label.layer, label.angle) for label in circuit.labels}),
        "iterations": {name: six_digits([line[name] for line in history]) for name in STORED},
        "best": int(np.argmin([line["loss"] for line in history])),
        "uniform": _uniform(reference),
    }
    for when, theta in parameters.items():
        ideal = evaluated(first.backend.probabilities(circuit, theta), reference, samples)
        noisy = evaluated(last.backend.probabilities(circuit, theta), reference, samples)
        record[when] = {"ideal": ideal, "noisy": noisy}
    return record


def frozen(trial: Trial, shots: int, resamples: int) -> dict[str, Any]:
    """The circuit with the parameters that its training starts from, with and without noise."""
    noisy = trial.assembly
    theta = theta_of(noisy)
    ideal = Trial(noiseless(trial.recipe.to_dict(), STEPS), trial.folder / "noiseless").assembly
    reference = reference_of(trial)
    samples = Samples(shots, resamples, stream(trial.recipe.seed, "jets-noise-frozen"))
    record: dict[str, Any] = {"parameters": len(theta)}
    for name, assembly in (("ideal", ideal), ("noisy", noisy)):
        p = assembly.backend.probabilities(circuit_of(noisy), theta)
        record[name] = evaluated(p, reference, samples)
    return record


def twin(trial: Trial, shots: int, resamples: int) -> dict[str, Any]:
    """Train the classical model, and evaluate it."""
    rng = stream(trial.recipe.seed, "jets-noise-twin")
    model = trial.run.assembly.generator
    table, _ = model.forward("probabilities", Batch(), rng=rng)
    return {
        "parameters": trial.run.record["model"]["parameters"],
        "losses": six_digits([record["loss"] for record in trial.history]),
        **evaluated(table[0], reference_of(trial), Samples(shots, resamples, rng)),
    }


@dataclass(frozen=True)
class Samples:
    """``resamples`` samples of ``shots`` events each, and the generator that draws them."""

    shots: int
    resamples: int
    rng: Rng


def evaluated(p: Floats, reference: Reference, samples: Samples) -> dict[str, Any]:
    """Probabilities (K,) against all events, exactly and by samples."""
    shots = samples.shots
    sampled = resampled(p, reference.table, reference.edges, shots, samples.resamples, samples.rng)
    return {"exact": compared(p, reference), "shots": {str(shots): sampled}}


def _uniform(reference: Reference) -> dict[str, Any]:
    """The uniform distribution, which is the limit of strong noise."""
    cells = len(reference.table)
    return compared(np.full(cells, 1 / cells), reference)
