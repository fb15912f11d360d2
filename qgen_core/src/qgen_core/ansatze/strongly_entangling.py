"""Strongly entangling layers: rings of CNOTs whose range grows from layer to layer."""

from __future__ import annotations

from qgen_core.ansatze.blocks import ROT, Builder, Start
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption


def strongly_entangling(
    wires: int,
    *,
    inputs: int = 0,
    layers: int = 3,
    ranges: tuple[int, ...] | None = None,
    start: Start = "zero",
    reupload: bool = True,
) -> Circuit:
    """Rot on every wire, then a CNOT from each wire i to wire ``(i + r) mod Q``.

    ``ranges`` holds r for each layer; by default ``1 + layer mod (Q - 1)``. There are
    ``3Q layers`` parameters, in the order of PennyLane's weights (layers, Q, 3); one wire has no
    CNOTs. With ``inputs``, RX by an input comes on every wire before each layer, or before the
    first only (``reupload`` false).

    Source: Schuld et al., arXiv:1804.00633, as PennyLane's StronglyEntanglingLayers defines it.

    Raises BadOption for ranges that are not one number from 1 to Q - 1 a layer or less than one
    layer, BadCircuit when ``start`` does not fit the wires or inputs outnumber them.

    >>> strongly_entangling(4, layers=2).num_params
    24
    """
    if ranges is not None and (len(ranges) != layers or not all(0 < r < wires for r in ranges)):
        raise BadOption(
            f"ranges are {layers} numbers from 1 to {wires - 1}, one a layer, not {list(ranges)}"
        )
    build = Builder(wires)
    build.start(start)
    for layer in build.layers(layers, inputs, reupload):
        build.rotations(ROT)
        if wires == 1:
            continue
        reach = 1 + layer % (wires - 1)
        if ranges is not None:
            reach = ranges[layer]
        build.cnots((wire, (wire + reach) % wires) for wire in range(wires))
    return build.circuit()
