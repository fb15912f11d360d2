"""Ansatz 1 of Delgado and Hamilton: rotations and CNOTs in a brick-wall pattern."""

from __future__ import annotations

from qgen_core.ansatze.blocks import ROT, Builder, Start, chain
from qgen_core.circuits.circuit import Circuit


def brick(
    wires: int, *, inputs: int = 0, layers: int = 6, start: Start = "zero", reupload: bool = True
) -> Circuit:
    """Layers of Rot, CNOTs on (0,1), (2,3), ..., Rot, and CNOTs on (1,2), (3,4), ....

    Rot acts on all wires, but the second one of a layer only on the wires of the second CNOTs.
    After the last layer follows one more Rot on all wires. There are
    ``3 layers (2Q - 2) + 3Q`` parameters for an even number Q of wires and
    ``3 layers (2Q - 1) + 3Q`` for an odd one, and ``layers (Q - 1)`` CNOTs, the control on the
    lower wire. With ``inputs``, RX by an input comes on every wire before each layer, or
    before the first only (``reupload`` false).

    Source: Delgado and Hamilton, arXiv:2203.03578, section III. The parameter counts are the
    paper's; rotations before CNOTs and the direction of the CNOTs are our reading.

    Raises BadCircuit when ``start`` does not fit the wires or inputs outnumber them, BadOption
    for less than one layer.

    >>> [brick(8, layers=n).num_params for n in (1, 3, 6, 9)]
    [66, 150, 276, 402]
    """
    build = Builder(wires)
    build.start(start)
    odd = chain(1, wires - 1, 2)
    inner = range(1, 1 + 2 * len(odd))
    for _ in build.layers(layers, inputs, reupload):
        build.rotations(ROT)
        build.cnots(chain(0, wires - 1, 2))
        build.rotations(ROT, inner)
        build.cnots(odd)
    build.rotations(ROT)
    return build.circuit()
