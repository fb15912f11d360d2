"""The negative evidence lower bound of variational autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Events
from qgen_core.generators.draws import distinct
from qgen_core.interfaces import Estimate, Model, name_of
from qgen_core.ising import Ising
from qgen_core.metrics.log_z import log_z_of
from qgen_core.metrics.model_numbers import number_of_model
from qgen_core.samplers.free_spins import free_spins
from qgen_core.typing import Array, Floats, Rng

#: The most distinct conditions of a prior that depends on them; each needs a log Z of its own.
MOST_CONDITIONS = 64


def nelbo(
    reference: Events,
    generated: Events,
    *,
    model: Model,
    rng: Rng,
    events: int = 1000,
    draws: int = 1,
    chains: int = 500,
    steps: int = 1000,
    sweeps: int = 1000,
) -> Mapping[str, Estimate]:
    """The negative evidence lower bound of reference events, with an interval for log Z.

    It is the mean over events of ``-log p(x | z, e) + log q(z | x, e) - log p(z)``, with latents z
    drawn from the encoder; in nats an event, of the encoded columns. A Boltzmann machine as prior
    has ``-log p(z) = E(z) + log Z``. It is at
    least -log p(x | e) on average. With K = ``draws`` > 1 there is also the importance-weighted
    bound, ``-log`` of the mean weight of K draws, which is nearer to -log p(x | e).

    log Z is known as in the metric ``log-z``, and each bound is quoted for each way:

    - ``exact`` for small priors, and for those without an energy, such as a normal one;
    - ``AIS``, and its ``AIS bound``, the lower end: forward annealing makes log Z too small;
    - ``reverse AIS``, and its ``reverse AIS bound``, the upper end, if the chains of reverse
      annealing start at exact samples; else ``reverse AIS estimate``, and there is no upper end.

    At most ``events`` reference events are used, at equal steps of their order; weights are used.
    If the prior depends on the condition, log Z is found for each of the distinct conditions, at
    most 64. For a prior with a transverse field log Z is that of the quantum model, and the number
    a bound by the inequality of Golden and Thompson as well.

    Raises Unsupported for a generator without ``log_weights``, for more conditions
    and for a quantum prior that is too large; BadOption for fewer than two events.

    Source: Burda, Grosse and Salakhutdinov, arXiv:1509.00519 (importance-weighted bound); for log Z
    see :mod:`qgen_core.samplers.annealing`.
    """
    generator: Any = model.generator
    if not hasattr(generator, "log_weights"):
        raise Unsupported(
            f"generator {name_of(generator)!r} has no log_weights(); nelbo is of autoencoders such "
            "as 'rbm-vae'"
        )
    size = min(events, len(reference))
    if size < 2:
        raise BadOption(f"nelbo needs at least two events, not {size}")
    chosen = reference.take(np.arange(size) * len(reference) // size)
    z, condition = model.encode(chosen, rng=rng)
    log_weights = generator.log_weights(z, condition, draws=draws, rng=rng)
    share = chosen.weights / chosen.weights.sum()
    options = {"chains": chains, "steps": steps, "sweeps": sweeps}
    of_prior = _log_z(generator, condition, share, rng, options)
    bounds = {"nelbo": -log_weights.mean(axis=0)}
    if draws > 1:
        mean_weight = np.logaddexp.reduce(log_weights, axis=0) - np.log(draws)
        bounds[f"importance-weighted bound ({draws} draws)"] = -mean_weight
    found = {}
    for bound, values in bounds.items():
        mean = float(share @ values)
        error = float(np.sqrt(np.sum((share * (values - mean)) ** 2)))
        for way, log_z in of_prior.items():
            total = float(np.hypot(error, log_z.error))
            found[f"{bound}, {way}"] = number_of_model(mean + log_z.value, total, log_z.note)
    return found


@dataclass(frozen=True)
class _MeanLogZ:
    """The mean of log Z over events, in one of the ways to find it."""

    value: float
    error: float
    note: str


def _log_z(
    generator: Any, condition: Array | None, share: Floats, rng: Rng, options: dict[str, int]
) -> dict[str, _MeanLogZ]:
    """log Z by the ways that are known for it, averaged over the conditions of events."""
    if not hasattr(generator, "energy"):
        return {"exact": _MeanLogZ(0.0, 0.0, "")}
    energies, weights = _energies(generator, condition, share)
    found = []
    for energy in energies:
        numbers = log_z_of(energy, rng=rng, **options)
        found.append({name.removeprefix("log Z "): value for name, value in numbers.items()})
    ways = [way for way in found[0] if all(way in numbers for numbers in found)]
    means = {}
    for way in ways:
        values = np.array([numbers[way].value for numbers in found])
        errors = np.array([numbers[way].uncertainty for numbers in found])
        error = float(np.sqrt(np.sum((weights * errors) ** 2)))
        means[way] = _MeanLogZ(float(weights @ values), error, found[0][way].note)
    return means


def _energies(generator: Any, condition: Array | None, share: Floats) -> tuple[list[Ising], Floats]:
    """The energies of the prior, one for each distinct condition, and their shares of the events.

    A prior that does not depend on the condition has one energy.
    """
    ising: Ising = generator.energy(condition)
    if ising.rows is None:
        return [ising], np.ones(1)
    conditions, row = _few_conditions(condition, len(share))
    energies: list[Ising] = []
    for part in free_spins(generator.energy(conditions)):
        energies += part.energy.by_row()
    shares = np.zeros(len(energies))
    np.add.at(shares, row, share)
    return energies, shares


def _few_conditions(condition: Array | None, n: int) -> tuple[Array | None, NDArray[np.intp]]:
    """The distinct conditions, and that of each event; refused if they are many."""
    conditions, row = distinct(condition, n)
    assert conditions is not None
    if len(conditions) > MOST_CONDITIONS:
        raise Unsupported(
            f"the prior has a log Z for each condition, and these events have {len(conditions)}; "
            f"nelbo finds it for at most {MOST_CONDITIONS}: use fewer events, or fewer bits for "
            "the condition"
        )
    return conditions, row
