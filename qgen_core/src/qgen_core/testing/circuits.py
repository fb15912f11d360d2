"""Circuits for tests of backends, made of the gates that a backend has.

``gates`` are the names of these gates; all random numbers come from the generator that is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np

from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.gates import I2, X, Y, Z, gate_spec
from qgen_core.circuits.measures import pauli_z
from qgen_core.typing import Floats, Rng

#: Gates of one wire; any three of them, where a backend has three, together reach a general state.
TURNS = ("ry", "rz", "rx", "h", "t", "sx", "p")


def turned(gates: Set[str], num_wires: int, rng: Rng) -> list[Gate]:
    """Gates with constant random angles that take every wire to a general state.

    >>> [gate.name for gate in turned({"ry", "rz", "h"}, 1, np.random.default_rng(0))]
    ['ry', 'rz', 'h']
    """
    names = [name for name in TURNS if name in gates][:3]
    turned: list[Gate] = []
    for wire in range(num_wires):
        for name in names:
            if gate_spec(name).has_angle:
                angle = const(rng.uniform(-np.pi, np.pi))
                turned.append(Gate(name, (wire,), angle))
            else:
                turned.append(Gate(name, (wire,)))
    return turned


def flip(gates: Set[str], wire: int) -> Gate | None:
    """A gate that takes a wire from 0 to 1; None where there is none.

    >>> flip({"rx", "cz"}, 0).name
    'rx'
    """
    for name in ("x", "y"):
        if name in gates:
            return Gate(name, (wire,))
    for name in ("rx", "ry"):
        if name in gates:
            return Gate(name, (wire,), const(np.pi))
    return None


def placed(name: str, num_wires: int) -> list[tuple[int, ...]]:
    """Wires on which to test a gate: adjacent ones, in reverse order, and with a wire between.

    There are none for a gate on more wires than the circuit has.

    >>> placed("cx", 3)
    [(0, 1), (1, 0), (2, 0), (0, 2)]
    """
    width = gate_spec(name).wires
    last_wire = num_wires - 1
    if width == 1:
        return [(0,), (last_wire,)]
    if width > num_wires:
        return []
    places: tuple[tuple[int, ...], ...] = ((0, 1), (1, 0), (last_wire, 0), (0, last_wire))
    if width > 2:
        first = tuple(range(width))
        last = tuple(range(num_wires - width, num_wires))
        places = (first, first[::-1], last)
    return list(dict.fromkeys(places))  # each once, in this order


def trained(gates: Set[str], num_wires: int, angles: int, rng: Rng) -> Circuit:
    """A random circuit with this number of angles that are not constant.

    It begins with the gates of :func:`turned`. Then gates with an angle, of each name in turn, and
    gates without an angle alternate. Parameters are shared, scaled and offset, and some angles are
    data inputs.

    >>> circuit = trained({"ry", "crx", "h"}, 2, 4, np.random.default_rng(0))
    >>> circuit.counts["ry"] >= 2, circuit.counts["crx"]
    (True, 2)
    """
    fitting = [name for name in sorted(gates) if gate_spec(name).wires <= num_wires]
    turning = [name for name in fitting if gate_spec(name).has_angle]
    fixed = [name for name in fitting if not gate_spec(name).has_angle]
    order = [*rng.permutation(turning)] * angles
    instructions = turned(gates, num_wires, rng)
    for name in order[:angles]:
        instructions.append(Gate(str(name), _wires(str(name), num_wires, rng), _angle(rng)))
        if fixed:
            name = str(rng.choice(fixed))
            instructions.append(Gate(name, _wires(name, num_wires, rng)))
    return Circuit(num_wires, tuple(instructions))


def rows(circuit: Circuit, batch: int, rng: Rng) -> Floats:
    """Angles (B, A) for random parameters and inputs.

    >>> rows(Circuit(1, (Gate("ry", (0,), param(0)),)), 5, np.random.default_rng(0)).shape
    (5, 1)
    """
    params = rng.uniform(-np.pi, np.pi, (batch, circuit.num_params))
    inputs = rng.uniform(-np.pi, np.pi, (batch, circuit.num_inputs))
    return circuit.bind(params, inputs)


def words(num_wires: int, count: int, rng: Rng) -> tuple[str, ...]:
    """Pauli words: Z on each wire, then this number of random ones.

    >>> words(2, 1, np.random.default_rng(0))[:2]
    ('ZI', 'IZ')
    """
    found = list(pauli_z(num_wires).paulis)
    for _ in range(count):
        letters = rng.choice(list("IXYZ"), num_wires)
        found.append("".join(letters))
    return tuple(found)


def there_and_back(gates: Set[str], num_wires: int, length: int, rng: Rng) -> Circuit:
    """A circuit that does nothing: half of ``length`` gates, then their inverses in reverse order.

    >>> circuit = there_and_back({"rx", "cx"}, 2, 10, np.random.default_rng(0))
    >>> len(circuit.gates)
    10
    """
    fitting = []
    for name in sorted(gates):
        spec = gate_spec(name)
        if spec.wires <= num_wires and (spec.has_angle or spec.self_inverse):
            fitting.append(name)
    there = []
    back = []
    for chosen in rng.choice(fitting, length // 2):
        name = str(chosen)
        wires = _wires(name, num_wires, rng)
        if gate_spec(name).has_angle:
            angle = float(rng.uniform(-np.pi, np.pi))
            there.append(Gate(name, wires, const(angle)))
            back.append(Gate(name, wires, const(-angle)))
        else:
            there.append(Gate(name, wires))
            back.append(Gate(name, wires))
    return Circuit(num_wires, (*there, *reversed(back)))


def channels(num_wires: int, rng: Rng) -> Iterator[Channel]:
    """Channels of each kind.

    Depolarizing, amplitude damping, correlated flips of two wires (on two or more wires), and a
    random one.

    >>> [channel.name for channel in channels(1, np.random.default_rng(0))]
    ['depolarizing', 'damping', 'general']
    """
    p = 0.2
    weights = np.sqrt([[[1 - p]], [[p / 3]], [[p / 3]], [[p / 3]]])
    yield Channel(weights * [I2, X, Y, Z], (num_wires - 1,), "depolarizing")
    damping = np.array(
        [[[1, 0], [0, np.sqrt(0.7)]], [[0, np.sqrt(0.3)], [0, 0]]], dtype=np.complex128
    )
    yield Channel(damping, (0,), "damping")
    if num_wires > 1:
        both = np.sqrt([0.8, 0.2])[:, None, None] * [np.eye(4), np.kron(X, Y)]
        yield Channel(both, (num_wires - 1, 0), "correlated")
    width = min(2, num_wires)
    shape = (3 * 2**width, 2**width)
    stacked = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    isometry = np.linalg.qr(stacked)[0]
    yield Channel(isometry.reshape(3, 2**width, 2**width), tuple(range(width)), "general")


def _wires(name: str, num_wires: int, rng: Rng) -> tuple[int, ...]:
    """Random wires for a gate."""
    order = rng.permutation(num_wires).tolist()
    return tuple(order[: gate_spec(name).wires])


def _angle(rng: Rng) -> Angle:
    """A parameter with a scale and an offset, a parameter, or an input with a scale."""
    scale, offset = rng.uniform(-2, 2, 2).tolist()
    kinds = [
        param(int(rng.integers(6)), scale, offset),
        param(int(rng.integers(6))),
        given(int(rng.integers(2)), scale),
    ]
    return kinds[int(rng.integers(3))]
