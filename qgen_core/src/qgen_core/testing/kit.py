"""What all conformance kits share: the guard against silent overrides, and how they speak.

A kit fails by AssertionError with a message that names the fault and how to mend it, also under
``python -O``. Nothing here needs pytest; what does not apply to a component is skipped.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar
from unittest import SkipTest

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.errors import QgenError
from qgen_core.testing.randomness import global_states
from qgen_core.typing import Array

Test = TypeVar("Test", bound=Callable[..., None])


def overrides(reason: str) -> Callable[[Test], Test]:
    """Mark a test method that replaces one of a kit on purpose, and say why.

    >>> @overrides("the device has four wires only")
    ... def test_long_circuit(self): ...
    """
    if not reason.strip():
        raise ValueError("overrides() needs a reason for which the kit's test does not apply")

    def mark(test: Test) -> Test:
        test.__qgen_overrides__ = reason  # type: ignore[attr-defined]
        return test

    return mark


class Kit(ABC):
    """Base of the conformance kits: inherit one in a pytest class and say ``make``.

    The tests of a kit cannot be replaced in silence: a class that does so is refused when it is
    made, with TypeError, unless the replacement carries :func:`overrides`.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for kit in cls.__mro__[1:]:
            if issubclass(kit, Kit):
                for name in vars(kit):
                    if name.startswith("test"):
                        _refuse_silent_override(cls, kit, name)


def _refuse_silent_override(cls: type, kit: type, name: str) -> None:
    for owner in cls.__mro__[: cls.__mro__.index(kit)]:
        if name in vars(owner) and not getattr(vars(owner)[name], "__qgen_overrides__", ""):
            whole = next(
                c for c in cls.__mro__[cls.__mro__.index(owner) + 1 :] if issubclass(c, kit)
            )
            raise TypeError(
                f"{owner.__name__} overrides {name} of {whole.__name__} in silence; rename it, or say why the kit's "
                f'test does not apply: @overrides("reason") from qgen_core.testing'
            )


def check(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds."""
    __tracebackhide__ = True
    if not condition:
        raise AssertionError(message)


def not_applicable(reason: str) -> NoReturn:
    """Skip the rest of a test."""
    raise SkipTest(reason)


def check_refused(
    errors: type[QgenError],
    what: str,
    action: Callable[..., Any],
    *given: Any,
    named: str = "",
    **options: Any,
) -> None:
    """Check that ``action(*given, **options)`` raises one of these errors, and that its message says ``named``."""
    __tracebackhide__ = True
    try:
        action(*given, **options)
    except errors as error:
        check(named in str(error), f"{what}: the error does not name {named!r}, it says: {error}")
    except Exception as error:
        raise AssertionError(
            f"{what} must raise {errors.__name__} with a message for people, not {type(error).__name__}: {error}"
        ) from error
    else:
        raise AssertionError(
            f"{what} was accepted in silence; raise {errors.__name__} that says what to do instead"
        )


@contextmanager
def unchanged(what: str, **arrays: Array | None) -> Iterator[None]:
    """Check that the block leaves these arrays as they are."""
    __tracebackhide__ = True
    before = {name: np.array(array) for name, array in arrays.items() if array is not None}
    yield
    for name, old in before.items():
        check(
            np.array_equal(old, np.asarray(arrays[name]), equal_nan=old.dtype.kind == "f"),
            f"{what} changed the array {name} that it was given; work on a copy",
        )


@contextmanager
def globals_untouched(what: str) -> Iterator[None]:
    """Check that the block leaves the global random states as they are."""
    __tracebackhide__ = True
    before = global_states()
    yield
    after = global_states()
    touched = [name for name in before if before[name] != after[name]]
    check(
        not touched,
        f"{what} touched the global random state of {', '.join(touched)}; draw from the rng that is given",
    )


def equal(pair: Iterable[ArrayLike]) -> bool:
    """Whether two arrays have the same shape and numbers."""
    first, second = pair
    return bool(np.array_equal(first, second))


def same_arrays(first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
    """Whether two states hold the same arrays."""
    return set(first) == set(second) and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def check_storable(what: str, state: Any) -> None:
    """Check that a state is arrays of plain numbers by name, as a checkpoint holds them."""
    __tracebackhide__ = True
    check(
        isinstance(state, dict),
        f"state() of {what} must be a dict of arrays, not {type(state).__name__}",
    )
    for name, value in state.items():
        plain = (
            isinstance(name, str) and isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
        )
        check(plain, f"state() of {what} holds {name!r}, which is no numpy array of numbers")


def check_state_copied(what: str, take: Callable[[], dict[str, Array]]) -> None:
    """Check that ``take`` gives copies: writing into them changes nothing."""
    __tracebackhide__ = True
    given = take()
    kept = {name: value.copy() for name, value in given.items()}
    for value in given.values():
        value[...] = ~value if value.dtype.kind == "b" else value + 1
    now = take()
    for name, old in kept.items():
        check(
            np.array_equal(old, now[name], equal_nan=old.dtype.kind == "f"),
            f"state() of {what} hands out its own array {name!r}; return a copy",
        )
