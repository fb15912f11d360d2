"""A circuit whose registers are correlated while each keeps a uniform distribution."""

from __future__ import annotations

from qgen_core.ansatze.blocks import Builder, register_wires
from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadCircuit


def copula(wires: int, *, registers: tuple[int, ...] = (), layers: int = 1) -> Circuit:
    """Bell pairs (two registers) or GHZ states (more) across registers, then local unitaries.

    Wire k of register 0 is entangled with wire k of every other register, so each register alone is
    maximally mixed, and no unitary within a register changes that: every feature stays uniform, as
    a copula requires. A layer is RZ, RX, RZ on each wire, then RXX on all pairs within each
    register. With R registers of n wires there are ``layers (3nR + R n(n-1)/2)`` parameters.

    Sources: Zhu et al., arXiv:2109.06315 (copula); QUARK 2.1.6, circuit_copula.py (the gates).

    Raises BadCircuit unless there are two registers or more of equal width, BadOption for less
    than one layer.

    >>> copula(8, registers=(4, 4)).num_params
    36
    """
    groups = register_wires(wires, registers)
    widths = {len(group) for group in groups}
    if len(groups) < 2 or len(widths) > 1:
        raise BadCircuit(
            f"a copula joins two or more registers of equal width, not {registers or (wires,)}; "
            "give every feature the same number of bits"
        )
    build = Builder(wires)
    for wire in groups[0]:
        build.gate("h", wire)
    for group in groups[1:]:
        build.cnots(zip(groups[0], group, strict=True))
    for _ in build.layers(layers):
        build.rotations(("rz", "rx", "rz"))
        build.pair_rotations("rxx", groups)
    return build.circuit()
