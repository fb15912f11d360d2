"""The measurements of the study ``calo``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.runs.run import Run
from qgen_core.studies import Trial
from qgen_hep.calorimeters.features import network_inputs
from qgen_hep.calorimeters.showers import Showers, calorimeter_of, showers_of
from qgen_hep.calorimeters.telling_apart import shrunk, tell_apart
from qgen_hep.calorimeters.timing import time_per_shower
from qgen_hep.studies.calo.distributions import Kept
from qgen_hep.studies.calo.measures import Judge
from qgen_hep.studies.shared.six_digits import six_digits

#: Batches whose time is measured; that of the largest batch is the time of all generated events.
BATCHES = (1, 100)
REPEATS = 3


def truth(
    trial: Trial,
    calorimeter: str,
    threshold: float,
    simulated: Mapping[str, Any],
    measures: Mapping[str, Any],
    details: bool,
) -> dict[str, Any]:
    """Held-out events against as many training events: what a perfect model would have.

    With ``details`` the result holds what figures show of both, and of the simulated showers.
    """
    samples = _Samples(trial, calorimeter, threshold, simulated)
    train = trial.assembly.parts[0]
    chosen = samples.showers(train.take(np.arange(min(len(train), len(samples.held_out)))))
    found = samples.judged(chosen, measures)
    if details:
        kept = Kept(samples.reference)
        found["shown"] = kept.of(samples.reference)
        found["shown simulated"] = kept.of(samples.simulated)
    return found


def compared(
    trial: Trial,
    calorimeter: str,
    threshold: float,
    simulated: Mapping[str, Any],
    measures: Mapping[str, Any],
    details: bool,
) -> dict[str, Any]:
    """Train a model, generate as many events as are held out, and compare.

    ``simulated`` is the dataset of Geant4. With ``details`` the result holds what figures show.
    """
    samples = _Samples(trial, calorimeter, threshold, simulated)
    run = trial.run
    conditions = samples.held_out.condition
    assert conditions is not None

    def generate(number: int) -> list[Events]:
        return list(run.generate(number, condition=conditions[:number]))

    timings = time_per_shower(generate, BATCHES, repeats=REPEATS)
    milliseconds = [[one.batch_size, one.processor] for one in timings]
    start = time.process_time()
    generated = _joined(generate(len(conditions)))
    seconds = time.process_time() - start
    milliseconds.append([len(conditions), 1000 * seconds / len(conditions)])
    showers = samples.showers(generated.replace(condition=conditions))
    found = {
        "parameters": _parameters(run),
        "steps": len(trial.history),
        "ms": six_digits(milliseconds),
        **samples.judged(showers, measures),
    }
    if details:
        found["shown"] = Kept(samples.reference).of(showers)
    return found


def protocol(trial: Trial, calorimeter: str, threshold: float, level: Any) -> dict[str, Any]:
    """Train a model, and tell its showers apart by the network of a level, in full size.

    The network and its training are those of the CaloChallenge, in double precision; parts and
    batches shrink in proportion to the number of events.
    """
    samples = _Samples(trial, calorimeter, threshold, None)
    conditions = samples.held_out.condition
    assert conditions is not None
    generated = _joined(list(trial.run.generate(len(conditions), condition=conditions)))
    showers = samples.showers(generated.replace(condition=conditions))
    split, settings = shrunk(showers.calorimeter.particle, len(showers))
    told = tell_apart(
        network_inputs(samples.reference, level),
        network_inputs(showers, level),
        split=split,
        settings=settings,
        seed=trial.recipe.seed,
    )
    return {
        "AUC": six_digits([told.auc, told.auc_error]),
        "JSD": six_digits([told.jsd, told.jsd_error]),
        "split": list(split),
        "batch": settings.batch_size,
        "widths": list(settings.widths),
        "epochs": settings.epochs,
        "precision": settings.precision,
    }


@dataclass(frozen=True)
class _Samples:
    """What generated showers are compared with."""

    trial: Trial
    calorimeter: str
    threshold: float
    dataset: Mapping[str, Any] | None

    def showers(self, events: Events) -> Showers:
        """Events as showers, with cells below the threshold set to 0."""
        return showers_of(events, calorimeter_of(self.calorimeter), threshold=self.threshold)

    @cached_property
    def held_out(self) -> Events:
        """Events of the stand-in that no model sees."""
        return self.trial.assembly.parts[2]

    @cached_property
    def reference(self) -> Showers:
        """The held-out events as showers."""
        return self.showers(self.held_out)

    @cached_property
    def simulated(self) -> Showers:
        """The showers of Geant4."""
        assert self.dataset is not None
        return self.showers(qgen.build("dataset", self.dataset)())

    def judged(self, showers: Showers, options: Mapping[str, Any]) -> dict[str, Any]:
        """All measures of showers against both; networks see showers of the stand-in alone."""
        judge = Judge(options, self.threshold, self.trial.recipe.seed)
        to_stand_in = {
            **judge.distances(self.reference, showers),
            **judge.told_apart(self.reference, showers),
        }
        return {
            "events": [len(self.trial.assembly.parts[0]), len(self.reference), len(showers)],
            "simulated events": len(self.simulated),
            "to stand-in": to_stand_in,
            "to simulated": judge.distances(self.simulated, showers),
        }


def _joined(pieces: list[Events]) -> Events:
    """All events of the pieces."""
    return pieces[-1].replace(x=np.concatenate([piece.x for piece in pieces]), condition=None)


def _parameters(run: Run) -> int:
    """The number of trained parameters."""
    arrays = run.assembly.generator.parameters().values()
    return int(sum(np.size(values) for values in arrays))
