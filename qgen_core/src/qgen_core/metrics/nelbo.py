"""The negative evidence lower bound of variational autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Events
from qgen_core.generators.draws import distinct
from qgen_core.interfaces import Estimate, Model, name_of
from qgen_core.metrics.log_z import LogZOfEvents, energy_of, log_z_of_events
from qgen_core.metrics.model_numbers import number_of_model
from qgen_core.typing import Array, Rng

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
    The uncertainty is that of their mean, with log Z of each event's condition, and of log Z.
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
    options = {"chains": chains, "steps": steps, "sweeps": sweeps}
    of_prior = _log_z(model, condition, size, rng=rng, **options)
    share = chosen.weights / chosen.weights.sum()
    bounds = {"nelbo": -log_weights.mean(axis=0)}
    if draws > 1:
        mean_weight = np.logaddexp.reduce(log_weights, axis=0) - np.log(draws)
        bounds[f"importance-weighted bound ({draws} draws)"] = -mean_weight
    found = {}
    for way, log_z in of_prior.mean(chosen.weights).items():
        name = way.removeprefix("log Z ")
        log_z_of_each = of_prior.of_events(way)
        for bound, values in bounds.items():
            value = float(share @ values) + log_z.value
            differences = values + log_z_of_each - value
            error = float(np.sqrt(np.sum((share * differences) ** 2)))
            total = float(np.hypot(error, log_z.uncertainty or 0.0))
            found[f"{bound}, {name}"] = number_of_model(value, total, log_z.note)
    return found


def _log_z(model: Model, condition: Array | None, size: int, **options: Any) -> LogZOfEvents:
    """log Z for each of so many events by the ways that are known for it."""
    if not hasattr(model.generator, "energy"):
        none = number_of_model(0.0, 0.0)
        return LogZOfEvents(np.zeros(size, dtype=np.intp), {"exact": [none]})
    conditions, _ = distinct(condition, size)
    depends = energy_of(model, condition).rows is not None
    if depends and conditions is not None and len(conditions) > MOST_CONDITIONS:
        raise Unsupported(
            f"the prior has a log Z for each condition, and these events have {len(conditions)}; "
            f"nelbo finds it for at most {MOST_CONDITIONS}: use fewer events, or fewer bits for "
            "the condition"
        )
    return log_z_of_events(model, condition, size, **options)
