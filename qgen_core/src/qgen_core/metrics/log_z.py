"""The partition function of a Boltzmann machine: exact, and bracketed by annealing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Events
from qgen_core.generators.draws import distinct
from qgen_core.interfaces import Estimate, Model, name_of
from qgen_core.ising import Ising
from qgen_core.metrics.model_numbers import number_of_model
from qgen_core.samplers.annealing import LogZ, annealed_log_z, reverse_annealed_log_z
from qgen_core.samplers.diagonalisation import Diagonalisation
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.samplers.free_spins import free_spins
from qgen_core.typing import Array, Floats, Rng


def log_z(
    reference: Events,
    generated: Events,
    *,
    model: Model,
    rng: Rng,
    chains: int = 500,
    steps: int = 1000,
    sweeps: int = 1000,
    conditions: int = 10,
) -> Mapping[str, Estimate]:
    """log Z of a Boltzmann machine: exact if it is small, and by annealed importance sampling.

    - ``log Z exact``: by enumeration of up to 20 spins, or diagonalisation of up to 12.
    - ``log Z AIS``: from chains that start at free spins; ``log Z AIS bound`` is the mean logarithm
      of their weights, below log Z on average.
    - ``log Z reverse AIS``: from chains that start at samples of the model. If these are exact,
      ``log Z reverse AIS bound`` is above log Z on average. Else they are ends of Markov chains
      after ``sweeps`` sweeps, the number is called ``log Z reverse AIS estimate``, and there is no
      upper bound.

    The two bounds bracket log Z, up to their errors. A note has the effective number of weights:
    where it is small, raise ``steps``. Annealing is of classical energies only. The numbers are of
    the model alone and have no floor.

    A conditional model has a log Z for each condition, with its units clamped. The numbers are then
    means over the conditions of ``conditions`` reference events, at equal steps of their order;
    each condition that occurs is annealed once. The note has the fewest effective weights.

    Raises Unsupported for a model that has no energy, BadOption for fewer than one condition.

    Source: see :mod:`qgen_core.samplers.annealing`.
    """
    if conditions < 1:
        raise BadOption(f"conditions is a number of events, at least 1, not {conditions}")
    options = {"chains": chains, "steps": steps, "sweeps": sweeps}
    if model.generator.condition is None:
        return log_z_of(energy_of(model), rng=rng, **options)
    size = min(conditions, len(reference))
    chosen = reference.take(np.arange(size) * len(reference) // size)
    _, of_events = model.encode(chosen, rng=rng)
    found = log_z_of_events(model, of_events, size, rng=rng, **options)
    return found.mean(chosen.weights)


@dataclass(frozen=True)
class LogZOfEvents:
    """log Z for the condition of each event, by each way that is known for all of them.

    ``row`` (n,) numbers the condition of each event; ``ways`` has the estimates of all conditions,
    in their order, under the names that :func:`log_z_of` gives.

    >>> found = LogZOfEvents(np.array([0, 1, 1]), {"exact": [Estimate(2.0), Estimate(5.0)]})
    >>> found.of_events("exact").tolist()
    [2.0, 5.0, 5.0]
    """

    row: NDArray[np.intp]
    ways: Mapping[str, Sequence[Estimate]]

    def of_events(self, way: str) -> Floats:
        """log Z for each event (n,)."""
        return np.array([number.value for number in self.ways[way]])[self.row]

    def mean(self, weights: Floats) -> dict[str, Estimate]:
        """The means over events with ``weights`` (n,); the errors are those of log Z alone."""
        shares = np.bincount(self.row, weights=weights) / weights.sum()
        return {way: _mean(numbers, shares) for way, numbers in self.ways.items()}


def log_z_of_events(
    model: Model, condition: Array | None, size: int, **options: Any
) -> LogZOfEvents:
    """The numbers of :func:`log_z_of` for so many events with encoded conditions (size, K).

    ``options`` are those of :func:`log_z_of`. An energy that does not depend on the condition has
    one log Z.

    Raises Unsupported for a model that has no energy, and for conditions that clamp all spins.
    """
    different, row = distinct(condition, size)
    whole = energy_of(model, different)
    if whole.rows is None:
        only = log_z_of(whole, **options)
        return LogZOfEvents(np.zeros(size, dtype=np.intp), {way: [only[way]] for way in only})
    found: dict[int, dict[str, Estimate]] = {}
    for part in free_spins(whole):
        for number, energy in zip(part.rows.tolist(), part.by_row(), strict=True):
            found[number] = log_z_of(energy, **options)
    if len(found) < whole.rows:
        raise Unsupported("log Z is of free spins; there are conditions that clamp all spins")
    in_order = [found[number] for number in range(len(found))]
    common = [way for way in in_order[0] if all(way in numbers for numbers in in_order)]
    return LogZOfEvents(row, {way: [one[way] for one in in_order] for way in common})


def log_z_of(
    ising: Ising, *, rng: Rng, chains: int, steps: int, sweeps: int
) -> dict[str, Estimate]:
    """The numbers of :func:`log_z` for an energy.

    Raises Unsupported for a transverse field on more spins than can be diagonalised.
    """
    exact = _exact(ising)
    found = {}
    if exact is not None:
        found["log Z exact"] = number_of_model(exact.log_z, 0.0)
    if ising.transverse:
        if exact is None:
            raise Unsupported("log Z of so many spins in a transverse field is not known")
        return found
    forward = annealed_log_z(ising, rng=rng, chains=chains, steps=steps)
    found |= _numbers(forward, "log Z AIS", has_bound=True)
    if isinstance(exact, Enumeration):
        backward = reverse_annealed_log_z(
            ising, exact.sample(chains, rng=rng), rng=rng, steps=steps
        )
        return found | _numbers(backward, "log Z reverse AIS", has_bound=True)
    samples = _from_chains(ising, chains, sweeps, rng)
    backward = reverse_annealed_log_z(ising, samples, rng=rng, steps=steps)
    return found | _numbers(backward, "log Z reverse AIS estimate", has_bound=False)


def energy_of(model: Model, condition: Array | None = None) -> Ising:
    """The energy of a model's generator, with a row for each condition (n, K) if it has some.

    Raises Unsupported for a generator without ``energy()``.
    """
    generator: Any = model.generator
    if not hasattr(generator, "energy"):
        raise Unsupported(f"generator {name_of(generator)!r} has no energy(); log Z needs one")
    if condition is None:
        energy: Ising = generator.energy()
    else:
        energy = generator.energy(condition)
    return energy


def _mean(numbers: Sequence[Estimate], shares: Floats) -> Estimate:
    """The mean of numbers of different conditions, with the note of the fewest weights."""
    if len(numbers) == 1:
        return numbers[0]
    values = np.array([number.value for number in numbers])
    errors = np.array([number.uncertainty for number in numbers])
    error = float(np.sqrt(np.sum((shares * errors) ** 2)))
    fewest = min((number.note for number in numbers), key=_leading_number)
    note = f"mean over {len(numbers)} conditions"
    if fewest:
        note += f", at least {fewest}"
    return number_of_model(float(shares @ values), error, note)


def _leading_number(note: str) -> float:
    """The number that a note begins with; 0 for an empty one."""
    return float(note.partition(" ")[0] or 0)


def _exact(ising: Ising) -> Enumeration | Diagonalisation | None:
    try:
        if ising.transverse:
            return Diagonalisation(ising)
        return Enumeration(ising)
    except Unsupported:
        return None


def _from_chains(ising: Ising, chains: int, sweeps: int, rng: Rng) -> Array:
    from qgen_core.samplers.gibbs import GibbsSampler

    return GibbsSampler(sweeps=sweeps).draw(ising, chains, rng=rng)[0]


def _numbers(found: LogZ, name: str, *, has_bound: bool) -> dict[str, Estimate]:
    note = f"{found.effective_size:.0f} effective weights"
    numbers = {name: number_of_model(found.value, found.error, note)}
    if has_bound:
        numbers[f"{name} bound"] = number_of_model(found.bound, found.bound_error)
    return numbers
