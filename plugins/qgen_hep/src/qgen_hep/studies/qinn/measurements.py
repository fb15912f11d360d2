"""The measurements of the study ``qinn``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.discovery.hooks import hookimpl
from qgen_core.events import Events
from qgen_core.interfaces import Problem
from qgen_core.runs.run import Run
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array
from qgen_hep.calorimeters.separation import Histograms
from qgen_hep.calorimeters.showers import Showers, calorimeter_of, showers_of
from qgen_hep.metrics.shower_selection import shower_selection
from qgen_hep.studies.calo.distributions import Kept
from qgen_hep.studies.calo.measures import Judge
from qgen_hep.studies.shared.six_digits import six_digits

#: The least energy of a hit in MeV.
THRESHOLD = 1.0
#: The histograms of the total energy and of the layers.
FAMILIES = {"S2": "E_tot/E_inc", "S2 of layers": "E_layer"}
#: Of so many events the captures are kept.
FOLLOWED = 4
#: What the Frechet distance of showers is averaged over.
SHOWER_MEASURES = {"neighbours": 1_000, "draws": 5}


class Clock:
    """A callback that measures the processor time of the steps of this process but the first one.

    The first step compiles. ``seconds`` is None without two steps, as in a training that had been
    finished before.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._steps = 0

    @hookimpl
    def on_step(self, problem: Problem) -> None:
        self._steps += 1
        now = time.process_time()
        self._times = [*self._times[:1], now]

    @property
    def seconds(self) -> float | None:
        """The mean processor time of a step."""
        if self._steps < 2:
            return None
        return (self._times[-1] - self._times[0]) / (self._steps - 1)


def truth(
    trial: Trial, calorimeter: str, simulated: Mapping[str, Any] | None, details: bool
) -> dict[str, Any]:
    """Held-out events against as many true ones, which no model is trained on.

    With ``details`` the result holds what figures show of the held-out and the simulated events.
    """
    samples = _Samples(trial, calorimeter, simulated)
    found = samples.compared(trial.assembly.parts[1])
    if details:
        kept = Kept(samples.reference)
        found["shown"] = kept.of(samples.reference)
        if samples.simulated is not None:
            found["shown simulated"] = kept.of(samples.simulated)
    return found


def compared(
    trial: Trial, calorimeter: str, simulated: Mapping[str, Any] | None, details: bool
) -> dict[str, Any]:
    """Train a model, generate as many events as are held out, and compare.

    ``simulated`` is the dataset of Geant4, if there is any. With ``details`` the result holds what
    figures show. Of a model with a density, ``NLL`` has the mean of -log p of held-out and of
    training events, in nats, of energies in MeV.
    """
    clock = Clock()
    trial.hooks = (*trial.hooks, clock)
    run = trial.run
    samples = _Samples(trial, calorimeter, simulated)
    generated = _generated(run, samples.held_out)
    found: dict[str, Any] = {
        "parameters": _parameters(run),
        "in cores": _parameters(run, "core"),
        "steps": len(trial.history),
        **samples.compared(generated),
    }
    if clock.seconds is not None:
        found["seconds of a step"] = six_digits(clock.seconds)
    if "log_prob" in run.assembly.generator.outputs:
        parts = trial.assembly.parts
        found["NLL"] = six_digits([_nll(trial, run, part) for part in (parts[2], parts[0])])
    if details:
        found["shown"] = Kept(samples.reference).of(samples.showers(generated))
        captures = getattr(run.assembly.generator, "captures", {})
        if captures:
            found["captures"] = _captures(captures)
    return found


def true_showers(trial: Trial, simulated: Mapping[str, Any]) -> dict[str, Any]:
    """Full showers: held-out events against as many true ones."""
    return _Samples(trial, "ds1-photons", simulated).judged(trial.assembly.parts[1])


def showers(trial: Trial, simulated: Mapping[str, Any]) -> dict[str, Any]:
    """Train a model of full showers, generate as many as are held out, and compare."""
    clock = Clock()
    trial.hooks = (*trial.hooks, clock)
    run = trial.run
    samples = _Samples(trial, "ds1-photons", simulated)
    found: dict[str, Any] = {
        "parameters": _parameters(run),
        "in cores": _parameters(run, "core"),
        "steps": len(trial.history),
        **samples.judged(_generated(run, samples.held_out)),
    }
    if clock.seconds is not None:
        found["seconds of a step"] = six_digits(clock.seconds)
    return found


@dataclass(frozen=True)
class _Samples:
    """What generated events are compared with."""

    trial: Trial
    calorimeter: str
    dataset: Mapping[str, Any] | None

    def showers(self, events: Events) -> Showers:
        """Events as showers, with energies below the threshold set to 0."""
        return showers_of(events, calorimeter_of(self.calorimeter), threshold=THRESHOLD)

    @cached_property
    def held_out(self) -> Events:
        """Events of the sample that no model sees."""
        return self.trial.assembly.parts[2]

    @cached_property
    def reference(self) -> Showers:
        """The held-out events as showers."""
        return self.showers(self.held_out)

    @cached_property
    def simulated(self) -> Showers | None:
        """The showers of Geant4."""
        if self.dataset is None:
            return None
        return self.showers(qgen.build("dataset", self.dataset)())

    def compared(self, events: Events) -> dict[str, Any]:
        """The measures of layer energies to the held-out events and to Geant4."""
        generated = self.showers(events)
        found: dict[str, Any] = {
            "events": [len(self.trial.assembly.parts[0]), len(self.reference), len(generated)],
            "to sample": distances(self.reference, generated),
        }
        if self.simulated is not None:
            found["simulated events"] = len(self.simulated)
            found["to simulated"] = distances(self.simulated, generated)
        return found

    def judged(self, events: Events) -> dict[str, Any]:
        """The measures of full showers to the held-out events and to Geant4."""
        judge = Judge(SHOWER_MEASURES, THRESHOLD, self.trial.recipe.seed)
        generated = self.showers(events)
        assert self.simulated is not None
        return {
            "events": [len(self.trial.assembly.parts[0]), len(self.reference), len(generated)],
            "to sample": judge.distances(self.reference, generated),
            "to simulated": judge.distances(self.simulated, generated),
        }


def distances(reference: Showers, generated: Showers) -> dict[str, float]:
    """How far layer energies are apart.

    ``S2`` of the total energy, the share of its generated values ``outside`` of the histogram, and
    ``chi2/ndf`` over the range of the reference; ``S2 of layers``, the mean; ``W1`` of the total
    energy, and ``W1 of layers``, the mean, in standard deviations of the reference.
    """
    histograms = Histograms(reference, THRESHOLD)
    binned = [histograms.binned(showers) for showers in (reference, generated)]
    every = histograms.separations(binned[0], binned[1])
    found: dict[str, float] = {}
    for name, family in FAMILIES.items():
        members = histograms.families()[family]
        found[name] = float(np.mean([every[member].power for member in members]))
    found["outside"] = every["E_tot/E_inc"].outside_generated
    total = [Events(showers.total[:, None]) for showers in (reference, generated)]
    found["chi2/ndf"] = shower_selection(total[0], total[1], layers=[(1, 1)])["chi2/ndf"]
    wasserstein = qgen.metric("wasserstein")
    (of_total,) = wasserstein(total[0], total[1]).values()
    of_layers = list(wasserstein(Events(reference.voxels), Events(generated.voxels)).values())
    found["W1"] = of_total
    found["W1 of layers"] = float(np.mean(of_layers))
    numbers: dict[str, float] = six_digits(found)
    return numbers


def _generated(run: Run, held_out: Events) -> Events:
    """As many events as are held out, with their conditions."""
    pieces = list(run.generate(len(held_out), condition=held_out.condition))
    x = np.concatenate([piece.x for piece in pieces])
    return pieces[-1].replace(x=x, condition=held_out.condition)


def _nll(trial: Trial, run: Run, events: Events) -> float:
    """The mean of -log p of the events that the encoder accepts."""
    model = run.assembly.model
    inside = model.encoder.accepts(events.x, events.condition)
    rng = stream(trial.recipe.seed, "qinn-nll")
    return -float(np.mean(model.log_prob(events.take(np.flatnonzero(inside)), rng=rng)))


def _captures(captures: Mapping[str, Array]) -> dict[str, Any]:
    """Latents and features of a few events over the training, and what becomes of the circuits.

    ``fidelity`` (K, cores) is the mean over events of the squared overlap of a circuit's state with
    that of the last capture.
    """
    states = captures["states"]
    overlaps = np.abs(np.sum(states.conj() * states[-1], axis=-1)) ** 2
    return {
        "steps": captures["steps"].tolist(),
        "latents": six_digits(captures["latents"][:, :FOLLOWED]),
        "features": six_digits(captures["features"][:, :FOLLOWED]),
        "fidelity": six_digits(overlaps.mean(axis=1)),
    }


def _parameters(run: Run, part: str = "") -> int:
    """The number of trained parameters whose names have a part."""
    arrays = run.assembly.generator.parameters().items()
    return int(sum(np.size(values) for name, values in arrays if part in name))
