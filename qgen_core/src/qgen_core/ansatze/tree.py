"""Ansatz 2 of Delgado and Hamilton: trees of CNOTs inside separate blocks of wires."""

from __future__ import annotations

from typing import Literal

from qgen_core.ansatze.blocks import ROT, Builder, Start, chain
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadCircuit, BadOption


def tree(
    wires: int,
    *,
    inputs: int = 0,
    layers: int = 12,
    shape: Literal["star", "path"] = "star",
    block: int = 4,
    start: Start = "zero",
    reupload: bool = True,
) -> Circuit:
    """Rot on all wires, then CNOTs along a tree inside each block of wires; Rot at the end.

    Blocks are never entangled with each other, so from the start ``zero`` or ``bell`` the
    outcomes of different blocks are independent. ``shape`` star: the second wire of a block
    controls the others; path: each wire controls the next. There are ``3 (layers + 1) Q``
    parameters. With ``inputs``, RX by an input comes on every wire before each layer, or before
    the first only (``reupload`` false).

    Source: Delgado and Hamilton, arXiv:2203.03578, section III. The counts and the blocks of
    four are the paper's; the edges of the tree are our reading.

    Raises BadCircuit when ``block`` or ``start`` does not fit the wires or inputs outnumber
    them, BadOption for less than one layer or another shape.

    >>> tree(8).num_params, tree(8).counts["cx"]
    (312, 72)
    """
    if shape not in ("star", "path"):
        raise BadOption(f"shape is star or path, not {shape!r}")
    if block < 2 or wires % block:
        divisors = [str(number) for number in range(2, wires + 1) if wires % number == 0]
        if not divisors:
            raise BadCircuit(f"{wires} wires do not make blocks of 2 or more; take more wires")
        raise BadCircuit(
            f"{wires} wires do not make blocks of {block}; set block to one of "
            f"{', '.join(divisors)}"
        )
    edges: list[tuple[int, int]] = []
    for first in range(0, wires, block):
        last = first + block - 1
        if shape == "path":
            edges += chain(first, last)
            continue
        hub = first + 1
        edges += [(hub, wire) for wire in range(first, last + 1) if wire != hub]
    build = Builder(wires)
    build.start(start)
    for _ in build.layers(layers, inputs, reupload):
        build.rotations(ROT)
        build.cnots(edges)
    build.rotations(ROT)
    return build.circuit()
