"""The hardware-efficient ansatz: RY and RZ on every wire, CNOTs along the line."""

from __future__ import annotations

from qgen_core.ansatze.blocks import Builder, Start, chain
from qgen_core.circuits.circuit import Circuit


def hardware_efficient(
    wires: int, *, inputs: int = 0, layers: int = 3, start: Start = "zero", reupload: bool = True
) -> Circuit:
    """RY and RZ on every wire, then CNOTs (0,1), (1,2), ...; RY and RZ at the end.

    There are ``2Q (layers + 1)`` parameters. With ``inputs``, RX by an input comes on every wire
    before each layer, or before the first only (``reupload`` false). Six wires, six layers and the
    start plus are the 84-parameter generator of Qiskit Machine Learning's quantum GAN tutorial but
    for the order of its CNOTs.

    Source: Kandala et al., Nature 549 (2017) 242, arXiv:1704.05018, with CNOTs as entangler.

    Raises BadCircuit when ``start`` does not fit the wires or inputs outnumber them, BadOption
    for less than one layer.

    >>> hardware_efficient(6, layers=6, start="plus").num_params
    84
    """
    build = Builder(wires)
    build.start(start)
    for _ in build.layers(layers, inputs, reupload):
        build.rotations(("ry", "rz"))
        build.cnots(chain(0, wires - 1))
    build.rotations(("ry", "rz"))
    return build.circuit()
