"""Finding and building components by name.

Offers are entry points, one group a kind; only metadata is read until a component is asked
for. A factory's signature is its option list. Options that expect a component take a name,
a table with ``name``, or the object itself.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import importlib.resources
import inspect
import os
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from qgen_core.discovery.entry_points import (
    CORE,
    distribution_of,
    entries,
    import_failures,
    reason_of,
)
from qgen_core.errors import BadOption, BrokenPlugin, QgenError, TwoOffers, UnknownName

Factory = Callable[..., Any]
Ref = str | Mapping[str, Any]

#: Kinds and their entry-point groups.
KINDS = {
    "encoder": "qgen.encoders",
    "generator": "qgen.generators",
    "sampler": "qgen.samplers",
    "loss": "qgen.losses",
    "trainer": "qgen.trainers",
    "backend": "qgen.backends",
    "noise": "qgen.noise",
    "ansatz": "qgen.ansatze",
    "dataset": "qgen.datasets",
    "metric": "qgen.metrics",
    "network": "qgen.networks",
    "executor": "qgen.executors",
    "study": "qgen.studies",
}
#: Kinds whose components inherit an interface, which marks them with ``__qgen_kind__``.
INTERFACES = frozenset({"encoder", "generator", "sampler", "loss", "trainer", "backend"})
#: Kinds that are functions: the verb binds the options, these arguments come at the call. Instead of
#: a function it may be a class that is built from its options and whose objects take these arguments.
AT_THE_CALL = {
    "noise": ("circuit", "measure"),
    "ansatz": ("wires", "inputs", "registers", "data"),
    "dataset": (),
    "metric": ("reference", "generated", "edges"),
    "network": ("inputs", "outputs"),
}
#: What a run gives to each factory that asks; never recipe keys.
GIVEN = frozenset({"space", "condition", "data", "seed", "edges"})


@dataclass(frozen=True)
class Deferred:
    """A given value that is computed only if a factory asks for it."""

    compute: Callable[[], Any]


@dataclass(frozen=True)
class Offer:
    """One component that an installed package, or this process, offers."""

    kind: str
    name: str
    distribution: str
    version: str
    load: Factory = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} comes from {self.distribution} {self.version}".rstrip()


@dataclass(frozen=True)
class Option:
    """One option of a factory; ``required`` if it has no default."""

    name: str
    type: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Description:
    """What ``qgen info`` shows."""

    kind: str
    name: str
    distribution: str
    version: str
    doc: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Bound:
    """A function kind with its options bound; the arguments of the call remain."""

    kind: str
    name: str
    function: Factory = field(repr=False)
    options: Mapping[str, Any]

    @property
    def __qgen_name__(self) -> str:
        return self.name

    def __call__(self, *args: Any, **at_the_call: Any) -> Any:
        takes = inspect.signature(self.function).parameters
        if at_the_call.get("inputs") and "inputs" not in takes:
            raise BadOption(
                f"{self.kind} {self.name!r} takes no inputs, so it cannot be conditioned"
            )
        passed = {k: v for k, v in at_the_call.items() if k in takes and k not in self.options}
        return self.function(*args, **passed, **self.options)


_local: dict[tuple[str, str], Offer] = {}


def register(kind: str, name: str, factory: Factory) -> None:
    """Offer a component in this process only, e.g. from a notebook; it wins over installed ones."""
    _check_kind(kind)
    _local[kind, name] = Offer(kind, name, "this process", "", lambda: factory)


def offers(kind: str) -> dict[str, list[Offer]]:
    """All offers of a kind by name, from metadata alone."""
    _check_kind(kind)
    found = {
        name: list(several)
        for name, several in _installed(kind, os.environ.get("QGEN_PLUGINS")).items()
    }
    for (local_kind, name), offer in _local.items():
        if local_kind == kind:
            found[name] = [offer]
    return dict(sorted(found.items()))


def names(kind: str) -> list[str]:
    """The installed names of a kind."""
    return list(offers(kind))


@cache
def _installed(kind: str, limit: str | None) -> dict[str, list[Offer]]:
    found: dict[str, dict[tuple[str, str], Offer]] = {}
    for entry in entries(KINDS[kind]):
        distribution, version = distribution_of(entry)
        offer = Offer(kind, entry.name, distribution, version, _loader(kind, entry))
        found.setdefault(entry.name, {}).setdefault((distribution, entry.value), offer)
    return {name: list(several.values()) for name, several in found.items()}


def _loader(kind: str, entry: importlib.metadata.EntryPoint) -> Factory:
    def load() -> Factory:
        with import_failures(f"{kind} {entry.name!r}", entry):
            if not entry.pattern.match(entry.value):
                raise ImportError(f"{entry.value!r} names no module and attribute")
            factory: Factory = entry.load()
        return factory

    return load


def find(kind: str, name: str) -> Offer:
    """The one offer of a name; ``"distribution:name"`` chooses between several.

    Raises UnknownName, with what is installed and what could be, or TwoOffers.
    """
    available = offers(kind)
    chosen, _, bare = name.rpartition(":")
    several = available.get(bare, [])
    if chosen:
        several = [o for o in several if o.distribution == chosen]
    if not several:
        raise UnknownName(_unknown(kind, name, available))
    if len(several) > 1:
        who = " and ".join(sorted(o.distribution for o in several))
        example = f"{sorted(o.distribution for o in several)[0]}:{bare}"
        raise TwoOffers(f"{kind} {bare!r} is offered by {who}; say e.g. {example!r}")
    return several[0]


def factory_of(kind: str, name: str) -> tuple[Offer, Factory]:
    """The offer and its imported factory. Raises BrokenPlugin if it breaks the contract."""
    offer = find(kind, name)
    factory = offer.load()
    if not callable(factory):
        raise BrokenPlugin(
            f"{offer}, which offers a {type(factory).__name__} where a factory is needed"
        )
    if kind in INTERFACES and isinstance(factory, type):
        _check_interface(offer, factory)
        missing = sorted(getattr(factory, "__abstractmethods__", ()))
        if missing:
            raise BrokenPlugin(f"{offer}, whose {factory.__name__} lacks {', '.join(missing)}")
    return offer, factory


def _check_interface(offer: Offer, component: type) -> None:
    found = getattr(component, "__qgen_kind__", None)
    if found != offer.kind:
        what = "no component of qgen" if found is None else f"of kind {found!r}"
        raise BrokenPlugin(
            f"{offer}, whose {component.__name__} is {what}, not of kind {offer.kind!r}"
        )


def build(kind: str, ref: Ref, given: Mapping[str, Any] | None = None, /, **options: Any) -> Any:
    """Build a component from its name, or from a recipe table with ``name`` and options.

    ``given`` holds what a run hands to factories that ask for it; keywords are options of a
    call from Python. Raises BadOption for options that the factory does not take, that are
    missing, or that have the wrong type.
    """
    name, table = _split(kind, ref)
    offer, factory = factory_of(kind, name)
    parameters = _parameters(offer, factory)
    at_the_call = AT_THE_CALL.get(kind)
    allowed_names = [
        p for p in parameters if at_the_call is None or p not in at_the_call or p in options
    ]
    for key in [*table, *options]:
        if key not in allowed_names or (key in table and key in GIVEN):
            takes = (
                ", ".join(p for p in allowed_names if not (key in table and p in GIVEN))
                or "no options"
            )
            raise BadOption(f"{kind} {name!r} takes {takes}; not {key!r}")
    values = {**table, **options}
    for key, value in (given or {}).items():
        needs_it = at_the_call is None or key == "data" or key not in at_the_call
        if key in parameters and key not in values and needs_it:
            values[key] = value.compute() if isinstance(value, Deferred) else value
    where = f"{kind} {name!r}"
    checked = {k: _checked(where, k, v, parameters[k], given) for k, v in values.items()}
    for key, parameter in parameters.items():
        if key in checked or (at_the_call is not None and key in at_the_call):
            continue
        if parameter.default is inspect.Parameter.empty:
            raise BadOption(f"{where} needs {key!r}")
        takes_components = _component_kind(parameter.annotation) or _element_kind(
            parameter.annotation
        )
        if takes_components and parameter.default is not None:
            checked[key] = _checked(where, key, parameter.default, parameter, given)
    if at_the_call is not None and not isinstance(factory, type):
        return Bound(kind, name, factory, checked)
    return _named(_call(offer, factory, checked), name)


def describe(kind: str, name: str) -> Description:
    """Provider, documentation and options of a component; imports that one provider."""
    offer, factory = factory_of(kind, name)
    at_the_call = AT_THE_CALL.get(kind, ())
    options = tuple(
        Option(
            p.name,
            _type_name(p.annotation),
            None if p.default is p.empty else p.default,
            p.default is p.empty,
        )
        for p in _parameters(offer, factory).values()
        if p.name not in at_the_call and p.name not in GIVEN
    )
    doc = inspect.getdoc(factory) or ""
    return Description(kind, offer.name, offer.distribution, offer.version, doc, options)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownName(f"no kind {kind!r}; there are {', '.join(KINDS)}")


def _split(kind: str, ref: Ref) -> tuple[str, dict[str, Any]]:
    if isinstance(ref, str):
        return ref, {}
    if not isinstance(ref, Mapping):
        raise BadOption(f"a {kind} is a name or a table with a name, not {_shown(ref)}")
    table = dict(ref)
    name = table.pop("name", None)
    if not isinstance(name, str):
        raise BadOption(
            f"a {kind} table needs a 'name', this one has {', '.join(table) or 'nothing'}"
        )
    return name, table


def _parameters(offer: Offer, factory: Factory) -> dict[str, inspect.Parameter]:
    """The parameters by name, annotations resolved; variadic ones break the contract."""
    target = factory.__init__ if isinstance(factory, type) else factory  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(target, include_extras=True)
        parameters = dict(inspect.signature(factory).parameters)
    except (NameError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise BrokenPlugin(f"{offer}, whose signature cannot be read: {error}") from error
    for p in parameters.values():
        if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
            stars = "**" if p.kind is p.VAR_KEYWORD else "*"
            raise BrokenPlugin(
                f"{offer}, and takes {stars}{p.name}, so its options cannot be checked"
            )
    return {n: p.replace(annotation=hints.get(n, Any)) for n, p in parameters.items()}


def _call(offer: Offer, factory: Factory, arguments: Mapping[str, Any]) -> Any:
    try:
        component = factory(**arguments)
    except (QgenError, MemoryError):
        raise
    except ImportError as error:  # adapters import their framework when they are built
        raise BrokenPlugin(f"{offer}, which could not be imported: {reason_of(error)}") from error
    except (Exception, SystemExit) as error:
        raise BrokenPlugin(f"{offer}, and failed while it was built: {reason_of(error)}") from error
    if offer.kind in INTERFACES:
        _check_interface(offer, type(component))
    return component


def _named(component: Any, name: str) -> Any:
    with contextlib.suppress(AttributeError):
        component.__qgen_name__ = name
    return component


def _component_kind(annotation: Any) -> str | None:
    """The kind that an annotation asks for: an interface, a marked alias, or None."""
    kind = getattr(annotation, "__qgen_kind__", None)
    if isinstance(kind, str):
        return kind
    if typing.get_origin(annotation) is typing.Annotated:
        for mark in annotation.__metadata__:
            if isinstance(getattr(mark, "kind", None), str):
                return str(mark.kind)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next((k for a in typing.get_args(annotation) if (k := _component_kind(a))), None)
    return None


def _element_kind(annotation: Any) -> str | None:
    """The kind that an annotation asks for several of, e.g. ``list[Encoder]`` or ``tuple[Noise, ...] | None``."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next((k for a in typing.get_args(annotation) if (k := _element_kind(a))), None)
    several = typing.get_origin(annotation) in (list, tuple, Sequence)
    return _component_kind(typing.get_args(annotation)[0]) if several else None


def _checked(
    where: str, key: str, value: Any, parameter: inspect.Parameter, given: Mapping[str, Any] | None
) -> Any:
    """The value as the option's type, with components built from their names and tables."""
    kind, element = _component_kind(parameter.annotation), _element_kind(parameter.annotation)
    if kind is not None and isinstance(value, str | Mapping):
        return build(kind, value, given)
    if element is not None and isinstance(value, list | tuple):
        value = [build(element, v, given) if isinstance(v, str | Mapping) else v for v in value]
    return _validated(where, key, value, parameter.annotation)


def _validated(where: str, key: str, value: Any, annotation: Any) -> Any:
    """The value as the annotation's type; numbers are not made from text or truth values."""
    import pydantic

    config = pydantic.ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation, config=config)
    except (pydantic.PydanticUserError, TypeError):
        try:
            adapter = pydantic.TypeAdapter(annotation)
        except (pydantic.PydanticUserError, TypeError):
            return value
    try:
        result = adapter.validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part!r}]" for part in first["loc"] if isinstance(part, int | str))
        raise BadOption(
            f"{where} option {key!r}{place}: {first['msg']}, not {_shown(first['input'])}"
        ) from None
    if _coerced(value, result):
        raise BadOption(f"{where} option {key!r} is {_type_name(annotation)}, not {_shown(value)}")
    return result


def _coerced(value: Any, result: Any) -> bool:
    """Whether a number was made of text or of a truth value, or a truth value of a number, at any depth."""
    if isinstance(value, Mapping) and isinstance(result, Mapping):
        return any(_coerced(value[key], result[key]) for key in value if key in result)
    if isinstance(value, list | tuple) and isinstance(result, list | tuple):
        return any(_coerced(v, r) for v, r in zip(value, result, strict=False))
    if isinstance(value, bool) or isinstance(result, bool):
        return isinstance(value, bool | int | float | str) and type(value) is not type(result)
    return isinstance(value, str) and isinstance(result, int | float)


def _shown(value: Any) -> str:
    """A value on one line of an error message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _type_name(annotation: Any) -> str:
    kind = _component_kind(annotation)
    if kind is not None:
        return f"{kind} (name or table)"
    if annotation is Any:
        return "any"
    text = (
        annotation.__name__
        if isinstance(annotation, type) and not typing.get_args(annotation)
        else str(annotation)
    )
    return text.replace("typing.", "").replace("collections.abc.", "")


@cache
def known() -> dict[str, dict[str, str]]:
    """Names that packages of this project provide: kind to name to distribution; hints only."""
    text = (
        importlib.resources.files("qgen_core.discovery")
        .joinpath("known.toml")
        .read_text(encoding="utf-8")
    )
    return tomllib.loads(text)


def _unknown(kind: str, name: str, available: Mapping[str, Any]) -> str:
    hints = {k: v for k, v in known().get(kind, {}).items() if v != CORE and k not in available}
    message = f"no {kind} {name!r}; installed: {', '.join(available) or 'none'}"
    if name in hints:
        return f"{message}\n  `pip install {hints[name]}` provides it"
    close = difflib.get_close_matches(name, [*available, *hints], n=1, cutoff=0.6)
    if not close:
        return message
    message += f"\n  did you mean {close[0]!r}?"
    return message + (f"  `pip install {hints[close[0]]}` provides it" if close[0] in hints else "")
