"""The noise model ``thermal-relaxation``: wires relax while gates act on them."""

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

    Idle wires do not relax, as in Qiskit Aer's device models. All times are in one unit.

    Args:
        circuit: the circuit without noise.
        measure: returned as it is.
        t1: decay time of populations.
        t2: decay time of coherences; it may exceed T1, up to 2 T1.
        one_wire_time: duration of gates on one wire.
        two_wire_time: duration of gates on two wires.
        excited: population of 1 in equilibrium.
        virtual: whether rz, p, z, s and t are changes of frame, which take no time.
        scale: factor on the durations (equivalently, T1 and T2 divided by it); 0 inserts no
            channel.

    Raises BadOption for times that no channel has.

    >>> import qgen_core as qgen
    >>> options = {"t1": 100.0, "t2": 80.0, "one_wire_time": 0.03, "two_wire_time": 0.3}
    >>> noise = qgen.noise("thermal-relaxation", **options)
    >>> noisy, _ = noise(Circuit(2, (Gate("x", (0,)), Gate("cx", (0, 1)))), qgen.Probabilities())
    >>> [channel.wires for channel in noisy.channels]
    [(0,), (0,), (1,)]
    """
    channels.check_scale(scale)
    noise = {
        1: channels.thermal_relaxation(t1, t2, scale * one_wire_time, excited=excited),
        2: channels.thermal_relaxation(t1, t2, scale * two_wire_time, excited=excited),
    }

    def noise_of(gate: Gate) -> list[Channel]:
        kraus = noise[len(gate.wires)]
        if len(kraus) == 1 or (virtual and channels.is_virtual(gate)):
            return []
        return [Channel(kraus, (wire,), "thermal relaxation") for wire in gate.wires]

    return insert_after_gates(circuit, noise_of), measure
