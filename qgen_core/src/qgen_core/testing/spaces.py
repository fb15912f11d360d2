"""What encoded events must look like."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.events import Batch, Space
from qgen_core.testing.kit import check
from qgen_core.typing import Array, Rng

#: The numbers that a space of whole numbers holds.
VALUES = {"bits": (0, 1), "spins": (-1, 1)}


def check_encoded(what: str, z: Any, space: Space, n: int) -> None:
    """Check that ``z`` is n events of a space: shape, type and values."""
    __tracebackhide__ = True
    check(
        isinstance(z, np.ndarray) and z.shape == (n, space.width),
        f"{what} must be an array ({n}, {space.width}) of {space}, not {type(z).__name__} {np.shape(z)}",
    )
    if space.kind in VALUES:
        allowed = VALUES[space.kind]
        check(
            z.dtype == np.int8 and bool(np.all(np.isin(z, allowed))),
            f"{what}: {space.kind} are int8 {allowed[0]} and {allowed[1]}, not {z.dtype} such as {np.unique(z)[:5]}",
        )
        return
    check(z.dtype.kind == "f", f"{what}: {space.kind} are floats, not {z.dtype}")
    check(
        bool(np.all(np.isfinite(z))),
        f"{what}: {int(np.sum(~np.isfinite(z)))} values are not finite",
    )


def some_events(space: Space, n: int, rng: Rng) -> Array:
    """Any n encoded events of a space, for models to look at."""
    if space.kind in VALUES:
        return rng.choice(np.array(VALUES[space.kind], dtype=np.int8), (n, space.width))
    if space.kind == "angles":
        return rng.uniform(-2.0, 2.0, (n, space.width))
    return rng.normal(size=(n, space.width))


def arrays_of(batch: Batch) -> dict[str, Array | None]:
    """The arrays of a batch by name."""
    return {
        "x": batch.x,
        "condition": batch.condition,
        "weight": batch.weight,
        "target": batch.target,
    }
