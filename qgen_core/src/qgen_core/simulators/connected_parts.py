"""Circuits that fall into unconnected parts: finding the parts, and combining exact results.

Parts that no gate connects are independent, so probabilities are an outer product of theirs and
Pauli expectations a product. Simulating them one by one takes exponentially less memory.
"""

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
    """Wires that gates or channels connect, the circuit on them, and its columns of the angles."""

    wires: tuple[int, ...]
    circuit: Circuit
    columns: NDArray[np.intp]


def find_parts(circuit: Circuit) -> tuple[Part, ...]:
    """Connected parts in the order of their first wires.

    >>> circuit = Circuit(3, (Gate("cx", (0, 2)), Gate("h", (1,))))
    >>> [part.wires for part in find_parts(circuit)]
    [(0, 2), (1,)]
    """
    roots = list(range(circuit.num_wires))  # a forest: each wire's parent, or itself

    def root_of(wire: int) -> int:
        while roots[wire] != wire:
            roots[wire] = roots[roots[wire]]
            wire = roots[wire]
        return wire

    for instruction in circuit.instructions:
        for other in instruction.wires[1:]:
            first = root_of(instruction.wires[0])
            second = root_of(other)
            roots[max(first, second)] = min(first, second)
    members: dict[int, list[int]] = {}
    for wire in range(circuit.num_wires):
        members.setdefault(root_of(wire), []).append(wire)
    if len(members) == 1:
        return (Part(tuple(range(circuit.num_wires)), circuit, np.arange(circuit.num_angles)),)
    return tuple(_part(circuit, members[root]) for root in sorted(members))


def _part(circuit: Circuit, wires: list[int]) -> Part:
    place_of = {wire: place for place, wire in enumerate(wires)}
    instructions: list[Instruction] = []
    columns: list[int] = []
    column = 0
    for instruction in circuit.instructions:
        inside = instruction.wires[0] in place_of
        if inside:
            places = tuple(place_of[wire] for wire in instruction.wires)
            instructions.append(replace(instruction, wires=places))
        if isinstance(instruction, Gate) and instruction.angle is not None:
            if inside:
                columns.append(column)
            column += 1
    part = Circuit(len(wires), tuple(instructions))
    return Part(tuple(wires), part, np.array(columns, dtype=np.intp))


def restrict(measure: Measure, part: Part) -> Measure:
    """What is measured of one part, for a measure of the whole circuit.

    >>> parts = find_parts(Circuit(3, (Gate("cx", (0, 2)),)))
    >>> restrict(Expectations(("XYZ",)), parts[0]).paulis
    ('XZ',)
    """
    if not isinstance(measure, Expectations):
        return measure
    words = []
    for word in measure.paulis:
        letters = [word[wire] for wire in part.wires]
        words.append("".join(letters))
    return Expectations(tuple(words))


def combined(
    parts: tuple[Part, ...],
    results: list[tuple[Array, AnglePullback]],
    angles: Floats,
    *,
    words: bool,
) -> tuple[Array, AnglePullback]:
    """Output and pullback of the whole circuit from those of its parts.

    ``angles`` (B, A) are those of the whole circuit; for ``words`` see :func:`combined_output`.
    """
    outputs = [output for output, _ in results]

    def pullback(cotangent: Array) -> Floats:
        c = np.asarray(cotangent, dtype=np.float64)
        if words:
            cotangents = cotangents_of_product(c, outputs)
        else:
            cotangents = cotangents_of_outer(parts, c, outputs)
        d_angles = np.zeros_like(angles)
        for part, (_, of_part), one in zip(parts, results, cotangents, strict=True):
            d_angles[:, part.columns] = of_part(one)
        return d_angles

    return combined_output(parts, outputs, words=words), pullback


def combined_output(parts: tuple[Part, ...], outputs: list[Array], *, words: bool) -> Array:
    """The output of the whole circuit from those of its parts.

    With ``words`` the outputs are expectations of Pauli words (B, words), which multiply; else they
    are probabilities or states (B, 2^q), which form an outer product.
    """
    if words:
        return np.asarray(np.prod(outputs, axis=0))
    return outer(parts, outputs)


def outer(parts: tuple[Part, ...], vectors: list[Array]) -> Array:
    """The outer product (B, 2^Q) of vectors (B, 2^q) of the parts, in the order of the wires.

    >>> parts = find_parts(Circuit(2, ()))
    >>> outer(parts, [np.array([[0.0, 1.0]]), np.array([[0.25, 0.75]])])
    array([[0.  , 0.  , 0.25, 0.75]])
    """
    batch = len(vectors[0])
    order = _wire_order(parts)
    total = _product(vectors)
    if order == sorted(order):
        return total
    axes = [0]
    for place in np.argsort(order):
        axes.append(1 + int(place))
    split = total.reshape(batch, *[2] * len(order))
    return split.transpose(axes).reshape(batch, 1 << len(order))


def cotangents_of_outer(
    parts: tuple[Part, ...], cotangent: Floats, vectors: list[Floats]
) -> list[Floats]:
    """The cotangent (B, 2^q) of each vector, from that (B, 2^Q) of their :func:`outer` product."""
    batch = len(cotangent)
    order = _wire_order(parts)
    if order != sorted(order):
        axes = [0]
        for wire in order:
            axes.append(1 + wire)
        cotangent = cotangent.reshape(batch, *[2] * len(order)).transpose(axes)
    return _contract(cotangent.reshape(batch, 1 << len(order)), vectors)


def cotangents_of_product(cotangent: Floats, factors: list[Floats]) -> list[Floats]:
    """The cotangent (B, K) of each factor of an elementwise product of (B, K) arrays.

    >>> cotangents_of_product(np.array([[1.0]]), [np.array([[2.0]]), np.array([[3.0]])])
    [array([[3.]]), array([[2.]])]
    """
    cotangents = []
    for place in range(len(factors)):
        others = factors[:place] + factors[place + 1 :]
        cotangents.append(cotangent * np.prod(others, axis=0))
    return cotangents


def _wire_order(parts: tuple[Part, ...]) -> list[int]:
    """The wires in the order in which the outer product of the parts has them."""
    order: list[int] = []
    for part in parts:
        order += part.wires
    return order


def _contract(cotangent: Floats, vectors: list[Floats]) -> list[Floats]:
    """The cotangent of each vector of an outer product.

    Each half of the vectors is contracted with the product of the other half, and so on in the
    halves: the work is that of a few passes over the cotangent, for any number of parts.
    """
    if len(vectors) == 1:
        return [cotangent]
    batch = len(cotangent)
    half = len(vectors) // 2
    size = prod(vector.shape[1] for vector in vectors[:half])
    split = cotangent.reshape(batch, size, cotangent.shape[1] // size)
    left = _product(vectors[:half])
    right = _product(vectors[half:])
    of_left = np.matmul(split, right[:, :, None])[:, :, 0]
    of_right = np.matmul(left[:, None, :], split)[:, 0, :]
    return _contract(of_left, vectors[:half]) + _contract(of_right, vectors[half:])


def _product(vectors: list[Array]) -> Array:
    """The outer product (B, 2^Q), the first vector slowest."""
    total = vectors[0]
    for vector in vectors[1:]:
        size = total.shape[1] * vector.shape[1]
        total = (total[:, :, None] * vector[:, None, :]).reshape(len(vector), size)
    return total
