"""Liu and Wang's ansatz: CNOTs along the Chow-Liu tree of the training bits."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from qgen_core.ansatze.blocks import Builder
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.typing import Floats

#: Number of events whose bits are converted to floats at once.
_ROWS = 2**16


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
    information = mutual_information(*_training_bits(data, wires))
    # rounded, so that rounding errors do not decide between edges of equal information
    edges = chow_liu_tree(np.round(information, 12))
    build = Builder(wires)
    for layer in build.layers(layers, inputs, reupload):
        if layer == 0:
            build.rotations(("rx", "rz"))
        else:
            build.rotations(("rz", "rx", "rz"))
        build.cnots(edges)
    build.rotations(("rz", "rx"))
    return build.circuit()


def mutual_information(bits: NDArray[np.generic], weight: Floats) -> Floats:
    """Mutual information (Q, Q) in nats of each pair of columns of bits (N, Q) under weights (N,).

    The diagonal holds the entropies. Frequencies below zero, from negative weights, count as 0.

    >>> equal_bits = np.array([[0, 0], [1, 1]])
    >>> mutual_information(equal_bits, np.ones(2)).round(4).tolist()  # ln 2
    [[0.6931, 0.6931], [0.6931, 0.6931]]
    """
    both = np.zeros((bits.shape[1], bits.shape[1]))
    for start in range(0, len(bits), _ROWS):  # a float copy of all bits could exceed memory
        rows = bits[start : start + _ROWS].astype(np.float64)
        both += rows.T @ (rows * weight[start : start + _ROWS, None])
    ones = np.diag(both)
    total = float(weight.sum())
    first = ones[:, None] - both
    second = ones[None, :] - both
    neither = total - both - first - second
    joint = np.stack([[neither, second], [first, both]]).transpose(2, 3, 0, 1)
    joint = np.clip(joint, 0.0, None)
    joint /= joint.sum(axis=(2, 3), keepdims=True)
    independent = joint.sum(axis=3, keepdims=True) * joint.sum(axis=2, keepdims=True)
    information: Floats = rel_entr(joint, independent).sum(axis=(2, 3))
    return information


def chow_liu_tree(information: Floats) -> list[tuple[int, int]]:
    """Edges (parent, child) of the maximum spanning tree of an information (Q, Q), root 0.

    Prim's algorithm; of equal edges that with the lowest numbers is taken, so that equal data give
    equal circuits.

    >>> chow_liu_tree(np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0.0]]))
    [(0, 2), (2, 1)]
    """
    edges: list[tuple[int, int]] = []
    inside = [0]
    outside = list(range(1, len(information)))
    while outside:
        candidates = product(inside, outside)
        parent, child = max(candidates, key=lambda edge: (information[edge], -edge[0], -edge[1]))
        edges.append((parent, child))
        inside.append(child)
        outside.remove(child)
    return edges


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
