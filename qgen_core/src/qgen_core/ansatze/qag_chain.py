"""The quantum angle generator's default circuit: RY and a chain of CNOTs."""

from __future__ import annotations

from qgen_core.ansatze.blocks import Builder, chain
from qgen_core.circuits.circuit import Circuit


def qag_chain(wires: int, *, inputs: int = 0, layers: int = 2, reupload: bool = False) -> Circuit:
    """RY by an input on every wire, then layers of RY and CNOTs (0,1), (1,2), ...; RY at the end.

    The inputs are random angles, so that each image is different; wire w takes the input w modulo
    ``inputs``, so give as many inputs as wires. With ``reupload`` they come before each layer, as
    conditions do. There are ``Q (layers + 1)`` parameters. The generator ``qag`` puts random angles
    before any ansatz, so it builds this one with its conditions as inputs, or without inputs.

    Source: a stand-in for the circuit clic8 of Monaco et al. (EPS-HEP 2025) and Rehm et al.,
    arXiv:2307.05253, whose gates are not published in text; the count of 24 at 8 wires is ours.

    Raises BadCircuit when inputs outnumber the wires, BadOption for less than one layer.

    >>> qag_chain(8, inputs=8).num_params
    24
    """
    build = Builder(wires)
    for layer in build.layers(layers):
        if reupload or layer == 0:
            build.encode(inputs, "ry")
        build.rotations(("ry",))
        build.cnots(chain(0, wires - 1))
    build.rotations(("ry",))
    return build.circuit()
