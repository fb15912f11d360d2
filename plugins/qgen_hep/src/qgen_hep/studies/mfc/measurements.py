"""The measurements of the study ``mfc``.

Total variations with floors, spectra, and its losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qgen_core as qgen
from qgen_core.events import Batch, Events
from qgen_core.interfaces import Backend
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.runs.assembly import Assembly
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
from qgen_hep.studies.mfc.reference import (
    floor,
    joint_variation,
    reference_samples,
    shares,
    variation,
)
from qgen_hep.studies.shared.born_machines import bin_edges_of, circuit_of, theta_of
from qgen_hep.studies.shared.six_digits import six_digits

#: Points of a loss curve that a result stores, each the mean of its steps.
POINTS = 100
#: Bins of each of the six features, and their ranges. Events outside are counted as well.
BINS = 50
WINDOWS = {
    "energy": (0.0, 200.0),
    "pt": (0.0, 2.0),
    "muon_eta": (0.0, 10.0),
    "carrier_eta": (2.0, 12.0),
}


def curves(trial: Trial) -> dict[str, Any]:
    """The loss by step, and that of the critic if there is one."""
    history = trial.history
    pieces = np.array_split(np.arange(len(history)), min(POINTS, len(history)))
    found = {"step": six_digits([piece.mean() for piece in pieces])}
    for key in ("loss", "critic"):
        if key in history[0]:
            values = np.array([record[key] for record in history])
            found[key] = six_digits([values[piece].mean() for piece in pieces])
    return found


def samples(
    trial: Trial, case: str, beams: Sequence[float] | None = None, held_out: float | None = None
) -> dict[str, Any]:
    """All six features of a conditional GAN.

    At the energies it was trained at, and at the one held out.
    """
    dataset = trial.recipe.tables["dataset"]
    columns = list(reference_samples(dataset)[0].columns)
    edges = [np.linspace(*window_of(column), BINS + 1) for column in columns]
    groups = {"trained": reference_samples(dataset, beams)}
    if held_out is not None:
        groups["held out"] = reference_samples(dataset, [held_out])
    return {
        "case": case,
        "parameters": trial.run.record["model"]["parameters"],
        "steps": len(trial.history),
        "columns": columns,
        "edges": six_digits(edges),
        "curves": curves(trial),
        "groups": {name: _group(trial, events, edges) for name, events in groups.items()},
    }


def window_of(column: str) -> tuple[float, float]:
    """The range of the bins of a feature.

    >>> window_of("carrier_pt"), window_of("carrier_eta")
    ((0.0, 2.0), (2.0, 12.0))
    """
    if column in WINDOWS:
        return WINDOWS[column]
    _, _, quantity = column.rpartition("_")
    return WINDOWS[quantity]


def _group(trial: Trial, events: Sequence[Events], edges: Sequence[Floats]) -> dict[str, Any]:
    """Generated events against the first reference sample, with the same conditions."""
    reference = events[0]
    made = generated(trial, len(reference), reference.condition)
    assert reference.condition is not None
    total = made.x[:, 0] + made.x[:, 3]
    return {
        "tv": six_digits(variation(reference, made, edges)),
        "floor": six_digits(floor(events, edges)),
        "truth": six_digits(shares(reference.x, edges)),
        "made": six_digits(shares(made.x, edges)),
        "energy balance": six_digits(np.mean(np.abs(total / reference.condition[:, 0] - 1))),
    }


def generated(trial: Trial, n: int, condition: NDArray[Any] | None = None) -> Events:
    """n events of the trained model; a conditional model has one condition for each event."""
    pieces = list(trial.run.generate(n, condition=condition))
    x = np.concatenate([piece.x for piece in pieces])
    if condition is None:
        return pieces[0].replace(x=x, condition=None)
    return pieces[0].replace(x=x, condition=np.asarray(condition))


def binned(trial: Trial, case: str, window: Sequence[Sequence[float]], bins: int) -> dict[str, Any]:
    """The outgoing muon at one energy in bins: features one by one, and all together.

    Generated events outside of the window count in its outermost bins; reference events there are
    left out.
    """
    low, high = np.array(window, dtype=np.float64).T
    edges = [np.linspace(a, b, bins + 1) for a, b in zip(low, high, strict=True)]
    every = reference_samples(trial.recipe.tables["dataset"])
    inside = []
    for events in every:
        in_window = np.all((events.x >= low) & (events.x <= high), axis=1)
        inside.append(events.take(in_window))
    reference = inside[0]
    raw = generated(trial, len(every[0]))
    made = raw.replace(x=np.clip(raw.x, low, high))
    return {
        "case": case,
        "parameters": trial.run.record["model"]["parameters"],
        "steps": len(trial.history),
        "edges": six_digits(edges),
        "curves": curves(trial),
        "tv": six_digits(variation(reference, made, edges)),
        "floor": six_digits(floor(inside, edges)),
        "joint": six_digits(joint_variation(reference, made, edges)),
        "joint floor": six_digits(joint_variation(reference, inside[1], edges)),
        "joint of the product": six_digits(joint_variation(reference, shuffled(inside[1]), edges)),
        "inside": six_digits(len(reference) / len(every[0])),
        "beyond": six_digits(np.mean(np.any(raw.x != made.x, axis=1))),
        "truth": six_digits(shares(reference.x, edges)),
        "made": six_digits(shares(made.x, edges)),
    }


def shuffled(events: Events) -> Events:
    """The same features without correlation: each in a random order of its own."""
    rng = stream(0, "mfc-shuffled")
    return events.replace(x=np.column_stack([rng.permutation(column) for column in events.x.T]))


def tabulated(trial: Trial, case: str, energies: Sequence[float], noise: str) -> dict[str, Any]:
    """A conditional model of a table by incoming energy; ``noise`` names the noise of a device."""
    assembly = trial.run.assembly
    found = _by_energy(trial, assembly, _backend_of(noise), energies)
    parameters = trial.run.record["model"]["parameters"]
    return {"case": case, "parameters": parameters, "curves": curves(trial), **found}


def frozen(trial: Trial, case: str, energies: Sequence[float], noise: str) -> dict[str, Any]:
    """The same of a Born machine with the parameters that its training starts from."""
    assembly = trial.assembly
    found = _by_energy(trial, assembly, _backend_of(noise), energies)
    return {"case": case, "parameters": len(theta_of(assembly)), **found}


def _backend_of(noise: str) -> Backend | None:
    """The noisy backend of a device; None to run a model as it was trained."""
    if not noise:
        return None
    return NoisyBackend(qgen.backend("density", threads=1), qgen.noise(noise))


def _by_energy(
    trial: Trial, assembly: Assembly, backend: Backend | None, energies: Sequence[float]
) -> dict[str, Any]:
    (edges,) = bin_edges_of(assembly)
    dataset = trial.recipe.tables["dataset"]
    at_energies = {}
    for energy, p in zip(energies, _table(assembly, backend, energies), strict=True):
        found = _at(reference_samples(dataset, [energy]), p, edges, energy)
        at_energies[f"{energy:g}"] = found
    scan = np.linspace(energies[0], energies[-1], 51)
    centres = (edges[1:] + edges[:-1]) / 2
    means = _table(assembly, backend, [*scan]) @ centres
    return {
        "edges": six_digits(edges),
        "energies": at_energies,
        "scan": {"energy": six_digits(scan), "mean": six_digits(means)},
        "without": _without_model(dataset, energies, edges),
    }


def _table(assembly: Assembly, backend: Backend | None, energies: Sequence[float]) -> Floats:
    """The probabilities (energies, K) of the model at incoming energies.

    ``backend`` runs the circuit of a Born machine in place of its own.
    """
    encoder = assembly.condition_encoder
    assert encoder is not None
    angles = encoder.encode(np.array(energies)[:, None])
    if backend is not None:
        rows = np.tile(theta_of(assembly), (len(energies), 1))
        return np.asarray(backend.probabilities(circuit_of(assembly), rows, angles))
    batch = Batch(condition=angles)
    table, _ = assembly.generator.forward("probabilities", batch, rng=stream(0, "mfc-table"))
    return np.asarray(table)


def _at(events: Sequence[Events], p: Floats, edges: Floats, energy: float) -> dict[str, Any]:
    """Probabilities (K,) against the reference at one energy: exactly, and a sample of them."""
    (reference,) = shares(events[0].x, [edges])
    shots = len(events[0])
    sampled = stream(int(energy), "mfc-shots").multinomial(shots, p / p.sum()) / shots
    return {
        "tv": six_digits(distance(sampled, reference)),
        "exact": six_digits(distance(p, reference)),
        "floor": six_digits(floor(events, [edges])[0]),
        "truth": six_digits(reference),
        "made": six_digits(p),
        "true mean": six_digits(events[0].x.mean()),
    }


def distance(p: Floats, q: Floats) -> float:
    """The total variation of two tables of probabilities.

    >>> distance(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    0.5
    """
    return 0.5 * float(np.abs(p - q).sum())


def _without_model(dataset: Any, energies: Sequence[float], edges: Floats) -> dict[str, float]:
    """Distance of the middle energy's distribution from its neighbours and their mixture."""
    tables = []
    for energy in energies:
        (table,) = shares(reference_samples(dataset, [energy])[0].x, [edges])
        tables.append(table)
    low, middle, high = tables
    nearest = min(distance(middle, low), distance(middle, high))
    mixture = distance(middle, (low + high) / 2)
    return {"nearest": six_digits(nearest), "mixture": six_digits(mixture)}
