"""The gates that Cirq and qsim have, by our names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qgen_core.circuits.gates import gate_spec
from qgen_core.errors import Unsupported


class QsimGate(NamedTuple):
    """A gate in terms of qsim.

    Args:
        kind: Name of the gate in ``qsimcirq.qsim``; empty for a gate that is passed as its matrix.
        shift: ``global_shift`` of a power gate, which has the exponent angle / pi; None for a gate
            without an angle.
        controlled: Whether the first wire controls.

    >>> GATES["crx"].qsim.controlled
    True
    """

    kind: str
    shift: float | None = None
    controlled: bool = False


class MappedGate(NamedTuple):
    """A gate in both packages.

    Args:
        cirq: Makes the gate from the module ``cirq`` and the angle in radians, which a gate without
            an angle ignores.
        qsim: The gate in terms of qsim.

    >>> import cirq
    >>> GATES["swap"].cirq(cirq, 0.0)
    cirq.SWAP
    """

    cirq: Callable[[Any, float], Any]
    qsim: QsimGate


def _half_turns(power_gate: str) -> Callable[[Any, float], Any]:
    """``exp(-i t G / 2)`` as a power gate of Cirq.

    It turns by t / pi half turns; the global shift makes the phases of its eigenvalues opposite.
    """

    def make(cirq: Any, angle: float) -> Any:
        return getattr(cirq, power_gate)(exponent=angle / np.pi, global_shift=-0.5)

    return make


def _matrix(name: str) -> Callable[[Any, float], Any]:
    """A gate without an angle that Cirq lacks, as its matrix."""
    return lambda cirq, _: cirq.MatrixGate(gate_spec(name).matrix())


_MATRIX = QsimGate("")

#: Every gate that the backends ``cirq`` and ``qsim`` have; others are refused.
GATES: dict[str, MappedGate] = {
    "h": MappedGate(lambda cirq, _: cirq.H, QsimGate("kH")),
    "x": MappedGate(lambda cirq, _: cirq.X, QsimGate("kX")),
    "y": MappedGate(lambda cirq, _: cirq.Y, QsimGate("kY")),
    "z": MappedGate(lambda cirq, _: cirq.Z, QsimGate("kZ")),
    "s": MappedGate(lambda cirq, _: cirq.S, QsimGate("kS")),
    "t": MappedGate(lambda cirq, _: cirq.T, QsimGate("kT")),
    "sx": MappedGate(lambda cirq, _: cirq.X**0.5, _MATRIX),
    "cx": MappedGate(lambda cirq, _: cirq.CNOT, QsimGate("kCX")),
    "cz": MappedGate(lambda cirq, _: cirq.CZ, QsimGate("kCZ")),
    "swap": MappedGate(lambda cirq, _: cirq.SWAP, QsimGate("kSWAP")),
    "ecr": MappedGate(_matrix("ecr"), _MATRIX),
    "rx": MappedGate(lambda cirq, t: cirq.Rx(rads=t), QsimGate("kXPowGate", -0.5)),
    "ry": MappedGate(lambda cirq, t: cirq.Ry(rads=t), QsimGate("kYPowGate", -0.5)),
    "rz": MappedGate(lambda cirq, t: cirq.Rz(rads=t), QsimGate("kZPowGate", -0.5)),
    "p": MappedGate(lambda cirq, t: cirq.ZPowGate(exponent=t / np.pi), QsimGate("kZPowGate", 0.0)),
    "rxx": MappedGate(_half_turns("XXPowGate"), QsimGate("kXXPowGate", -0.5)),
    "ryy": MappedGate(_half_turns("YYPowGate"), QsimGate("kYYPowGate", -0.5)),
    "rzz": MappedGate(_half_turns("ZZPowGate"), QsimGate("kZZPowGate", -0.5)),
    "crx": MappedGate(
        lambda cirq, t: cirq.ControlledGate(cirq.Rx(rads=t)),
        QsimGate("kXPowGate", -0.5, controlled=True),
    ),
    "cry": MappedGate(
        lambda cirq, t: cirq.ControlledGate(cirq.Ry(rads=t)),
        QsimGate("kYPowGate", -0.5, controlled=True),
    ),
    "crz": MappedGate(
        lambda cirq, t: cirq.ControlledGate(cirq.Rz(rads=t)),
        QsimGate("kZPowGate", -0.5, controlled=True),
    ),
}


def mapped_gate(name: str) -> MappedGate:
    """The gate of this name. Raises Unsupported for a gate that :data:`GATES` lacks.

    >>> mapped_gate("rz").qsim
    QsimGate(kind='kZPowGate', shift=-0.5, controlled=False)
    """
    if name not in GATES:
        raise Unsupported(
            f"qgen-cirq maps no gate {name!r} to Cirq and qsim; it has {', '.join(GATES)}"
        )
    return GATES[name]
