"""The trainable circuit of the Quantum Angle Generator under its published name, a stand-in."""

from __future__ import annotations

from qgen_core.ansatze.qag_chain import qag_chain
from qgen_core.circuits.circuit import Circuit


class Clic8:
    """A stand-in for the ansatz clic8: layers of RY and a chain of CNOTs, RY at the end.

    The gates of clic8 are only in a figure of the paper that is not available as text, so this is
    our reading: RY on every wire and CNOTs (0,1), (1,2), ... in each layer, and RY on every wire at
    the end. There are ``Q (layers + 1)`` parameters, 24 on 8 wires. With ``inputs``, which are the
    conditions of a model, RY by an input comes on every wire before each layer; wire w takes the
    input w modulo ``inputs``.

    Source: the name is that of Monaco et al. (EPS-HEP 2025), table 1 and figure 4; the gates are
    ours (docs/readings.md).

    The circuit is made by a call. It raises BadCircuit when inputs outnumber the wires, and
    BadOption for less than one layer.

    >>> Clic8()
    Clic8(layers=2, a stand-in for the published circuit)
    >>> Clic8()(8).num_params
    24
    """

    def __init__(self, *, layers: int = 2) -> None:
        self.layers = layers

    def __repr__(self) -> str:
        return f"Clic8(layers={self.layers}, a stand-in for the published circuit)"

    def __call__(self, wires: int, *, inputs: int = 0, registers: tuple[int, ...] = ()) -> Circuit:
        """The circuit on some wires; ``registers`` have no effect."""
        return qag_chain(wires, inputs=inputs, layers=self.layers, reupload=True)
