"""The measurements of the study ``qag``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.events import Events
from qgen_core.interfaces import Encoder, Generator
from qgen_core.runs.assembly import Assembly
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats
from qgen_hep.studies.qag.grid import calibration, noise_of, under
from qgen_hep.studies.qag.monitor import Monitor, images_of, measures
from qgen_hep.studies.qag.readings import MEDIAN, median_distance, readings
from qgen_hep.studies.shared.six_digits import six_digits

#: Bins of the stored distribution of the energy sum, in MeV.
SUM_EDGES = np.linspace(800.0, 2200.0, 36)


def null(trial: Trial, sizes: Sequence[int], draws: int) -> dict[str, Any]:
    """Training against test events in every reading, mean and deviation over draws.

    Of each size, 0 for all test events, so many training and test events are drawn.
    """
    assembly = trial.assembly
    train = np.asarray(assembly.data.x, dtype=np.float64)
    test = _encoded_test(assembly).x
    median = median_distance(train)
    found: dict[str, Any] = {"median": six_digits(median), "test events": len(test), "sizes": {}}
    for size in sizes:
        count = size or len(test)
        every: dict[str, list[list[float]]] = {}
        for draw in range(draws):
            rng = stream(draw, "qag-null", count)
            first = rng.choice(train, count, replace=False)
            second = rng.choice(test, count, replace=False)
            for name, values in readings(second, first, median).items():
                every.setdefault(name, []).append(values)
        summary = {}
        for name, rows in every.items():
            summary[name] = six_digits([np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)])
        found["sizes"][str(count)] = summary
    return found


def trained(trial: Trial, every: int) -> dict[str, Any]:
    """Train with a monitor, and compare images with the test events, encoded and decoded."""
    validation = trial.assembly.validation
    assert validation is not None  # the split of the study has some
    monitor = Monitor(every, validation)
    # The monitor sees the steps of this process only, so a training that was stopped, which takes
    # seconds, begins anew.
    shutil.rmtree(trial.folder, ignore_errors=True)
    made = Trial(trial.recipe.to_dict(), trial.folder, hooks=[monitor])
    assembly = made.run.assembly
    history = made.history
    test = _encoded_test(assembly)
    images = images_of(assembly.generator, len(test), trial.recipe.seed)
    median = median_distance(np.asarray(assembly.data.x, dtype=np.float64))
    energies = _decoded(assembly.encoder, images, trial.recipe.seed)
    reference = assembly.accepted(assembly.parts[2], "test")
    generated = reference.replace(x=energies)
    return {
        "parameters": _parameter_count(assembly.generator),
        "steps": len(history),
        "least": six_digits(min(record["loss"] for record in history)),
        "curves": monitor.curves,
        "median": six_digits(median),
        "readings": six_digits(readings(test.x, images, median)),
        "encoded": six_digits(measures(test, test.replace(x=images), median)),
        "decoded": six_digits(_decoded_measures(reference, generated)),
        "sums": [_sum_shares(reference.x), _sum_shares(energies)],
        "correlations": [_correlations(reference.x), _correlations(energies)],
        "means": [six_digits(reference.x.mean(axis=0)), six_digits(energies.mean(axis=0))],
    }


def evaluated(trial: Trial, scales: Sequence[float]) -> dict[str, Any]:
    """The trained model under noise of each strength, against the test events."""
    recipe = trial.recipe.to_dict()
    state = trial.run.assembly.generator.state()
    found = {}
    for scale in scales:
        noisy = under(recipe, noise_of(scale))
        found[f"{scale:g}"] = _under_noise(noisy, state, trial.folder / f"scale-{scale:g}")
    return {
        "steps": len(trial.history),
        "least": six_digits(min(record["loss"] for record in trial.history)),
        "scales": found,
    }


def drifted(trial: Trial, drift: float, draws: int, radius: float | None) -> dict[str, Any]:
    """The trained model under other calibrations, before and after it is trained again there.

    ``radius`` is that of the search when it is trained again; None: it is not.
    """
    recipe = trial.recipe.to_dict()
    start = trial.run.path
    state = trial.run.assembly.generator.state()
    before = []
    after = []
    for draw in range(draws):
        other = under(recipe, calibration(drift, draw))
        folder = trial.folder / f"draw-{draw}"
        before.append(_under_noise(other, state, folder)["mmd2"])
        if radius is None:
            continue
        retraining = {**other, "trainer": {**other["trainer"], "rhobeg": radius}}
        again = Trial(retraining, folder / "again", start=start)
        retrained = again.run.assembly.generator.state()
        after.append(_under_noise(other, retrained, folder)["mmd2"])
    calibrated = _under_noise(recipe, state, trial.folder / "calibration")
    return {"at the calibration": calibrated["mmd2"], "before": before, "after": after}


def _under_noise(
    recipe: Mapping[str, Any], state: Mapping[str, Array], folder: Path
) -> dict[str, float]:
    """The measures of a model of these parameters in this recipe, on encoded test events."""
    assembly = Trial(recipe, folder).assembly
    assembly.generator.load(state)
    test = _encoded_test(assembly)
    images = images_of(assembly.generator, len(test), recipe["seed"])
    median = median_distance(np.asarray(assembly.data.x, dtype=np.float64))
    found: dict[str, float] = six_digits(measures(test, test.replace(x=images), median))
    return found


def _encoded_test(assembly: Assembly) -> Events:
    test = assembly.encoded(assembly.accepted(assembly.parts[2], "test"), "test")
    return test.replace(x=np.asarray(test.x, dtype=np.float64))


def _decoded(encoder: Encoder, images: Floats, seed: int) -> Floats:
    """Energies (N, pixels) in MeV of encoded images."""
    rng = stream(seed, "qag-study-decoded")
    return np.asarray(encoder.decode(images, rng=rng), dtype=np.float64)


def _decoded_measures(reference: Events, generated: Events) -> dict[str, float]:
    """The same measures of energies in MeV; distances in standard deviations of each pixel."""
    spread = reference.x.std(axis=0)
    scaled = Events(reference.x / spread)
    found = measures(reference, generated, 1.0)
    median = median_distance(np.asarray(scaled.x, dtype=np.float64))
    both = readings(scaled.x, generated.x / spread, median)
    found["mmd2"] = both[MEDIAN][0]
    return found


def _parameter_count(generator: Generator) -> int:
    return sum(int(np.size(value)) for value in generator.parameters().values())


def _sum_shares(energies: Floats) -> list[float]:
    counts, _ = np.histogram(energies.sum(axis=1), SUM_EDGES)
    shares: list[float] = six_digits(counts / len(energies))
    return shares


def _correlations(energies: Floats) -> list[list[float]]:
    matrix: list[list[float]] = six_digits(np.corrcoef(energies.T))
    return matrix
