"""What is monitored during a training, as in figure 3 of the document, on encoded events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.discovery.hooks import hookimpl
from qgen_core.events import Events
from qgen_core.interfaces import Generator, Problem
from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats
from qgen_hep.studies.qag.readings import MEDIAN, median_distance, readings
from qgen_hep.studies.shared.six_digits import six_digits

#: Bins of the energy sum in its chi2.
SUM_BINS = 20
#: At most so many events of a set are compared.
MOST_EVENTS = 506


def measures(reference: Events, generated: Events, median: float) -> dict[str, float]:
    """MMD squared (unbiased, median kernel), correlation loss, MSE and chi2 of two sets.

    ``median`` is the bandwidth of the kernel ``exp(-d^2 / (2 median^2))``.
    """
    sums = qgen.metric("energy-sum", bins=SUM_BINS)(reference, generated)
    return {
        "mmd2": readings(reference.x, generated.x, median)[MEDIAN][0],
        "correlation loss": number_of("correlation-loss", reference, generated),
        "mse": number_of("mean-image-mse", reference, generated),
        "chi2": sums["energy-sum chi2"],
        "chi2/ndf": sums["energy-sum chi2/ndf"],
        "bias": sums["energy-sum bias"],
    }


def number_of(metric: str, reference: Events, generated: Events) -> float:
    """The only number of a metric."""
    (value,) = qgen.metric(metric)(reference, generated).values()
    return float(value)


class Monitor:
    """A callback that measures the model every so many steps against encoded events.

    ``validation`` are the encoded validation events. ``curves`` has the numbers of
    :func:`measures` by step, against training and validation events. As many images are generated
    as there are events in the set, with random numbers that are the same at all steps. The model
    is evaluated as it is trained: with its shots and noise.
    """

    def __init__(self, every: int, validation: Events) -> None:
        self.every = every
        self._validation = first_events(validation, MOST_EVENTS)
        self.curves: dict[str, dict[str, list[float]]] = {"training": {}, "validation": {}}
        self._sets: dict[str, Events] = {}
        self._median = 0.0

    @hookimpl
    def on_fit_start(self, problem: Problem) -> None:
        """Choose the events that all steps are compared with."""
        self._sets = {
            "training": first_events(problem.data, MOST_EVENTS),
            "validation": self._validation,
        }
        self._median = median_distance(np.asarray(problem.data.x, dtype=np.float64))

    @hookimpl
    def on_step(self, problem: Problem, record: Mapping[str, Any]) -> None:
        """Measure if it is time to."""
        step = int(record["step"])
        if step % self.every:
            return
        for name, events in self._sets.items():
            images = images_of(problem.generator, len(events), problem.seed)
            found = measures(events, events.replace(x=images), self._median)
            curve = self.curves[name]
            for key, value in {"step": float(step), **found}.items():
                curve.setdefault(key, []).append(six_digits(value))


def first_events(events: Events, most: int) -> Events:
    """At most the first so many events."""
    return events.take(np.arange(min(most, len(events))))


def images_of(generator: Generator, count: int, seed: int) -> Floats:
    """Encoded images (count, pixels) of a model, always from the same random numbers."""
    return np.asarray(generator.sample(count, rng=stream(seed, "qag-study")), dtype=np.float64)
