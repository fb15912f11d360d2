"""A multi-scale circuit that goes from few wires to all: a MERA used for upsampling."""

from __future__ import annotations

from itertools import chain

from qgen_core.ansatze.blocks import Builder
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadCircuit


def mera_up(wires: int, *, inputs: int = 0) -> Circuit:
    """Blocks (RY, RY, CNOT) on pairs at distance Q/2, then Q/4, down to neighbours.

    At each scale of distance d the wires 0, d, 2d, ... are in use. Blocks on (0, d), (2d, 3d), ...
    bring in new wires, then blocks on the offset pairs (d, 2d), (3d, 4d), ... join them across. The
    wires are a line, not a ring. There are ``2 (2Q - 2 - log2 Q)`` parameters. With ``inputs``, RY
    by an input comes on every wire first; wire w takes the input w modulo ``inputs``.

    Source: the MERA-upsampling circuit that Rehm et al., arXiv:2307.05253, name as their best; its
    gates are our reading.

    Raises BadCircuit unless the number of wires is a power of two from 2 on, and when inputs
    outnumber them.

    >>> mera_up(8, inputs=8).num_params
    22
    """
    if wires < 2 or wires & (wires - 1):
        raise BadCircuit(
            f"mera-up halves its distances, so wires are 2, 4, 8, 16, ..., not {wires}"
        )
    build = Builder(wires)
    build.encode(inputs, "ry")
    distance = wires // 2
    while distance:
        for first in (0, distance):
            lower = range(first, wires - distance, 2 * distance)
            pairs = [(wire, wire + distance) for wire in lower]
            build.rotations(("ry",), list(chain.from_iterable(pairs)))
            build.cnots(pairs)
        distance //= 2
    return build.circuit()
