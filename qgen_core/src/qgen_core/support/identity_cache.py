"""A cache of what was computed for an object, kept as long as that object exists.

Backends keep what they compiled or translated for a circuit in it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, Self, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """A cache keyed by identity, with weak references to its keys.

    Keys are compared by identity because hashing thousands of gates takes too long. A value must
    not refer to its key, or neither is ever freed. A copy, and what pickle makes of it, is empty.

    >>> from qgen_core import Circuit, Gate
    >>> compiled = Remembered()
    >>> circuit = Circuit(1, (Gate("h", (0,)),))
    >>> compiled.get(circuit, lambda: [gate.name for gate in circuit.gates])
    ['h']
    >>> compiled.get(circuit, lambda: "not called again")
    ['h']
    """

    def __init__(self) -> None:
        self._values: dict[int, tuple[weakref.ref[K], T]] = {}

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Identities mean nothing to another process or another time."""
        return type(self), ()

    def get(self, key: K, make: Callable[[], T]) -> T:
        """The value of ``key``, computed by ``make`` at the first call."""
        name = id(key)
        found = self._values.get(name)
        if found is not None and found[0]() is key:
            return found[1]
        value = make()
        self._values[name] = (weakref.ref(key, lambda _: self._values.pop(name, None)), value)
        return value
