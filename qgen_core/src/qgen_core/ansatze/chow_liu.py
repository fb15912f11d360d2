"""Liu and Wang's ansatz: CNOTs along the Chow-Liu tree of the training bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.ansatze.blocks import Builder
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.support.dependence_tree import dependence_tree, joint_counts, mutual_information
from qgen_core.typing import Floats


def chow_liu(
    wires: int,
    *,
    inputs: int = 0,
    data: Events | None = None,
    layers: int = 10,
    reupload: bool = True,
) -> Circuit:
    """Rotations RZ RX RZ on every wire, and between them CNOTs where the data's bits depend most.

    The CNOTs follow the maximum spanning tree of the pairwise mutual information of ``data``, bits
    (N, wires) with optional weights; each goes from the wire nearer to wire 0 to the other (the
    paper draws the directions at random). RZ at the very beginning and end are left out, so there
    are ``(3 layers + 1) Q`` parameters. With ``inputs``, RX by an input comes on every wire before
    each layer, or before the first only (``reupload`` false).

    Source: Liu and Wang, arXiv:1804.04168, section II and figure 1; Chow and Liu, IEEE Trans.
    Inf. Theory 14 (1968) 462.

    Raises BadOption without such data or with less than one layer, BadCircuit when inputs
    outnumber the wires.

    >>> bits = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=np.int8)
    >>> circuit = chow_liu(3, data=Events(bits), layers=1)
    >>> circuit.num_params, circuit.counts["cx"]
    (12, 2)
    """
    bits, weights = _training_bits(data, wires)
    levels = np.full(wires, 2)
    information = mutual_information(joint_counts(bits, levels, weights), levels)
    edges = dependence_tree(information)
    build = Builder(wires)
    for layer in build.layers(layers, inputs, reupload):
        if layer == 0:
            build.rotations(("rx", "rz"))
        else:
            build.rotations(("rz", "rx", "rz"))
        build.cnots(edges)
    build.rotations(("rz", "rx"))
    return build.circuit()


def _training_bits(data: Events | None, wires: int) -> tuple[NDArray[np.generic], Floats]:
    if data is None or len(data) == 0:
        raise BadOption(
            "chow-liu computes its tree from training bits; give it data, Events of bits (N, wires)"
        )
    bits = data.x
    if bits.shape[1] != wires or not np.all((bits == 0) | (bits == 1)):
        raise BadOption(
            f"chow-liu on {wires} wires needs data of {wires} bits, not {bits.shape[1]} columns "
            f"from {bits.min():g} to {bits.max():g}; encode the events to bits first"
        )
    return bits, data.weights
