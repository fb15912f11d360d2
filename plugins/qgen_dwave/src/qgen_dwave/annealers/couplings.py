"""The couplings ``zephyr`` and ``pegasus``: those that a chip has between two sides of qubits."""

from __future__ import annotations

from qgen_core.typing import Ints
from qgen_dwave.annealers.chip import Ranges, with_defects
from qgen_dwave.annealers.embedding import native_graph


def zephyr(left: int, right: int, *, size: int = 12, chip: int = 0, missing: float = 0.03) -> Ints:
    """The couplers (E, 2) of a Zephyr chip between ``left`` and ``right`` qubits in its middle.

    Qubits of the two sides have different directions, and are those that ``native = [left, right]``
    of ``dwave-emulator`` takes, so a model with these couplings needs no chains there.

    Args:
        left: the number of units of one side.
        right: the number of units of the other.
        size: of the chip, its number of unit cells a side.
        chip: a number that decides which qubits are missing.
        missing: share of qubits that are missing; a tenth of it of the couplers are too.

    Raises BadOption for values out of range, and Unsupported for more units than qubits.

    >>> zephyr(2, 2, size=1, missing=0.0).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return _couplers("zephyr", (left, right), size, chip, missing)


def pegasus(left: int, right: int, *, size: int = 12, chip: int = 0, missing: float = 0.03) -> Ints:
    """The couplers (E, 2) of a Pegasus chip between ``left`` and ``right`` qubits in its middle.

    Qubits of the two sides have different directions, and are those that ``native = [left, right]``
    of ``dwave-emulator`` takes, so a model with these couplings needs no chains there.

    Args:
        left: the number of units of one side.
        right: the number of units of the other.
        size: of the chip, its number of unit cells a side.
        chip: a number that decides which qubits are missing.
        missing: share of qubits that are missing; a tenth of it of the couplers are too.

    Raises BadOption for values out of range, and Unsupported for more units than qubits.

    >>> pegasus(2, 2, size=2, missing=0.0).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return _couplers("pegasus", (left, right), size, chip, missing)


def _couplers(
    topology: str, sides: tuple[int, int], size: int, number: int, missing: float
) -> Ints:
    chip = with_defects(topology, size, missing, number, Ranges())
    pairs: Ints = native_graph(chip, sides).edges - (0, sides[0])
    return pairs
