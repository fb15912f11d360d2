"""The generator ``qag``: a Quantum Angle Generator, whose pixels are expectations of a circuit."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt
from typing import Literal

import numpy as np

from qgen_core.ansatze.clic8 import Clic8
from qgen_core.circuits.circuit import Circuit, Gate, given
from qgen_core.circuits.measures import Shots, pauli_z
from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Space
from qgen_core.generators.conditions import condition_width, require_conditions
from qgen_core.generators.dense import Activation, Head
from qgen_core.generators.initial import Init, initial_parameters
from qgen_core.interfaces import Ansatz, Backend, Generator
from qgen_core.support.parameters import load_into
from qgen_core.typing import AnglePullback, Array, Floats, Pullback, Rng

#: The trainable unitary unless another one is chosen.
CLIC8 = Clic8()
#: Amplitudes in memory at once while sampling; sets the number of images per backend call.
MAX_AMPLITUDES = 2**22


class QuantumAngleGenerator(Generator):
    """Images whose pixels are expectations: ``z_w = <Z_w>`` of ``U(theta) R(x) |0>``.

    The randomiser R turns each wire by a random angle, drawn for each image and wire from a normal
    distribution of mean 0; the trainable unitary U is an ansatz. Conditions are inputs of the
    ansatz, which encodes them as it does for other models (``clic8``: RY before each layer). The
    random angles come before any ansatz; ``qag-chain``, which can encode random angles itself, is
    built without.

    Output: ``samples`` (N, pixels), in [-1, 1] without a head, one wire a pixel; encode energies to
    that range, e.g. with ``min-max`` or ``arccos``. Gradients are pathwise: those of the
    expectations at the random angles that were drawn, by one adjoint sweep where the backend has
    one, else by parameter shift. With shots, the derivatives of the expectations are exact for
    ``binomial`` and unbiased estimates from new shots for ``joint``. They are multiplied by the
    slope of the loss at the estimated expectations, so for a loss that is not linear in the
    samples, such as ``mmd``, the mean gradient differs from that of the expected loss by terms of
    order 1 / shots.

    Args:
        ansatz: builds the trainable unitary; by default ``clic8``, which is a stand-in for the
            published circuit.
        backend: runs the circuit.
        space: reals, one column a pixel.
        condition: space of the conditions, angles; None for a model without conditions.
        variance: of the random angles, in square radians.
        axis: of the random rotations, y or x. Rotations about z leave the state 0 unchanged.
        shots: number of measurements of an image; None for exact expectations.
        drawing: how shots are drawn. ``joint`` measures all pixels together, so that their
            statistical errors are correlated as on a device. ``binomial`` draws the shots of each
            pixel from its exact expectation: the same mean and variance of each pixel in less time,
            without these correlations.
        head: a classical layer after the expectations, a matrix and a bias that start as the
            identity: ``affine``, or ``tanh`` of it. With ``affine`` samples may leave [-1, 1].
        frozen: whether the trainable unitary keeps its initial parameters, as a control; only the
            head is trained then.
        init: initial parameters of the ansatz: ``uniform`` in [-scale, scale], ``normal`` with
            standard deviation ``scale``, or ``zeros``.
        scale: of ``init``, in radians.
        seed: of the initial parameters; None draws a new one.

    Raises BadOption when the options do not fit each other or the backend, and the backend's errors
    for circuits that it cannot run.

    Source: Monaco et al. (EPS-HEP 2025), section 2; Rehm et al., arXiv:2307.05253. Conditions,
    ``binomial`` and the head are ours (docs/readings.md).

    >>> from qgen_core.simulators.statevector.backend import StatevectorBackend
    >>> model = QuantumAngleGenerator(
    ...     backend=StatevectorBackend(), space=Space("reals", 8), seed=1
    ... )
    >>> model.theta.size, model.sample(3, rng=np.random.default_rng(1)).shape
    (24, (3, 8))
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        *,
        ansatz: Ansatz = CLIC8,
        backend: Backend,
        space: Space,
        condition: Space | None = None,
        variance: float = 0.5,
        axis: Literal["y", "x"] = "y",
        shots: int | None = None,
        drawing: Literal["joint", "binomial"] = "joint",
        head: Literal["none", "affine", "tanh"] = "none",
        frozen: bool = False,
        init: Init = "uniform",
        scale: float = pi,
        seed: int | None = None,
    ) -> None:
        if space.kind != "reals":
            raise BadOption(
                f"qag makes real numbers, not {space}; use an encoder such as 'min-max' or 'arccos'"
            )
        if condition is not None and condition.kind != "angles":
            raise BadOption(
                f"conditions enter the circuit as angles, not as {condition}; encode them with "
                "'angle'"
            )
        if not (np.isfinite([variance, scale]).all() and variance >= 0 and scale >= 0):
            raise BadOption(f"variance and scale are at least 0, not {variance:g} and {scale:g}")
        if axis not in ("x", "y"):
            raise BadOption(
                f"axis is 'y' or 'x', not {axis!r}; a rotation about z leaves the state 0 unchanged"
            )
        if drawing == "binomial" and shots is not None and not backend.capabilities.exact:
            raise BadOption(
                "drawing = 'binomial' needs exact expectations, which the backend does not have; "
                "take 'joint'"
            )
        self.space = space
        self.condition = condition
        self.ansatz = ansatz
        self.backend = backend
        self.variance = variance
        self.axis = axis
        self.shots = shots
        self.drawing = drawing
        self.frozen = frozen
        width = condition_width(condition)
        trainable: Circuit = ansatz(space.width, inputs=width, registers=space.registers)
        _check_trainable(trainable, space, width)
        self.circuit = randomised(trainable, axis)
        self.measure = pauli_z(space.width)
        backend.check(self.circuit, shots)
        backend.require(self.circuit, self.measure)
        self.theta = initial_parameters(self.circuit.num_params, init, scale, seed)
        self._head: Head | None = None
        if head != "none":
            self._head = Head(space.width, _ACTIVATIONS[head])

    def parameters(self) -> dict[str, Array]:
        parameters = self._of_head
        if not self.frozen:
            parameters = {"theta": self.theta, **parameters}
        return parameters

    @property
    def _of_head(self) -> dict[str, Array]:
        if self._head is None:
            return {}
        return self._head.parameters()

    @property
    def _all_parameters(self) -> dict[str, Array]:
        return {"theta": self.theta, **self._of_head}

    def state(self) -> dict[str, Array]:
        return {name: value.copy() for name, value in self._all_parameters.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._all_parameters, state)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Images (n, pixels); ``condition`` (n, K) has a row for each.

        Raises BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of images, at least 0, not {n}")
        require_conditions("qag", self.condition, condition, n)
        images = np.empty((n, self.space.width))
        at_once = max(1, MAX_AMPLITUDES >> self.space.width)
        for start in range(0, n, at_once):
            rows = slice(start, min(start + at_once, n))
            conditions = None
            if condition is not None:
                conditions = condition[rows]
            inputs = self._inputs(rows.stop - start, conditions, rng)
            angles = self.circuit.bind(self.theta, inputs)
            z = self._expectations(angles, self.backend, self.shots, rng)
            images[rows] = self._finished(z, self._of_head)
        return images

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Samples (N, pixels), one for each event of the batch, and their pullback.

        Raises OutputMismatch for another output or a batch without events, DataError for
        conditions that do not fit.
        """
        angles = self.circuit.bind(self.theta, self._batch_inputs(output, batch, rng))
        z, pull_angles = self._differentiable(angles, rng)
        if self._head is None:
            return z, lambda cotangent: self._gradient(pull_angles, cotangent)
        images, of_head = self._head(z, self._head.weight, self._head.bias)

        def pullback(cotangent: Array) -> dict[str, Array]:
            d_z, gradient = of_head(cotangent)
            if self.frozen:
                return gradient
            return self._gradient(pull_angles, d_z) | gradient

        return images, pullback

    def outputs_at(
        self, output: str, thetas: Floats, batch: Batch, *, rng: Rng, backend: Backend | None = None
    ) -> Array:
        """Samples (T, N, pixels) at parameter vectors (T, P), from one batch of circuits.

        The random angles are the same for all vectors. ``backend`` replaces the model's own; its
        expectations are exact where it has exact ones.
        """
        thetas = np.atleast_2d(np.asarray(thetas, dtype=np.float64))
        inputs = self._batch_inputs(output, batch, rng)
        shots = self.shots
        if backend is None:
            backend = self.backend
        elif backend.capabilities.exact:
            shots = None
        vectors = [self._split(theta) for theta in thetas]
        of_ansatz = np.stack([vector["theta"] for vector in vectors])
        angles = self.circuit.bind(
            np.repeat(of_ansatz, len(inputs), axis=0), np.tile(inputs, (len(thetas), 1))
        )
        z = self._expectations(angles, backend, shots, rng)
        z = z.reshape(len(thetas), len(inputs), self.space.width)
        return np.stack([self._finished(*pair) for pair in zip(z, vectors, strict=True)])

    def _split(self, theta: Floats) -> dict[str, Array]:
        """All parameters by name, those that are trained taken from a flat vector (P,)."""
        found = self._all_parameters
        start = 0
        for name, value in self.parameters().items():
            found[name] = theta[start : start + value.size].reshape(value.shape)
            start += value.size
        return found

    def _batch_inputs(self, output: str, batch: Batch, rng: Rng) -> Floats:
        """Inputs (N, pixels + K) of the circuit, with new random angles for each event."""
        if output not in self.outputs:
            raise OutputMismatch(f"qag offers samples, not {output}")
        if batch.x is None:
            raise OutputMismatch("qag makes one sample an event, but the batch has no events")
        require_conditions("qag", self.condition, batch.condition, len(batch.x))
        return self._inputs(len(batch.x), batch.condition, rng)

    def _inputs(self, n: int, condition: Array | None, rng: Rng) -> Floats:
        """Random angles and conditions (n, pixels + K), in radians."""
        inputs = rng.normal(0.0, sqrt(self.variance), (n, self.space.width))
        if condition is None:
            return inputs
        return np.concatenate([inputs, condition], axis=1)

    def _expectations(
        self, angles: Floats, backend: Backend, shots: int | None, rng: Rng
    ) -> Floats:
        """Expectations (B, pixels), exact or from shots."""
        if self.drawing == "binomial" and shots is not None:
            exact = backend.run(self.circuit, angles, self.measure)
            return drawn(exact, shots, rng)
        return backend.run(self.circuit, angles, self.measure, Shots.of(shots, rng))

    def _differentiable(self, angles: Floats, rng: Rng) -> tuple[Floats, AnglePullback]:
        """The same, with the pullback to angles."""
        if self.drawing == "binomial" and self.shots is not None:
            exact, pullback = self.backend.forward(self.circuit, angles, self.measure)
            return drawn(exact, self.shots, rng), pullback
        return self.backend.forward(self.circuit, angles, self.measure, Shots.of(self.shots, rng))

    def _finished(self, z: Floats, parameters: Mapping[str, Array]) -> Floats:
        """Images from expectations: those that the head makes of them, if there is one."""
        if self._head is None:
            return z
        images, _ = self._head(z, parameters["head_weight"], parameters["head_bias"])
        return images

    def _gradient(self, pull_angles: AnglePullback, cotangent: Array) -> dict[str, Array]:
        """The gradient by the ansatz's parameters; none for a frozen one."""
        if self.frozen:
            return {}
        d_params, _ = self.circuit.pullback(pull_angles(cotangent))
        return {"theta": d_params.sum(axis=0)}


_ACTIVATIONS: dict[str, Activation] = {"affine": "none", "tanh": "tanh"}


def _check_trainable(circuit: Circuit, space: Space, inputs: int) -> None:
    """Raise BadOption unless an ansatz has a wire a pixel and encodes every condition."""
    if circuit.num_wires != space.width:
        raise BadOption(
            f"the ansatz makes {circuit.num_wires} wires, the images have {space.width} pixels; "
            "one wire a pixel is needed"
        )
    if circuit.num_inputs != inputs:
        raise BadOption(
            f"the ansatz takes {circuit.num_inputs} inputs for {inputs} condition columns; choose "
            "an ansatz that encodes every condition"
        )


def randomised(circuit: Circuit, axis: Literal["y", "x"]) -> Circuit:
    """The circuit after a rotation of each wire w by the input w; its own inputs follow these.

    >>> circuit = randomised(Circuit(2, (Gate("ry", (0,), given(0)),)), "x")
    >>> [(gate.name, gate.angle.index) for gate in circuit.gates]
    [('rx', 0), ('rx', 1), ('ry', 2)]
    """
    wires = circuit.num_wires
    randomiser = [Gate(f"r{axis}", (wire,), given(wire)) for wire in range(wires)]
    rest = circuit.with_inputs_from(wires).instructions
    return Circuit(wires, (*randomiser, *rest), circuit.labels)


def drawn(expectations: Floats, shots: int, rng: Rng) -> Floats:
    """Means of ``shots`` results +1 and -1, drawn for each expectation independently.

    >>> drawn(np.array([[1.0, -1.0]]), 10, np.random.default_rng(1))
    array([[ 1., -1.]])
    """
    probability_of_plus = np.clip(0.5 + 0.5 * expectations, 0.0, 1.0)
    counts_of_plus = rng.binomial(shots, probability_of_plus)
    means: Floats = 2.0 * counts_of_plus / shots - 1.0
    return means
