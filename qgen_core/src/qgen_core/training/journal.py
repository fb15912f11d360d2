"""The journal of evaluations of a trainer that owns its loop.

An optimiser such as COBYLA of scipy cannot be stopped and continued, because its state is inside
a library. A resumed run therefore starts it again from the first point and returns the losses of
the journal until the journal is used up; from then on, the loss is evaluated again.
"""

from __future__ import annotations

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.typing import Array, Floats


def mark_of(point: Floats) -> float:
    """A number that identifies a parameter vector (P,): its product with sin(1), sin(2), ...

    >>> import numpy as np
    >>> round(mark_of(np.array([1.0, 0.0])), 4)
    0.8415
    """
    return float(point @ np.sin(np.arange(1, len(point) + 1)))


class Journal:
    """Loss and mark of each evaluation, in order.

    >>> import numpy as np
    >>> journal = Journal()
    >>> journal.record(np.array([0.5]), 2.0)
    >>> journal.replay(0, np.array([0.5]))
    2.0
    >>> journal.replay(1, np.array([0.7])) is None
    True
    """

    def __init__(self) -> None:
        self._entries: list[tuple[float, float]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, point: Floats, value: float) -> None:
        """Append the loss ``value`` of ``point`` (P,)."""
        self._entries.append((value, mark_of(point)))

    def replay(self, number: int, point: Floats) -> float | None:
        """The loss of evaluation ``number`` (from 0), or None if it is not in the journal.

        Raises CheckpointError if the saved evaluation was at another point.
        """
        if number >= len(self._entries):
            return None
        value, expected = self._entries[number]
        if not abs(mark_of(point) - expected) <= 1e-9 * (1 + abs(expected)):
            raise CheckpointError(
                f"the optimiser took another path than the saved run at evaluation {number}; "
                "resume with the versions of numpy and scipy that it was started with, or start "
                "the run anew"
            )
        return value

    def check_all_replayed(self, evaluations: int) -> None:
        """Raise CheckpointError if the optimiser ended before it used up the journal."""
        if evaluations < len(self._entries):
            raise CheckpointError(
                f"the optimiser ended after {evaluations} of the {len(self._entries)} evaluations "
                "of the saved run; resume with its options, or start the run anew"
            )

    def to_array(self) -> Floats:
        """The entries as an array (evaluations, 2) of losses and marks."""
        return np.array(self._entries, dtype=np.float64).reshape(-1, 2)

    def load(self, entries: Array) -> None:
        """Replace the entries by those of an array (evaluations, 2)."""
        self._entries = [(float(value), float(mark)) for value, mark in entries]
