"""Gates as products of Pauli rotations and CNOTs: the form that the engines compile.

A form is a sequence of steps in the order in which they act. A step is

- a :class:`Rotation` ``exp(-i (slope t + offset) W / 2)`` about a Pauli word W, where t is the
  angle of the gate,
- a :class:`Cnot`, or
- another gate of the table on some of the wires (:class:`Apply`).

The angles of the steps are linear in the angle of the gate, so that the derivative by the latter is
a sum over the steps. :func:`form_of_generator` and :func:`form_of_unitary` derive the form of any
gate, exactly up to rounding errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Complex, Floats

#: Pauli matrices by letter.
PAULI: dict[str, Complex] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}
#: Coefficients and angles below this are rounding errors of zero.
ZERO = 1e-14


class Rotation(NamedTuple):
    """``exp(-i (slope t + offset) W / 2)`` for a Pauli word W with one letter for each wire.

    t is the angle of the gate; angles are in radians. A word of I alone is a global phase.

    >>> Rotation("IZ", slope=1.0).wires
    (1,)
    """

    word: str
    slope: float = 0.0
    offset: float = 0.0

    @property
    def wires(self) -> tuple[int, ...]:
        """The positions of the letters other than I."""
        return tuple(k for k, letter in enumerate(self.word) if letter != "I")


class Cnot(NamedTuple):
    """A CNOT on two wires of the gate, given by their positions.

    >>> Cnot(control=0, target=1)
    Cnot(control=0, target=1)
    """

    control: int
    target: int


class Apply(NamedTuple):
    """Another gate of the table, without an angle, on wires given by their positions.

    >>> Apply("x", (0,)).gate
    'x'
    """

    gate: str
    wires: tuple[int, ...]


#: One step of a form.
Step = Rotation | Cnot | Apply
#: A gate as a product of steps; the first one acts first.
Form = tuple[Step, ...]


class Group(NamedTuple):
    """Successive rotations that are diagonal in the same product basis.

    ``basis`` has for each wire the letter that the words have there, or I where all have I.

    >>> Group("ZX", (Rotation("IX"), Rotation("ZX"))).basis
    'ZX'
    """

    basis: str
    rotations: tuple[Rotation, ...]


def word_matrix(word: str) -> Complex:
    """The matrix (2^n, 2^n) of a Pauli word; the first letter is the most significant wire.

    >>> word_matrix("ZX").real.astype(int).tolist()
    [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, -1, 0]]
    """
    factors: list[NDArray[Any]] = [PAULI[letter] for letter in word]
    return reduce(np.kron, factors)


def rotation_matrix(rotation: Rotation, angle: float) -> Complex:
    """The matrix (2^n, 2^n) of a rotation at the angle t of its gate in radians.

    >>> rotation_matrix(Rotation("X", slope=1.0), np.pi).round(6).imag.tolist()
    [[0.0, -1.0], [-1.0, 0.0]]
    """
    half = (rotation.slope * angle + rotation.offset) / 2
    matrix = word_matrix(rotation.word)
    return np.asarray(np.cos(half) * np.eye(len(matrix)) - 1j * np.sin(half) * matrix)


def cnot_matrix(wires: int, control: int, target: int) -> Complex:
    """The matrix (2^wires, 2^wires) of a CNOT on two of the wires.

    >>> cnot_matrix(2, 1, 0).real.astype(int).tolist()
    [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]
    """
    states = np.arange(2**wires)
    controlled = states >> (wires - 1 - control) & 1
    flipped = states ^ controlled << (wires - 1 - target)
    return np.asarray(np.eye(2**wires, dtype=np.complex128)[flipped])


def grouped(steps: Iterable[Step]) -> Iterator[Group | Cnot | Apply]:
    """The steps, with successive rotations joined to groups as long as they share a basis.

    >>> [group.basis for group in grouped((Rotation("IX"), Rotation("ZX"), Rotation("YI")))]
    ['ZX', 'YI']
    """
    basis = ""
    members: list[Rotation] = []
    for step in steps:
        if isinstance(step, Rotation):
            common: str | None = step.word
            if members:
                common = _common_basis(basis, step.word)
            if common is None:
                yield Group(basis, tuple(members))
                members = []
                common = step.word
            basis = common
            members.append(step)
            continue
        if members:
            yield Group(basis, tuple(members))
            members = []
        yield step
    if members:
        yield Group(basis, tuple(members))


def _common_basis(one: str, other: str) -> str | None:
    """The letters of both words; None where they have different letters other than I on a wire."""
    letters = []
    for a, b in zip(one, other, strict=True):
        if a == "I":
            letters.append(b)
        elif b in ("I", a):
            letters.append(a)
        else:
            return None
    return "".join(letters)


def form_of_generator(generator: Complex) -> Form:
    """The form of ``exp(-i t G / 2)`` for a Hermitian matrix G (2^n, 2^n).

    Where the Pauli words of G commute it is one rotation for each of them. Otherwise, with
    ``G = V diag(levels) V^dagger``, it is the form of ``V^dagger``, rotations about words of I and
    Z, and the form of V.

    >>> form_of_generator(word_matrix("ZX"))
    (Rotation(word='ZX', slope=1.0, offset=0.0),)
    """
    words = pauli_coefficients(generator)
    if _all_commute(words):
        return _rotations(words)
    levels, vectors = np.linalg.eigh(generator)
    rotations = _rotations(z_coefficients(levels))
    return (*form_of_unitary(vectors.conj().T), *rotations, *form_of_unitary(vectors))


def _rotations(words: dict[str, float]) -> Form:
    """Rotations about words whose slopes are the coefficients."""
    return tuple(Rotation(word, slope=value) for word, value in words.items())


def form_of_unitary(unitary: Complex) -> Form:
    """The form of a fixed unitary matrix (2^n, 2^n), its global phase included.

    Where the Pauli words of its logarithm commute it is one rotation for each of them. Otherwise it
    is the quantum Shannon decomposition.

    Source: Shende, Bullock and Markov, IEEE Trans. CAD 25 (2006) 1000, arXiv:quant-ph/0406176.

    >>> iswap = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
    >>> [(turn.word, round(turn.offset, 3)) for turn in form_of_unitary(iswap)]
    [('XX', -1.571), ('YY', -1.571)]
    """
    phases, vectors = _spectrum(unitary)
    words = pauli_coefficients((vectors * phases) @ vectors.conj().T)
    if _all_commute(words):
        return tuple(Rotation(word, offset=-2 * value) for word, value in words.items())
    return tuple(_shannon(unitary, len(unitary).bit_length() - 1))


def pauli_coefficients(matrix: Complex) -> dict[str, float]:
    """The coefficients ``tr(W A) / 2^n`` of a Hermitian matrix A (2^n, 2^n) by Pauli word W.

    Zeros are left out.

    >>> pauli_coefficients(np.array([[1.0, 0.5], [0.5, 0.0]]))
    {'I': 0.5, 'X': 0.5, 'Z': 0.5}
    """
    size = len(matrix)
    found = {}
    for letters in product("IXYZ", repeat=size.bit_length() - 1):
        word = "".join(letters)
        value = float(np.vdot(word_matrix(word), matrix).real) / size
        if abs(value) > ZERO:
            found[word] = value
    return found


def z_coefficients(diagonal: Floats) -> dict[str, float]:
    """The coefficients of ``diag(values)`` by words of I and Z, for real values (2^n,).

    Zeros are left out.

    >>> z_coefficients(np.array([1.0, 0.0]))
    {'I': 0.5, 'Z': 0.5}
    """
    found = {}
    for letters in product("IZ", repeat=len(diagonal).bit_length() - 1):
        word = "".join(letters)
        value = float(np.diag(word_matrix(word)).real @ diagonal) / len(diagonal)
        if abs(value) > ZERO:
            found[word] = value
    return found


def _all_commute(words: Iterable[str]) -> bool:
    """Whether all Pauli words commute: each pair anticommutes on an even number of wires."""
    for one, other in combinations(words, 2):
        anticommuting = 0
        for a, b in zip(one, other, strict=True):
            if a != b and "I" not in (a, b):
                anticommuting += 1
        if anticommuting % 2:
            return False
    return True


def _spectrum(unitary: Complex) -> tuple[Floats, Complex]:
    """Phases (in radians, above -pi) and orthonormal eigenvectors of a unitary matrix.

    The Schur form of a normal matrix is diagonal, and its vectors are orthonormal even where
    eigenvalues are equal.
    """
    from scipy.linalg import schur

    triangle, vectors = schur(unitary, output="complex")
    phases = np.angle(np.diag(triangle))
    phases[phases < -np.pi + 1e-9] += 2 * np.pi  # one phase for the eigenvalue -1
    return phases, vectors


def _shannon(unitary: Complex, wires: int) -> list[Rotation]:
    """Rotations whose product is a unitary matrix, by recursion over the wires."""
    if wires == 1:
        return _euler(unitary)
    from scipy.linalg import cossin

    half = len(unitary) // 2
    parts: Any = cossin(unitary, p=half, q=half, separate=True)
    left, angles, right = parts
    found = _multiplexed(right[0], right[1], wires)
    # the middle factor rotates the first wire by an angle that depends on the others
    for word, value in z_coefficients(angles).items():
        found.append(Rotation(f"Y{word}", offset=2 * value))
    return found + _multiplexed(left[0], left[1], wires)


def _multiplexed(zero: Complex, one: Complex, wires: int) -> list[Rotation]:
    """Rotations for ``zero`` on all wires but the first where that is 0, and ``one`` where it is 1.

    ``zero = V D W`` and ``one = V D^dagger W`` with a diagonal D, since
    ``zero one^dagger = V D^2 V^dagger``.
    """
    phases, v = _spectrum(zero @ one.conj().T)
    d = np.exp(0.5j * phases)
    w = (d[:, None] * v.conj().T) @ one
    found = _on_the_rest(_shannon(w, wires - 1))
    for word, value in z_coefficients(phases / 2).items():
        found.append(Rotation(f"Z{word}", offset=-2 * value))
    return found + _on_the_rest(_shannon(v, wires - 1))


def _on_the_rest(rotations: Iterable[Rotation]) -> list[Rotation]:
    """The same rotations with a wire before their own, on which they do not act."""
    return [rotation._replace(word=f"I{rotation.word}") for rotation in rotations]


def _euler(unitary: Complex) -> list[Rotation]:
    """Rotations of one wire: ``U = exp(i phase) RZ(last) RY(middle) RZ(first)``."""
    phase = np.angle(np.linalg.det(unitary)) / 2
    special = unitary * np.exp(-1j * phase)
    middle = 2 * np.arctan2(abs(special[1, 0]), abs(special[0, 0]))
    total = 2 * np.angle(special[1, 1])
    difference = 2 * np.angle(special[1, 0])
    first = (total - difference) / 2
    last = (total + difference) / 2
    rotations = [
        Rotation("I", offset=float(-2 * phase)),
        Rotation("Z", offset=float(first)),
        Rotation("Y", offset=float(middle)),
        Rotation("Z", offset=float(last)),
    ]
    return [rotation for rotation in rotations if abs(rotation.offset) > ZERO]


def basis_permutation(matrix: Complex) -> NDArray[np.intp] | None:
    """The basis state to which a matrix takes each basis state; None if it is no permutation.

    >>> basis_permutation(cnot_matrix(2, 0, 1)).tolist()
    [0, 1, 3, 2]
    """
    target: NDArray[np.intp] = np.argmax(np.abs(matrix), axis=0)
    if np.array_equal(matrix, np.eye(len(matrix))[target].T):
        return target
    return None
