"""A cache by identity, for what is computed from an object: translations, programs, layouts."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """Values by key, kept as long as the key lives.

    Keys are compared by identity, because hashing a circuit of thousands of gates takes too long,
    and they must support weak references. The cache keeps no key alive; a value that refers to its
    key does, and then neither is ever freed.

    >>> from qgen_core import Circuit
    >>> sizes = Remembered()
    >>> circuit = Circuit(3, ())
    >>> sizes.get(circuit, lambda: 2**circuit.num_wires)
    8
    >>> sizes.get(circuit, lambda: 1 / 0)  # already known, so not computed again
    8
    """

    def __init__(self) -> None:
        self._values: dict[int, tuple[weakref.ref[K], T]] = {}

    def get(self, key: K, make: Callable[[], T]) -> T:
        """The value of ``key``, computed by ``make`` at the first call."""
        name = id(key)
        found = self._values.get(name)
        if found is not None and found[0]() is key:
            return found[1]
        value = make()
        reference = weakref.ref(key, lambda _: self._values.pop(name, None))
        self._values[name] = (reference, value)
        return value
