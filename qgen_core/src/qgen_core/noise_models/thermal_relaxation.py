"""Noise ``thermal-relaxation``: wires relax while gates act on them."""

from __future__ import annotations

from qgen_core.circuits.circuit import Channel, Circuit, Gate
from qgen_core.circuits.measures import Measure
from qgen_core.noise_models import channels
from qgen_core.noise_models.insertion import insert_after_gates


def thermal_relaxation(
    circuit: Circuit,
    measure: Measure,
    *,
    t1: float,
    t2: float,
    one_wire_time: float,
    two_wire_time: float,
    excited: float = 0.0,
    virtual: bool = True,
    scale: float = 1.0,
) -> tuple[Circuit, Measure]:
    """Relaxation with T1 and T2 on each wire of a gate, for the time that the gate takes.

    All times in one unit. T2 may exceed T1, up to 2 T1. ``excited`` is the population of 1 in
    equilibrium. ``virtual`` true: rz, p, z, s and t are changes of frame and take no time. Wires on
    which no gate acts do not relax meanwhile, as in Qiskit Aer's models of devices. ``scale`` makes
    the times of gates longer (or T1 and T2 shorter, which is the same); 0: no channel. Raises
    BadOption for times that no channel has.
    """
    channels.check_scale(scale)
    noise = {
        n: channels.thermal_relaxation(t1, t2, scale * time, excited=excited)
        for n, time in ((1, one_wire_time), (2, two_wire_time))
    }

    def noise_of(gate: Gate) -> list[Channel]:
        kraus = noise[len(gate.wires)]
        if len(kraus) == 1 or (virtual and channels.is_virtual(gate)):
            return []
        return [Channel(kraus, (wire,), "thermal relaxation") for wire in gate.wires]

    return insert_after_gates(circuit, noise_of), measure
