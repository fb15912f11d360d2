"""The measurements of the study ``hits``: a model against held-out showers, and its windows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.events import Batch, Events
from qgen_core.interfaces import Backend, Generator, Model
from qgen_core.runs.assembly import Assembly
from qgen_core.studies import Trial
from qgen_core.typing import Array, Floats, Ints
from qgen_hep.studies.hits.grid import WORD_SIZES
from qgen_hep.studies.hits.statistics import (
    EventSide,
    ExpectationSide,
    Rates,
    Side,
    neighbouring_pairs,
    random_sets,
    rng_of,
    values_of_words,
)
from qgen_hep.studies.shared.six_digits import six_digits

#: Cells of other hit rates say nothing of correlations with so few events.
LEAST_RATE = 0.01
MOST_RATE = 0.99
#: Cells of a map in a figure.
MAP_CELLS = 60


@dataclass(frozen=True)
class Held:
    """Events of a cell of the study, encoded.

    Args:
        bits: (N, n).
        condition: as the model is given it (N, K); None without energies.
        energies: in GeV (N,); None where all are equal.
    """

    bits: Array
    condition: Array | None
    energies: Floats | None

    @classmethod
    def of(cls, model: Model, events: Events, seed: int) -> Held:
        """Events in physical units as the model's encoders make them."""
        bits, condition = model.encode(events, rng=rng_of(seed, "encoding"))
        energies = None
        if events.condition is not None:
            energies = np.asarray(events.condition[:, 0], dtype=np.float64)
        return cls(bits, condition, energies)

    def some(self, number: int) -> Held:
        """At most so many of them, at equal steps."""
        size = min(number, len(self.bits))
        chosen = np.arange(size) * len(self.bits) // size
        return self._at(chosen)

    def nearest(self, energies: Floats | None, number: int) -> Held:
        """For each of so many energies the event of the nearest one; without energies the first."""
        if energies is None or self.energies is None:
            return self._at(np.arange(number) % len(self.bits))
        order = np.argsort(self.energies)
        above = np.searchsorted(self.energies[order], energies).clip(0, len(order) - 1)
        return self._at(order[above])

    def _at(self, chosen: Ints) -> Held:
        condition = None
        energies = None
        if self.condition is not None and self.energies is not None:
            condition = self.condition[chosen]
            energies = self.energies[chosen]
        return Held(self.bits[chosen], condition, energies)


def compared(
    trial: Trial,
    lattice: Sequence[Sequence[int]],
    sets: int,
    words: int,
    conditions: int,
    sweeps: int,
    details: bool,
    truth: bool,
) -> dict[str, Any]:
    """A model against held-out showers: hit rates, correlations at a given energy, MMD, times.

    Chains of a Boltzmann machine go on by so many ``sweeps`` after training.

    With ``truth`` training events of the nearest energies take the place of the model: what a
    perfect model of so many events would have.
    """
    start = time.process_time()
    assembly = trial.assembly
    if not truth:
        assembly = trial.run.assembly
    trained = time.process_time()
    model = assembly.model
    train = Held.of(model, assembly.parts[0], trial.recipe.seed)
    held = Held.of(model, assembly.parts[2], trial.recipe.seed)
    rates = Rates.of(train.bits, train.energies)
    drawn = None
    if truth:
        drawn = train.nearest(held.energies, len(held.bits)).bits
    elif "correlators" not in model.generator.outputs:
        rng = rng_of(trial.recipe.seed, "generated")
        if model.generator.sampler is not None:
            model.generator.sampler = qgen.sampler("gibbs", sweeps=sweeps, threads=1)
        drawn = model.generator.sample(len(held.bits), held.condition, rng=rng)
    of_model = _side(model.generator, drawn, held, rates, conditions)
    of_data = EventSide(held.bits, rates.at(held.energies, len(held.bits)))
    hit = train.bits.mean(axis=0)
    inside = np.flatnonzero((hit >= LEAST_RATE) & (hit <= MOST_RATE))
    found: dict[str, Any] = {
        "events": [len(train.bits), len(held.bits)],
        "rates": _told_rates(hit),
        "numbers": _numbers(of_model, of_data, _kinds(inside, lattice, sets)),
        "mmd": _curve(assembly, drawn, held, words, trial.recipe.seed),
    }
    if details:
        found["map"] = _map(of_model, of_data, inside)
    if not truth:
        found["parameters"] = _parameters(model.generator)
        found["steps"] = len(trial.history)
        found["seconds"] = six_digits([trained - start, time.process_time() - trained])
    return found


def _side(
    generator: Generator, drawn: Array | None, held: Held, rates: Rates, conditions: int
) -> Side:
    """The model as a side of a comparison, by its events where there are some."""
    if drawn is not None:
        return EventSide(drawn, rates.at(held.energies, len(drawn)))
    some = held.some(conditions)
    if some.energies is None:
        some = held.some(1)
    return ExpectationSide(generator, some.condition, rates.at(some.energies, len(some.bits)))


def _kinds(inside: Ints, lattice: Sequence[Sequence[int]], sets: int) -> dict[str, Ints]:
    """The sets of cells that are compared, by name."""
    return {
        "cells": inside[:, None],
        "pairs": random_sets(inside, 2, sets),
        "neighbours": neighbouring_pairs(lattice, inside),
        "triples": random_sets(inside, 3, sets),
        "quadruples": random_sets(inside, 4, sets),
    }


def _numbers(of_model: Side, of_data: Side, kinds: Mapping[str, Ints]) -> dict[str, Any]:
    """For each kind: root mean squares of the difference, of chance in it, and of the data.

    ``size`` is that of the data without what chance adds; it is 0 where chance explains all.
    """
    found = {}
    for name, sets in kinds.items():
        model = of_model.products(sets)
        data = of_data.products(sets)
        size = np.mean(data.mean**2 - data.variance)
        numbers = {
            "rms": _root(np.mean((model.mean - data.mean) ** 2)),
            "floor": _root(np.mean(model.variance + data.variance)),
            "size": _root(size),
            "sets": float(len(sets)),
        }
        found[name] = six_digits(numbers)
    return found


def _root(square: Any) -> float:
    return float(np.sqrt(max(float(square), 0.0)))


def _told_rates(hit: Floats) -> dict[str, Any]:
    """How many cells have which hit rates, and the numbers of those that are left out."""
    return {
        "hits": six_digits(hit.sum()),
        "rare": np.flatnonzero(hit < LEAST_RATE).tolist(),
        "usual": np.flatnonzero(hit > MOST_RATE).tolist(),
    }


def _curve(
    assembly: Assembly, drawn: Array | None, held: Held, number: int, seed: int
) -> list[float]:
    """MMD^2, unbiased, for kernels whose words have so many wires on average (``WORD_SIZES``)."""
    generator = assembly.generator
    width = held.bits.shape[1]
    data = Events(held.bits, held.condition)
    values = []
    for size in WORD_SIZES:
        share = size / width
        loss = qgen.loss(
            "mmd",
            reads="correlators",
            space=generator.space,
            data=data,
            bandwidth=(float(-1.0 / np.log(1.0 - 2.0 * share)),),
            words=number,
        )
        words = loss.words(rng=rng_of(seed, f"words-{size:g}"))
        assert words is not None
        batch = Batch(held.bits, held.condition, words=words)
        if drawn is None:
            output, _ = generator.forward("correlators", batch, rng=rng_of(seed, "signs"))
        else:
            output = values_of_words(words, drawn)
        values.append(loss.value(output, batch))
    return list(six_digits(values))


def _map(of_model: Side, of_data: Side, inside: Ints) -> dict[str, Any]:
    """Correlations of some of the cells at a given energy, of the model and of the data.

    ``triples`` has those of each pair together with a third cell, the one whose correlations with
    the others are largest in the data.
    """
    cells = inside[np.arange(MAP_CELLS) * len(inside) // MAP_CELLS]
    deviations = np.sqrt(of_data.products(np.stack([cells, cells], axis=1)).mean)
    first, second = np.triu_indices(MAP_CELLS, k=1)
    found = _correlations(of_model, of_data, cells, deviations, (first, second))
    strengths = np.abs(found["data"])
    of_cells = np.bincount(first, strengths, MAP_CELLS) + np.bincount(second, strengths, MAP_CELLS)
    third = int(np.argmax(of_cells))
    others = (first != third) & (second != third)
    three = (first[others], second[others], np.full(np.count_nonzero(others), third))
    triples = _correlations(of_model, of_data, cells, deviations, three)
    return {"cells": cells.tolist(), **found, "triples": {"third": third, **triples}}


def _correlations(
    of_model: Side, of_data: Side, cells: Ints, deviations: Floats, places: tuple[Ints, ...]
) -> dict[str, list[int]]:
    """Products over deviations in hundredths, as whole numbers, for sets of places in ``cells``."""
    sets = np.stack([cells[place] for place in places], axis=1)
    scale = np.prod([deviations[place] for place in places], axis=0)
    found = {}
    for name, side in (("model", of_model), ("data", of_data)):
        found[name] = np.rint(100 * side.products(sets).mean / scale).astype(int).tolist()
    return found


def _parameters(generator: Generator) -> int:
    """The number of parameters; of the tree, that of its free probabilities."""
    count = sum(int(np.size(values)) for values in generator.parameters().values())
    return count or int(getattr(generator, "num_params", 0))


def window(
    trial: Trial, cells: Sequence[int], shots: int, draws: int, device: str | None
) -> dict[str, Any]:
    """Covariances of the model's marginal on a window of cells: exact, and on a noisy device.

    ``exact`` events are drawn from the circuit of the window without noise. With a ``device`` the
    same is run by the backend ``ibm``, with and without mitigation of the readout; where that
    backend is not installed, its numbers are missing.
    """
    assembly = trial.run.assembly
    held = Held.of(assembly.model, assembly.parts[2], trial.recipe.seed)
    # One energy, so that a circuit is run for many shots: that of the held-out event in the middle.
    condition = None
    if held.condition is not None and held.energies is not None:
        middle = int(np.argsort(held.energies)[len(held.energies) // 2])
        condition = np.repeat(held.condition[middle : middle + 1], shots, axis=0)
    generator: Any = assembly.generator
    reference = window_covariances(generator, cells, condition)
    found: dict[str, Any] = {
        "wires": len(cells),
        "pairs": int(generator.window(cells).circuit.counts.get("rzz", 0)),
    }
    for name, backend in _backends(device, shots).items():
        start = time.process_time()
        part = generator.window(cells, backend=backend, draws=draws)
        rng = rng_of(trial.recipe.seed, f"window-{name}")
        bits = part.sample(shots, condition, rng=rng)
        found[name] = surviving(bits, reference, draws)
        found[name]["seconds"] = six_digits(time.process_time() - start)
        transpiled = backend.device_circuit(part.circuit)
        if transpiled is not None:
            found["transpiled"] = asdict(transpiled)
    return found


def _backends(device: str | None, shots: int) -> dict[str, Backend]:
    """The backends of a window by the name of what they show."""
    found = {"exact": qgen.backend("statevector", threads=1)}
    if device is not None and "ibm" in qgen.names("backend"):
        found["device"] = qgen.backend("ibm", device=device)
        found["mitigated"] = qgen.backend(
            "readout-mitigated", backend=found["device"], calibration_shots=shots
        )
    return found


def window_covariances(
    generator: Generator, cells: Sequence[int], condition: Array | None
) -> Floats:
    """The exact covariances (Q, Q) of Z in the window, from the expectations of words."""
    if condition is not None:
        condition = condition[:1]
    chosen = np.array(cells)
    means = ExpectationSide(generator, condition, np.zeros((1, int(chosen.max()) + 1)))
    single = means.products(chosen[:, None]).mean
    first, second = np.triu_indices(len(cells), k=1)
    both = means.products(np.stack([chosen[first], chosen[second]], axis=1)).mean
    covariances = np.zeros((len(cells), len(cells)))
    covariances[first, second] = both - single[first] * single[second]
    return covariances


def surviving(bits: Array, reference: Floats, draws: int) -> dict[str, Any]:
    """The share of the model's covariances that events have: the slope of one on the other.

    Events i and i + draws have equal signs outside the window, so the standard error is that of
    the means over the events of each sign vector.
    """
    z = 1.0 - 2.0 * bits
    residuals = z - z.mean(axis=0)
    first, second = np.triu_indices(z.shape[1], k=1)
    weights = reference[first, second]
    products = (residuals[:, first] * residuals[:, second]) @ weights / np.sum(weights**2)
    covariances = np.cov(z.T, bias=True)[first, second]
    of_draws = [products[draw::draws].mean() for draw in range(draws)]
    error = np.std(of_draws, ddof=1) / np.sqrt(draws)
    return {
        "share": six_digits([products.mean(), error]),
        "covariances": six_digits(covariances),
        "exact": six_digits(weights),
    }
