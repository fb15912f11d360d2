"""The noise model ``depolarizing``: a depolarizing channel after each gate."""

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
    """``rho -> (1 - rate) rho + rate 1/2^n`` on the n wires of each gate, directly after it.

    Args:
        circuit: the circuit without noise.
        measure: returned as it is.
        one_wire: rate after gates on one wire.
        two_wire: rate after gates on two wires.
        virtual: whether rz, p, z, s and t are changes of frame, without noise.
        scale: strength of the noise; 0 inserts no channel, 1 takes the rates as given.
        mode: ``semigroup`` scales a rate to ``1 - (1 - rate)^scale``, ``linear`` to
            ``scale * rate``, at most 4^n / (4^n - 1).

    Raises BadOption for rates that no channel has.

    >>> import qgen_core as qgen
    >>> noise = qgen.noise("depolarizing", one_wire=0.001, two_wire=0.01)
    >>> noisy, _ = noise(Circuit(2, (Gate("x", (0,)), Gate("cx", (0, 1)))), qgen.Probabilities())
    >>> [channel.wires for channel in noisy.channels]
    [(0,), (0, 1)]
    """
    noise = {1: _scaled(one_wire, 1, scale, mode), 2: _scaled(two_wire, 2, scale, mode)}

    def noise_of(gate: Gate) -> list[Channel]:
        kraus = noise[len(gate.wires)]
        if len(kraus) == 1 or (virtual and channels.is_virtual(gate)):
            return []
        return [Channel(kraus, gate.wires, "depolarizing")]

    return insert_after_gates(circuit, noise_of), measure


def _scaled(rate: float, wires: int, scale: float, mode: channels.Mode) -> channels.Kraus:
    """The channel of the scaled rate. Raises BadOption where the rate itself is none."""
    channels.depolarizing(rate, wires)
    return channels.depolarizing(channels.scale_depolarizing(rate, wires, scale, mode), wires)
