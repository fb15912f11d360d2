"""The phase feature map, and the inverse Fourier transform of a register."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

from qgen_core.circuits.circuit import Gate, const, given


def phase_map(wires: Sequence[int], index: int) -> list[Gate]:
    """Gates that prepare ``sum_k exp(i phi k) |k> / 2^(N/2)`` with phi the input ``index``.

    The first of the N wires is the most significant bit of k. With ``phi = 2 pi x / 2^N`` it is the
    Fourier transform of the basis state x, for integers x.

    >>> [(gate.wires, gate.angle.scale) for gate in phase_map([4, 5], 0) if gate.angle]
    [((5,), 1.0), ((4,), 2.0)]
    """
    hadamards = [Gate("h", (wire,)) for wire in wires]
    return hadamards + phases(wires, index)


def phases(wires: Sequence[int], index: int, sign: float = 1.0) -> list[Gate]:
    """Gates that turn ``|k>`` by ``exp(sign i phi k)`` with phi the input ``index``.

    >>> len(phases([0, 1, 2], 0))
    3
    """
    gates = []
    for place, wire in enumerate(reversed(wires)):
        gates.append(Gate("p", (wire,), given(index, scale=sign * 2**place)))
    return gates


def inverse_fourier(wires: Sequence[int]) -> list[Gate]:
    """The inverse Fourier transform ``|k> -> sum_x exp(-2 pi i x k / 2^N) |x> / 2^(N/2)``.

    The first wire is the most significant bit of k and of x.

    >>> [gate.name for gate in inverse_fourier([0])]
    ['h']
    """
    count = len(wires)
    gates = []
    for low in range(count // 2):
        gates.append(Gate("swap", (wires[low], wires[count - 1 - low])))
    for place in reversed(range(count)):
        for later in reversed(range(place + 1, count)):
            angle = -2 * pi / 2 ** (later - place + 1)
            gates += _controlled_phase(wires[later], wires[place], angle)
        gates.append(Gate("h", (wires[place],)))
    return gates


def _controlled_phase(control: int, target: int, angle: float) -> list[Gate]:
    """``diag(1, 1, 1, exp(i angle))`` on two wires."""
    return [
        Gate("p", (control,), const(angle / 2)),
        Gate("crz", (control, target), const(angle)),
    ]
