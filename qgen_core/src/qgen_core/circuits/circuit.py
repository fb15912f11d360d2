"""The neutral circuit: a list of gates and channels, and one affine map for its angles.

A backend is given ``angles`` only: column ``a`` of the (B, A) array belongs to the a-th gate with
an angle. Shared parameters, scales, offsets and data inputs are one affine map, which is applied
here. Each angle is a variable of its own, so the parameter-shift rule holds gate by gate, and
gradients by parameters and by inputs are computed in the same way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pkgutil import resolve_name
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.circuits.gates import GateSpec, gate_spec, inverse_of
from qgen_core.errors import BadCircuit, Unsupported
from qgen_core.support.notebook import ShownInNotebook
from qgen_core.typing import Floats

#: Circuits of more instructions are not drawn in pages and notebooks.
MOST_DRAWN = 1000


class Label(NamedTuple):
    """The place of a parameter: rotation layer (from 0), wire, and angle within its rotation.

    >>> Label(layer=2, wire=0, angle=1).layer
    2
    """

    layer: int
    wire: int
    angle: int


@dataclass(frozen=True)
class Angle:
    """The angle ``scale * source[index] + offset`` in radians; a ``const`` angle is its offset.

    Raises BadCircuit for another source, a negative index, and a scale or offset that is not
    finite.

    >>> Angle("param", index=3, scale=2.0).index
    3
    """

    source: Literal["param", "input", "const"]
    index: int = 0
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.source not in ("param", "input", "const"):
            raise BadCircuit(
                f"the source of an angle is param, input or const, not {self.source!r}"
            )
        if self.index < 0 or not (np.isfinite(self.scale) and np.isfinite(self.offset)):
            raise BadCircuit(f"{self} needs an index >= 0 and a finite scale and offset")


def param(index: int, scale: float = 1.0, offset: float = 0.0) -> Angle:
    """An angle of ``scale`` times the trainable parameter ``index``, plus ``offset`` in radians.

    >>> param(2, scale=0.5)
    Angle(source='param', index=2, scale=0.5, offset=0.0)
    """
    return Angle("param", index, scale, offset)


def given(index: int, scale: float = 1.0, offset: float = 0.0) -> Angle:
    """An angle of ``scale`` times the data input ``index``, plus ``offset`` in radians.

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
    """A gate of :data:`qgen_core.circuits.gates.GATES` on wires; controls come first.

    Raises BadCircuit for an unknown gate, another number of wires than the gate acts on, wires that
    are equal or negative, and a missing or superfluous angle.

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
        object.__setattr__(self, "wires", tuple(map(int, self.wires)))
        _check_wires(f"gate {self.name!r}", self.wires, spec.wires)
        if spec.has_angle and self.angle is None:
            raise BadCircuit(f"gate {self.name!r} needs an angle")
        if not spec.has_angle and self.angle is not None:
            raise BadCircuit(f"gate {self.name!r} has no angle")

    @property
    def spec(self) -> GateSpec:
        """The entry of the table. Raises BadCircuit if the gate was removed from the table."""
        return gate_spec(self.name)

    def inverse(self) -> Gate:
        """The gate that undoes this one, up to a global phase: an angle changes its sign.

        Raises Unsupported for a gate without an inverse in the table of gates.

        >>> Gate("rx", (0,), param(3)).inverse().angle.scale, Gate("s", (0,)).inverse().name
        (-1.0, 'p')
        """
        if self.angle is not None:
            angle = replace(self.angle, scale=-self.angle.scale, offset=-self.angle.offset)
            return replace(self, angle=angle)
        name, value = inverse_of(self.name)
        if value is None:
            return replace(self, name=name)
        return Gate(name, self.wires, const(value))


@dataclass(frozen=True, eq=False)
class Channel:
    """A completely positive, trace-preserving map: ``rho -> sum_k K rho K^dagger``.

    ``kraus`` has the shape (K, 2^w, 2^w) for w wires, the first of which is the most significant
    bit. Raises BadCircuit for another shape, wires that are equal or negative, and when an entry of
    ``sum_k K^dagger K`` differs from that of the identity by more than 1e-9.

    >>> flip = np.array([np.sqrt(0.9) * np.eye(2), np.sqrt(0.1) * np.array([[0, 1], [1, 0]])])
    >>> Channel(flip, (0,), "bit flip").kraus.shape
    (2, 2, 2)
    """

    kraus: NDArray[np.complex128]
    wires: tuple[int, ...]
    name: str = "channel"

    def __post_init__(self) -> None:
        wires = tuple(map(int, self.wires))
        kraus = np.array(self.kraus, dtype=np.complex128)
        kraus.setflags(write=False)
        dim = 2 ** len(wires)
        _check_wires(f"channel {self.name!r}", wires, max(len(wires), 1))
        if kraus.ndim != 3 or kraus.shape[1:] != (dim, dim):
            raise BadCircuit(
                f"channel {self.name!r} on {len(wires)} wires needs Kraus operators of shape "
                f"(K, {dim}, {dim}), not {kraus.shape}"
            )
        off = np.inf
        if np.all(np.isfinite(kraus)):
            total = np.einsum("kji,kjl->il", kraus.conj(), kraus)
            off = float(np.max(np.abs(total - np.eye(dim))))
        if not off <= 1e-9:
            raise BadCircuit(
                f"channel {self.name!r} on wires {wires} is not trace preserving: "
                f"sum K^dagger K differs from one by {off:.2g}"
            )
        object.__setattr__(self, "wires", wires)
        object.__setattr__(self, "kraus", kraus)


#: One entry of a circuit.
Instruction = Gate | Channel


class _Columns(NamedTuple):
    """The angles that come from one source, parameters or inputs.

    Consecutive numbers are slices, which are several times faster than index arrays.

    Args:
        at: The columns of the angle array.
        numbers: The index in the source for each of the columns.
        shared: Whether an index occurs more than once.
    """

    at: NDArray[np.intp] | slice
    numbers: NDArray[np.intp] | slice
    shared: bool

    def summed(self, d_angles: Floats, width: int) -> Floats:
        """Derivatives (B, width) by the source, from those by all angles (B, A)."""
        total = np.zeros((len(d_angles), width))
        if self.shared:
            assert not isinstance(self.numbers, slice)
            np.add.at(total.T, self.numbers, d_angles[:, self.at].T)
        elif width:
            total[:, self.numbers] = d_angles[:, self.at]
        return total


class _Map(NamedTuple):
    """The affine map of all angles.

    ``scale`` is None where all scales are one, ``offset`` where all offsets are zero.
    """

    param: _Columns
    input: _Columns
    scale: Floats | None
    offset: Floats | None


@dataclass(frozen=True)
class Circuit(ShownInNotebook):
    """Instructions on ``num_wires`` wires, applied in order to ``|0...0>``.

    ``labels`` has one :class:`Label` for each parameter in the circuits of an ansatz, else none.
    The number of parameters is one more than the highest parameter index, and likewise that of
    inputs.

    Raises BadCircuit for less than one wire, an instruction on a wire that the circuit lacks, and
    another number of labels than of parameters.

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

    def __repr__(self) -> str:
        told = [
            f"{self.num_wires} wires",
            f"{len(self.instructions)} instructions",
            f"{self.num_params} parameters",
        ]
        if self.num_inputs:
            told.append(f"{self.num_inputs} inputs")
        return f"Circuit({', '.join(told)})"

    def _details_html(self) -> str:
        """The circuit as a picture, unless it is a large one."""
        if len(self.instructions) > MOST_DRAWN:
            return ""
        svg = resolve_name("qgen_core.circuits.svg:svg")  # the module stands above this one
        return f"<div>{svg(self)}</div>"

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The instructions that are gates."""
        return tuple(step for step in self.instructions if isinstance(step, Gate))

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The instructions that are channels."""
        return tuple(step for step in self.instructions if isinstance(step, Channel))

    @cached_property
    def angles(self) -> tuple[Angle, ...]:
        """The angles, one for each column of the angle array."""
        return tuple(gate.angle for gate in self.gates if gate.angle is not None)

    @cached_property
    def num_angles(self) -> int:
        """The number of gates with an angle, which are the columns of the angle array."""
        return len(self.angles)

    @cached_property
    def num_params(self) -> int:
        """The number of trainable parameters."""
        return self._number_from("param")

    @cached_property
    def num_inputs(self) -> int:
        """The number of data inputs."""
        return self._number_from("input")

    def _number_from(self, source: str) -> int:
        """One more than the highest index of the angles from a source."""
        indices = [angle.index for angle in self.angles if angle.source == source]
        return max(indices, default=-1) + 1

    @cached_property
    def depth(self) -> int:
        """The number of gate layers, where each gate is in the first layer that its wires allow."""
        level = [0] * self.num_wires
        for gate in self.gates:
            top = 1 + max(level[w] for w in gate.wires)
            for wire in gate.wires:
                level[wire] = top
        return max(level)

    @cached_property
    def counts(self) -> dict[str, int]:
        """The number of gates of each name, sorted by name."""
        counter = Counter(gate.name for gate in self.gates)
        return dict(sorted(counter.items()))

    def inverse(self) -> Circuit:
        """The circuit that undoes this one, up to a global phase, with the same parameters.

        Parameters and inputs keep their numbers. Raises Unsupported for a circuit with channels,
        which nothing undoes, and for a gate without an inverse in the table of gates.

        >>> circuit = Circuit(1, (Gate("h", (0,)), Gate("rz", (0,), param(0))))
        >>> [gate.name for gate in circuit.inverse().gates]
        ['rz', 'h']
        >>> circuit.inverse().bind([0.25])
        array([[-0.25]])
        """
        if self.channels:
            raise Unsupported(
                f"a circuit with channels has no inverse, and this one holds the channel "
                f"{self.channels[0].name!r}; take the circuit without noise"
            )
        backwards = [gate.inverse() for gate in reversed(self.gates)]
        return Circuit(self.num_wires, tuple(backwards), self.labels)

    def with_inputs_from(self, first: int) -> Circuit:
        """The same circuit with its input i renumbered to ``first`` + i.

        So gates that take inputs 0 to ``first`` - 1 can be put before or behind it.

        >>> circuit = Circuit(1, (Gate("rx", (0,), given(0)),)).with_inputs_from(2)
        >>> circuit.num_inputs
        3
        """
        moved: list[Instruction] = []
        for instruction in self.instructions:
            if isinstance(instruction, Gate) and instruction.angle is not None:
                angle = instruction.angle
                if angle.source == "input":
                    angle = replace(angle, index=angle.index + first)
                instruction = replace(instruction, angle=angle)
            moved.append(instruction)
        return Circuit(self.num_wires, tuple(moved), self.labels)

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
            scale=_unless_all(scale, 1.0),
            offset=_unless_all(offset, 0.0),
        )

    def bind(self, params: ArrayLike, inputs: ArrayLike | None = None) -> Floats:
        """Angles (B, A) in radians from parameters (P,) or (B, P) and inputs (I,) or (B, I).

        A single row of either is broadcast against the rows of the other. Raises BadCircuit when
        the widths are not those of the circuit, and for different numbers of rows.

        >>> circuit = Circuit(1, (Gate("rx", (0,), param(0, 2.0)), Gate("ry", (0,), given(0))))
        >>> circuit.bind([0.5], [[0.1], [0.2]])
        array([[1. , 0.1],
               [1. , 0.2]])
        """
        theta = self._rows("params", params, self.num_params)
        affine = self._map
        if inputs is None and self.num_inputs == 0:  # most models, whose every step binds
            angles = np.zeros((len(theta), self.num_angles))
        else:
            x = self._rows("inputs", () if inputs is None else inputs, self.num_inputs)
            batch = len(theta) if len(x) == 1 else len(x)
            if batch != len(theta) != 1:
                raise BadCircuit(
                    f"{len(theta)} rows of params do not go with {len(x)} rows of inputs"
                )
            angles = np.zeros((batch, self.num_angles))
            angles[:, affine.input.at] = x[:, affine.input.numbers]
        angles[:, affine.param.at] = theta[:, affine.param.numbers]
        if affine.scale is not None:
            angles *= affine.scale
        if affine.offset is not None:
            angles += affine.offset
        return angles

    def pullback(self, d_angles: ArrayLike) -> tuple[Floats, Floats]:
        """From d loss / d angles (B, A) to d loss / d params (B, P) and d loss / d inputs (B, I).

        Each row of the batch has derivatives of its own; sum over B where one row of parameters was
        used for the whole batch. Raises BadCircuit for another number of columns.

        >>> circuit = Circuit(1, (Gate("rx", (0,), param(0, 2.0)), Gate("ry", (0,), param(0))))
        >>> d_params, d_inputs = circuit.pullback([[1.0, 10.0]])
        >>> d_params, d_inputs.shape
        (array([[12.]]), (1, 0))
        """
        affine = self._map
        d = self._rows("d_angles", d_angles, self.num_angles)
        if affine.scale is not None:
            d = d * affine.scale
        return affine.param.summed(d, self.num_params), affine.input.summed(d, self.num_inputs)

    @staticmethod
    def _rows(what: str, values: ArrayLike, width: int) -> Floats:
        """Values (width,) or (B, width) as rows (B, width)."""
        array = np.asarray(values, dtype=np.float64)
        rows = array
        if array.ndim == 1:
            rows = array[None]
        if rows.ndim != 2 or rows.shape[1] != width:
            raise BadCircuit(f"{what} have the shape {array.shape}; the circuit needs (B, {width})")
        return rows


def _columns(at: NDArray[np.intp], numbers: NDArray[np.intp]) -> _Columns:
    """The columns ``at`` of the angle array, and for each the index in its source."""
    shared = len(np.unique(numbers)) < len(numbers)
    return _Columns(_as_slice(at), _as_slice(numbers), shared)


def _unless_all(values: Floats, neutral: float) -> Floats | None:
    """The values, or None where all of them are neutral."""
    if np.any(values != neutral):
        return values
    return None


def _as_slice(numbers: NDArray[np.intp]) -> NDArray[np.intp] | slice:
    """Consecutive numbers as a slice, others unchanged."""
    if len(numbers) == 0:
        return slice(0, 0)
    if np.any(np.diff(numbers) != 1):
        return numbers
    return slice(int(numbers[0]), int(numbers[-1]) + 1)
