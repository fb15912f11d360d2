"""The training through the emulated annealer, its statistics and its temperature."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import qgen_core as qgen
from qgen_core.discovery.hooks import hookimpl
from qgen_core.interfaces import Problem, Sampler
from qgen_core.ising import Ising
from qgen_core.samplers.free_spins import free_spins
from qgen_core.studies import Trial
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats
from qgen_hep.studies.shared.six_digits import six_digits

#: Numbers of events for one programming, in the table of times.
EVENTS_OF_A_PROGRAMMING = (1, 10, 100, 1000)
#: Calls of a sampler after which its temperature no longer depends on the first guess.
CALLS_OF_AN_ESTIMATE = 4


def annealed(trial: Trial, reads: int, sweeps: int) -> dict[str, Any]:
    """Train through the annealer, and compare its statistics with long chains at each epoch.

    ``reads`` samples are drawn of each, the chains after ``sweeps`` sweeps.
    """
    watch = Watch(trial.recipe.tables["sampler"], reads, sweeps, trial.recipe.seed)
    # The hook sees the epochs of this process only, so a training that was stopped begins anew.
    shutil.rmtree(trial.folder, ignore_errors=True)
    made = Trial(trial.recipe.to_dict(), trial.folder, hooks=[watch])
    run = made.run
    energy = energy_of(run.assembly.generator)
    times = []
    for events in EVENTS_OF_A_PROGRAMMING:
        _, info = watch.annealer(run.assembly.sampler).draw(energy, events, rng=watch.rng("times"))
        times.append([events, six_digits(info["qpu_ms"] / events)])
    losses = [record["loss"] for record in made.history]
    watch.epochs["loss"] = _means(losses, len(watch.epochs["epoch"]))
    return {
        "source": "; ".join(run.record["sampler"]["sources"]),
        "steps": len(made.history),
        "epochs": watch.epochs,
        "qpu ms an event": times,
    }


def temperatures(
    trial: Trial,
    sampler: Mapping[str, Any],
    energies: Sequence[float],
    anneal_times: Sequence[float],
    reads: int,
) -> dict[str, Any]:
    """Train with Markov chains, and estimate the inverse temperature of anneals at each energy.

    The incident energies (GeV) are conditions of the prior: the fields of its latent units, which
    alone are programmed. ``anneal_times`` are in microseconds; each estimate has ``reads`` samples
    and its standard error.
    """
    assembly = trial.run.assembly
    encoder = assembly.condition_encoder
    assert encoder is not None
    conditions = encoder.encode(np.array(energies)[:, None])
    found: dict[str, Any] = {"energies": list(energies)}
    for microseconds in anneal_times:
        estimates = []
        for number, condition in enumerate(conditions):
            annealer = qgen.build("sampler", {**sampler, "anneal_time": microseconds})
            [latents] = free_spins(energy_of(assembly.generator, condition[None]))
            [energy] = latents.by_row()
            rng = stream(trial.recipe.seed, "caloqvae-temperatures", number)
            for _ in range(CALLS_OF_AN_ESTIMATE):
                _, info = annealer.draw(energy, reads, rng=rng)
            numbers = [info["beta_energy"], info["beta_energy_error"]]
            estimates.append(six_digits(numbers))
        found[f"{microseconds:g} us"] = estimates
    return found


class Watch:
    """A hook that compares, after each epoch, the annealer's samples with those of long chains.

    Its annealer is another one of the same options with the beta that the training has estimated,
    so the training is the same with and without the hook.
    """

    def __init__(self, table: Mapping[str, Any], reads: int, sweeps: int, seed: int) -> None:
        self._table = table
        self._reads = reads
        self._sweeps = sweeps
        self._seed = seed
        self.epochs: dict[str, list[float]] = {}

    def annealer(self, trained: Sampler | None) -> Sampler:
        """An annealer with the beta of the trained one, which it keeps."""
        assert trained is not None
        table = {**self._table, "beta": trained.beta, "estimate_every": 0}
        found: Sampler = qgen.build("sampler", table)
        return found

    def rng(self, purpose: str, step: int = 0) -> np.random.Generator:
        """Random numbers of the study's own."""
        return stream(self._seed, f"caloqvae-{purpose}", step)

    @hookimpl
    def on_epoch(self, problem: Problem, epoch: int) -> None:
        """Compare."""
        energy = energy_of(problem.generator)
        annealer = self.annealer(problem.generator.sampler)
        spins, _ = annealer.draw(energy, self._reads, rng=self.rng("annealer", epoch))
        chains = qgen.sampler("gibbs", sweeps=self._sweeps)
        both = []
        for worker in range(2):
            rng = stream(self._seed, "caloqvae-chains", epoch, worker)
            both.append(chains.draw(energy, self._reads, rng=rng)[0])
        found = {"epoch": float(epoch), "beta": annealer.beta}
        for name, statistics in (("cosine", moments), ("cosine of covariances", covariances)):
            of_chains = [statistics(one, energy) for one in both]
            found[name] = cosine(statistics(spins, energy), of_chains[0])
            found[f"{name}, floor"] = cosine(of_chains[1], of_chains[0])
        for name, value in found.items():
            self.epochs.setdefault(name, []).append(six_digits(value))


def energy_of(generator: Any, condition: Array | None = None) -> Ising:
    """The energy of the prior, in which a latent unit that is on is a spin +1.

    A prior that depends on the condition has a row for each row of ``condition`` (n, K).
    """
    energy: Ising = generator.energy(condition)
    return energy


def moments(spins: Array, energy: Ising) -> Floats:
    """The means of spins (S,) and of products of coupled spins (E,), as one array."""
    values = np.asarray(spins, dtype=np.float64)
    products = values[:, energy.edges[:, 0]] * values[:, energy.edges[:, 1]]
    return np.concatenate([values.mean(axis=0), products.mean(axis=0)])


def covariances(spins: Array, energy: Ising) -> Floats:
    """The means of products of coupled spins minus the products of their means (E,)."""
    found = moments(spins, energy)
    means = found[: energy.num_spins]
    difference: Floats = (
        found[energy.num_spins :] - means[energy.edges[:, 0]] * means[energy.edges[:, 1]]
    )
    return difference


def cosine(first: Floats, second: Floats) -> float:
    """The cosine of the angle between two vectors; 0 if one is zero.

    >>> round(cosine(np.array([1.0, 0.0]), np.array([1.0, 1.0])), 4)
    0.7071
    """
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    if length == 0:
        return 0.0
    return float(first @ second) / length


def _means(losses: list[float], parts: int) -> list[float]:
    """The mean loss of each of so many equal parts of a training."""
    means: list[float] = []
    for part in np.array_split(np.array(losses), parts):
        means.append(six_digits(part.mean()))
    return means
