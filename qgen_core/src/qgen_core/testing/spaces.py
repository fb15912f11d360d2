"""Checking encoded events against their space, and making some."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.events import Batch, Space, Words
from qgen_core.testing.kit import check
from qgen_core.typing import Array, Rng

#: The two values of bits and of spins.
VALUES = {"bits": (0, 1), "spins": (-1, 1)}


def check_encoded(what: str, z: Any, space: Space, n: int) -> None:
    """Check shape, type and values of ``n`` encoded events ``z`` against their space.

    >>> check_encoded("encode()", np.array([[0, 1]], dtype=np.int8), Space("bits", 2), 1)
    """
    __tracebackhide__ = True
    check(
        isinstance(z, np.ndarray) and z.shape == (n, space.width),
        f"{what} must be an array ({n}, {space.width}) of {space}, not {type(z).__name__} "
        f"{np.shape(z)}",
    )
    if space.kind in VALUES:
        low, high = VALUES[space.kind]
        check(
            z.dtype == np.int8 and bool(np.all(np.isin(z, (low, high)))),
            f"{what}: {space.kind} are int8 {low} and {high}, not {z.dtype} such as "
            f"{np.unique(z)[:5]}",
        )
        return
    check(z.dtype.kind == "f", f"{what}: {space.kind} are floats, not {z.dtype}")
    check(
        bool(np.all(np.isfinite(z))),
        f"{what}: {int(np.sum(~np.isfinite(z)))} values are not finite",
    )


def some_events(space: Space, n: int, rng: Rng) -> Array:
    """Any ``n`` encoded events (n, width) of a space, to give to a model.

    >>> some_events(Space("angles", 2), 3, np.random.default_rng(0)).shape
    (3, 2)
    """
    if space.kind in VALUES:
        return rng.choice(np.array(VALUES[space.kind], dtype=np.int8), (n, space.width))
    if space.kind == "angles":
        return rng.uniform(-2.0, 2.0, (n, space.width))
    return rng.normal(size=(n, space.width))


def some_words(width: int) -> Words:
    """The word without wires, those of single wires and of neighbours, and that of all wires.

    >>> some_words(2).sizes.tolist()
    [0, 1, 1, 2, 2]
    """
    sets = [[], *([wire] for wire in range(width))]
    sets += [[wire, wire + 1] for wire in range(width - 1)]
    return Words.of([*sets, list(range(width))])


def arrays_of(batch: Batch) -> dict[str, Array | None]:
    """The arrays of a batch by name; None for those that it lacks.

    >>> sorted(arrays_of(Batch()))
    ['condition', 'target', 'weight', 'x']
    """
    return {
        "x": batch.x,
        "condition": batch.condition,
        "weight": batch.weight,
        "target": batch.target,
    }
