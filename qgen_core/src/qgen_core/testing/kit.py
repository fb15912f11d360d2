"""What all conformance kits share: checks with messages, and the guard of their tests.

A test of a kit fails with an AssertionError that names the fault and how to mend it, also under
``python -O``. Nothing here needs pytest; a test that does not apply to a component is skipped.
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

    Raises ValueError for an empty reason.

    >>> @overrides("the device has four wires only")
    ... def test_long_circuit(self): ...
    """
    if not reason.strip():
        raise ValueError("overrides() needs a reason: why does the test of the kit not apply?")

    def mark(test: Test) -> Test:
        test.__qgen_overrides__ = reason  # type: ignore[attr-defined]
        return test

    return mark


class Kit(ABC):
    """Base class of the conformance kits; inherit one in a pytest class and define ``make``.

    A subclass that replaces a test of its kit raises TypeError when it is defined, unless the
    replacement is marked with :func:`overrides`.

    >>> class PositiveKit(Kit):
    ...     def test_positive(self): ...
    >>> class TestMine(PositiveKit):
    ...     test_positive = None  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    TypeError: TestMine overrides test_positive of PositiveKit without a reason; ...
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for kit in cls.__mro__[1:]:
            if not issubclass(kit, Kit):
                continue
            for name in vars(kit):
                if name.startswith("test"):
                    _check_overrides(cls, kit, name)


def _check_overrides(cls: type, kit: type, name: str) -> None:
    """Raise TypeError if a class before ``kit`` in the resolution order replaces its test."""
    order = cls.__mro__
    for position, owner in enumerate(order[: order.index(kit)]):
        if name not in vars(owner):
            continue
        reason: str = getattr(vars(owner)[name], "__qgen_overrides__", "")
        if reason:
            continue
        # the kit as its user knows it: the test may be defined in a part of it
        whole_kit = next(base for base in order[position + 1 :] if issubclass(base, kit))
        raise TypeError(
            f"{owner.__name__} overrides {name} of {whole_kit.__name__} without a reason; rename "
            "it, or say why the test of the kit does not apply: "
            '@overrides("reason") from qgen_core.testing'
        )


def check(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds.

    >>> check(1 < 2, "1 must be less than 2")
    """
    __tracebackhide__ = True
    if not condition:
        raise AssertionError(message)


def not_applicable(reason: str) -> NoReturn:
    """Skip the rest of a test, because it does not apply to the component.

    >>> not_applicable("the model takes no condition")
    Traceback (most recent call last):
    unittest.case.SkipTest: the model takes no condition
    """
    raise SkipTest(reason)


def check_refused(
    errors: type[QgenError],
    what: str,
    action: Callable[..., Any],
    *arguments: Any,
    named: str = "",
    **options: Any,
) -> None:
    """Check that ``action(*arguments, **options)`` raises such an error, which mentions ``named``.

    >>> from qgen_core.errors import DataError
    >>> from qgen_core.events import Space
    >>> check_refused(DataError, "a space of no bits", Space, "bits", 0, named="width")
    """
    __tracebackhide__ = True
    try:
        action(*arguments, **options)
    except errors as error:
        check(
            named in str(error), f"{what}: the error does not mention {named!r}, it says: {error}"
        )
    except Exception as error:
        raise AssertionError(
            f"{what} must raise {errors.__name__} with a readable message, not "
            f"{type(error).__name__}: {error}"
        ) from error
    else:
        raise AssertionError(
            f"{what} was accepted without an error; raise {errors.__name__} with a message that "
            "says what to do instead"
        )


@contextmanager
def unchanged(what: str, **arrays: Array | None) -> Iterator[None]:
    """Check that the block does not change these arrays.

    >>> x = np.zeros(3)
    >>> with unchanged("sum()", x=x):
    ...     total = x.sum()
    """
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
    """Check that the block does not use or seed a global random generator.

    >>> with globals_untouched("a generator of its own"):
    ...     draw = np.random.default_rng(1).random()
    """
    __tracebackhide__ = True
    before = global_states()
    yield
    after = global_states()
    touched = [name for name in before if before[name] != after[name]]
    check(
        not touched,
        f"{what} touched the global random state of {', '.join(touched)}; draw from the rng that "
        "is given",
    )


def equal(pair: Iterable[ArrayLike]) -> bool:
    """Whether two arrays have the same shape and numbers.

    >>> equal([np.array([1, 2]), [1, 2]])
    True
    """
    first, second = pair
    return bool(np.array_equal(first, second))


def same_arrays(first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
    """Whether two states hold the same arrays under the same names.

    >>> same_arrays({"theta": np.zeros(2)}, {"theta": np.ones(2)})
    False
    """
    if set(first) != set(second):
        return False
    return all(np.array_equal(first[name], second[name]) for name in first)


def check_storable(what: str, state: Any) -> None:
    """Check that a state is a dict of arrays of numbers, as a checkpoint can hold it.

    >>> check_storable("the model", {"theta": np.zeros(2)})
    """
    __tracebackhide__ = True
    check(
        isinstance(state, dict),
        f"state() of {what} must be a dict of arrays, not {type(state).__name__}",
    )
    for name, value in state.items():
        is_numbers = isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
        check(
            isinstance(name, str) and is_numbers,
            f"state() of {what} holds {name!r}, which is not a numpy array of numbers",
        )


def check_state_copied(what: str, take: Callable[[], dict[str, Array]]) -> None:
    """Check that ``take``, the method ``state``, returns copies: writing to them changes nothing.

    >>> theta = np.zeros(2)
    >>> check_state_copied("the model", lambda: {"theta": theta.copy()})
    """
    __tracebackhide__ = True
    returned = take()
    before = {name: value.copy() for name, value in returned.items()}
    for value in returned.values():
        if value.dtype.kind == "b":
            value[...] = ~value
        else:
            value[...] = value + 1
    now = take()
    for name, old in before.items():
        check(
            np.array_equal(old, now[name], equal_nan=old.dtype.kind == "f"),
            f"state() of {what} returns its own array {name!r}; return a copy",
        )
