"""Circuits that fall into unconnected parts: who they are, and how exact results combine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit, Gate, Instruction
from qgen_core.circuits.measures import Expectations, Measure
from qgen_core.typing import AnglePullback, Array, Floats


@dataclass(frozen=True, eq=False)
class Part:
    """Wires that gates and channels connect, the circuit on them, and its columns of the angles."""

    wires: tuple[int, ...]
    circuit: Circuit
    columns: NDArray[np.intp]


def find_parts(circuit: Circuit) -> tuple[Part, ...]:
    """Connected parts in the order of their first wires."""
    root = list(range(circuit.num_wires))

    def find(wire: int) -> int:
        while root[wire] != wire:
            root[wire] = root[root[wire]]
            wire = root[wire]
        return wire

    for instruction in circuit.instructions:
        for other in instruction.wires[1:]:
            first, last = find(instruction.wires[0]), find(other)
            root[max(first, last)] = min(first, last)
    owner = [find(w) for w in range(circuit.num_wires)]
    if not any(owner):
        return (Part(tuple(range(circuit.num_wires)), circuit, np.arange(circuit.num_angles)),)
    return tuple(
        _part(circuit, [w for w, o in enumerate(owner) if o == key]) for key in sorted(set(owner))
    )


def _part(circuit: Circuit, wires: list[int]) -> Part:
    rank = {wire: k for k, wire in enumerate(wires)}
    inside: list[Instruction] = []
    columns: list[int] = []
    column = 0
    for instruction in circuit.instructions:
        turns = isinstance(instruction, Gate) and instruction.angle is not None
        if instruction.wires[0] in rank:
            inside.append(replace(instruction, wires=tuple(rank[w] for w in instruction.wires)))
            columns += [column] * turns
        column += turns
    return Part(tuple(wires), Circuit(len(wires), tuple(inside)), np.array(columns, dtype=np.intp))


def _order(parts: tuple[Part, ...]) -> list[int]:
    """The wires in the order in which the outer product of the parts has them."""
    return [wire for part in parts for wire in part.wires]


def outer(parts: tuple[Part, ...], vectors: list[Array]) -> Array:
    """Vectors (B, 2^q) of the parts to one (B, 2^Q), wires in their own order."""
    batch, order = len(vectors[0]), _order(parts)
    total = _product(vectors)
    if order == sorted(order):
        return total
    axes = [0, *(1 + int(k) for k in np.argsort(order))]
    return total.reshape(batch, *[2] * len(order)).transpose(axes).reshape(batch, 1 << len(order))


def shares_of_outer(
    parts: tuple[Part, ...], cotangent: Floats, vectors: list[Floats]
) -> list[Floats]:
    """The cotangent (B, 2^q) of each part, when (B, 2^Q) belongs to :func:`outer`."""
    batch, order = len(cotangent), _order(parts)
    if order != sorted(order):
        axes = [0, *(1 + w for w in order)]
        cotangent = cotangent.reshape(batch, *[2] * len(order)).transpose(axes)
    return _contract(cotangent.reshape(batch, 1 << len(order)), vectors)


def _contract(cotangent: Floats, vectors: list[Floats]) -> list[Floats]:
    """Halve the list: contract one half with the outer product of the other, and go on."""
    if len(vectors) == 1:
        return [cotangent]
    batch, half = len(cotangent), len(vectors) // 2
    size = prod(v.shape[1] for v in vectors[:half])
    split = cotangent.reshape(batch, size, cotangent.shape[1] // size)
    left, right = (_product(vectors[:half]), _product(vectors[half:]))
    toward_left = np.matmul(split, right[:, :, None])[:, :, 0]
    toward_right = np.matmul(left[:, None, :], split)[:, 0, :]
    return _contract(toward_left, vectors[:half]) + _contract(toward_right, vectors[half:])


def _product(vectors: list[Array]) -> Array:
    """The outer product (B, 2^Q), the first vector slowest."""
    total = vectors[0]
    for vector in vectors[1:]:
        size = total.shape[1] * vector.shape[1]
        total = (total[:, :, None] * vector[:, None, :]).reshape(len(vector), size)
    return total


def combined(
    parts: tuple[Part, ...], runs: list[tuple[Array, AnglePullback]], angles: Floats, *, words: bool
) -> tuple[Array, AnglePullback]:
    """The output of the whole and its way back from those of the parts; ``words``.

    Of expectations.
    """
    vectors = [output for output, _ in runs]
    total = np.prod(vectors, axis=0) if words else outer(parts, vectors)

    def back(cotangent: Array) -> Floats:
        c = np.asarray(cotangent, dtype=np.float64)
        shares = shares_of_product(c, vectors) if words else shares_of_outer(parts, c, vectors)
        d_angles = np.zeros_like(angles)
        for part, (_, way_back), share in zip(parts, runs, shares, strict=True):
            d_angles[:, part.columns] = way_back(share)
        return d_angles

    return total, back


def restrict(measure: Measure, part: Part) -> Measure:
    """What a part measures of a measure of the whole."""
    if not isinstance(measure, Expectations):
        return measure
    return Expectations(tuple("".join(word[w] for w in part.wires) for word in measure.paulis))


def shares_of_product(cotangent: Floats, factors: list[Floats]) -> list[Floats]:
    """The cotangents (B, K) of each factor of an elementwise product of (B, K) arrays."""
    out = []
    for k in range(len(factors)):
        others = [f for i, f in enumerate(factors) if i != k]
        out.append(cotangent * np.prod(others, axis=0))
    return out
