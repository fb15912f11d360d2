"""The pseudo-likelihood of reference events under a Boltzmann machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Events
from qgen_core.interfaces import Estimate, Model, name_of
from qgen_core.metrics.model_numbers import number_of_model
from qgen_core.typing import Rng


def pseudo_likelihood(
    reference: Events, generated: Events, *, model: Model, rng: Rng, events: int = 1000
) -> Mapping[str, Estimate]:
    """``log pseudo-likelihood``: the mean of ``sum_i log p(v_i | all other v)`` over events.

    It needs no log Z. For independent units it is the log likelihood. At most ``events`` reference
    events are used, at equal steps of their order; weights are used. The number is of the model
    alone and has no floor. Raises Unsupported for a model without it, BadOption for fewer than two
    events.

    Source: Besag, The Statistician 24 (1975) 179.
    """
    generator: Any = model.generator
    if not hasattr(generator, "log_pseudo_likelihood"):
        raise Unsupported(f"generator {name_of(generator)!r} has no log_pseudo_likelihood()")
    size = min(events, len(reference))
    if size < 2:
        raise BadOption(f"pseudo-likelihood needs at least two events, not {size}")
    chosen = reference.take(np.arange(size) * len(reference) // size)
    z, condition = model.encode(chosen, rng=rng)
    values = generator.log_pseudo_likelihood(z, condition)
    share = chosen.weights / chosen.weights.sum()
    mean = float(share @ values)
    error = float(np.sqrt(np.sum((share * (values - mean)) ** 2)))
    return {"log pseudo-likelihood": number_of_model(mean, error)}
