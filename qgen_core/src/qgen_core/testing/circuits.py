"""Circuits to try backends on, made of the gates that a backend has."""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np

from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, const, given, param
from qgen_core.circuits.gates import I2, PAULI, X, Y, Z, gate_spec
from qgen_core.typing import Floats, Rng

#: Gates of one wire that together reach any state, as far as a backend has them.
TURNS = ("ry", "rz", "rx", "h", "t", "sx", "p")


def turned(gates: Set[str], num_wires: int, rng: Rng) -> list[Gate]:
    """Constant rotations that bring every wire into a general place."""
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
    """A gate that turns a wire from 0 to 1; None if there is none."""
    if "x" in gates or "y" in gates:
        return Gate("x" if "x" in gates else "y", (wire,))
    name = next((name for name in ("rx", "ry") if name in gates), None)
    return None if name is None else Gate(name, (wire,), const(np.pi))


def placed(name: str, num_wires: int) -> list[tuple[int, ...]]:
    """Wires on which to try a gate: neighbours, the wrong way round, and with a wire between."""
    if gate_spec(name).wires == 1:
        return [(0,), (num_wires - 1,)]
    if gate_spec(name).wires > num_wires:
        return []
    if gate_spec(name).wires > 2:
        first = tuple(range(gate_spec(name).wires))
        last = tuple(range(num_wires - gate_spec(name).wires, num_wires))
        return list(dict.fromkeys((first, first[::-1], last)))
    pairs = [(0, 1), (1, 0), (num_wires - 1, 0), (0, num_wires - 1)]
    return list(dict.fromkeys(pairs))


def trained(gates: Set[str], num_wires: int, angles: int, rng: Rng) -> Circuit:
    """So many gates with an angle, of all names in turn, and others strewn in.

    Parameters are shared, scaled and offset; some angles are data inputs, some constants.
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
    """Angles (B, A) for random parameters and inputs."""
    sizes = (batch, circuit.num_params), (batch, circuit.num_inputs)
    params, inputs = (rng.uniform(-np.pi, np.pi, size) for size in sizes)
    return circuit.bind(params, inputs)


def words(num_wires: int, count: int, rng: Rng) -> tuple[str, ...]:
    """Pauli words, random ones after Z on each wire."""
    single = ["I" * w + "Z" + "I" * (num_wires - w - 1) for w in range(num_wires)]
    return (*single, *("".join(rng.choice(list("IXYZ"), num_wires)) for _ in range(count)))


def there_and_back(gates: Set[str], num_wires: int, length: int, rng: Rng) -> Circuit:
    """Half of so many gates, then their inverses in reverse order: the circuit does nothing."""
    fitting = []
    for name in sorted(gates):
        spec = gate_spec(name)
        if spec.wires <= num_wires and (spec.has_angle or spec.self_inverse):
            fitting.append(name)
    there, back = [], []
    for name in rng.choice(fitting, length // 2):
        wires = _wires(str(name), num_wires, rng)
        angle = float(rng.uniform(-np.pi, np.pi)) if gate_spec(str(name)).has_angle else None
        there.append(Gate(str(name), wires, None if angle is None else const(angle)))
        back.append(Gate(str(name), wires, None if angle is None else const(-angle)))
    return Circuit(num_wires, (*there, *reversed(back)))


def channels(num_wires: int, rng: Rng) -> Iterator[Channel]:
    """Channels of each sort.

    Depolarizing, damping, correlated flips of two wires, and a general one.
    """
    p = 0.2
    yield Channel(
        np.sqrt([[[1 - p]], [[p / 3]], [[p / 3]], [[p / 3]]]) * [I2, X, Y, Z],
        (num_wires - 1,),
        "depolarizing",
    )
    damping = np.array(
        [[[1, 0], [0, np.sqrt(0.7)]], [[0, np.sqrt(0.3)], [0, 0]]], dtype=np.complex128
    )
    yield Channel(damping, (0,), "damping")
    if num_wires > 1:
        both = np.sqrt([0.8, 0.2])[:, None, None] * [np.eye(4), np.kron(PAULI["X"], PAULI["Y"])]
        yield Channel(both, (num_wires - 1, 0), "correlated")
    width = min(2, num_wires)
    stacked = rng.normal(size=(3 * 2**width, 2**width)) + 1j * rng.normal(
        size=(3 * 2**width, 2**width)
    )
    isometry = np.linalg.qr(stacked)[0]
    yield Channel(isometry.reshape(3, 2**width, 2**width), tuple(range(width)), "general")


def _wires(name: str, num_wires: int, rng: Rng) -> tuple[int, ...]:
    return tuple(int(w) for w in rng.permutation(num_wires)[: gate_spec(name).wires])


def _angle(rng: Rng) -> Angle:
    scale, offset = (float(v) for v in rng.uniform(-2, 2, 2))
    kinds = [
        param(int(rng.integers(6)), scale, offset),
        param(int(rng.integers(6))),
        given(int(rng.integers(2)), scale),
    ]
    return kinds[int(rng.integers(3))]
