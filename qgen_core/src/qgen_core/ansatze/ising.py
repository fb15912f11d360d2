"""Ising evolution in each register, registers entangled by their first wires."""

from __future__ import annotations

from qgen_core.ansatze.blocks import Builder, register_wires
from qgen_core.circuits.circuit import Circuit


def ising(
    wires: int,
    *,
    inputs: int = 0,
    registers: tuple[int, ...] = (),
    layers: int = 1,
    reupload: bool = True,
) -> Circuit:
    """A GHZ state on the first wires of the registers, then layers of Ising evolution in each.

    H on the first wire of register 0 and CNOTs from it to the first wires of the others entangle
    the features by their most significant bits; nothing else joins registers. A layer is RZZ on
    all pairs within each register, then RZ and RX on each wire: a Trotter step of the
    transverse-field Ising model. The mixing RX comes last, because RZ and RZZ before a measurement
    of bits change nothing. With R registers of n wires there are ``R (2n + n(n-1)/2)`` parameters a
    layer. With ``inputs``, RX by an input comes on every wire before each layer, or before the
    first only (``reupload`` false). Without inputs the first RZZ and RZ act on the GHZ state as one
    phase; take two layers or more.

    Sources: Kiss et al., arXiv:2205.07674 (registers, entangler, re-uploading); Coyle et al.,
    arXiv:1904.02214 (Ising evolution). Axes and order of the gates are our reading.

    Raises BadCircuit when registers do not add up to the wires or inputs outnumber them,
    BadOption for less than one layer.

    >>> ising(12, registers=(4, 4, 4)).num_params
    42
    """
    groups = register_wires(wires, registers)
    build = Builder(wires)
    build.gate("h", 0)
    build.cnots((0, group[0]) for group in groups[1:])
    for _ in build.layers(layers, inputs, reupload):
        build.pair_rotations("rzz", groups)
        build.rotations(("rz", "rx"))
    return build.circuit()
