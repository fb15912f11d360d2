"""The sampler ``dwave-emulator``: an annealer whose errors are knobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.interfaces import Sampler
from qgen_core.ising import Graph, Ising
from qgen_core.typing import Array, Floats, Rng
from qgen_dwave.annealers.annealer import AnnealerSampler, Programming
from qgen_dwave.annealers.chip import FLUX_OF_FIELD, Chip, Ranges, check_chip, with_defects
from qgen_dwave.annealing import annealed
from qgen_dwave.path_integral import path_integral

#: Milliseconds of a programming, and of a read besides the anneal: an Advantage system, as
#: dwave.system's MockDWaveSampler gives them.
PROGRAMMING_MS = 8.468
READ_MS = 0.0415 + 0.0205
#: Where ramps start: beta times the energy, and the transverse field over the problem's scale.
FIRST_SHARE = 0.01
FIRST_TRANSVERSE = 3.0


@dataclass(frozen=True)
class Errors:
    """How an emulated chip differs from what is programmed.

    Args:
        noise_h: standard deviation of errors of fields, new at each programming.
        noise_J: the same for couplings.
        offset_h: standard deviation of offsets of fields, which belong to the chip.
        susceptibility: chi of the background, of which fields become ``h + chi J h`` and couplings
            ``J + chi J^2``, between qubits at distance two as well.
    """

    noise_h: float
    noise_J: float
    offset_h: float
    susceptibility: float

    def __post_init__(self) -> None:
        if min(self.noise_h, self.noise_J, self.offset_h) < 0:
            raise BadOption("noise_h, noise_J and offset_h are standard deviations, at least 0")
        if not abs(self.susceptibility) < 1:
            raise BadOption(f"susceptibility is between -1 and 1, not {self.susceptibility:g}")


@dataclass(frozen=True)
class Anneal:
    """How an emulated anneal proceeds.

    Args:
        beta: the inverse temperature at its end, for slow anneals that of the samples.
        microseconds: the annealing time.
        sweeps: updates of each spin in a microsecond.
        transverse: the field that is left when the dynamics stop, in units of the energy.
    """

    beta: float
    microseconds: float
    sweeps: float
    transverse: float

    def __post_init__(self) -> None:
        if not (0 < self.beta < np.inf and self.transverse >= 0):
            raise BadOption(
                f"true_beta must be above 0 and transverse at least 0, not {self.beta:g} and "
                f"{self.transverse:g}"
            )
        if not self.microseconds * self.sweeps >= 1:
            raise BadOption(
                f"an anneal needs at least one sweep, not anneal_time * sweeps_per_us = "
                f"{self.microseconds * self.sweeps:g}"
            )

    def spins(self, ising: Ising, reads: int, rng: Rng) -> Array:
        """The spins (reads, S) at the ends of anneals."""
        ramp = np.linspace(FIRST_SHARE, 1.0, round(self.microseconds * self.sweeps))
        if self.transverse == 0:
            return annealed(ising, self.beta * ramp, reads, rng=rng)
        driver = self.transverse + FIRST_TRANSVERSE * (1 - ramp)
        return path_integral(ising, self.beta * ramp, self.beta * driver, reads, rng=rng)


class EmulatedDevice:
    """An annealer in software, which satisfies :class:`Device`."""

    def __init__(self, chip: Chip, seed: int, errors: Errors, anneal: Anneal) -> None:
        self._chip = chip
        self.seed = seed
        self.errors = errors
        self.anneal = anneal

    @property
    def chip(self) -> Chip:
        """The working graph and the ranges."""
        return self._chip

    @cached_property
    def _offsets(self) -> Floats:
        """Offsets of the fields by the number of the qubit."""
        rng = np.random.default_rng([self.seed, 11])
        return rng.normal(0.0, self.errors.offset_h, int(self._chip.qubits.max()) + 1)

    def run(
        self, ising: Ising, qubits: Array, flux: Floats | None, reads: int, rng: Rng
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Values of the qubits after anneals of what the chip makes of the program."""
        h = ising.h + self._offsets[qubits] + rng.normal(0.0, self.errors.noise_h, len(qubits))
        J = ising.J + rng.normal(0.0, self.errors.noise_J, len(ising.J))
        if flux is not None:
            h = h + flux / FLUX_OF_FIELD
        real = with_susceptibility(Ising(h, J, ising.graph), self.errors.susceptibility)
        values = self.anneal.spins(real, reads, rng)
        time = PROGRAMMING_MS + reads * (self.anneal.microseconds / 1000 + READ_MS)
        return np.asarray(values, dtype=np.int8), {"qpu_ms": time}


def with_susceptibility(ising: Ising, chi: float) -> Ising:
    """The energy with fields ``h + chi J h`` and couplings ``J + chi J^2``.

    >>> chain = Ising(h=[0.5, 0.0, 0.0], J=[1.0, 1.0], graph=[[0, 1], [1, 2]])
    >>> real = with_susceptibility(chain, -0.1)
    >>> real.h.tolist(), real.edges.tolist(), real.J.tolist()
    ([0.5, -0.05, 0.0], [[0, 1], [0, 2], [1, 2]], [1.0, -0.1, 1.0])
    """
    if chi == 0 or not len(ising.J):
        return ising
    from scipy.sparse import coo_array, triu

    first = ising.edges[:, 0]
    second = ising.edges[:, 1]
    size = ising.num_spins
    half = coo_array((ising.J, (first, second)), shape=(size, size)).tocsr()
    J = half + half.T
    changed = triu(J + chi * (J @ J), k=1).tocoo()
    order = np.lexsort((changed.col, changed.row))
    edges = np.stack([changed.row, changed.col], axis=1)[order].astype(np.intp)
    h = ising.h + chi * (J @ ising.h)
    return Ising(h, changed.data[order], Graph(size, edges))


class EmulatorSampler(AnnealerSampler):
    """An emulated annealer: a chip with defects, noise, and a temperature that is not known.

    It has the working graph, the ranges and the interface of ``dwave-qpu``, and its results say
    "emulated". An anneal is a ramp of simulated annealing to the inverse temperature ``true_beta``:
    spins freeze where the ramp becomes faster than they are, so a short ``anneal_time`` leaves
    samples out of equilibrium, while slow ones follow exp(-true_beta E). The default sizes of
    noise are assumptions, not measurements of a device. ``beta`` is the estimate of the inverse
    temperature; a model's energy is divided by it.

    Args:
        topology: of the chip, ``zephyr`` or ``pegasus``.
        size: its number of unit cells a side; a Zephyr 12 has 4800 qubits, a Pegasus 16 5640.
        chip: a number that decides which qubits are missing, and offsets of fields.
        missing: share of qubits that are missing; a tenth of it of the couplers are too.
        true_beta: inverse temperature at which slow anneals end.
        anneal_time: duration of an anneal in microseconds.
        sweeps_per_us: updates of each spin in a microsecond.
        transverse: the transverse field that is left when the dynamics stop, in units of the
            programmed energy; above 0, anneals are path integrals and much slower.
        noise_h: standard deviation of errors of programmed fields, new at each programming.
        noise_J: standard deviation of errors of programmed couplings.
        offset_h: standard deviation of offsets of fields, which gauges average out.
        susceptibility: background susceptibility chi: fields become h + chi J h, couplings
            J + chi J^2; real chips have about -0.01 to -0.03, which is slow because it couples
            qubits at distance two.
        native: sizes of 1, 2 or 4 parts for a placement without chains, see
            ``native_graph()`` of the sampler; empty for chains.
        chain_strength: coupling in chains; without it 1.414 rms(J) sqrt(degree).
        most_broken: the largest share of broken chains that is not refused.
        gauges: programmings with random spins reversed, among which reads are shared.
        clamp: fixed spins act as ``fields`` on others, or are held by ``flux`` biases.
        beta: first guess of the inverse temperature.
        estimate_every: estimates it at every so many calls; 0 keeps the guess.
        reference: sampler of known temperature for the estimate; without it ``dwave-sa``.
        reference_draws: its samples for each estimate.

    Raises BadOption for values out of range, and Unsupported for energies that cannot be
    programmed.

    >>> sampler = EmulatorSampler(size=2, native=[4, 4], estimate_every=0)
    >>> graph = sampler.native_graph()
    >>> energy = Ising(h=np.full(8, 4.0), J=np.zeros(len(graph.edges)), graph=graph)
    >>> spins, info = sampler.sample(energy, 2, rng=np.random.default_rng(1))
    >>> spins.sum(), info["source"][:38]
    (np.int64(-16), 'emulated annealer (zephyr 2, chip 0), ')
    """

    kind = "emulated annealer"

    def __init__(
        self,
        *,
        topology: Literal["zephyr", "pegasus"] = "zephyr",
        size: int = 12,
        chip: int = 0,
        missing: float = 0.03,
        true_beta: float = 4.0,
        anneal_time: float = 20.0,
        sweeps_per_us: float = 50.0,
        transverse: float = 0.0,
        noise_h: float = 0.02,
        noise_J: float = 0.015,
        offset_h: float = 0.01,
        susceptibility: float = 0.0,
        native: Sequence[int] = (),
        chain_strength: float | None = None,
        most_broken: float = 0.1,
        gauges: int = 0,
        clamp: Literal["fields", "flux"] = "fields",
        beta: float = 4.0,
        estimate_every: int = 1,
        reference: Sampler | None = None,
        reference_draws: int = 256,
    ) -> None:
        check_chip(size, chip, missing)
        super().__init__(
            Programming(tuple(native), chain_strength, most_broken, gauges, clamp),
            beta=beta,
            estimate_every=estimate_every,
            reference=reference,
            reference_draws=reference_draws,
        )
        self._errors = Errors(noise_h, noise_J, offset_h, susceptibility)
        self._anneal = Anneal(true_beta, anneal_time, sweeps_per_us, transverse)
        self._working = (topology, size, missing, chip)

    @cached_property
    def device(self) -> EmulatedDevice:
        """The emulated device, made at the first use."""
        topology, size, missing, number = self._working
        chip = with_defects(topology, size, missing, number, Ranges())
        return EmulatedDevice(chip, number, self._errors, self._anneal)
