"""What was computed for a circuit, kept as long as the circuit lives.

Translations, programs, layouts.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """A cache by identity (hashing thousands of gates takes too long) that keeps no key alive.

    A value must not hold its key, or neither is ever freed.
    """

    def __init__(self) -> None:
        self._values: dict[int, tuple[weakref.ref[K], T]] = {}

    def get(self, key: K, make: Callable[[], T]) -> T:
        """The value of ``key``, made at the first call."""
        name = id(key)
        found = self._values.get(name)
        if found is not None and found[0]() is key:
            return found[1]
        value = make()
        self._values[name] = (weakref.ref(key, lambda _: self._values.pop(name, None)), value)
        return value
