"""What the study ``jets-noise`` measures.

A training without noise, and what tuning on a device makes of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.interfaces import Backend
from qgen_core.runs.assembly import Assembly
from qgen_core.studies import Trial
from qgen_core.support.checkpoint import read_history
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
from qgen_hep.studies.jets.measure import Truth, compared, truth_of
from qgen_hep.studies.jets.statistics import resampled
from qgen_hep.studies.jets_noise.points import noiseless
from qgen_hep.studies.plain import plain

#: What is kept of an iteration.
QUARTILES = ("least", "q1", "median", "q3", "most")
KEPT = (
    *("layer", "angle", "skipped", "circuits", "loss"),
    *QUARTILES,
    *(f"reference_{quartile}" for quartile in QUARTILES),
)


def tuned(trial: Trial, steps: int, shots: int, resamples: int) -> dict[str, Any]:
    """Train without noise, tune on the device, and evaluate both with and without noise.

    After: the parameters of least loss among those the tuning came by. ``groups`` are the
    parameters by layer and angle in the order of the circuit; those that no iteration has were
    skipped.
    """
    before = Trial(noiseless(trial.recipe.to_dict(), steps), trial.folder / "noiseless")
    after = Trial(trial.recipe.to_dict(), trial.folder / "noisy", start=before.run.path)
    truth = truth_of(trial)
    first, last = before.run.assembly, after.run.assembly
    rng = stream(trial.recipe.seed, "jets-noise-shots")

    def seen(backend: Backend, theta: Floats) -> dict[str, Any]:
        p = backend.probabilities(_circuit(last), theta)
        sampled = resampled(p, truth.table, truth.edges, shots, resamples, rng)
        return {"exact": compared(p, truth), "shots": {str(shots): sampled}}

    pair = {"before": _theta(first), "after": _theta(last)}
    backends = {"ideal": first.backend, "noisy": last.backend}
    history = read_history(after.run.path / "history.jsonl")
    return {
        "parameters": len(pair["after"]),
        "device": after.run.record.get("noise", {}),
        "groups": sorted({(label.layer, label.angle) for label in _circuit(last).labels}),
        "iterations": {name: [plain(line[name]) for line in history] for name in KEPT},
        "best": int(np.argmin([line["loss"] for line in history])),
        "uniform": _uniform(truth),
        **{
            when: {how: seen(b, theta) for how, b in backends.items()}
            for when, theta in pair.items()
        },
    }


def _circuit(assembly: Assembly) -> Any:
    return getattr(assembly.generator, "circuit")  # noqa: B009 (only circuit models have one)


def _theta(assembly: Assembly) -> Floats:
    return np.asarray(assembly.generator.parameters()["theta"])


def _uniform(truth: Truth) -> dict[str, Any]:
    """What noise would leave of everything at last: all outcomes alike."""
    return compared(np.full(len(truth.table), 1 / len(truth.table)), truth)
