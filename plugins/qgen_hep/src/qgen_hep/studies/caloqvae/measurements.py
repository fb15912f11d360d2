"""The measurements of the study ``caloqvae``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.interfaces import Metric, Model
from qgen_core.metrics.score import score
from qgen_core.runs.run import Run
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_hep.studies.caloqvae.distributions import kept
from qgen_hep.studies.caloqvae.grid import PAIRS, SPECIES, with_species
from qgen_hep.studies.caloqvae.telling_apart import LEVELS, Networks
from qgen_hep.studies.shared.six_digits import six_digits

#: Resamples of events for the errors and the floors of distances.
RESAMPLES = 20
#: Calls, and events in each, by which a sampler that replaces that of the training estimates its
#: temperature before the events are generated that count.
ESTIMATES = 3
ESTIMATE_EVENTS = 300
#: Events of each sample in a distance.
MOST_EVENTS = 4000


def reference(trial: Trial, simulated: Mapping[str, Any] | None) -> dict[str, Any]:
    """Held-out events without a model: what figures show, and the distance to simulated ones."""
    held_out = trial.assembly.parts[2]
    found: dict[str, Any] = {"events": len(held_out), "kind": _kind(held_out), **kept(held_out)}
    if simulated is not None:
        other = qgen.build("dataset", simulated)()
        found["simulated"] = {"events": len(other), "kind": _kind(other), **kept(other)}
        found["W1 to simulated"] = _distances(other, held_out, trial.recipe.seed)
    return found


def compared(
    trial: Trial,
    samplers: Mapping[str, Mapping[str, Any] | None],
    classification: Mapping[str, Any],
    simulated: Mapping[str, Any],
    details: bool,
) -> dict[str, Any]:
    """Train a model on each species, generate with each sampler, and compare with held-out events.

    ``samplers`` are the tables that replace that of the recipe, by name; None keeps it. With
    ``details`` the result holds what figures show. ``simulated`` is the dataset of simulated events
    of the recipe's species.
    """
    trained: dict[str, _Trained] = {}
    for species in SPECIES:
        trained[species] = _Trained.of(trial, species, samplers)
    found: dict[str, Any] = {"species": {}, "pairs": {}}
    seed = trial.recipe.seed
    for species, one in trained.items():
        found["species"][species] = one.described(seed, details=details)
    other = qgen.build("dataset", simulated)()
    for name, generated in trained[simulated["species"]].generated.items():
        of_species = found["species"][simulated["species"]]["samplers"][name]
        of_species["W1 to simulated"] = _distances(other, generated, seed)
    for level in LEVELS:
        networks = Networks(level, classification, seed, _origin(trial))
        for species, one in trained.items():
            networks.add(species, one.held_out)
            for name, generated in one.generated.items():
                networks.add(f"{species}, {name}", generated)
        _tell_apart(networks, found, list(samplers))
    return found


def _tell_apart(networks: Networks, found: dict[str, Any], samplers: list[str]) -> None:
    """Add to the result what the networks of a level find."""
    for name in samplers:
        for species in SPECIES:
            of_sampler = found["species"][species]["samplers"][name]
            told = networks.apart(species, f"{species}, {name}")
            of_sampler.setdefault("apart", {})[networks.level] = told
        for pair in PAIRS:
            generated = (f"{pair[0]}, {name}", f"{pair[1]}, {name}")
            numbers = networks.transferred(pair, generated)
            of_pair = found["pairs"].setdefault(" ".join(pair), {}).setdefault(name, {})
            of_pair[networks.level] = numbers


def _origin(trial: Trial) -> str:
    """What determines the held-out events of all species."""
    recipe = trial.recipe.to_dict()
    return json.dumps([recipe["dataset"], recipe["split"], recipe["seed"]], sort_keys=True)


@dataclass(frozen=True)
class _Trained:
    """A model that was trained on a species, and what it generated with each sampler."""

    run: Run
    history: list[dict[str, Any]]
    held_out: Events
    generated: dict[str, Events]
    seconds: dict[str, float]

    @classmethod
    def of(
        cls, trial: Trial, species: str, samplers: Mapping[str, Mapping[str, Any] | None]
    ) -> _Trained:
        """Train, or continue a training that was stopped, and generate.

        Each sampler generates an event for each held-out one, with its incident energy.
        """
        recipe = with_species(trial.recipe.to_dict(), species)
        training = Trial(recipe, trial.folder / _folder_of(species))
        run = training.run
        held_out = run.assembly.parts[2]
        generated = {}
        seconds = {}
        for name, table in samplers.items():
            other = run
            if table is not None:
                other = Run(run.path, [f"sampler={_inline(table)}"])
                _estimate(other, held_out)
            start = time.process_time()
            generated[name] = _generated(other, held_out)
            seconds[name] = time.process_time() - start
        return cls(run, training.history, held_out, generated, seconds)

    def described(self, seed: int, *, details: bool) -> dict[str, Any]:
        """Numbers of the model and of its samples, for the result."""
        model = self.run.assembly.model
        parameters = 0
        for values in model.generator.parameters().values():
            parameters += int(np.size(values))
        found: dict[str, Any] = {
            "parameters": parameters,
            "steps": len(self.history),
            "couplings": _couplings(model.generator),
            "nelbo": _nelbo(self.held_out, next(iter(self.generated.values())), model, seed),
            "samplers": {},
        }
        for name, events in self.generated.items():
            of_sampler: dict[str, Any] = {
                "source": events.provenance.get("sampler source", ""),
                "ms an event": six_digits(1000 * self.seconds[name] / len(events)),
                "W1": _distances(self.held_out, events, seed),
            }
            if details:
                of_sampler |= kept(events)
            found["samplers"][name] = of_sampler
        return found


def _couplings(generator: Any) -> float | None:
    """The root of the mean square of the couplings of the prior; None if it has none."""
    if not hasattr(generator, "energy"):
        return None
    couplings = generator.energy().J
    if not len(couplings):
        return None
    found: float = six_digits(np.sqrt(np.mean(couplings**2)))
    return found


def _estimate(run: Run, held_out: Events) -> None:
    """Draw a few times, so that a sampler whose temperature is estimated knows it."""
    few = held_out.take(np.arange(min(ESTIMATE_EVENTS, len(held_out))))
    for number in range(ESTIMATES):
        for _ in run.generate(len(few), condition=few.condition, seed=number):
            pass


def _generated(run: Run, held_out: Events) -> Events:
    """An event for each of the held-out ones, with its incident energy."""
    pieces = list(run.generate(len(held_out), condition=held_out.condition))
    last = pieces[-1]  # its provenance names the samplers of all pieces
    return last.replace(
        x=np.concatenate([piece.x for piece in pieces]), condition=held_out.condition
    )


def _distances(first: Events, second: Events, seed: int) -> dict[str, list[float]]:
    """The distance of each observable: value, uncertainty, floor, and the spread of the floor."""
    metric = qgen.metric("shower-observables", resamples=RESAMPLES)
    samples = [events.take(np.arange(min(len(events), MOST_EVENTS))) for events in (first, second)]
    return _scores(metric, samples[0], samples[1], None, seed)


def _nelbo(held_out: Events, generated: Events, model: Model, seed: int) -> dict[str, list[float]]:
    return _scores(qgen.metric("nelbo"), held_out, generated, model, seed)


def _scores(
    metric: Metric, first: Events, second: Events, model: Model | None, seed: int
) -> dict[str, list[float]]:
    found = {}
    for one in score(metric, first, second, rng=stream(seed, "caloqvae"), model=model):
        numbers = [one.value, one.uncertainty, one.floor, one.floor_spread]
        found[one.name] = six_digits(numbers)
    return found


def _kind(events: Events) -> str:
    """What the events are: their kind and where they come from."""
    origin = events.provenance
    return f"{origin.get('kind', '')}: {origin.get('source', events.described)}"


def _folder_of(species: str) -> str:
    return species.replace("+", "plus")


def _inline(table: Mapping[str, Any]) -> str:
    """A table as a setting of a recipe, on one line.

    >>> _inline({"name": "gibbs", "sweeps": 5, "reference": {"name": "exact"}, "native": [4, 4]})
    '{name = "gibbs", sweeps = 5, reference = {name = "exact"}, native = [4, 4]}'
    """
    parts = []
    for key, value in table.items():
        text = json.dumps(value)
        if isinstance(value, Mapping):
            text = _inline(value)
        parts.append(f"{key} = {text}")
    return "{" + ", ".join(parts) + "}"
