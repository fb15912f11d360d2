"""The classifiers of the study: species against species, and reference against generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from qgen_core.events import Events
from qgen_core.typing import Floats
from qgen_hep.classifier import Classifier, Quality, Sample, Settings, train_classifier
from qgen_hep.studies.caloqvae.distributions import table_of
from qgen_hep.studies.shared.six_digits import six_digits

#: What the networks see: the cells of a shower that is scaled to length 1, or the observables.
LEVELS = ("cells", "observables")
#: Classifiers of reference events that a process keeps: of all pairs and levels of one seed.
REMEMBERED = 4


class Networks:
    """Networks of one level, trained with one seed on samples that are split once.

    Args:
        level: one of :data:`LEVELS`.
        options: the widths of each level and the number of epochs.
        seed: of splits and trainings.
        origin: what determines the reference events, as text; reference trainings are shared by it.
    """

    def __init__(self, level: str, options: Mapping[str, Any], seed: int, origin: str) -> None:
        self.level = level
        self.seed = seed
        self.origin = origin
        self._settings = _settings(level, options)
        self._samples: dict[str, Sample] = {}

    def add(self, name: str, events: Events) -> None:
        """Split events into those to train on, to select by, and to test on."""
        values = _features(events, self.level)
        self._samples[name] = Sample.split(values, self.seed, name=name)

    def apart(self, first: str, second: str) -> list[float]:
        """How well a network tells two samples apart: accuracy, AUC, and their errors."""
        trained = self._train(first, second)
        return self._tested(trained, first, second)

    def transferred(
        self, reference: tuple[str, str], generated: tuple[str, str]
    ) -> dict[str, list[float]]:
        """Trained on each pair of samples and tested on each, by "trained, tested"."""
        pairs = {"reference": reference, "generated": generated}
        classifiers = {
            "reference": _remembered(self._task(*reference)),
            "generated": self._train(*generated),
        }
        found = {}
        for trained_on, classifier in classifiers.items():
            for tested_on, pair in pairs.items():
                found[f"{trained_on}, {tested_on}"] = self._tested(classifier, *pair)
        return found

    def _train(self, first: str, second: str) -> Classifier:
        samples = (self._samples[first], self._samples[second])
        return train_classifier(*samples, self._settings, seed=self.seed)

    def _tested(self, classifier: Classifier, first: str, second: str) -> list[float]:
        found = classifier.test(self._samples[first].test, self._samples[second].test)
        return _numbers(found)

    def _task(self, first: str, second: str) -> _Task:
        name = f"{self.origin} {self.level} {self.seed} {self._settings} {first} {second}"
        samples = (self._samples[first], self._samples[second])
        return _Task(name, samples, self._settings, self.seed)


@dataclass(frozen=True)
class _Task:
    """A training that is known by its name."""

    name: str
    samples: tuple[Sample, Sample] = field(compare=False)
    settings: Settings = field(compare=False)
    seed: int = field(compare=False)


@lru_cache(maxsize=REMEMBERED)
def _remembered(task: _Task) -> Classifier:
    """The classifier of a task; models of one seed share those of reference events."""
    return train_classifier(*task.samples, task.settings, seed=task.seed)


def _features(events: Events, level: str) -> Floats:
    """What a network of a level sees (N, F)."""
    if level == "cells":
        return np.asarray(events.x, dtype=np.float64)
    return np.stack(list(table_of(events).values()), axis=1)


def _settings(level: str, options: Mapping[str, Any]) -> Settings:
    widths = tuple(options[level])
    if level == "cells":
        return Settings(widths, "events", epochs=options["epochs"])
    return Settings(widths, "columns", epochs=options["epochs"])


def _numbers(quality: Quality) -> list[float]:
    found: list[float] = six_digits(
        [quality.accuracy, quality.accuracy_error, quality.auc, quality.auc_error]
    )
    return found
