"""What a noise model makes of a circuit, in terms of the angles of that circuit.

Backends that wrap a backend are given angles instead of parameters, so they need the map from the
angles of a circuit to those of its noisy version, and back for gradients.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from qgen_core.circuits.circuit import Angle, Circuit, Gate, Instruction
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities, confusion_of
from qgen_core.errors import BadOption
from qgen_core.interfaces import Noise
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Array, Floats

#: Noisy versions of one circuit that are kept, one for each measure.
KEPT = 16


@dataclass(frozen=True)
class Mapped:
    """A noisy circuit and measure, with the map from the original angles to its own.

    A noise model may turn one rotation into several, each with an affine function of one angle. The
    map is then that of :meth:`Circuit.bind`, with the original angles as parameters. With
    ``same_angles`` there is nothing to map; else ``num_angles`` is the number A of the original.
    The last ``extra_wires`` of the noisy circuit are not part of the original and are not read.
    """

    circuit: Circuit
    measure: Measure
    same_angles: bool
    num_angles: int = 0
    extra_wires: int = 0

    def output(self, output: Array) -> Array:
        """From the output of the noisy circuit to that of the original's wires.

        >>> mapped = Mapped(Circuit(2, ()), Probabilities(), same_angles=True, extra_wires=1)
        >>> mapped.output(np.array([[0.5, 0.25, 0.25, 0.0]]))
        array([[0.75, 0.25]])
        """
        if self.extra_wires and isinstance(self.measure, Probabilities):
            of_wires = output.reshape(len(output), -1, 2**self.extra_wires)
            return np.asarray(of_wires.sum(axis=-1))
        if self.extra_wires and isinstance(self.measure, Bits):
            return output[..., : -self.extra_wires]
        return output

    def cotangent(self, cotangent: Array) -> Array:
        """From d loss / d output of the original's wires to that of the noisy circuit's."""
        if self.extra_wires and isinstance(self.measure, Probabilities):
            return np.repeat(np.asarray(cotangent), 2**self.extra_wires, axis=-1)
        return cotangent

    def angles(self, angles: Floats) -> Floats:
        """From angles (B, A) of the original circuit to those (B, A') of the noisy one.

        Raises BadOption for another A.
        """
        if self.same_angles:
            return angles
        if np.ndim(angles) != 2 or np.shape(angles)[1] != self.num_angles:
            raise BadOption(
                f"angles have the shape {np.shape(angles)}; "
                f"the circuit needs (B, {self.num_angles})"
            )
        return self.circuit.bind(angles[:, : self.circuit.num_params])

    def pullback(self, d_angles: Floats, num_angles: int) -> Floats:
        """From d loss / d angles (B, A') to those of the original (B, A), A = ``num_angles``."""
        if self.same_angles:
            return d_angles
        of_original = np.zeros((len(d_angles), num_angles))
        of_original[:, : self.circuit.num_params] = self.circuit.pullback(d_angles)[0]
        return of_original


class Mapping:
    """A noise model that is called once for each circuit and measure, because it may take long.

    Backends cache what they compute for a circuit under its identity, so the same noisy circuit is
    returned each time. Noise that changes, e.g. from step to step of a training, announces it by
    another value of its attribute ``version``.

    >>> import qgen_core as qgen
    >>> mapping = Mapping(qgen.noise("depolarizing"))
    >>> circuit = Circuit(1, (Gate("x", (0,)),))
    >>> mapped = mapping(circuit, qgen.Probabilities())
    >>> len(mapped.circuit.channels), mapping(circuit, qgen.Probabilities()) is mapped
    (1, True)
    """

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self._version: Hashable = None
        self._by_columns: Remembered[Circuit, Circuit] = Remembered()
        self._known: Remembered[Circuit, OrderedDict[Hashable, Mapped | Measure]] = Remembered()

    def __call__(self, circuit: Circuit, measure: Measure) -> Mapped:
        """The circuit and measure to run in place of these."""
        version = getattr(self.noise, "version", None)
        if version != self._version:
            self._version = version
            self._known = Remembered()
        known = self._known.get(circuit, OrderedDict)
        key = _key(measure)
        if key not in known:
            known[key] = self._map(circuit, measure)
            if len(known) > KEPT:
                known.popitem(last=False)
        known.move_to_end(key)
        found = known[key]
        if isinstance(found, Mapped):
            return found
        return Mapped(circuit, found, same_angles=True)

    def _map(self, circuit: Circuit, measure: Measure) -> Mapped | Measure:
        """What is cached for a circuit; only the measure where the noise keeps the circuit.

        A cached value must not refer to its circuit, or neither would ever be freed.
        """
        by_columns = self._by_columns.get(circuit, lambda: _with_columns_as_params(circuit))
        noisy, read = self.noise(by_columns, measure)
        if noisy is by_columns:
            return read
        same_angles = noisy.angles == by_columns.angles
        extra_wires = noisy.num_wires - circuit.num_wires
        return Mapped(noisy, read, same_angles, circuit.num_angles, extra_wires)


def _with_columns_as_params(circuit: Circuit) -> Circuit:
    """The circuit with a parameter for each angle that is not constant, numbered by its column."""
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
    """Equal for measures of the same kind, words and confusion."""
    words: tuple[str, ...] = ()
    if isinstance(measure, Expectations):
        words = measure.paulis
    confusion = confusion_of(measure)
    if confusion is None:
        return type(measure), words, None
    return type(measure), words, confusion.tobytes()
