"""Types of factory options: what an annotation asks for, and checking a value against it.

pydantic does the checking. On top of it, values are never converted between text, numbers and
truth values: ``"3"`` and ``True`` are not accepted where a number is expected.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qgen_core.errors import BadOption

if TYPE_CHECKING:
    import pydantic

#: Types in words, one value and several.
_WORDS = {
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "values true or false"),
    type(None): ("nothing", "nothing"),
}
#: Longest text of a value in an error message.
MAX_SHOWN = 80


def component_kind(annotation: Any) -> str | None:
    """The kind of component that an annotation asks for; None if it asks for no component.

    An interface class carries its kind as ``__qgen_kind__``; the aliases of function kinds are
    ``Annotated[..., Component(kind)]``. Of a union, the first member that names a kind counts.

    >>> from qgen_core.interfaces import Ansatz, Backend
    >>> component_kind(Backend), component_kind(Ansatz | None), component_kind(int)
    ('backend', 'ansatz', None)
    """
    kind = getattr(annotation, "__qgen_kind__", None)
    if isinstance(kind, str):
        return kind
    if typing.get_origin(annotation) is typing.Annotated:
        for mark in annotation.__metadata__:
            if isinstance(getattr(mark, "kind", None), str):
                return str(mark.kind)
    if _is_union(annotation):
        for member in typing.get_args(annotation):
            kind = component_kind(member)
            if kind is not None:
                return kind
    return None


def built_later(annotation: Any) -> bool:
    """Whether an annotation asks for a function that builds a component.

    >>> from qgen_core.interfaces import Ansatz, Stage
    >>> built_later(Stage), built_later(Stage | None), built_later(Ansatz)
    (True, True, False)
    """
    if typing.get_origin(annotation) is typing.Annotated:
        return any(getattr(mark, "later", False) for mark in annotation.__metadata__)
    return _is_union(annotation) and any(map(built_later, typing.get_args(annotation)))


def words_of(annotation: Any) -> tuple[str, ...]:
    """The words that an annotation allows in place of a component.

    >>> from typing import Literal
    >>> from qgen_core.interfaces import Metric
    >>> words_of(Literal["loss"] | Metric | None), words_of(Metric)
    (('loss',), ())
    """
    found: list[str] = []
    if typing.get_origin(annotation) is typing.Literal:
        found += [word for word in typing.get_args(annotation) if isinstance(word, str)]
    if _is_union(annotation):
        for member in typing.get_args(annotation):
            found += words_of(member)
    return tuple(found)


def element_kind(annotation: Any) -> str | None:
    """The kind of component that an annotation asks for a list or tuple of; None otherwise.

    >>> from qgen_core.interfaces import Encoder, Noise
    >>> element_kind(list[Encoder]), element_kind(tuple[Noise, ...] | None), element_kind(Encoder)
    ('encoder', 'noise', None)
    """
    if _is_union(annotation):
        for member in typing.get_args(annotation):
            kind = element_kind(member)
            if kind is not None:
                return kind
        return None
    if typing.get_origin(annotation) in (list, tuple, Sequence):
        return component_kind(typing.get_args(annotation)[0])
    return None


def validated(where: str, key: str, value: Any, annotation: Any) -> Any:
    """The value converted to the annotated type, e.g. a list to a tuple.

    ``where`` names the component in messages, e.g. ``"trainer 'adam'"``. Raises BadOption if the
    value does not fit, is NaN or infinite, or would be converted between text, number and truth
    value.

    >>> validated("trainer 'adam'", "betas", [0.9, 0.99], tuple[float, float])
    (0.9, 0.99)
    """
    import pydantic

    adapter = _type_adapter(annotation)
    if adapter is None:
        return value
    try:
        result = adapter.validate_python(value)
    except pydantic.ValidationError as error:
        message = f"{where} option {key!r} is {in_words(annotation)}, not {shown(value)}"
        first = error.errors()[0]
        if first["loc"] and not _is_union(annotation):
            message += f"; the entry {shown(first['input'])} does not fit"
        raise BadOption(message) from None
    if _changed_type(value, result):
        raise BadOption(f"{where} option {key!r} is {in_words(annotation)}, not {shown(value)}")
    return result


def in_words(annotation: Any) -> str:
    """What values an annotation allows, in words.

    >>> from typing import Literal
    >>> in_words(int), in_words(list[float] | None), in_words(Literal["mean", "sum"])
    ('a whole number', 'a list of finite numbers', "'mean' or 'sum'")
    >>> in_words(list[tuple[float, float]])
    'a list of lists of 2 finite numbers'
    """
    return _words(annotation, many=False)


def _words(annotation: Any, *, many: bool) -> str:
    """The values of an annotation in words; ``many`` asks for the plural."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    kind = component_kind(annotation)
    if kind is not None:
        return " or ".join([*map(repr, words_of(annotation)), _component_in_words(kind, many)])
    if _is_union(annotation):
        members = [member for member in arguments if member is not type(None)]
        return " or ".join(_words(member, many=many) for member in members)
    if origin is typing.Annotated:
        return _words(arguments[0], many=many)
    if origin is typing.Literal:
        return " or ".join(repr(word) for word in arguments)
    if annotation in _WORDS:
        return _WORDS[annotation][int(many)]
    outer = origin or annotation
    if outer is dict or outer is Mapping:
        tables = ("a table", "tables")[int(many)]
        if not arguments or arguments[-1] is Any:
            return tables
        return f"{tables} of {_words(arguments[-1], many=True)}"
    if outer not in (list, tuple, Sequence):
        return type_name(outer)
    lists = ("a list", "lists")[int(many)]
    elements = [argument for argument in arguments if argument is not Ellipsis]
    if not elements:
        return lists
    count = ""
    if outer is tuple and len(elements) == len(arguments):
        count = f"{len(elements)} "
    return f"{lists} of {count}{_words(elements[0], many=True)}"


def _component_in_words(kind: str, many: bool) -> str:
    if many:
        return f"names or tables of the kind {kind}"
    article = "a"
    if kind[0] in "aeiou":
        article = "an"
    return f"{article} {kind}: its name, a table with its name, or the object"


def shown(value: Any) -> str:
    """A value as it stands in an error message: its ``repr`` on one line, cut if it is long.

    >>> shown([1, 2])
    '[1, 2]'
    """
    text = " ".join(repr(value).split())
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[: MAX_SHOWN - 3]}..."


def type_name(annotation: Any) -> str:
    """An annotation as ``qgen info`` and error messages show it.

    >>> from qgen_core.interfaces import Backend
    >>> type_name(list[float]), type_name(Backend)
    ('list[float]', 'backend (name or table)')
    """
    kind = component_kind(annotation)
    if kind is not None:
        words = "".join(f"'{word}' or " for word in words_of(annotation))
        return f"{words}{kind} (name or table)"
    if annotation is Any:
        return "any"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        text = annotation.__name__
    else:
        text = str(annotation)
    return text.replace("typing.", "").replace("collections.abc.", "")


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _type_adapter(annotation: Any) -> pydantic.TypeAdapter[Any] | None:
    """What checks values of an annotation; None for a type that pydantic knows nothing about."""
    import pydantic

    config = pydantic.ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    try:
        return pydantic.TypeAdapter(annotation, config=config)
    except (pydantic.PydanticUserError, TypeError):
        pass  # dataclasses and the like have a configuration of their own and refuse another
    try:
        return pydantic.TypeAdapter(annotation)
    except (pydantic.PydanticUserError, TypeError):
        return None


def _changed_type(value: Any, result: Any) -> bool:
    """Whether validation converted between text, number and truth value, at any depth."""
    if isinstance(value, Mapping) and isinstance(result, Mapping):
        common = [key for key in value if key in result]
        return any(_changed_type(value[key], result[key]) for key in common)
    if isinstance(value, list | tuple) and isinstance(result, list | tuple):
        pairs = zip(value, result, strict=False)
        return any(_changed_type(before, after) for before, after in pairs)
    if isinstance(value, bool) or isinstance(result, bool):
        return isinstance(value, bool | int | float | str) and type(value) is not type(result)
    return isinstance(value, str) and isinstance(result, int | float)
