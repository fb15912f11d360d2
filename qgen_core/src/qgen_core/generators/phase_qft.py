"""The generator ``phase-qft``: trained in phases, sampled behind a Fourier transform."""

from __future__ import annotations

from math import log, pi

import numpy as np

from qgen_core.ansatze.blocks import register_wires
from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Space
from qgen_core.generators.born import Asked, BornMachine, Initial, Measuring, trained_circuit
from qgen_core.generators.fourier import inverse_fourier, phase_map, phases
from qgen_core.generators.initial import Init
from qgen_core.interfaces import Ansatz, Backend
from qgen_core.typing import Array, Floats, Ints, Rng

#: The number of wires of a feature unless it is given.
WIRES = 5
#: Angles may exceed their interval by so much, which is rounding.
ROUNDING = 1e-9


class PhaseQft(BornMachine):
    """Trained in the phases of a feature map, sampled as bits behind a Fourier transform.

    Each feature has a register of N wires. The map V(phi) prepares ``sum_k exp(i phi k) |k>`` in
    it, and the trained density of an event is ``|<0| U(theta, c) V(phi) |0>|^2``, with U on the
    registers of all features. It is a trigonometric polynomial of degree 2^N - 1 in each phi, and
    its integral over [0, 2^N) in ``x = 2^N phi / (2 pi)`` is 1 exactly. At integers x,
    ``V |0>`` is the Fourier transform of ``|x>``, so the circuit ``U^dagger``, inverse Fourier
    transform, gives x with the probability that was trained.

    Two kinds of events:

    - **angles** in [-pi, pi], one column a feature: ``log_prob`` is the density in radians,
      between the integers as well. Samples are drawn from it exactly: phases between U^dagger and
      the transform shift the grid by a random part u of a cell, in each event anew, and the event
      is the grid point plus u. No wires have to be added for finer samples. The density is
      periodic; the encoder ``angle`` maps a window to angles, leaves a margin at its ends, and says
      by ``accepts`` which events are outside. Angles beyond the interval are refused.
    - **bits**, registers that hold integers x, e.g. of ``binning``: the same model on the grid
      alone, a table of ``probabilities`` as ``qcbm`` has, for any loss of tables. One circuit makes
      the whole table, while log_prob of angles runs one for each event.

    Outputs: ``log_prob`` (N,) with ``floor_hits``, ``samples``, and for bits ``probabilities``
    (C, 2^Q). With shots, log_prob is made of relative frequencies of the outcome 0; its gradient is
    that of the parameter-shift rule.

    Args:
        ansatz: builds U on all registers, and with conditions from as many inputs as condition
            columns. It has to entangle the registers, or features are independent.
        backend: runs the circuits.
        space: angles, or bits with a register for each feature.
        condition: space of the conditions, angles; None for a model without conditions.
        wires: of each feature of angles, a number or a list. None: 5. Bits have their registers.
        shots: number of measurements of each circuit in training; None: exact probabilities.
        smoothing: of frequencies, as for ``qcbm``.
        init: initial parameters: ``uniform`` in [-scale, scale], ``normal`` with standard
            deviation ``scale``, or ``zeros``. Small ones start near the uniform density, with an
            ansatz whose CNOTs leave the state 0 unchanged.
        scale: of ``init``, in radians.
        seed: of the initial parameters; None draws a new one.

    Raises BadOption for options that do not fit each other, and the backend's errors for circuits
    that it cannot run.

    Source: Kyriienko, Paine and Elfving, arXiv:2202.08253; the random shift of the grid is ours
    (docs/reversible.md).

    >>> import qgen_core as qgen
    >>> model = qgen.generator(
    ...     "phase-qft",
    ...     ansatz="hardware-efficient",
    ...     backend="statevector",
    ...     space=Space("angles", 1),
    ...     wires=4,
    ...     seed=1,
    ... )
    >>> phi = np.linspace(-pi, pi, 64, endpoint=False)[:, None]
    >>> log_prob, _ = model.forward("log_prob", qgen.Batch(phi), rng=np.random.default_rng(1))
    >>> round(float(np.exp(log_prob).mean() * 2 * pi), 12)  # its integral
    1.0
    """

    name = "phase-qft"

    def __init__(
        self,
        *,
        ansatz: Ansatz,
        backend: Backend,
        space: Space,
        condition: Space | None = None,
        wires: int | list[int] | None = None,
        shots: int | None = None,
        smoothing: float = 0.5,
        init: Init = "normal",
        scale: float = 0.1,
        seed: int | None = None,
    ) -> None:
        grid = _grid(space, wires)
        self._registers = register_wires(grid.width, grid.registers)
        trained = trained_circuit(ansatz, grid, condition)
        sampling = self._sampling_circuit(trained, shifted=space.kind == "angles")
        circuit = sampling
        if space.kind == "angles":
            self.outputs = frozenset({"log_prob", "samples"})
            circuit = self._training_circuit(trained)
            # dx / dphi, from the density in x to that in radians
            self.log_scale = sum(log(2 ** len(wires) / (2 * pi)) for wires in self._registers)
        super().__init__(
            circuit=circuit,
            measuring=Measuring(backend, shots, smoothing),
            space=space,
            condition=condition,
            initial=Initial(init, scale, seed),
            sampling=sampling,
        )

    def _asked(self, x: Array, condition: Array | None) -> Asked:
        if self.space.kind == "bits":
            return super()._asked(x, condition)
        self._require_angles(x)
        inputs = np.asarray(x, dtype=np.float64)
        if condition is not None:
            inputs = np.concatenate([inputs, condition], axis=1)
        return Asked(inputs, np.arange(len(x)), np.zeros(len(x), dtype=np.int64))

    def _sampled(
        self, theta: Floats, condition: Array | None, n: int, backend: Backend, rng: Rng
    ) -> Array:
        if self.space.kind == "bits":
            return super()._sampled(theta, condition, n, backend, rng)
        cells = 2 * pi / 2.0 ** np.array([len(wires) for wires in self._registers])
        shift = cells * rng.random((n, len(cells)))
        inputs = shift
        if condition is not None:
            inputs = np.concatenate([shift, condition], axis=1)
        outcomes = self._outcomes(theta, inputs, np.arange(n), backend, rng)
        phi = cells * self._grid_points(outcomes) + shift
        return phi - 2 * pi * (phi >= pi)

    def _grid_points(self, outcomes: Ints) -> Ints:
        """The integer in each register (n, F) of outcomes (n,)."""
        sizes = [2 ** len(wires) for wires in self._registers]
        return np.stack(np.unravel_index(outcomes, sizes), axis=1).astype(np.int64)

    def _require_angles(self, x: Array) -> None:
        """Raise DataError unless events are angles (N, F) of the interval."""
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.space.width:
            raise DataError(f"events are angles (N, {self.space.width}), not {x.shape}")
        outside = ~np.all(np.abs(x) <= pi + ROUNDING, axis=1)
        if np.any(outside):
            first = int(np.argmax(outside))
            raise DataError(
                f"{int(outside.sum())} of {len(x)} events are outside [-pi, pi], the first of them "
                f"event {first} with {x[first].tolist()}; encode them by 'angle', which says which "
                "events it does not accept, so that a run drops and counts them"
            )

    def _training_circuit(self, trained: Circuit) -> Circuit:
        """V(phi), then U: inputs are the angles, then the conditions."""
        features = len(self._registers)
        gates: list[Gate] = []
        for feature, wires in enumerate(self._registers):
            gates += phase_map(wires, feature)
        rest = trained.with_inputs_from(features).instructions
        return Circuit(trained.num_wires, (*gates, *rest), trained.labels)

    def _sampling_circuit(self, trained: Circuit, shifted: bool) -> Circuit:
        """U^dagger, and the inverse Fourier transform of each register.

        Where the grid is ``shifted``, inputs are the shifts in radians, then the conditions.
        """
        if shifted:
            trained = trained.with_inputs_from(len(self._registers))
        gates: list[Gate] = []
        for feature, wires in enumerate(self._registers):
            if shifted:
                gates += phases(wires, feature, sign=-1.0)
            gates += inverse_fourier(wires)
        return Circuit(trained.num_wires, (*trained.inverse().instructions, *gates), trained.labels)


def _grid(space: Space, wires: int | list[int] | None) -> Space:
    """The bits of all registers. Raises BadOption for another space, or wires that do not fit."""
    if space.kind == "bits":
        if wires is not None:
            raise BadOption("the bits of the events say how many wires there are; leave wires out")
        return space
    if space.kind != "angles":
        raise BadOption(
            f"phase-qft makes angles or bits, not {space}; use the encoder 'angle' or 'binning'"
        )
    if wires is None:
        wires = WIRES
    if isinstance(wires, int):
        wires = [wires] * space.width
    if len(wires) != space.width or min(wires) < 1:
        raise BadOption(
            f"wires is a number, or a list of one for each of {space.width} features, at least 1, "
            f"not {wires}"
        )
    return Space("bits", sum(wires), tuple(wires))
