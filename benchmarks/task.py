"""What every contestant is asked to do, as plain gates, so that no contestant needs qgen.

The task is one training step of a Born machine: all 2^Q probabilities, the Jensen-Shannon
divergence from a target, and its gradient with respect to all parameters (Delgado and Hamilton,
arXiv:2203.03578). Wire 0 is the most significant bit of an outcome's number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: From parameters (P,) to the loss and its gradient (P,).
Step = Callable[[Floats], tuple[float, Floats]]


class Op(NamedTuple):
    """``rx``, ``ry``, ``rz``, ``cx``, or ``rot`` = rz, ry, rz in this order.

    ``params`` are the numbers of its parameters, or ``inputs`` those of its inputs.
    """

    name: str
    wires: tuple[int, ...]
    params: tuple[int, ...] = ()
    inputs: tuple[int, ...] = ()


def fuse(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """rz, ry, rz on one wire as one ``rot``, for libraries that have the three-angle gate."""
    out: list[Op] = []
    position = 0
    while position < len(ops):
        three = ops[position : position + 3]
        if [op.name for op in three] == ["rz", "ry", "rz"] and len({op.wires for op in three}) == 1:
            out.append(Op("rot", three[0].wires, tuple(p for op in three for p in op.params)))
            position += 3
        else:
            out.append(ops[position])
            position += 1
    return tuple(out)


@dataclass(frozen=True, eq=False)
class Task:
    """A layered circuit, a target (2^Q,) and parameters (P,) to evaluate it at.

    ``ops`` are ``layers`` equal layers and a last part without entanglers; the parameters of a
    layer follow those of the layer before.
    """

    wires: int
    layers: int
    ops: tuple[Op, ...]
    target: Floats
    params: Floats

    @cached_property
    def last(self) -> tuple[Op, ...]:
        """The rotations after the last layer."""
        return self.ops[-3 * self.wires :]

    @cached_property
    def layer(self) -> tuple[Op, ...]:
        """The first layer; the others are like it, with ``per_layer`` added to each parameter."""
        return self.ops[: (len(self.ops) - 3 * self.wires) // self.layers]

    @cached_property
    def per_layer(self) -> int:
        return sum(len(op.params) for op in self.layer)

    def save(self, path: Path) -> None:
        """For contestants in another environment."""
        sizes = np.array([self.wires, self.layers])
        np.savez(path, sizes=sizes, target=self.target, params=self.params, **packed(self.ops))

    @classmethod
    def read(cls, path: Path) -> Task:
        with np.load(path) as file:
            wires, layers = (int(n) for n in file["sizes"])
            return cls(wires, layers, unpacked(file), file["target"], file["params"])


def packed(ops: tuple[Op, ...]) -> dict[str, NDArray[Any]]:
    """Gates of one angle at most as arrays: names, and rows of two wires, a parameter and an input,
    -1 for none.
    """
    numbers = [[*(*op.wires, -1)[:2], *(op.params or (-1,)), *(op.inputs or (-1,))] for op in ops]
    return {"names": np.array([op.name for op in ops]), "numbers": np.array(numbers)}


def unpacked(file: Mapping[str, NDArray[Any]]) -> tuple[Op, ...]:
    """The gates that :func:`packed` wrote."""
    ops = []
    for name, row in zip(file["names"], file["numbers"].tolist(), strict=True):
        wires, params, inputs = (
            tuple(n for n in part if n >= 0) for part in (row[:2], row[2:3], row[3:])
        )
        ops.append(Op(str(name), wires, params, inputs))
    return tuple(ops)


def ops_of(circuit: Any) -> tuple[Op, ...]:
    """Plain gates of a qgen circuit whose angles are single parameters or inputs."""
    ops = []
    for gate in circuit.gates:
        numbers: dict[str, tuple[int, ...]] = {"param": (), "input": ()}
        if gate.angle is not None:
            numbers[gate.angle.source] = (gate.angle.index,)
        ops.append(Op(gate.name, gate.wires, numbers["param"], numbers["input"]))
    return tuple(ops)


def make_task(ansatz: str, wires: int, layers: int) -> Task:
    """The task for one of qgen's ansaetze, with fixed pseudo-random parameters and target."""
    from qgen_core.ansatze.brick import brick
    from qgen_core.ansatze.tree import tree

    circuit = {"brick": brick, "tree": tree}[ansatz](wires, layers=layers)
    ops = ops_of(circuit)
    rng = np.random.default_rng([wires, layers])
    target = rng.exponential(size=2**wires)
    task = Task(
        wires, layers, ops, target / target.sum(), rng.uniform(-np.pi, np.pi, circuit.num_params)
    )
    repeated = [
        Op(op.name, op.wires, tuple(p + k * task.per_layer for p in op.params))
        for k in range(layers)
        for op in task.layer
    ]
    assert (*repeated, *task.last) == ops and all(len(op.wires) == 1 for op in task.last)
    return task


def js(p: Floats, target: Floats) -> tuple[float, Floats]:
    """Jensen-Shannon divergence in nats, and its derivative by p (2^Q,).

    For contestants whose library has no arithmetic of its own; d JS / d p = log(p / m) / 2.
    """
    p = np.maximum(p, 1e-300)
    m = 0.5 * (p + target)
    slope = np.log(p / m)
    value = 0.5 * (p @ slope + target @ np.log(target / m))
    return float(value), 0.5 * slope
