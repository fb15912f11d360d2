"""The measurements of the study ``claims``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.runs.assembly import Assembly
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array
from qgen_hep.studies.qag.grid import noise_of, under
from qgen_hep.studies.shared.six_digits import six_digits

#: Images by which the mean effect of noise on expectations is measured.
IMAGES = 500

Recipe = Mapping[str, Any]


def truth(trial: Trial, draws: int, codes: bool = False) -> dict[str, Any]:
    """Training events in place of generated ones: mean and deviation of distances over draws.

    With ``codes`` the same of encoded events. Also held-out events that were encoded and decoded,
    in place of generated ones: a model that knows the distribution of codes exactly makes these.
    """
    assembly = trial.assembly
    seed = trial.recipe.seed
    train, _, held_out = assembly.parts
    found: dict[str, Any] = _floor(held_out, train, draws, seed)
    if codes:
        encoded = Events(assembly.encoder.encode(held_out.x))
        found["codes"] = _floor(encoded, Events(assembly.encoder.encode(train.x)), draws, seed)
        rng = stream(seed, "claims-decoded")
        back = held_out.replace(x=assembly.encoder.decode(encoded.x, rng=rng))
        errors = np.mean((back.x - held_out.x) ** 2) / np.mean(np.var(held_out.x, axis=0))
        found["decoded"] = distances(held_out, back)
        found["unexplained"] = six_digits(errors)
    return found


def _floor(held_out: Events, train: Events, draws: int, seed: int) -> dict[str, Any]:
    """Mean and deviation of the distances to as many training events, drawn several times."""
    every = []
    for draw in range(draws):
        rng = stream(seed, "claims-floor", draw)
        rows = rng.choice(len(train), min(len(train), len(held_out)), replace=False)
        every.append(distances(held_out, train.take(np.sort(rows))))
    found = {}
    for name in every[0]:
        values = [one[name] for one in every]
        found[name] = six_digits([np.mean(values), np.std(values, ddof=1)])
    return found


def compared(trial: Trial, trained: bool, codes: bool = False) -> dict[str, Any]:
    """A model's events against held-out ones; without ``trained`` it is as it was drawn.

    With ``codes`` also what it generates against encoded held-out events, before decoding.
    """
    assembly = trial.assembly
    if trained:
        assembly = trial.run.assembly
    found: dict[str, Any] = {"parameters": _parameter_count(assembly), **_of_model(assembly)}
    if codes:
        encoded = Events(assembly.encoder.encode(assembly.parts[2].x))
        found["codes"] = distances(encoded, Events(_codes(assembly)))
    return found


def resilient(
    trial: Trial, trained: bool, strengths: Sequence[float], circuit: Recipe | None
) -> dict[str, Any]:
    """A model without noise, and under noise of each strength, trained without it and with it.

    A model without a circuit is given the recipe of its ``circuit``: its numbers are changed as
    noise changes expectations of this circuit on average, see :func:`mean_effect`.
    """
    assembly = trial.assembly
    if trained:
        assembly = trial.run.assembly
    state = assembly.generator.state()
    found: dict[str, Any] = {
        "parameters": _parameter_count(assembly),
        "clean": _of_model(assembly),
        "strengths": {},
    }
    for strength in strengths:
        noise = noise_of(strength)
        folder = trial.folder / f"strength-{strength:g}"
        told: dict[str, Any] = {}
        if circuit is None:
            noisy = under(trial.recipe.to_dict(), noise)
        else:
            effect = mean_effect(circuit, noise, folder)
            noisy = changed(trial.recipe.to_dict(), effect)
            told["effect"] = six_digits(effect)
        exposed = Trial(noisy, folder / "exposed").assembly
        exposed.generator.load(state)
        told["exposed"] = _of_model(exposed)
        if trained:
            told["trained"] = _of_model(Trial(noisy, folder / "trained").run.assembly)
        found["strengths"][f"{strength:g}"] = told
    return found


def mean_effect(
    circuit: Recipe, noise: Mapping[str, Any] | None, folder: Path
) -> tuple[float, float, float]:
    """(a, b, r^2) of the line ``a z + b`` nearest to the noisy expectations of a circuit.

    The circuit has its first parameters; z are its expectations without noise, of all pixels of
    500 images. r^2 is the share of the variance of noisy expectations that the line gives.
    """
    values = []
    for one in (under(circuit, None), under(circuit, noise)):
        generator = Trial(one, folder / "circuit").assembly.generator
        images = generator.sample(IMAGES, rng=stream(circuit["seed"], "claims-effect"))
        values.append(np.asarray(images, dtype=np.float64).ravel())
    clean, noisy = values
    slope, offset = np.polyfit(clean, noisy, 1)
    correlation = np.corrcoef(clean, noisy)[0, 1]
    return float(slope), float(offset), float(correlation**2)


def changed(recipe: Recipe, effect: tuple[float, float, float]) -> dict[str, Any]:
    """The recipe in which a model's numbers y are taken as ``a y + b``.

    The encoder maps pixels to the numbers that become the right ones, so its range is that of
    ``(z - b) / a``.

    >>> changed({"encoder": {"range": [1.0, -1.0]}}, (0.5, 0.1, 1.0))["encoder"]["range"]
    [1.8, -2.2]
    """
    slope, offset, _ = effect
    bounds = [(bound - offset) / slope for bound in recipe["encoder"]["range"]]
    return {**recipe, "encoder": {**recipe["encoder"], "range": bounds}}


def distances(reference: Events, generated: Events) -> dict[str, float]:
    """MMD squared, unbiased with the median kernel, and the mean W1 of the columns.

    Both in standard deviations of each column of the reference.
    """
    squared = qgen.metric("mmd")(reference, generated)["mmd2"].value
    w1 = qgen.metric("wasserstein")(reference, generated)
    mean = np.mean([float(value) for value in w1.values()])
    found: dict[str, float] = six_digits({"mmd2": squared, "W1": mean})
    return found


def _of_model(assembly: Assembly) -> dict[str, float]:
    """As many of a model's events as are held out, against these."""
    held_out = assembly.parts[2]
    rng = stream(assembly.recipe.seed, "claims-decoded")
    x = assembly.encoder.decode(_codes(assembly), rng=rng)
    return distances(held_out, held_out.replace(x=x))


def _codes(assembly: Assembly) -> Array:
    """What a model generates, always from the same random numbers: one code a held-out event."""
    rng = stream(assembly.recipe.seed, "claims-generated")
    return assembly.generator.sample(len(assembly.parts[2]), rng=rng)


def _parameter_count(assembly: Assembly) -> int:
    return sum(int(np.size(value)) for value in assembly.generator.parameters().values())
