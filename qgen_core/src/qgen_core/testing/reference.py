"""The reference simulator of the tests: textbook quantum mechanics in numpy, written to be read.

Everything that it does is one of these rules:

=====================  ======================================  ===================================
what                   state vector                            density matrix
=====================  ======================================  ===================================
start                  ``psi = |0...0>``                       ``rho = |0...0><0...0|``
gate U                 ``psi -> U psi``                        ``rho -> U rho U^dagger``
channel                (none)                                  ``rho -> sum_k K_k rho K_k^dagger``
derivative of a gate   ``d(U psi) = dU psi + U dpsi``          ``dU rho U^dagger`` and its
                                                               conjugate, and ``U drho U^dagger``
probabilities          ``|psi_i|^2``                           ``rho_ii``
expectation of W       ``<psi|W|psi>``                         ``Tr(W rho)``
=====================  ======================================  ===================================

It is independent of the compiled engines: from the table of gates it takes matrices and their
derivatives, never the forms that the engines compile. Derivatives are exact to rounding; they are
carried along with the state (forward mode). It is slow, and meant for at most eight wires.

Conventions: wire 0 is the most significant bit of a basis state. Inside of this module a state of Q
wires is a tensor with Q axes of length 2, axis w for wire w; a density matrix has 2 Q axes, first
those of its rows, then those of its columns. ``angles`` of one circuit are a row (A,) in radians,
one for each gate with an angle, as ``Circuit.bind`` returns them.

Source: Nielsen and Chuang, Quantum Computation and Quantum Information (2010), sections 2.2, 2.4
and 8.2.

>>> from qgen_core.circuits.circuit import param
>>> rotation = Circuit(1, (Gate("ry", (0,), param(0)),))
>>> angles = rotation.bind([np.pi / 3])
>>> values(rotation, angles, Expectations("Z")).round(6)
array([[0.5]])
>>> jacobian(rotation, angles, Expectations("Z")).round(6)  # d cos(t) / dt
array([[[-0.866025]]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit, Gate, Instruction
from qgen_core.circuits.gates import PAULI
from qgen_core.circuits.measures import Bits, Expectations, Measure, State, confusion_of
from qgen_core.errors import Unsupported
from qgen_core.interfaces import Capabilities
from qgen_core.simulators.base import Simulator, checked_angles
from qgen_core.typing import Array, Complex, Floats

# ---- the kernel


class Operation(NamedTuple):
    """A gate or channel, and the angle in radians of a gate with an angle.

    >>> Operation(Gate("s", (0,)), None).matrix.tolist()
    [[(1+0j), 0j], [0j, 1j]]
    """

    instruction: Instruction
    angle: float | None

    @property
    def wires(self) -> tuple[int, ...]:
        """The w wires on which it acts; the first is the most significant bit of its matrices."""
        return self.instruction.wires

    @property
    def matrix(self) -> Complex:
        """The unitary matrix (2^w, 2^w) of a gate. Raises Unsupported for a channel."""
        if isinstance(self.instruction, Channel):
            raise Unsupported(
                "a circuit with channels has no state vector and no unitary matrix, and this one "
                f"holds the channel {self.instruction.name!r}; compute its density matrix"
            )
        if self.angle is None:
            return self.instruction.spec.matrix()
        return self.instruction.spec.matrix(self.angle)

    @property
    def kraus(self) -> tuple[Complex, ...]:
        """The Kraus operators, each (2^w, 2^w); the only one of a gate is its matrix."""
        if isinstance(self.instruction, Channel):
            return tuple(self.instruction.kraus)
        return (self.matrix,)

    @property
    def derivative(self) -> Complex | None:
        """d matrix / d angle (2^w, 2^w); None without an angle."""
        if isinstance(self.instruction, Channel) or self.angle is None:
            return None
        return self.instruction.spec.derivative(self.angle)


def operations(circuit: Circuit, angles: Floats) -> list[Operation]:
    """The gates and channels of a circuit, each with its angle of a row (A,).

    >>> from qgen_core.circuits.circuit import const
    >>> circuit = Circuit(2, (Gate("h", (1,)), Gate("rz", (0,), const(0.3))))
    >>> [(step.wires, step.angle) for step in operations(circuit, np.array([0.3]))]
    [((1,), None), ((0,), 0.3)]
    """
    remaining = iter(np.asarray(angles, dtype=np.float64).tolist())
    found = []
    for instruction in circuit.instructions:
        angle = None
        if isinstance(instruction, Gate) and instruction.angle is not None:
            angle = next(remaining)
        found.append(Operation(instruction, angle))
    return found


def apply(matrix: Complex, axes: Sequence[int], tensor: Complex) -> Complex:
    """Multiply a matrix (2^w, 2^w) into w axes of a tensor; these axes have length 2.

    The first of the axes is the most significant bit of the matrix. All other axes are unaffected.

    >>> ground = np.array([[1, 0], [0, 0]], dtype=np.complex128)  # |00>
    >>> apply(PAULI["X"], [1], ground).real  # |01>
    array([[0., 1.],
           [0., 0.]])
    """
    count = len(axes)
    rows = range(count)
    columns = range(count, 2 * count)
    split = matrix.reshape((2,) * (2 * count))
    product = np.tensordot(split, tensor, axes=(columns, axes))  # the row axes come first
    return np.moveaxis(product, rows, axes)


def sandwich(left: Complex, rho: Complex, right: Complex, wires: Sequence[int]) -> Complex:
    """``left rho right^dagger`` for matrices on some wires of a density matrix with 2 Q axes.

    >>> rho = np.array([[1, 0], [0, 0]], dtype=np.complex128)  # |0><0|
    >>> sandwich(PAULI["X"], rho, PAULI["X"], [0]).real  # |1><1|
    array([[0., 0.],
           [0., 1.]])
    """
    num_wires = rho.ndim // 2
    of_columns = [num_wires + wire for wire in wires]
    return apply(right.conj(), of_columns, apply(left, wires, rho))


def _after(kraus: Sequence[Complex], wires: Sequence[int], rho: Complex) -> Complex:
    """``sum_k K rho K^dagger`` for a density matrix with 2 Q axes."""
    out = np.zeros_like(rho)
    for operator in kraus:
        out += sandwich(operator, rho, operator, wires)
    return out


# ---- states and density matrices


def unitary(circuit: Circuit, angles: Floats) -> Complex:
    """The matrix (2^Q, 2^Q) of a circuit without channels, for one row of angles (A,).

    Raises Unsupported for a circuit with channels.

    >>> unitary(Circuit(2, (Gate("cx", (1, 0)),)), np.empty(0)).real.astype(int)
    array([[1, 0, 0, 0],
           [0, 0, 0, 1],
           [0, 0, 1, 0],
           [0, 1, 0, 0]])
    """
    dim = 2**circuit.num_wires
    columns = np.eye(dim, dtype=np.complex128).reshape((2,) * circuit.num_wires + (dim,))
    for step in operations(circuit, angles):
        columns = apply(step.matrix, step.wires, columns)
    return columns.reshape(dim, dim)


def state(circuit: Circuit, angles: Floats) -> Complex:
    """The state vector (2^Q,) to which a circuit takes ``|0...0>``, for one row of angles (A,).

    Raises Unsupported for a circuit with channels.

    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> state(bell, np.empty(0)).round(3).real
    array([0.707, 0.   , 0.   , 0.707])
    """
    psi = _ground_state(circuit.num_wires)
    for step in operations(circuit, angles):
        psi = apply(step.matrix, step.wires, psi)
    return psi.ravel()


def state_derivatives(circuit: Circuit, angles: Floats) -> Complex:
    """d state / d angle (A, 2^Q) of a circuit without channels, for one row of angles (A,).

    Derivatives by constant angles are among them. Raises Unsupported for a circuit with channels.

    >>> from qgen_core.circuits.circuit import param
    >>> circuit = Circuit(1, (Gate("rz", (0,), param(0)),))
    >>> state_derivatives(circuit, np.array([0.0])).imag  # d exp(-i t / 2) / dt = -i / 2
    array([[-0.5,  0. ]])
    """
    psi = _ground_state(circuit.num_wires)
    derivatives: list[Complex] = []
    for step in operations(circuit, angles):
        matrix = step.matrix
        derivative = step.derivative
        derivatives = [apply(matrix, step.wires, dpsi) for dpsi in derivatives]
        if derivative is not None:
            derivatives.append(apply(derivative, step.wires, psi))
        psi = apply(matrix, step.wires, psi)
    return _stacked(derivatives, (2**circuit.num_wires,))


def density(circuit: Circuit, angles: Floats) -> Complex:
    """The density matrix (2^Q, 2^Q) of a circuit, channels included, for one row of angles (A,).

    >>> flip = np.sqrt([[[0.9]], [[0.1]]]) * np.array([PAULI["I"], PAULI["X"]])
    >>> circuit = Circuit(1, (Gate("h", (0,)), Gate("h", (0,)), Channel(flip, (0,))))
    >>> density(circuit, np.empty(0)).real.round(3)
    array([[0.9, 0. ],
           [0. , 0.1]])
    """
    dim = 2**circuit.num_wires
    rho = _ground_density(circuit.num_wires)
    for step in operations(circuit, angles):
        rho = _after(step.kraus, step.wires, rho)
    return rho.reshape(dim, dim)


def density_derivatives(circuit: Circuit, angles: Floats) -> Complex:
    """d density matrix / d angle (A, 2^Q, 2^Q), channels included, for one row of angles (A,).

    Derivatives by constant angles are among them.

    >>> from qgen_core.circuits.circuit import param
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> density_derivatives(circuit, np.array([0.0])).real  # of (1 + sin(t) X + cos(t) Z) / 2
    array([[[0. , 0.5],
            [0.5, 0. ]]])
    """
    dim = 2**circuit.num_wires
    rho = _ground_density(circuit.num_wires)
    derivatives: list[Complex] = []
    for step in operations(circuit, angles):
        kraus = step.kraus
        derivative = step.derivative
        derivatives = [_after(kraus, step.wires, drho) for drho in derivatives]
        if derivative is not None:
            of_left = sandwich(derivative, rho, step.matrix, step.wires)
            of_right = sandwich(step.matrix, rho, derivative, step.wires)
            derivatives.append(of_left + of_right)
        rho = _after(kraus, step.wires, rho)
    return _stacked(derivatives, rho.shape).reshape(-1, dim, dim)


def _ground_state(num_wires: int) -> Complex:
    """``|0...0>`` with an axis for each wire."""
    psi = np.zeros((2,) * num_wires, dtype=np.complex128)
    psi[(0,) * num_wires] = 1
    return psi


def _ground_density(num_wires: int) -> Complex:
    """``|0...0><0...0|`` with two axes for each wire."""
    return _ground_state(2 * num_wires)


def _stacked(derivatives: list[Complex], shape: tuple[int, ...]) -> Complex:
    """Derivatives along a new first axis, each in this shape; there may be none."""
    out = np.empty((len(derivatives), *shape), dtype=np.complex128)
    for place, derivative in enumerate(derivatives):
        out[place] = derivative.reshape(shape)
    return out


# ---- what is read


def values(circuit: Circuit, angles: Floats, measure: Measure) -> Array:
    """What an exact backend returns for rows of angles (B, A), readout confusion included.

    Probabilities are (B, 2^Q), Expectations (B, words) and State (B, 2^Q), complex. Raises
    Unsupported for Bits, and for State of a circuit with channels.

    >>> from qgen_core.circuits.measures import Probabilities
    >>> values(Circuit(2, (Gate("x", (0,)),)), np.empty((1, 0)), Probabilities())
    array([[0., 0., 1., 0.]])
    """
    if isinstance(measure, State):
        return np.stack([state(circuit, row) for row in angles])
    reading = reader(measure)
    return np.stack([reading(_cheapest_density(circuit, row)) for row in angles])


def jacobian(circuit: Circuit, angles: Floats, measure: Measure) -> Array:
    """d output / d angles (B, n, A) of the n outputs of :func:`values`, for rows of angles (B, A).

    Columns of constant angles hold their derivatives as well, where backends may return zeros.
    Those of State are complex. Raises Unsupported as :func:`values` does.

    >>> from qgen_core.circuits.circuit import param
    >>> from qgen_core.circuits.measures import Probabilities
    >>> circuit = Circuit(1, (Gate("rx", (0,), param(0)),))
    >>> jacobian(circuit, np.array([[np.pi / 2]]), Probabilities()).round(6)
    array([[[-0.5],
            [ 0.5]]])
    """
    if isinstance(measure, State):
        return np.stack([state_derivatives(circuit, row).T for row in angles])
    reading = reader(measure)
    outputs = 2**circuit.num_wires
    if isinstance(measure, Expectations):
        outputs = len(measure.paulis)
    found = np.empty((len(angles), outputs, circuit.num_angles))
    for row, of_row in enumerate(angles):
        for column, drho in enumerate(_cheapest_density_derivatives(circuit, of_row)):
            found[row, :, column] = reading(drho)  # what is read is linear in the density matrix
    return found


def gradient(circuit: Circuit, angles: Floats, measure: Measure, cotangent: Floats) -> Floats:
    """d loss / d angles (B, A) from the cotangent d loss / d output (B, n) of each row.

    It is what the pullback of ``Backend.forward`` returns, but for constant angles: their
    derivatives are here, where backends may return zeros. Raises Unsupported for Bits and State,
    which backends do not differentiate.

    >>> from qgen_core.circuits.circuit import param
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> gradient(circuit, np.array([[0.5]]), Expectations("Z"), np.array([[2.0]])).round(6)
    array([[-0.958851]])
    """
    if isinstance(measure, State):
        raise Unsupported("a state has no gradient of real numbers; take jacobian()")
    return np.asarray(np.einsum("bn,bna->ba", cotangent, jacobian(circuit, angles, measure)))


def reader(measure: Measure) -> Callable[[Complex], Floats]:
    """The linear function from a density matrix (2^Q, 2^Q) to probabilities or expectations (n,).

    A confusion mixes probabilities. In an expectation it replaces the eigenvalues +1 and -1 of a
    letter by the mean signs that are read for its two eigenvectors. Raises Unsupported for Bits and
    State.

    >>> mixed = np.diag([0.7, 0.3]).astype(np.complex128)
    >>> reader(Expectations(("Z", "X")))(mixed).round(6)
    array([0.4, 0. ])
    """
    if isinstance(measure, Bits | State):
        raise Unsupported(
            f"{type(measure).__name__} is no function of the density matrix that the reference "
            "reads; take Probabilities or Expectations"
        )
    confusion = confusion_of(measure)
    if isinstance(measure, Expectations):
        observables = [_observable(word, confusion) for word in measure.paulis]
        return lambda rho: np.array([np.real(np.vdot(w, rho)) for w in observables])  # Tr(W rho)
    if confusion is None:
        return lambda rho: np.real(np.diag(rho))
    mixing = kron(list(confusion))
    return lambda rho: np.asarray(mixing @ np.real(np.diag(rho)))


def kron(factors: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The Kronecker product of vectors or matrices; the first is the most significant.

    >>> kron([np.array([0, 1]), np.array([1, 0]), np.array([1, 0])])
    array([0, 0, 0, 0, 1, 0, 0, 0])
    """
    return reduce(np.kron, factors)


def _observable(word: str, confusion: Floats | None) -> Complex:
    """The Hermitian matrix (2^Q, 2^Q) whose expectation is what is read of a Pauli word."""
    factors = []
    for wire, letter in enumerate(word):
        pauli = PAULI[letter]
        if confusion is None or letter == "I":
            factors.append(pauli)
            continue
        plus = (PAULI["I"] + pauli) / 2
        minus = (PAULI["I"] - pauli) / 2
        sign_of_plus, sign_of_minus = np.array([1.0, -1.0]) @ confusion[wire]
        factors.append(sign_of_plus * plus + sign_of_minus * minus)
    return kron(factors)


def _cheapest_density(circuit: Circuit, angles: Floats) -> Complex:
    """:func:`density`, for a circuit without channels from its state vector."""
    if circuit.channels:
        return density(circuit, angles)
    psi = state(circuit, angles)
    return np.outer(psi, psi.conj())


def _cheapest_density_derivatives(circuit: Circuit, angles: Floats) -> Complex:
    """:func:`density_derivatives`, for a circuit without channels from its state vector."""
    if circuit.channels:
        return density_derivatives(circuit, angles)
    psi = state(circuit, angles)
    half = state_derivatives(circuit, angles)[:, :, None] * psi.conj()  # |dpsi><psi|
    return half + half.conj().transpose(0, 2, 1)


# ---- as a backend


class ReferenceBackend(Simulator):
    """The reference as a backend, channels included; for tests of what works with any backend.

    Its gradients are the parameter-shift rules that every simulator inherits; :func:`gradient` has
    the exact ones.

    >>> from qgen_core.circuits.circuit import param
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> ReferenceBackend().expectations(circuit, [np.pi / 3], paulis=["Z"]).round(6)
    array([0.5])
    """

    capabilities = Capabilities(max_wires=8, noise=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """:func:`values`; raises BadOption for angles that are no rows (B, A) of the circuit."""
        return values(circuit, checked_angles(circuit, angles), measure)
