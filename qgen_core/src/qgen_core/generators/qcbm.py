"""The generator ``qcbm``: a quantum circuit Born machine, with or without conditions."""

from __future__ import annotations

from math import pi

from qgen_core.events import Space
from qgen_core.generators.born import BornMachine, Initial, Measuring, require_bits, trained_circuit
from qgen_core.generators.initial import Init
from qgen_core.interfaces import Ansatz, Backend


class CircuitBornMachine(BornMachine):
    """A circuit whose outcomes are the events: ``p(bits | c) = |<bits| U(theta, c) |0>|^2``.

    Outputs with gradients (one adjoint sweep where the backend has one, else parameter shift):
    ``probabilities`` (C, 2^Q), a row per distinct condition, and ``log_prob`` (N,) of bits, which
    continues below p = 1e-12 as the tangent of the logarithm; ``floor_hits`` counts such events.
    Without gradients: ``samples`` (N, Q) int8.

    Args:
        ansatz: builds the circuit; with conditions, from as many inputs as condition columns.
        backend: runs the circuit.
        space: bits, whose number is that of the wires.
        condition: space of the conditions, angles; None for a model without conditions.
        shots: number of measurements of each circuit in training; all outputs are then made of
            relative frequencies. None: exact probabilities.
        smoothing: with N shots, n counts of an outcome become
            ``(n + smoothing) / (N + smoothing 2^Q)`` in training, so that losses with logarithms
            stay finite in empty bins; 0 for none. For N far below 2^Q it flattens the learned
            distribution. Sampled events are never smoothed.
        init: initial parameters: ``uniform`` in [-scale, scale], ``normal`` with standard
            deviation ``scale``, or ``zeros``. From ``zeros`` and the start state zero, single
            rotations have no gradient.
        scale: of ``init``, in radians.
        seed: of the initial parameters; None draws a new one.

    Raises BadOption when space, condition, ansatz or shots do not fit each other, and the
    backend's errors for circuits that it cannot run.

    Source: Delgado and Hamilton, arXiv:2203.03578; conditions after Kiss et al.,
    arXiv:2205.07674; smoothing by 1/2 is our reading of training with shots
    (docs/readings.md).

    >>> import numpy as np
    >>> from qgen_core.ansatze.ising import ising  # starts with H on wire 0
    >>> from qgen_core.events import Batch
    >>> from qgen_core.simulators.statevector.backend import StatevectorBackend
    >>> model = CircuitBornMachine(
    ...     ansatz=ising,
    ...     backend=StatevectorBackend(),
    ...     space=Space("bits", 2),
    ...     init="zeros",
    ... )
    >>> model.sample(3, rng=np.random.default_rng(1)).shape
    (3, 2)
    >>> table, pullback = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    >>> table.round(6).tolist()
    [[0.5, 0.0, 0.5, 0.0]]
    >>> pullback(np.ones((1, 4)))["theta"].shape == model.theta.shape
    True
    """

    name = "qcbm"

    def __init__(
        self,
        *,
        ansatz: Ansatz,
        backend: Backend,
        space: Space,
        condition: Space | None = None,
        shots: int | None = None,
        smoothing: float = 0.5,
        init: Init = "uniform",
        scale: float = pi,
        seed: int | None = None,
    ) -> None:
        require_bits(space)
        super().__init__(
            circuit=trained_circuit(ansatz, space, condition),
            measuring=Measuring(backend, shots, smoothing),
            space=space,
            condition=condition,
            initial=Initial(init, scale, seed),
        )
