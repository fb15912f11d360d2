"""What the study ``mfc`` measures of a trained model.

Total variations with floors, spectra, and its losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
from qgen_hep.studies.mfc.truth import floor, joint_variation, shares, truths, variation
from qgen_hep.studies.plain import plain

#: Points of a loss curve that a result keeps, each the mean of its steps.
POINTS = 100
#: Bins of the six features, and where they lie; what lies outside is counted as well.
BINS = 50
WINDOWS = {
    "energy": (0.0, 200.0),
    "pt": (0.0, 2.0),
    "muon_eta": (0.0, 10.0),
    "carrier_eta": (2.0, 12.0),
}


def curves(trial: Trial) -> dict[str, Any]:
    """Loss, and the critic's, by step."""
    history = trial.history
    pieces = np.array_split(np.arange(len(history)), min(POINTS, len(history)))
    found = {"step": plain([piece.mean() for piece in pieces])}
    for key in ("loss", "critic"):
        if key in history[0]:
            values = np.array([record[key] for record in history])
            found[key] = plain([values[piece].mean() for piece in pieces])
    return found


def samples(
    trial: Trial, case: str, beams: Sequence[float] | None = None, held_out: float | None = None
) -> dict[str, Any]:
    """All six features of a conditional GAN.

    At the energies it was trained at, and at the one held out.
    """
    dataset = trial.recipe.tables["dataset"]
    edges = [np.linspace(*window_of(column), BINS + 1) for column in truths(dataset)[0].columns]
    groups = {"trained": truths(dataset, beams)}
    if held_out is not None:
        groups["held out"] = truths(dataset, [held_out])
    return {
        "case": case,
        "parameters": trial.run.record["model"]["parameters"],
        "steps": len(trial.history),
        "columns": list(groups["trained"][0].columns),
        "edges": [plain(e) for e in edges],
        "curves": curves(trial),
        "groups": {name: _group(trial, events, edges) for name, events in groups.items()},
    }


def window_of(column: str) -> tuple[float, float]:
    """Where the bins of a feature lie."""
    return WINDOWS[column] if column in WINDOWS else WINDOWS[column.rpartition("_")[2]]


def _group(trial: Trial, events: Sequence[Events], edges: Sequence[Floats]) -> dict[str, Any]:
    """Generated events against the first sample of the truth, whose conditions they have."""
    truth = events[0]
    made = generated(trial, len(truth), truth.condition)
    assert truth.condition is not None
    total = made.x[:, 0] + made.x[:, 3]
    return {
        "tv": plain(variation(truth, made, edges)),
        "floor": plain(floor(events, edges)),
        "truth": [plain(s) for s in shares(truth.x, edges)],
        "made": [plain(s) for s in shares(made.x, edges)],
        "energy balance": plain(np.mean(np.abs(total / truth.condition[:, 0] - 1))),
    }


def generated(trial: Trial, n: int, condition: NDArray[Any] | None = None) -> Events:
    """n events of the trained model, one for each of the conditions if it takes any."""
    pieces = list(trial.run.generate(n, condition=condition))
    return pieces[0].replace(
        x=np.concatenate([piece.x for piece in pieces]),
        condition=None if condition is None else np.asarray(condition),
    )


def binned(trial: Trial, case: str, window: Sequence[Sequence[float]], bins: int) -> dict[str, Any]:
    """The outgoing muon at one energy in bins: features one by one, and all together.

    Generated events beyond the window are put into its outermost bins, as true ones there are left
    out.
    """
    low, high = np.array(window, dtype=np.float64).T
    edges = [np.linspace(a, b, bins + 1) for a, b in zip(low, high, strict=True)]
    every = truths(trial.recipe.tables["dataset"])
    inside = [
        events.take(np.all((events.x >= low) & (events.x <= high), axis=1)) for events in every
    ]
    truth = inside[0]
    raw = generated(trial, len(every[0]))
    made = raw.replace(x=np.clip(raw.x, low, high))
    return {
        "case": case,
        "parameters": trial.run.record["model"]["parameters"],
        "steps": len(trial.history),
        "edges": [plain(e) for e in edges],
        "curves": curves(trial),
        "tv": plain(variation(truth, made, edges)),
        "floor": plain(floor(inside, edges)),
        "joint": plain(joint_variation(truth, made, edges)),
        "joint floor": plain(joint_variation(truth, inside[1], edges)),
        "joint of the product": plain(joint_variation(truth, shuffled(inside[1]), edges)),
        "inside": plain(len(truth) / len(every[0])),
        "beyond": plain(np.mean(np.any(raw.x != made.x, axis=1))),
        "truth": [plain(s) for s in shares(truth.x, edges)],
        "made": [plain(s) for s in shares(made.x, edges)],
    }


def shuffled(events: Events) -> Events:
    """The same features without correlation: each in an order of its own."""
    rng = stream(0, "mfc-shuffled")
    return events.replace(x=np.column_stack([rng.permutation(column) for column in events.x.T]))


def tabulated(trial: Trial, case: str, energies: Sequence[float], noise: str) -> dict[str, Any]:
    """A conditional Born machine by incoming energy, if asked for with a device's noise."""
    assembly = trial.run.assembly
    backend = (
        NoisyBackend(qgen.backend("density", threads=1), qgen.noise(noise))
        if noise
        else assembly.backend
    )
    circuit = assembly.generator.circuit  # type: ignore[attr-defined]
    theta = assembly.generator.parameters()["theta"]

    encoder = assembly.condition_encoder
    assert encoder is not None
    encode = encoder.encode

    def table(at: Sequence[float]) -> Floats:
        return np.asarray(
            backend.probabilities(
                circuit, np.tile(theta, (len(at), 1)), encode(np.array(at)[:, None])
            )
        )

    edges = [np.asarray(getattr(assembly.encoder, "edges")[0])]  # noqa: B009 (only binning has them)
    dataset = trial.recipe.tables["dataset"]
    found = {
        e: _at(truths(dataset, [e]), p, edges, e)
        for e, p in zip(energies, table(energies), strict=True)
    }
    scan = np.linspace(energies[0], energies[-1], 51)
    centres = (edges[0][1:] + edges[0][:-1]) / 2
    return {
        "case": case,
        "parameters": len(theta),
        "edges": plain(edges[0]),
        "curves": curves(trial),
        "energies": {f"{e:g}": value for e, value in found.items()},
        "scan": {"energy": plain(scan), "mean": plain(table([*scan]) @ centres)},
        "without": _without(dataset, energies, edges),
    }


def _at(
    events: Sequence[Events], p: Floats, edges: Sequence[Floats], energy: float
) -> dict[str, Any]:
    """Probabilities (K,) against the truth at one energy: as they are, and a sample of them."""
    (truth,) = shares(events[0].x, edges)
    shots = len(events[0])
    sampled = stream(int(energy), "mfc-shots").multinomial(shots, p / p.sum()) / shots
    return {
        "tv": plain(distance(sampled, truth)),
        "exact": plain(distance(p, truth)),
        "floor": plain(floor(events, edges)[0]),
        "truth": plain(truth),
        "made": plain(p),
        "true mean": plain(events[0].x.mean()),
    }


def distance(p: Floats, q: Floats) -> float:
    """The total variation of two tables."""
    return 0.5 * float(np.abs(p - q).sum())


def _without(dataset: Any, energies: Sequence[float], edges: Sequence[Floats]) -> dict[str, float]:
    """Distance of the middle energy's distribution from its neighbours and their mixture."""
    low, middle, high = (shares(truths(dataset, [e])[0].x, edges)[0] for e in energies)
    nearest = min(distance(middle, low), distance(middle, high))
    return {"nearest": plain(nearest), "mixture": plain(distance(middle, (low + high) / 2))}
