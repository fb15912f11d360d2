"""What a noise model makes of a circuit, for backends that wrap a backend.

They see angles alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from qgen_core.circuits.circuit import Angle, Circuit, Gate, Instruction
from qgen_core.circuits.measures import Expectations, Measure, confusion_of
from qgen_core.errors import BadOption
from qgen_core.interfaces import Noise
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Floats

#: Measures of one circuit whose mapped circuits are kept.
KEPT = 16


@dataclass(frozen=True)
class Mapped:
    """A noisy circuit and measure, with the map from the original angles to its own.

    A noise model may turn one rotation into several, each an affine function of one angle. The map
    is then that of :meth:`Circuit.bind`, with the angles of the original in the place of
    parameters. ``same`` says that the angles are the same; else ``columns`` is the A of the
    original.
    """

    circuit: Circuit
    measure: Measure
    same: bool
    columns: int = 0

    def angles(self, angles: Floats) -> Floats:
        """From angles (B, A) of the original to those (B, A') of the mapped circuit.

        Raises BadOption for another A.
        """
        if self.same:
            return angles
        if np.ndim(angles) != 2 or np.shape(angles)[1] != self.columns:
            raise BadOption(
                f"angles have the shape {np.shape(angles)}; the circuit needs (B, {self.columns})"
            )
        return self.circuit.bind(angles[:, : self.circuit.num_params])

    def pullback(self, d_angles: Floats, columns: int) -> Floats:
        """From d loss / d angles (B, A') to those (B, A) of the original, A = ``columns``."""
        if self.same:
            return d_angles
        out = np.zeros((len(d_angles), columns))
        out[:, : self.circuit.num_params] = self.circuit.pullback(d_angles)[0]
        return out


class Mapping:
    """``noise``, asked once for each circuit and measure: mapping may take long.

    Engines know what they prepared for a circuit by its identity, so the same one must come back.
    Noise that changes, e.g. from step to step, says so by another value of its attribute
    ``version``.
    """

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self._version: Hashable = None
        self._columns: Remembered[Circuit, Circuit] = Remembered()
        self._known: Remembered[Circuit, OrderedDict[Hashable, Mapped | Measure]] = Remembered()

    def __call__(self, circuit: Circuit, measure: Measure) -> Mapped:
        """What runs instead of the circuit."""
        version = getattr(self.noise, "version", None)
        if version != self._version:
            self._version, self._known = version, Remembered()
        known, key = self._known.get(circuit, OrderedDict), _key(measure)
        if key not in known:
            known[key] = self._map(circuit, measure)
            if len(known) > KEPT:
                known.popitem(last=False)
        known.move_to_end(key)
        found = known[key]
        return found if isinstance(found, Mapped) else Mapped(circuit, found, True)

    def _map(self, circuit: Circuit, measure: Measure) -> Mapped | Measure:
        """The measure alone where the circuit stays as it is: a value must not hold its key."""
        columns = self._columns.get(circuit, lambda: _by_column(circuit))
        noisy, read = self.noise(columns, measure)
        return (
            read
            if noisy is columns
            else Mapped(noisy, read, noisy.angles == columns.angles, circuit.num_angles)
        )


def _by_column(circuit: Circuit) -> Circuit:
    """The circuit with a parameter for each angle that is no constant, numbered by its column."""
    instructions: list[Instruction] = []
    column = 0
    for instruction in circuit.instructions:
        if isinstance(instruction, Gate) and instruction.angle is not None:
            if instruction.angle.source != "const":
                instruction = replace(instruction, angle=Angle("param", column))
            column += 1
        instructions.append(instruction)
    return Circuit(circuit.num_wires, tuple(instructions))


def _key(measure: Measure) -> Hashable:
    """Measures are equal where they read the same."""
    confusion = confusion_of(measure)
    words = measure.paulis if isinstance(measure, Expectations) else ()
    return type(measure), words, None if confusion is None else confusion.tobytes()
