"""The measurements of the study ``reversible``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core import Batch, Events
from qgen_core.events import bits_to_index, index_to_bits
from qgen_core.interfaces import Model
from qgen_core.runs.assembly import Assembly
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats
from qgen_hep.calorimeters.separation import separation_power
from qgen_hep.studies.reversible.grid import REACH
from qgen_hep.studies.shared.six_digits import six_digits

#: Bins of each histogram in separation powers, chi-squares and figures, over the window.
BINS = 30
#: Each bin of the histogram model has so many events more, so that none is impossible.
EXTRA = 0.5

Window = Sequence[Sequence[float]]


def truth(trial: Trial, window: Window, details: bool) -> dict[str, Any]:
    """Held-out events against as many training events: what a perfect model would have."""
    held_out = trial.assembly.parts[2]
    train = trial.assembly.parts[0]
    chosen = train.take(np.arange(min(len(train), len(held_out))))
    found = distances(held_out, chosen, window)
    if details:
        found["shown"] = shares(chosen.x, window)
        found["shown held out"] = shares(held_out.x, window)
    return found


def histogram(trial: Trial, window: Window, details: bool) -> dict[str, Any]:
    """The histogram of the training events in the bins of the encoder as a model.

    Each bin has half an event more. It has as many parameters as bins, less one.
    """
    assembly = trial.assembly
    train, _, held_out = assembly.parts
    wires = assembly.encoder.space.width
    size = 2**wires
    counts = np.bincount(_bins(assembly, train), minlength=size) + EXTRA
    table = counts / counts.sum()
    slope = assembly.encoder.log_det(held_out.x)
    assert slope is not None
    log_density = np.log(table[_bins(assembly, held_out)]) + slope
    rng = stream(trial.recipe.seed, "reversible-histogram")
    drawn = index_to_bits(rng.choice(size, size=len(held_out), p=table), wires)
    generated = held_out.replace(x=assembly.encoder.decode(drawn, rng=rng))
    found = {
        "parameters": size - 1,
        "nll": six_digits(relative_nll(log_density, window)),
        **distances(held_out, generated, window),
    }
    if details:
        found["shown"] = shares(generated.x, window)
    return found


def compared(
    trial: Trial, window: Window, details: bool, trained: bool, points: int
) -> dict[str, Any]:
    """A model, as many of its events as are held out, and how they compare.

    Without ``trained`` it keeps its first parameters. Models with a learned inverse also have the
    integral of their density, on a grid of ``points`` along each feature, and what tells whether
    they are invertible.
    """
    start = time.process_time()
    assembly = trial.assembly
    steps = 0
    if trained:
        assembly = trial.run.assembly
        steps = len(trial.history)
    seconds = time.process_time() - start
    held_out = assembly.parts[2]
    model = assembly.model
    rng = stream(trial.recipe.seed, "reversible-generated")
    encoded = model.generator.sample(len(held_out), rng=rng)
    generated = held_out.replace(x=model.encoder.decode(encoded, rng=rng))
    log_density = model.log_prob(held_out, rng=rng)
    parameters = model.generator.parameters().values()
    found = {
        "parameters": int(sum(np.size(values) for values in parameters)),
        "steps": steps,
        "seconds": six_digits(seconds),
        "nll": six_digits(relative_nll(log_density, window)),
        **distances(held_out, generated, window),
    }
    generator: Any = model.generator
    if hasattr(generator, "invertibility"):
        x, _ = model.encode(held_out, rng=rng)
        told = generator.invertibility(x)
        found["integral"] = six_digits(integral(model, points))
        found["invertibility"] = six_digits(
            {
                "mean fidelity": told.mean_fidelity,
                "worst round trip": told.worst_round_trip,
                "min |det J|": told.smallest_determinant,
                "folded": told.folded,
            }
        )
        found["verdict"] = str(told).partition(":")[0]
    if details:
        found["shown"] = shares(generated.x, window)
    return found


def relative_nll(log_density: Floats, window: Window) -> float:
    """The mean of -log p, in nats, for features in units of the width of their window.

    A density that is flat in the window has 0.

    >>> relative_nll(np.log([0.5, 0.5]), [[1.0, 3.0]])
    0.0
    """
    sizes = [high - low for low, high in window]
    return float(-log_density.mean() - np.log(sizes).sum()) + 0.0


def integral(model: Model, points: int) -> float:
    """The integral of the density of encoded features, over +-12 in each.

    It is 1 for a map that is one-to-one onto all latents; below 1 where circuits do not reach all
    latents, above 1 where maps fold.
    """
    width = model.generator.space.width
    side = np.linspace(-REACH, REACH, points)
    grid = np.stack(np.meshgrid(*[side] * width), axis=-1).reshape(-1, width)
    rng = np.random.default_rng(0)  # nothing is drawn
    log_prob, _ = model.generator.forward("log_prob", Batch(grid), rng=rng)
    return float(np.exp(log_prob).sum() * (side[1] - side[0]) ** width)


def distances(held_out: Events, generated: Events, window: Window) -> dict[str, Any]:
    """W1 in standard deviations, separation power, chi2/ndf by column; correlation; sizes."""
    edges = _edges(window)
    w1 = qgen.metric("wasserstein")(held_out, generated)
    chi2 = qgen.metric("chi2")(held_out, generated, edges=edges)
    powers = []
    outside = []
    for column, cuts in enumerate(edges):
        power = separation_power(
            _counts(held_out.x[:, column], cuts), _counts(generated.x[:, column], cuts)
        )
        powers.append(power.power)
        outside.append(power.outside_generated)
    found: dict[str, Any] = {
        "events": [len(held_out), len(generated)],
        "W1": six_digits(list(w1.values())),
        "S2": six_digits(powers),
        "chi2": six_digits(list(chi2.values())),
        "outside": six_digits(outside),
    }
    if held_out.x.shape[1] == 2:
        both = [np.corrcoef(events.x.T)[0, 1] for events in (held_out, generated)]
        found["correlation"] = six_digits(both)
    return found


def shares(x: Array, window: Window) -> list[Any]:
    """The share of all events in each bin of each column."""
    found = []
    for column, edges in enumerate(_edges(window)):
        found.append(_counts(x[:, column], edges)[:-1] / len(x))
    return list(six_digits(found))


def _edges(window: Window) -> list[Floats]:
    return [np.linspace(low, high, BINS + 1) for low, high in window]


def _counts(values: Array, edges: Floats) -> Floats:
    """Counts (bins + 1,), the last of them of values outside."""
    inside, _ = np.histogram(values, edges)
    return np.append(inside, len(values) - inside.sum()).astype(np.float64)


def _bins(assembly: Assembly, events: Events) -> Array:
    """The number of the bin of each event."""
    return bits_to_index(assembly.encoder.encode(events.x))
