"""The measurements of the study ``jets-noise``.

A training without noise, and the result of tuning it on a device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.interfaces import Backend
from qgen_core.studies import Trial
from qgen_core.support.checkpoint import read_history
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
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
    rng = stream(trial.recipe.seed, "jets-noise-shots")

    def evaluated(backend: Backend, theta: Floats) -> dict[str, Any]:
        p = backend.probabilities(circuit, theta)
        sampled = resampled(p, reference.table, reference.edges, shots, resamples, rng)
        return {"exact": compared(p, reference), "shots": {str(shots): sampled}}

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
        ideal = evaluated(first.backend, theta)
        noisy = evaluated(last.backend, theta)
        record[when] = {"ideal": ideal, "noisy": noisy}
    return record


def _uniform(reference: Reference) -> dict[str, Any]:
    """The uniform distribution, which is the limit of strong noise."""
    cells = len(reference.table)
    return compared(np.full(cells, 1 / cells), reference)
