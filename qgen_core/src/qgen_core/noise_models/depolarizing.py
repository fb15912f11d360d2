"""Noise ``depolarizing``: after each gate, its wires forget everything with some probability."""

from __future__ import annotations

from qgen_core.circuits.circuit import Channel, Circuit, Gate
from qgen_core.circuits.measures import Measure
from qgen_core.noise_models import channels
from qgen_core.noise_models.insertion import insert_after_gates


def depolarizing(
    circuit: Circuit,
    measure: Measure,
    *,
    one_wire: float = 0.001,
    two_wire: float = 0.01,
    virtual: bool = True,
    scale: float = 1.0,
    mode: channels.Mode = "semigroup",
) -> tuple[Circuit, Measure]:
    """``rho -> (1 - rate) rho + rate 1/2^n`` on the wires of each gate, right behind it.

    ``one_wire`` and ``two_wire`` are the rates. ``virtual`` true: rz, p, z, s and t are changes of
    frame, without noise. ``scale`` makes it stronger or weaker, exact at 0 (no channel) and 1; mode
    ``semigroup``: ``1 - (1 - rate)^scale``; mode ``linear``: ``scale * rate``, at most
    4^n / (4^n - 1). Raises BadOption for rates that no channel has.
    """
    noise = {
        n: channels.depolarizing(channels.scale_depolarizing(rate, n, scale, mode), n)
        for n, rate in ((1, _checked(one_wire, 1)), (2, _checked(two_wire, 2)))
    }

    def noise_of(gate: Gate) -> list[Channel]:
        kraus = noise[len(gate.wires)]
        if len(kraus) == 1 or (virtual and channels.is_virtual(gate)):
            return []
        return [Channel(kraus, gate.wires, "depolarizing")]

    return insert_after_gates(circuit, noise_of), measure


def _checked(rate: float, wires: int) -> float:
    channels.depolarizing(rate, wires)
    return rate
