"""Events of models whose units are spins: bits or spins on the outside, -1 and +1 inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Space
from qgen_core.typing import Array, Floats


def check_binary(space: Space, what: str) -> None:
    """Raise BadOption for a space of neither bits nor spins."""
    if space.kind not in ("bits", "spins"):
        raise BadOption(f"{what} of a Boltzmann machine are bits or spins, not {space}")


def to_spins(values: Array | None, space: Space, what: str) -> NDArray[np.int8]:
    """Events (N, width) as spins -1 and +1, int8. Raises DataError for another shape.

    >>> to_spins(np.array([[0, 1]]), Space("bits", 2), "events").tolist()
    [[-1, 1]]
    """
    if values is None or np.ndim(values) != 2 or np.shape(values)[1] != space.width:
        shape = None if values is None else np.shape(values)
        raise DataError(f"{what} have the shape (N, {space.width}), not {shape}")
    spins = np.asarray(values)
    if space.kind == "bits":
        spins = 2 * spins - 1
    return spins.astype(np.int8)


def from_spins(spins: NDArray[np.int8], space: Space) -> NDArray[np.int8]:
    """The inverse of :func:`to_spins`.

    >>> from_spins(np.array([[-1, 1]], dtype=np.int8), Space("bits", 2)).tolist()
    [[0, 1]]
    """
    if space.kind == "bits":
        return (spins > 0).astype(np.int8)
    return spins


def fields_of(spins: NDArray[np.int8]) -> Floats:
    """Fields (V,) that give uncoupled spins the frequencies of events (N, V).

    Half a count is added to each frequency, so that the fields are finite.

    >>> fields_of(np.array([[1, 1], [1, -1]], dtype=np.int8)).round(3).tolist()
    [-0.805, 0.0]
    """
    up = np.count_nonzero(spins > 0, axis=0) + 0.5
    down = len(spins) + 1 - up
    fields: Floats = 0.5 * np.log(down / up)
    return fields
