"""The partition function of a Boltzmann machine: exact, and bracketed by annealing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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
    if model.generator.condition is None:
        ising = energy_of(model)
        return log_z_of(ising, rng=rng, chains=chains, steps=steps, sweeps=sweeps)
    energies, shares = _energies_of_conditions(model, reference, conditions, rng)
    found = []
    for ising in energies:
        found.append(log_z_of(ising, rng=rng, chains=chains, steps=steps, sweeps=sweeps))
    return {name: _mean([one[name] for one in found], shares) for name in found[0]}


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


def _energies_of_conditions(
    model: Model, reference: Events, conditions: int, rng: Rng
) -> tuple[list[Ising], Floats]:
    """Energies of the free spins for conditions that occur, and the share of events of each."""
    if conditions < 1:
        raise BadOption(f"conditions is a number of events, at least 1, not {conditions}")
    size = min(conditions, len(reference))
    chosen = reference.take(np.arange(size) * len(reference) // size)
    _, of_events = model.encode(chosen, rng=rng)
    different, row = distinct(of_events, size)
    shares = np.bincount(row, weights=chosen.weights) / chosen.weights.sum()
    energies: list[Ising] = []
    order: list[int] = []
    for part in free_spins(energy_of(model, different)):
        energies.extend(part.by_row())
        order.extend(part.rows.tolist())
    return energies, shares[order]


def _mean(numbers: Sequence[Estimate], shares: Floats) -> Estimate:
    """The mean of numbers of different conditions, with the first note in order."""
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
