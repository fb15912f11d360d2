"""The table of gates: all that engines, exporters and adapters know about a gate.

A new gate is one entry of :data:`GATES`; docs/gates.md shows it for three gates.

Conventions: wire 0 of a gate is the most significant bit of its matrix; a gate with an angle t
(radians) is ``exp(-i t G / 2)``, so ``r*(t) = exp(-i t G / 2)`` with a Pauli matrix G,
``p(t) = diag(1, e^{it})``, and a controlled rotation acts on its second wire where the first is 1.
All matrices are complex128.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.pauli_form import PAULI as PAULI
from qgen_core.circuits.pauli_form import (
    Apply,
    Cnot,
    Form,
    Rotation,
    Step,
    cnot_matrix,
    form_of_generator,
    form_of_unitary,
    rotation_matrix,
)
from qgen_core.errors import BadCircuit, Unsupported
from qgen_core.typing import Complex

#: The identity of one wire.
I2 = PAULI["I"]
#: The Pauli matrix X.
X = PAULI["X"]
#: The Pauli matrix Y.
Y = PAULI["Y"]
#: The Pauli matrix Z.
Z = PAULI["Z"]

#: The Hadamard matrix.
H = (X + Z) / np.sqrt(2)
#: The square root of Z.
S = np.diag([1, 1j]).astype(np.complex128)
#: The fourth root of Z.
T = np.diag([1, np.exp(0.25j * np.pi)])
#: The square root of X.
SX = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]], dtype=np.complex128) / 2
#: The projector on ``|1>``.
P1 = np.diag([0, 1]).astype(np.complex128)
#: The controlled X; the first wire controls.
CX = cnot_matrix(2, 0, 1)
#: The controlled Z.
CZ = np.diag([1, 1, 1, -1]).astype(np.complex128)
#: The exchange of two wires.
SWAP = np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]]
#: The echoed cross resonance of IBM's devices, ``(XI - YX) / sqrt(2)``.
ECR = (np.kron(X, I2) - np.kron(Y, X)) / np.sqrt(2)

_PLUS = (np.sqrt(2) + 1) / (4 * np.sqrt(2))
_MINUS = (np.sqrt(2) - 1) / (4 * np.sqrt(2))
#: Parameter-shift rules (shift, coefficient): ``f'(t) = sum_k coefficient_k f(t + shift_k)``.
SHIFTS: dict[int, tuple[tuple[float, float], ...]] = {
    2: ((np.pi / 2, 0.5), (-np.pi / 2, -0.5)),
    4: (
        (np.pi / 2, _PLUS),
        (-np.pi / 2, -_PLUS),
        (3 * np.pi / 2, -_MINUS),
        (-3 * np.pi / 2, _MINUS),
    ),
}
#: Frequencies in the angle on which each rule is exact.
FREQUENCIES: dict[int, frozenset[float]] = {2: frozenset({1.0}), 4: frozenset({0.5, 1.0})}

#: Angles in radians at which a form is compared with the matrix of its gate.
_CHECKED = (0.0, 0.7, -2.9)
#: The largest difference that counts as rounding error.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class GateSpec:
    """The definition of a gate.

    Args:
        wires: The number of wires on which the gate acts.
        fixed: The unitary matrix (2^wires, 2^wires) of a gate without an angle.
        generator: The Hermitian matrix G (2^wires, 2^wires) of a gate ``exp(-i t G / 2)`` with an
            angle t. Exactly one of ``fixed`` and ``generator`` is given.
        shift: Terms of the parameter-shift rule (Wierichs et al., arXiv:2107.12390): 2 if the
            eigenvalues of G differ by 0 and 2 only, 4 if they differ by 1 as well. By default it
            follows from G.
        form: The gate as Pauli rotations and CNOTs, in the order in which they act, global phase
            included. By default it is derived from the matrix; a shorter one makes engines faster.
        inverse: The name of the gate that undoes a gate without an angle, up to a global phase, and
            the angle of that gate or None. By default it is searched in the table.
        symbol: The text of drawings on each wire; ``●`` is a control. By default the name.
        qasm: The name of the gate in stdgates.inc of OpenQASM 3, or its definition ``gate ...``. By
            default a definition is derived from the form.

    Raises BadCircuit for matrices of another shape, a matrix that is not unitary, a generator that
    is not Hermitian, and a generator without a shift rule. A form that is not the gate is found
    when it is used first (see :attr:`steps`).

    >>> rzx = GateSpec(2, generator=np.kron(Z, X))
    >>> rzx.shift, rzx.form
    (2, (Rotation(word='ZX', slope=1.0, offset=0.0),))
    >>> rzx.matrix(np.pi).round(3).imag.astype(int).tolist()
    [[0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    """

    wires: int
    fixed: NDArray[Any] | None = None
    generator: NDArray[Any] | None = None
    shift: Literal[0, 2, 4] = 0
    form: Form = ()
    inverse: tuple[str, float | None] | None = None
    symbol: tuple[str, ...] = ()
    qasm: str = ""

    def __post_init__(self) -> None:
        if self.wires < 1 or (self.fixed is None) == (self.generator is None):
            raise BadCircuit(
                "a gate acts on one or more wires and has either a matrix (fixed) or a generator"
            )
        if self.symbol and len(self.symbol) != self.wires:
            raise BadCircuit(
                f"symbol needs one text for each of {self.wires} wires, not {self.symbol}"
            )
        if self.fixed is not None:
            self._keep("fixed", self.fixed)
            self._check_fixed()
        else:
            self._keep("generator", self.generator)
            self._check_generator()
        if not self.form:
            object.__setattr__(self, "form", self._derived_form())

    def _keep(self, name: str, values: Complex | None) -> None:
        """Store a matrix read-only.

        Raises BadCircuit for another shape or numbers that are not finite.
        """
        matrix = np.array(values, dtype=np.complex128)
        size = 2**self.wires
        if matrix.shape != (size, size) or not np.all(np.isfinite(matrix)):
            raise BadCircuit(
                f"{name} of a gate on {self.wires} wires must be a finite matrix of shape "
                f"({size}, {size}), not of shape {matrix.shape}"
            )
        matrix.setflags(write=False)
        object.__setattr__(self, name, matrix)

    def _check_fixed(self) -> None:
        matrix = self.matrix()
        off = np.max(np.abs(matrix @ matrix.conj().T - np.eye(len(matrix))))
        if off > _ROUNDING:
            raise BadCircuit(
                f"the matrix of a gate must be unitary; U U^dagger differs from one by {off:.2g}"
            )
        if self.shift:
            raise BadCircuit("a gate without an angle has no shift rule; leave shift out")

    def _check_generator(self) -> None:
        """Check the generator, and check or find its shift rule."""
        matrix = self._generator
        off = np.max(np.abs(matrix - matrix.conj().T))
        if off > _ROUNDING:
            raise BadCircuit(
                "a generator must be Hermitian; this one differs from its conjugate transpose by "
                f"{off:.2g}"
            )
        if self.inverse is not None:
            raise BadCircuit("the inverse of a gate with an angle is the negative angle")
        frequencies = {round(abs(a - b) / 2, 9) for a, b in combinations(self._levels, 2)}
        fitting = [terms for terms, exact_on in FREQUENCIES.items() if frequencies <= exact_on]
        if not fitting or self.shift not in (0, *fitting):
            levels = ", ".join(f"{level:.6g}" for level in self._levels)
            raise BadCircuit(
                "the eigenvalues of a generator must differ by 2 (shift rule of 2 terms), or by 1 "
                f"and 2 (4 terms); with shift={self.shift} this one has the eigenvalues {levels}"
            )
        if self.shift == 0:
            object.__setattr__(self, "shift", fitting[0])

    @property
    def has_angle(self) -> bool:
        """Whether the gate has an angle."""
        return self.generator is not None

    @cached_property
    def _generator(self) -> Complex:
        """The generator. Raises BadCircuit for a gate without an angle."""
        if self.generator is None:
            raise BadCircuit("a gate without an angle has no generator")
        return self.generator

    @cached_property
    def _levels(self) -> tuple[float, ...]:
        """The distinct eigenvalues of the generator, ascending."""
        values = np.round(np.linalg.eigvalsh(self._generator), 12)
        return tuple(np.unique(values + 0.0).tolist())

    @cached_property
    def levels(self) -> tuple[tuple[float, Complex], ...]:
        """The distinct eigenvalues of the generator, and the projectors on their eigenspaces.

        Projectors are computed as polynomials of the generator, which is exact for integer
        matrices. Raises BadCircuit for a gate without an angle.

        >>> [level for level, projector in GATES["crx"].levels]
        [-1.0, 0.0, 1.0]
        """
        found = []
        for level in self._levels:
            projector = np.eye(2**self.wires, dtype=np.complex128)
            for other in self._levels:
                if other != level:
                    factor = self._generator - other * np.eye(len(projector))
                    projector = projector @ factor / (level - other)
            found.append((level, projector))
        return tuple(found)

    def matrix(self, angle: float = 0.0) -> Complex:
        """The unitary matrix (2^wires, 2^wires).

        ``angle`` is in radians; gates without an angle ignore it.

        >>> GATES["p"].matrix(np.pi).round(3).real.tolist()
        [[1.0, 0.0], [0.0, -1.0]]
        """
        if self.fixed is not None:
            return self.fixed
        out = np.zeros((2**self.wires, 2**self.wires), dtype=np.complex128)
        for level, projector in self.levels:
            out += np.exp(-0.5j * level * angle) * projector
        return out

    def derivative(self, angle: float) -> Complex:
        """d matrix / d angle (2^wires, 2^wires) at an angle in radians.

        Raises BadCircuit for a gate without an angle.

        >>> GATES["rz"].derivative(0.0).imag.tolist()
        [[-0.5, 0.0], [0.0, 0.5]]
        """
        out = np.zeros_like(self._generator)
        for level, projector in self.levels:
            out += -0.5j * level * np.exp(-0.5j * level * angle) * projector
        return out

    @cached_property
    def steps(self) -> Form:
        """The form, after a comparison with the matrix of the gate at the first use.

        Raises BadCircuit where they differ, even if only by a global phase.

        >>> GATES["swap"].steps
        (Cnot(control=0, target=1), Cnot(control=1, target=0), Cnot(control=0, target=1))
        """
        angles = _CHECKED if self.has_angle else (0.0,)
        for angle in angles:
            product = form_matrix(self.form, self.wires, angle)
            off = float(np.max(np.abs(product - self.matrix(angle))))
            if not off < _ROUNDING:
                raise BadCircuit(
                    "the form of a gate must be equal to its matrix: at the angle "
                    f"{angle} they differ by {off:.2g}; correct the form, or leave it out to have "
                    "it derived"
                )
        return self.form

    def _derived_form(self) -> Form:
        if self.fixed is not None:
            return form_of_unitary(self.fixed)
        return form_of_generator(self._generator)

    @cached_property
    def self_inverse(self) -> bool:
        """Whether the gate undoes itself up to a global phase; never for gates with an angle."""
        return self.fixed is not None and same_up_to_phase(self.fixed, self.fixed.conj().T)

    @cached_property
    def symmetric(self) -> bool:
        """Whether the order in which the wires are given does not matter."""
        matrix = self.matrix(_CHECKED[1])
        axes = matrix.reshape((2,) * (2 * self.wires))
        for order in permutations(range(self.wires)):
            places = (*order, *(self.wires + k for k in order))
            if np.max(np.abs(axes.transpose(places) - axes)) > _ROUNDING:
                return False
        return True


def form_matrix(form: Form, wires: int, angle: float) -> Complex:
    """The matrix (2^wires, 2^wires) of a form at an angle of the gate in radians.

    Raises BadCircuit for a step that does not fit the gate.

    >>> form_matrix((Cnot(0, 1),), 2, 0.0).real.astype(int).tolist()
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    """
    product = np.eye(2**wires, dtype=np.complex128)
    for step in form:
        product = _step_matrix(step, wires, angle) @ product
    return product


def _step_matrix(step: Step, wires: int, angle: float) -> Complex:
    if isinstance(step, Rotation):
        if len(step.word) != wires or set(step.word) - set("IXYZ"):
            raise BadCircuit(
                f"the word of {step} needs one of I, X, Y and Z for each of {wires} wires"
            )
        return rotation_matrix(step, angle)
    if not isinstance(step, Cnot | Apply):
        raise BadCircuit(f"a step of a form must be a Rotation, Cnot or Apply, not {step!r}")
    if isinstance(step, Cnot):
        places: tuple[int, ...] = tuple(step)
        matrix = CX
    else:
        places = step.wires
        matrix = _applied_matrix(step)
    fits = len(matrix) == 2 ** len(places) and len(set(places)) == len(places)
    if not fits or not set(places) <= set(range(wires)):
        raise BadCircuit(f"{step} does not fit a gate on {wires} wires")
    return embedded(matrix, places, wires)


def _applied_matrix(step: Apply) -> Complex:
    """The matrix of a gate that is a step in the form of another one."""
    spec = gate_spec(step.gate)
    if spec.has_angle or any(isinstance(inner, Apply) for inner in spec.form):
        raise BadCircuit(
            f"{step}: a step can only apply a gate without an angle whose own form consists of "
            "rotations and CNOTs"
        )
    return spec.matrix()


def embedded(matrix: Complex, wires: tuple[int, ...], num_wires: int) -> Complex:
    """The matrix (2^num_wires, 2^num_wires) on all wires of a matrix (2^w, 2^w) on w of them.

    Wire 0 is the most significant bit, and so is the first of ``wires`` in ``matrix``.

    >>> embedded(X, (1,), 2).real.astype(int).tolist()
    [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    """
    others = [wire for wire in range(num_wires) if wire not in wires]
    full = np.kron(matrix, np.eye(2 ** len(others))).reshape((2,) * (2 * num_wires))
    place = np.argsort([*wires, *others])
    axes = (*place, *(place + num_wires))
    return np.asarray(full.transpose(axes).reshape(2**num_wires, 2**num_wires))


def same_up_to_phase(one: Complex, other: Complex) -> bool:
    """Whether two unitary matrices of the same size are equal up to a global phase.

    >>> same_up_to_phase(Z, 1j * Z), same_up_to_phase(S, Z)
    (True, False)
    """
    overlap = np.vdot(one, other)
    if abs(overlap) < 0.5:
        return False
    turned = one * (overlap / abs(overlap))
    return bool(np.max(np.abs(turned - other)) < _ROUNDING)


class _Table(dict[str, GateSpec]):
    """Gates by name; entries are checked, and cannot be replaced."""

    def __setitem__(self, name: str, spec: GateSpec) -> None:
        if not isinstance(spec, GateSpec):
            raise BadCircuit(
                f"gate {name!r}: an entry of the table must be a GateSpec, not {spec!r}"
            )
        if not (name.isidentifier() and name == name.lower()):
            raise BadCircuit(
                f"gate {name!r}: a name must consist of lower-case letters, digits and "
                "underscores, and begin with a letter"
            )
        if self.get(name, spec) is not spec:
            raise BadCircuit(
                f"there is already a gate {name!r}, which engines and adapters know; choose "
                "another name"
            )
        super().__setitem__(name, spec)


Name = TypeVar("Name")


class GateNames(Set[str]):
    """A read-only set of gate names that can depend on the current table.

    A subclass defines ``__contains__``, ``__iter__`` and ``__len__``; ``&``, ``|`` and ``-`` give
    frozen sets.

    >>> EVERY_GATE & {"h", "toffoli"}
    frozenset({'h'})
    """

    @classmethod
    def _from_iterable(cls, it: Iterable[Name]) -> Set[Name]:
        """Make the frozen set that ``&``, ``|`` and ``-`` return."""
        return frozenset(it)


class EveryGate(GateNames):
    """The names of all gates that are in the table at the time of access, as a read-only set.

    >>> "h" in EveryGate(), "toffoli" in EveryGate()
    (True, False)
    """

    def __contains__(self, name: object) -> bool:
        return name in GATES

    def __iter__(self) -> Iterator[str]:
        return iter(GATES)

    def __len__(self) -> int:
        return len(GATES)

    def __hash__(self) -> int:
        return hash(EveryGate)

    def __repr__(self) -> str:
        return "EVERY_GATE"


#: The names of all gates that are in the table at the time of access.
EVERY_GATE = EveryGate()


def gate_spec(name: str) -> GateSpec:
    """The entry of a gate in the table. Raises BadCircuit for a name that the table lacks.

    >>> gate_spec("rxx").wires
    2
    """
    spec = GATES.get(name)
    if spec is None:
        raise BadCircuit(f"no gate {name!r}; there are {', '.join(GATES)}")
    return spec


def inverse_of(name: str) -> tuple[str, float | None]:
    """The name of the gate that undoes a gate without an angle, and its angle or None.

    It undoes the gate up to a global phase. Raises Unsupported if the table has no such gate, and
    BadCircuit for an unknown gate and a wrong field ``inverse`` in its entry.

    >>> inverse_of("h"), inverse_of("t")
    (('h', None), ('p', -0.7853981633974483))
    """
    spec = gate_spec(name)
    if spec.inverse is not None:
        other, angle = spec.inverse
        undone = gate_spec(other).matrix(angle or 0.0) @ spec.matrix()
        if not same_up_to_phase(undone, np.eye(len(undone), dtype=np.complex128)):
            raise BadCircuit(
                f"the entry of gate {name!r} names {other!r} as its inverse, which does not undo it"
            )
        return spec.inverse
    if spec.self_inverse:
        return name, None
    back = spec.matrix().conj().T
    for other, candidate in GATES.items():
        if candidate.fixed is None or candidate.wires != spec.wires:
            continue
        if same_up_to_phase(candidate.fixed, back):
            return other, None
    raise Unsupported(
        f"the table has no gate that undoes {name!r}; add one, or name one by GateSpec(inverse=...)"
    )


def _const(word: str, offset: float) -> Rotation:
    """A rotation by a constant angle."""
    return Rotation(word, offset=offset)


_PI = np.pi
_HALF = np.pi / 2


def _phase_form(angle: float) -> Form:
    """``diag(1, e^{i angle})``."""
    return (_const("I", -angle), _const("Z", angle))


_RXX_QASM = "gate rxx(alpha) a, b { h a; h b; cx a, b; rz(alpha) b; cx a, b; h a; h b; }"
_RYY_QASM = (
    "gate ryy(alpha) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(alpha) b; cx a, b; "
    "rx(-pi/2) a; rx(-pi/2) b; }"
)
_RZZ_QASM = "gate rzz(alpha) a, b { cx a, b; rz(alpha) b; cx a, b; }"
_ECR_QASM = "gate ecr a, b { s a; sx b; cx a, b; x a; }"  # up to a global phase of -pi/4

#: All gates by name; ``GATES[name] = GateSpec(...)`` adds one.
GATES: dict[str, GateSpec] = _Table()

GATES["h"] = GateSpec(1, fixed=H, form=(*_phase_form(_PI), _const("Y", _HALF)), qasm="h")
GATES["x"] = GateSpec(1, fixed=X, form=(*_phase_form(_PI), _const("Y", _PI)), qasm="x")
GATES["y"] = GateSpec(1, fixed=Y, form=(_const("I", -_PI), _const("Y", _PI)), qasm="y")
GATES["z"] = GateSpec(1, fixed=Z, form=_phase_form(_PI), qasm="z")
GATES["s"] = GateSpec(1, fixed=S, form=_phase_form(_HALF), inverse=("p", -_HALF), qasm="s")
GATES["t"] = GateSpec(1, fixed=T, form=_phase_form(_PI / 4), inverse=("p", -_PI / 4), qasm="t")
GATES["sx"] = GateSpec(
    1,
    fixed=SX,
    form=(_const("I", -_HALF), _const("X", _HALF)),
    inverse=("rx", -_HALF),
    qasm="sx",
)
GATES["cx"] = GateSpec(2, fixed=CX, form=(Cnot(0, 1),), symbol=("●", "⊕"), qasm="cx")
GATES["cz"] = GateSpec(
    2,
    fixed=CZ,
    form=(
        _const("II", -_HALF),
        _const("ZI", _HALF),
        _const("IZ", _HALF),
        _const("ZZ", -_HALF),
    ),
    symbol=("●", "●"),
    qasm="cz",
)
GATES["ecr"] = GateSpec(2, fixed=ECR, form=(_const("ZX", _HALF), Apply("x", (0,))), qasm=_ECR_QASM)
GATES["swap"] = GateSpec(
    2,
    fixed=SWAP,
    form=(Cnot(0, 1), Cnot(1, 0), Cnot(0, 1)),
    symbol=("×", "×"),
    qasm="swap",
)
GATES["rx"] = GateSpec(1, generator=X, shift=2, qasm="rx")
GATES["ry"] = GateSpec(1, generator=Y, shift=2, qasm="ry")
GATES["rz"] = GateSpec(1, generator=Z, shift=2, qasm="rz")
GATES["p"] = GateSpec(1, generator=Z - I2, shift=2, qasm="p")
GATES["rxx"] = GateSpec(2, generator=np.kron(X, X), shift=2, qasm=_RXX_QASM)
GATES["ryy"] = GateSpec(2, generator=np.kron(Y, Y), shift=2, qasm=_RYY_QASM)
GATES["rzz"] = GateSpec(2, generator=np.kron(Z, Z), shift=2, qasm=_RZZ_QASM)
GATES["crx"] = GateSpec(2, generator=np.kron(P1, X), shift=4, symbol=("●", "RX"), qasm="crx")
GATES["cry"] = GateSpec(2, generator=np.kron(P1, Y), shift=4, symbol=("●", "RY"), qasm="cry")
GATES["crz"] = GateSpec(2, generator=np.kron(P1, Z), shift=4, symbol=("●", "RZ"), qasm="crz")
