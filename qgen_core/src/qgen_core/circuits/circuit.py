"""The neutral circuit: a list of gates and channels, and one affine map for its angles.

A backend sees only ``angles``: column ``a`` of the (B, A) array belongs to the a-th gate
that has an angle. Shared parameters, scales, offsets and data inputs are folded into that
one map here, so the shift rule is right gate by gate and parameters and inputs have one
contract for their gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.circuits.gates import GateSpec, gate_spec
from qgen_core.errors import BadCircuit
from qgen_core.typing import Floats


class Label(NamedTuple):
    """Where a parameter sits: rotation layer (0 first), wire, and angle within its rotation.

    >>> Label(layer=2, wire=0, angle=1).layer
    2
    """

    layer: int
    wire: int
    angle: int


@dataclass(frozen=True)
class Angle:
    """``scale * source[index] + offset``, in radians; a ``const`` angle is its offset.

    Raises BadCircuit for another source, a negative index, or a scale or offset that is not finite.

    >>> Angle("param", index=3, scale=2.0).index
    3
    """

    source: Literal["param", "input", "const"]
    index: int = 0
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.source not in ("param", "input", "const"):
            raise BadCircuit(f"an angle comes from param, input or const, not {self.source!r}")
        if self.index < 0 or not (np.isfinite(self.scale) and np.isfinite(self.offset)):
            raise BadCircuit(f"{self} needs an index >= 0 and a finite scale and offset")


def param(index: int, scale: float = 1.0, offset: float = 0.0) -> Angle:
    """The trainable parameter ``index``, times ``scale``, plus ``offset`` in radians.

    >>> param(2, scale=0.5)
    Angle(source='param', index=2, scale=0.5, offset=0.0)
    """
    return Angle("param", index, scale, offset)


def given(index: int, scale: float = 1.0, offset: float = 0.0) -> Angle:
    """The data input ``index``, times ``scale``, plus ``offset`` in radians.

    >>> circuit = Circuit(1, (Gate("ry", (0,), given(0, scale=2.0)),))
    >>> circuit.bind([], [0.25])
    array([[0.5]])
    """
    return Angle("input", index, scale, offset)


def const(value: float) -> Angle:
    """A fixed angle in radians.

    >>> const(0.5).offset
    0.5
    """
    return Angle("const", offset=float(value))


def _check_wires(what: str, wires: tuple[int, ...], expected: int) -> None:
    if len(wires) != expected or len(set(wires)) != expected or min(wires) < 0:
        raise BadCircuit(f"{what} acts on {expected} different wires >= 0, not on {wires}")


@dataclass(frozen=True)
class Gate:
    """A gate of :data:`qgen_core.circuits.gates.GATES` on wires; control first.

    Raises BadCircuit for an unknown gate, wrong wires, or an angle that is missing or too many.

    >>> Gate("cx", (0, 1)).spec.wires
    2
    >>> Gate("rx", (0,))
    Traceback (most recent call last):
    qgen_core.errors.BadCircuit: BadCircuit: gate 'rx' needs an angle
    """

    name: str
    wires: tuple[int, ...]
    angle: Angle | None = None

    def __post_init__(self) -> None:
        spec = gate_spec(self.name)
        object.__setattr__(self, "wires", tuple(int(w) for w in self.wires))
        _check_wires(f"gate {self.name!r}", self.wires, spec.wires)
        if spec.has_angle != (self.angle is not None):
            raise BadCircuit(
                f"gate {self.name!r} {'needs an' if spec.has_angle else 'has no'} angle"
            )

    @property
    def spec(self) -> GateSpec:
        """What the table says of the gate. Raises BadCircuit if the gate was removed from it."""
        return gate_spec(self.name)


@dataclass(frozen=True, eq=False)
class Channel:
    """A completely positive, trace-preserving map: ``rho -> sum_k K rho K^dagger``.

    ``kraus`` has the shape (K, 2^w, 2^w) for w wires. Raises BadCircuit when the sum of
    ``K^dagger K`` is further than 1e-9 from one.

    >>> flip = np.array([np.sqrt(0.9) * np.eye(2), np.sqrt(0.1) * np.array([[0, 1], [1, 0]])])
    >>> Channel(flip, (0,), "bit flip").kraus.shape
    (2, 2, 2)
    """

    kraus: NDArray[np.complex128]
    wires: tuple[int, ...]
    name: str = "channel"

    def __post_init__(self) -> None:
        wires = tuple(int(w) for w in self.wires)
        kraus = np.array(self.kraus, dtype=np.complex128)
        kraus.setflags(write=False)
        dim = 2 ** len(wires)
        _check_wires(f"channel {self.name!r}", wires, max(len(wires), 1))
        if kraus.ndim != 3 or kraus.shape[1:] != (dim, dim):
            raise BadCircuit(
                f"channel {self.name!r} on {len(wires)} wires needs Kraus operators of shape "
                f"(K, {dim}, {dim}), not {kraus.shape}"
            )
        total = np.einsum("kji,kjl->il", kraus.conj(), kraus)
        off = float(np.max(np.abs(total - np.eye(dim)))) if np.all(np.isfinite(kraus)) else np.inf
        if not off <= 1e-9:
            raise BadCircuit(
                f"channel {self.name!r} on wires {wires} is not trace preserving: "
                f"sum K^dagger K differs from one by {off:.2g}"
            )
        object.__setattr__(self, "wires", wires)
        object.__setattr__(self, "kraus", kraus)


Instruction = Gate | Channel


class _Columns(NamedTuple):
    """Columns of the angles that come from one source, and its numbers that they take; ``shared``.

    Some more than once.

    Both are slices where they follow each other, which takes a fraction of the time.
    """

    at: NDArray[np.intp] | slice
    numbers: NDArray[np.intp] | slice
    shared: bool


class _Map(NamedTuple):
    """The affine map of all angles; a scale of ones and an offset of zeros are None."""

    param: _Columns
    input: _Columns
    scale: Floats | None
    offset: Floats | None


@dataclass(frozen=True)
class Circuit:
    """Instructions on ``num_wires`` wires, applied in order to ``|0...0>``.

    ``labels`` holds one :class:`Label` per parameter; every ansatz fills it. The number of
    parameters is one more than the highest parameter index, likewise for inputs.

    >>> bell = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))
    >>> bell.num_params, bell.num_angles
    (1, 1)
    """

    num_wires: int
    instructions: tuple[Instruction, ...]
    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "instructions", tuple(self.instructions))
        if self.num_wires < 1:
            raise BadCircuit(f"a circuit needs at least one wire, not {self.num_wires}")
        for position, instruction in enumerate(self.instructions):
            if max(instruction.wires) >= self.num_wires:
                raise BadCircuit(
                    f"instruction {position} ({instruction.name}) acts on wires "
                    f"{instruction.wires}, the circuit has {self.num_wires}"
                )
        if self.labels and len(self.labels) != self.num_params:
            raise BadCircuit(f"{len(self.labels)} labels for {self.num_params} parameters")

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The instructions that are gates."""
        return tuple(i for i in self.instructions if isinstance(i, Gate))

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The instructions that are channels."""
        return tuple(i for i in self.instructions if isinstance(i, Channel))

    @cached_property
    def angles(self) -> tuple[Angle, ...]:
        """One per column of the angle array."""
        return tuple(g.angle for g in self.gates if g.angle is not None)

    @cached_property
    def num_angles(self) -> int:
        """Columns of the angle array: gates with an angle."""
        return len(self.angles)

    @cached_property
    def num_params(self) -> int:
        """Trainable parameters."""
        return max((a.index + 1 for a in self.angles if a.source == "param"), default=0)

    @cached_property
    def num_inputs(self) -> int:
        """Data inputs."""
        return max((a.index + 1 for a in self.angles if a.source == "input"), default=0)

    @cached_property
    def depth(self) -> int:
        """Number of gate layers when each gate starts as early as its wires allow."""
        level = [0] * self.num_wires
        for gate in self.gates:
            top = 1 + max(level[w] for w in gate.wires)
            for wire in gate.wires:
                level[wire] = top
        return max(level)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How often each gate name occurs."""
        names = [g.name for g in self.gates]
        return {name: names.count(name) for name in sorted(set(names))}

    @cached_property
    def _map(self) -> _Map:
        source = np.array([angle.source for angle in self.angles], dtype="U5")
        index = np.array([angle.index for angle in self.angles], dtype=np.intp)
        scale = np.array([angle.scale for angle in self.angles], dtype=np.float64)
        offset = np.array([angle.offset for angle in self.angles], dtype=np.float64)
        param_columns = np.flatnonzero(source == "param")
        input_columns = np.flatnonzero(source == "input")
        return _Map(
            param=_columns(param_columns, index[param_columns]),
            input=_columns(input_columns, index[input_columns]),
            scale=scale if np.any(scale != 1) else None,
            offset=offset if np.any(offset != 0) else None,
        )

    def bind(self, params: ArrayLike, inputs: ArrayLike | None = None) -> Floats:
        """Angles (B, A) from parameters (P,) or (B, P) and inputs (I,) or (B, I).

        A single row of either is broadcast against the other. Raises BadCircuit when a
        width or the batch sizes do not fit.
        """
        theta = self._rows("params", params, self.num_params)
        x = self._rows("inputs", () if inputs is None else inputs, self.num_inputs)
        m, batch = self._map, len(theta) if len(x) == 1 else len(x)
        if batch != len(theta) != 1:
            raise BadCircuit(f"{len(theta)} rows of params do not go with {len(x)} rows of inputs")
        out = np.zeros((batch, self.num_angles))
        out[:, m.param.at] = theta[:, m.param.numbers]
        out[:, m.input.at] = x[:, m.input.numbers]
        if m.scale is not None:
            out *= m.scale
        if m.offset is not None:
            out += m.offset
        return out

    def pullback(self, d_angles: ArrayLike) -> tuple[Floats, Floats]:
        """From d loss / d angles (B, A) to d loss / d params (B, P) and d inputs (B, I).

        Rows stay apart; where one row of parameters served the whole batch, sum over B.
        """
        m = self._map
        d = self._rows("d_angles", d_angles, self.num_angles)
        if m.scale is not None:
            d = d * m.scale
        d_params = np.zeros((len(d), self.num_params))
        d_inputs = np.zeros((len(d), self.num_inputs))
        for columns, total in ((m.param, d_params), (m.input, d_inputs)):
            if columns.shared:
                assert not isinstance(columns.numbers, slice)
                np.add.at(total.T, columns.numbers, d[:, columns.at].T)
            else:
                total[:, columns.numbers] = d[:, columns.at]
        return d_params, d_inputs

    @staticmethod
    def _rows(what: str, values: ArrayLike, width: int) -> Floats:
        array = np.asarray(values, dtype=np.float64)
        rows = array[None] if array.ndim == 1 else array
        if rows.ndim != 2 or rows.shape[1] != width:
            raise BadCircuit(f"{what} have the shape {array.shape}; the circuit needs (B, {width})")
        return rows


def _columns(at: NDArray[np.intp], numbers: NDArray[np.intp]) -> _Columns:
    """The columns ``at`` of the angles and the ``numbers`` of the parameters that they take."""
    shared = len(np.unique(numbers)) < len(numbers)
    return _Columns(_as_slice(at), _as_slice(numbers), shared)


def _as_slice(numbers: NDArray[np.intp]) -> NDArray[np.intp] | slice:
    """Consecutive numbers as a slice, others unchanged."""
    if len(numbers) == 0:
        return slice(0, 0)
    if np.any(np.diff(numbers) != 1):
        return numbers
    return slice(int(numbers[0]), int(numbers[-1]) + 1)
