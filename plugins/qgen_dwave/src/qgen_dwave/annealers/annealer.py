"""A sampler that programs a device: embedding, ranges, gauges, and the temperature."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, CheckpointError, Unsupported
from qgen_core.interfaces import Sampler, name_of
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.free_spins import means_of
from qgen_core.samplers.temperature import Thermometer
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Array, Floats, Ints, Rng
from qgen_dwave.annealers.chip import FLUX_OF_FIELD, LARGEST_FLUX, Chip
from qgen_dwave.annealers.embedding import Embedding, embedding_of, native_graph
from qgen_dwave.annealing import AnnealingSampler

#: The field that a flux bias has to replace to hold a qubit, in units of h.
HOLDING_FIELD = 20.0


class Device(Protocol):
    """What runs programs on the qubits of a chip."""

    @property
    def chip(self) -> Chip:
        """The working graph and the ranges."""

    def run(
        self, ising: Ising, qubits: Array, flux: Floats | None, reads: int, rng: Rng
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Values (reads, Q) of the qubits after one programming.

        ``ising`` is within the chip's ranges; ``flux`` are flux biases (Q,) in units of Phi0. The
        information has ``qpu_ms`` and, of a service, ``job``.
        """


@dataclass(frozen=True)
class Programming:
    """How energies are brought onto a chip.

    Args:
        native: sizes of the parts of a native placement; empty for one with chains.
        chain_strength: the coupling in chains, None for 1.414 rms(J) sqrt(degree).
        most_broken: the largest share of broken chains that is not refused.
        gauges: programmings with random spins reversed, among which reads are shared; 0 for none.
        clamp: whether fixed spins act by fields on their neighbours or are held by flux biases.
    """

    native: tuple[int, ...] = ()
    chain_strength: float | None = None
    most_broken: float = 0.1
    gauges: int = 0
    clamp: Literal["fields", "flux"] = "fields"

    def __post_init__(self) -> None:
        if len(self.native) not in (0, 1, 2, 4):
            raise BadOption(f"native has the sizes of 1, 2 or 4 parts, not of {len(self.native)}")
        if self.chain_strength is not None and not self.chain_strength > 0:
            raise BadOption(f"chain_strength must be above 0, not {self.chain_strength:g}")
        if not 0 <= self.most_broken <= 1:
            raise BadOption(f"most_broken is a share, 0 to 1, not {self.most_broken:g}")
        if self.gauges < 0:
            raise BadOption(f"gauges must be at least 0, not {self.gauges}")


class AnnealerSampler(Sampler):
    """Draws with a device whose inverse temperature is estimated from its samples.

    The energy is programmed as it is given, never rescaled or clamped. A subclass implements
    ``device`` and sets ``kind``, which says in results whether it is emulated.
    """

    kind: str

    def __init__(
        self,
        programming: Programming,
        *,
        beta: float,
        estimate_every: int,
        reference: Sampler | None,
        reference_draws: int,
    ) -> None:
        if estimate_every < 0:
            raise BadOption(f"estimate_every must be at least 0, not {estimate_every}")
        self.programming = programming
        self.estimate_every = estimate_every
        self.thermometer = Thermometer(
            reference or AnnealingSampler(), beta=beta, draws=reference_draws
        )
        self._calls = 0
        self._embeddings: Remembered[Graph, Embedding] = Remembered()

    @property
    @abstractmethod
    def device(self) -> Device:
        """The device; one over the network is connected at the first use."""

    @property
    def beta(self) -> float:  # type: ignore[override]
        """The latest estimate of the device's inverse temperature."""
        return self.thermometer.beta

    def native_graph(self) -> Graph:
        """The graph of the native placement, for models whose couplings are those of the chip.

        Raises BadOption without the option ``native``.
        """
        if not self.programming.native:
            raise BadOption(
                f"{name_of(self)!r} has a native graph only with the option native, such as "
                "[64, 64]"
            )
        return native_graph(self.device.chip, self.programming.native)

    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """n samples of the device for each condition.

        The information has ``qpu_ms``, the time on the device; ``programmings``; with chains, the
        share ``chain_breaks``; with flux biases, the share ``clamp_errors`` of held spins that were
        read with the wrong value and were set right; and what the thermometer found. Raises
        Unsupported for energies with a transverse field or out of range, graphs that do not fit,
        and too many broken chains.
        """
        if ising.transverse:
            raise Unsupported(
                f"{name_of(self)!r} draws from classical energies; the transverse field of "
                f"{ising.transverse:g} cannot be programmed"
            )
        drawn = []
        numbers: list[dict[str, float]] = []
        jobs: list[str] = []
        for energy in ising.by_row():
            spins, of_row = self._sample_row(energy, n, rng, jobs)
            drawn.append(spins)
            numbers.append(of_row)
        samples = np.stack(drawn)
        if ising.rows is None:
            samples = samples[0]
        info: dict[str, Any] = {"source": self._source(ising.graph), **means_of(numbers)}
        for name in ("qpu_ms", "programmings"):
            info[name] = float(sum(of_row[name] for of_row in numbers))
        if jobs:
            info["job"] = jobs
        if self.estimate_every and self._calls % self.estimate_every == 0:
            info.update(self.thermometer.update(ising, samples, rng=rng))
        self._calls += 1
        return samples, info

    def _source(self, graph: Graph) -> str:
        digest = self._embedding(graph).digest
        return f"{self.kind} ({self.device.chip.name}), embedding {digest}"

    def _embedding(self, graph: Graph) -> Embedding:
        return self._embeddings.get(
            graph, lambda: embedding_of(self.device.chip, graph, self.programming.native)
        )

    def _sample_row(
        self, ising: Ising, n: int, rng: Rng, jobs: list[str]
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        """Samples (n, S) of one condition."""
        embedding = self._embedding(ising.graph)
        energy = ising
        flux = None
        held = np.zeros(ising.num_spins, dtype=np.int8)
        if ising.fixed is not None and ising.fixed.any():
            held = ising.fixed
        is_held = held != 0
        if is_held.any() and self.programming.clamp == "flux":
            energy = Ising(np.where(is_held, 0.0, ising.h), ising.J, ising.graph)
            flux = self._holding_flux(held)[embedding.spin_of]
        elif is_held.any():
            energy = _without_held(ising)
        program = embedding.program(energy, self.programming.chain_strength)
        values, numbers = self._run(program, embedding, flux, n, rng, jobs)
        spins, broken = embedding.read(values, rng)
        if np.any(embedding.lengths > 1):
            numbers["chain_breaks"] = broken
        if broken > self.programming.most_broken:
            raise Unsupported(
                f"{broken:.1%} of the chains on {self.device.chip.name} are broken, and "
                f"most_broken is {self.programming.most_broken:.1%}; the longest of them has "
                f"{embedding.lengths.max()} qubits: set a larger chain_strength, or use a native "
                "model"
            )
        if flux is not None:
            numbers["clamp_errors"] = float(np.mean((spins != held)[:, is_held]))
        return ising.clamped(spins), numbers

    def _holding_flux(self, held: NDArray[np.int8]) -> Floats:
        """Flux biases (S,) that hold spins at -1 or +1; 0 for free ones."""
        if not self.device.chip.takes_flux:
            raise Unsupported(f'{self.device.chip.name} takes no flux biases; set clamp = "fields"')
        flux = np.asarray(-FLUX_OF_FIELD * HOLDING_FIELD * held)
        assert np.all(np.abs(flux) <= LARGEST_FLUX)
        return flux

    def _run(
        self,
        program: Ising,
        embedding: Embedding,
        flux: Floats | None,
        n: int,
        rng: Rng,
        jobs: list[str],
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        """Values (n, Q) of the qubits, from as many programmings as gauges and reads need."""
        chip = self.device.chip
        values = []
        milliseconds = 0.0
        shares = self._shares(n)
        for share in shares:
            signs = np.ones(len(embedding.qubits), dtype=np.int8)
            if self.programming.gauges:
                # All qubits of a chain are reversed together, so couplings in chains stay.
                of_spins = 2 * rng.integers(2, size=len(embedding.lengths), dtype=np.int8) - 1
                signs = of_spins[embedding.spin_of].astype(np.int8)
            turned = _reversed(program, signs)
            chip.ranges.check(turned, chip.name)
            of_flux = None if flux is None else flux * signs
            drawn, info = self.device.run(turned, embedding.qubits, of_flux, len(share), rng)
            values.append(drawn * signs)
            milliseconds += float(info["qpu_ms"])
            if "job" in info:
                jobs.append(str(info["job"]))
        numbers = {"qpu_ms": milliseconds, "programmings": float(len(shares))}
        return np.concatenate(values).astype(np.int8), numbers

    def _shares(self, n: int) -> list[Ints]:
        """The numbers of the samples that each programming gives."""
        pieces = max(self.programming.gauges, -(-n // self.device.chip.ranges.reads))
        return np.array_split(np.arange(n), min(max(pieces, 1), n))

    def state(self) -> dict[str, Array]:
        return {**self.thermometer.state(), "calls": np.array([self._calls])}

    def load(self, state: Mapping[str, Array]) -> None:
        rest = dict(state)
        calls = np.asarray(rest.pop("calls", ()))
        if calls.shape != (1,):
            raise CheckpointError(f"{name_of(self)!r} finds no number of calls in {sorted(state)}")
        self.thermometer.load(rest)
        self._calls = int(calls[0])


def _without_held(ising: Ising) -> Ising:
    """The energy on the same graph, in which fixed spins are fields on the others, and free."""
    assert ising.fixed is not None
    free = ising.fixed == 0
    h = np.where(free, ising.h + ising.coupling_fields(ising.fixed[None])[0], 0.0)
    both_free = np.all(free[ising.edges], axis=1)
    return Ising(h, np.where(both_free, ising.J, 0.0), ising.graph)


def _reversed(program: Ising, signs: NDArray[np.int8]) -> Ising:
    """The energy of the spins ``signs * s``."""
    of_edges = np.prod(signs[program.edges], axis=1)
    return Ising(program.h * signs, program.J * of_edges, program.graph)
