"""Finding and building components by name.

Packages offer components as entry points, one group for each kind. Listing them reads metadata
only; the package is imported when one of its components is asked for. The options of a component
are the parameters of its factory. An option that expects a component takes a name, a table with
``name`` and options, or the object itself.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import importlib.resources
import inspect
import os
import tomllib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from qgen_core.discovery.entry_points import (
    CORE,
    distribution_of,
    entries,
    import_failures,
    reason_of,
    waiting,
)
from qgen_core.discovery.install_hints import source_of
from qgen_core.discovery.option_types import (
    built_later,
    component_kind,
    element_kind,
    shown,
    type_name,
    validated,
    words_of,
)
from qgen_core.discovery.summaries import first_line, summary_of
from qgen_core.errors import (
    BadOption,
    BrokenPlugin,
    QgenError,
    ResourceRefused,
    TwoOffers,
    UnknownName,
)
from qgen_core.support.notebook import ShownInNotebook

#: A class or function that returns a component; its parameters are the component's options.
Factory = Callable[..., Any]
#: How a recipe refers to a component: its name, or a table with ``name`` and options.
Ref = str | Mapping[str, Any]

#: Kinds of components and their groups of entry points.
KINDS = {
    "encoder": "qgen.encoders",
    "generator": "qgen.generators",
    "couplings": "qgen.couplings",
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
    "tracker": "qgen.trackers",
}
#: Kinds whose components inherit an interface class, which names the kind as ``__qgen_kind__``.
INTERFACES = frozenset({"encoder", "generator", "sampler", "loss", "trainer", "backend", "tracker"})
#: Kinds whose components are functions, and the arguments that they get when they are called.
#: The other parameters are options, bound when the component is built. A class may stand in for
#: such a function: it is built from its options, and its objects are called with these arguments.
CALL_ARGUMENTS: Mapping[str, Sequence[str]] = {
    "couplings": ("left", "right"),
    "noise": ("circuit", "measure"),
    "ansatz": ("wires", "inputs", "registers", "data"),
    "dataset": (),
    "metric": ("reference", "generated", "edges", "rng", "model", "encoded"),
    "network": ("inputs", "outputs"),
}
#: Parameters that a run fills in for every factory that has them; a recipe cannot set them.
SUPPLIED_BY_RUN = frozenset(
    {
        "space",
        "condition",
        "data",
        "seed",
        "edges",
        "column_names",
        "condition_names",
        "run_folder",
    }
)


@dataclass(frozen=True)
class Deferred:
    """A value that a run supplies, computed only if a factory has a parameter for it.

    >>> training_events = Deferred(lambda: [1.0, 2.0])
    >>> training_events.compute()
    [1.0, 2.0]
    """

    compute: Callable[[], Any]


@dataclass(frozen=True)
class Offer:
    """A component that an installed package, or this process, offers under a name.

    ``load`` imports the package and returns the factory; ``summarise`` describes it on one line
    without importing it.
    """

    kind: str
    name: str
    distribution: str
    version: str
    load: Factory = field(repr=False)
    summarise: Callable[[], str] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} comes from {self.distribution} {self.version}".rstrip()


@dataclass(frozen=True)
class Option:
    """One option of a component: its type as text, and its default unless it is ``required``."""

    name: str
    type: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Description:
    """What ``qgen info`` shows: who provides a component, its documentation and its options."""

    kind: str
    name: str
    distribution: str
    version: str
    doc: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class BoundFunction(ShownInNotebook):
    """A component that is a function, with its options bound; call it with the other arguments.

    Of the keyword arguments of a call, those that the function has no parameter for are left out.
    ``source`` says which package the function comes from; it is empty for those of the core.
    Raises BadOption when ``inputs`` are given to an ansatz that takes none, and BrokenPlugin, which
    names the source, when the function fails or returns something else than its kind does.
    """

    kind: str
    name: str
    function: Factory = field(repr=False)
    options: Mapping[str, Any]
    source: str = ""

    @property
    def __qgen_name__(self) -> str:
        return self.name

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature of the function without the options, for :func:`inspect.signature`."""
        signature = inspect.signature(self.function)
        left = [
            parameter
            for name, parameter in signature.parameters.items()
            if name not in self.options
        ]
        return signature.replace(parameters=left)

    def __call__(self, *args: Any, **call_arguments: Any) -> Any:
        parameters = inspect.signature(self.function).parameters
        if call_arguments.get("inputs") and "inputs" not in parameters:
            raise BadOption(
                f"{self.kind} {self.name!r} takes no inputs, so it cannot be conditioned"
            )
        passed = {}
        for key, value in call_arguments.items():
            if key in parameters and key not in self.options:
                passed[key] = value
        try:
            result = self.function(*args, **passed, **self.options)
        except QgenError:
            raise
        except MemoryError as error:
            raise ResourceRefused(
                f"{self.kind} {self.name!r} needs more memory than is free: {reason_of(error)}; "
                "ask for less, or use a machine with more memory"
            ) from error
        except (Exception, SystemExit) as error:
            if not self.source:
                raise
            raise BrokenPlugin(
                f"{self.source}, and failed when it was called: {reason_of(error)}"
            ) from error
        if self.source:
            self._check_result(result)
        return result

    def _check_result(self, result: Any) -> None:
        expected: Any = _results().get(self.kind, object)
        if not isinstance(result, expected):
            raise BrokenPlugin(
                f"{self.source}, and returned a {type(result).__name__} instead of a "
                f"{expected.__name__}"
            )
        if self.kind == "metric":
            self._check_numbers(result)

    def _check_numbers(self, result: Mapping[str, Any]) -> None:
        for name, value in result.items():
            if not _is_number(value):
                raise BrokenPlugin(
                    f"{self.source}, and returned {shown(value)} for {name!r} instead of a number "
                    "or an Estimate"
                )


@cache
def _results() -> Mapping[str, type]:
    """What functions of a kind return, where that is one type; listing names needs none of them."""
    from qgen_core.circuits.circuit import Circuit
    from qgen_core.events import Events

    return {"ansatz": Circuit, "dataset": Events, "metric": Mapping}


def _is_number(value: Any) -> bool:
    """Whether a metric may return this value."""
    from qgen_core.interfaces import Estimate

    if isinstance(value, Estimate):
        return True
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, str | bytes)


#: Components offered in this process only, by kind and name.
_local: dict[tuple[str, str], Offer] = {}


def register(kind: str, name: str, factory: Factory) -> None:
    """Offer a component in this process only, e.g. from a notebook.

    It takes precedence over an installed component of the same name. Raises UnknownName for a
    kind that does not exist.

    >>> import qgen_core as qgen
    >>> def bell_pair(wires, *, angle: float = 0.5):
    ...     rotation = qgen.Gate("ry", (0,), qgen.const(angle))
    ...     return qgen.Circuit(wires, (rotation, qgen.Gate("cx", (0, 1))))
    >>> qgen.register("ansatz", "doctest-bell-pair", bell_pair)
    >>> qgen.ansatz("doctest-bell-pair", angle=0.1)(2).num_wires
    2
    """
    _check_kind(kind)
    summary = first_line(inspect.getdoc(factory) or "")
    _local[kind, name] = Offer(kind, name, "this process", "", lambda: factory, lambda: summary)


def offers(kind: str) -> dict[str, list[Offer]]:
    """All offers of a kind by name, sorted; reads metadata only.

    Raises UnknownName for a kind that does not exist.

    >>> offers("loss")["js"][0].distribution
    'qgen-core'
    """
    _check_kind(kind)
    found = {}
    for name, same_name in _installed(kind, os.environ.get("QGEN_PLUGINS")).items():
        found[name] = list(same_name)
    for (local_kind, name), offer in _local.items():
        if local_kind == kind:
            found[name] = [offer]
    return dict(sorted(found.items()))


def names(kind: str) -> list[str]:
    """The names of a kind that can be built here, sorted; reads metadata only.

    Raises UnknownName for a kind that does not exist.

    >>> import qgen_core as qgen
    >>> "statevector" in qgen.names("backend")
    True
    """
    return list(offers(kind))


@cache
def _installed(kind: str, admitted: str | None) -> dict[str, list[Offer]]:
    """Offers of installed packages by name, cached for each value ``admitted`` of QGEN_PLUGINS.

    The same entry point found twice, e.g. in two folders on the import path, is one offer.
    """
    found: dict[str, dict[tuple[str, str], Offer]] = {}
    for entry in entries(KINDS[kind]):
        distribution, version = distribution_of(entry)
        load = _loader(kind, entry)
        summarise = partial(summary_of, entry)
        offer = Offer(kind, entry.name, distribution, version, load, summarise)
        same_name = found.setdefault(entry.name, {})
        same_name.setdefault((distribution, entry.value), offer)
    return {name: list(same_name.values()) for name, same_name in found.items()}


def _loader(kind: str, entry: importlib.metadata.EntryPoint) -> Factory:
    def load() -> Factory:
        with import_failures(f"{kind} {entry.name!r}", entry):
            if not entry.pattern.match(entry.value):
                raise ImportError(f"{entry.value!r} names no module and attribute")
            factory: Factory = entry.load()
        return factory

    return load


def find(kind: str, name: str) -> Offer:
    """The offer of a name; ``"distribution:name"`` chooses one package among several.

    Raises UnknownName, listing what is installed and which package would provide the name, and
    TwoOffers if several packages offer it.

    >>> str(find("backend", "statevector")).partition(" comes from ")[0]
    "backend 'statevector'"
    """
    available = offers(kind)
    distribution, _, bare_name = name.rpartition(":")
    found = available.get(bare_name, [])
    if distribution:
        found = [offer for offer in found if offer.distribution == distribution]
    if not found:
        raise UnknownName(_unknown_name(kind, name, available))
    if len(found) > 1:
        distributions = sorted(offer.distribution for offer in found)
        raise TwoOffers(
            f"{kind} {bare_name!r} is offered by {' and '.join(distributions)}; "
            f"choose one by its package, e.g. '{distributions[0]}:{bare_name}'"
        )
    return found[0]


def kinds_of(name: str) -> list[str]:
    """The kinds in which a name is offered; reads metadata only.

    Raises UnknownName, with a similar name if there is one, for a name of no kind.

    >>> kinds_of("js")
    ['loss', 'metric']
    """
    bare_name = name.rpartition(":")[2]
    found = []
    all_names: set[str] = set()
    for kind in KINDS:
        available = offers(kind)
        all_names.update(available)
        if bare_name in available:
            found.append(kind)
    if found:
        return found
    message = f"no component {name!r} of any kind is installed; `qgen list` names all"
    if name in KINDS:
        message = f"{name!r} is a kind; `qgen list {name}` lists its names"
    close = difflib.get_close_matches(bare_name, sorted(all_names), n=1, cutoff=0.6)
    if close and name not in KINDS:
        message += f"\n  did you mean {close[0]!r}?"
    for kind, providers in known_providers().items():
        if bare_name in providers:
            source = source_of(providers[bare_name])
            message += f"\n  {source} provides {kind} {bare_name!r}"
    raise UnknownName(message)


def factory_of(kind: str, name: str) -> tuple[Offer, Factory]:
    """The offer of a name and its factory, imported.

    Raises BrokenPlugin if the package cannot be imported or what it offers is no factory of this
    kind, and what :func:`find` raises.

    >>> offer, factory = factory_of("loss", "js")
    >>> factory.__name__
    'JensenShannon'
    """
    offer = find(kind, name)
    factory = offer.load()
    if not callable(factory):
        raise BrokenPlugin(
            f"{offer}, which offers an object of type {type(factory).__name__} "
            "where a factory is needed"
        )
    if kind in INTERFACES and isinstance(factory, type):
        _check_interface(offer, factory)
        missing = sorted(getattr(factory, "__abstractmethods__", ()))
        if missing:
            raise BrokenPlugin(f"{offer}, whose {factory.__name__} lacks {', '.join(missing)}")
    return offer, factory


def _check_interface(offer: Offer, component: type) -> None:
    found = getattr(component, "__qgen_kind__", None)
    if found == offer.kind:
        return
    what = f"of kind {found!r}"
    if found is None:
        what = "no component of qgen"
    raise BrokenPlugin(f"{offer}, whose {component.__name__} is {what}, not of kind {offer.kind!r}")


def build(kind: str, ref: Ref, supplied: Mapping[str, Any] | None = None, /, **options: Any) -> Any:
    """Build a component from its name, or from a recipe table with ``name`` and options.

    Args:
        kind: the kind of component, a key of ``KINDS``.
        ref: the name, or a table with ``name`` and options as in a recipe.
        supplied: values that a run passes on to every factory with a parameter of that name,
            unless the option is set: ``space``, ``condition``, ``data``, ``seed``, ``edges``,
            ``column_names``, ``condition_names``, and the run's backend and sampler.
        options: options given from Python; they take precedence over those of the table.

    Returns the component; for a kind of functions, the function with its options bound. Raises
    BadOption for an option that the factory does not have, that is missing or that has the wrong
    type, UnknownName or TwoOffers if the name does not identify one component, and BrokenPlugin
    if its package cannot be imported or breaks the contract.

    >>> import qgen_core as qgen
    >>> trainer = qgen.build("trainer", {"name": "adam", "steps": 10}, learning_rate=0.02)
    >>> trainer.steps, trainer.learning_rate
    (10, 0.02)
    """
    name, table = _parse_ref(kind, ref)
    offer, factory = factory_of(kind, name)
    parameters = _parameters(offer, factory)
    where = f"{kind} {name!r}"
    _check_keys(kind, where, parameters, table, options)
    values = {**table, **options}
    values.update(_supplied_values(kind, parameters, values, supplied or {}))
    arguments = _checked_arguments(kind, where, parameters, values, supplied)
    if kind in CALL_ARGUMENTS and not isinstance(factory, type):
        source = ""
        if offer.distribution != CORE:
            source = str(offer)
        return BoundFunction(kind, name, factory, arguments, source)
    component = _call_factory(offer, factory, arguments)
    with contextlib.suppress(AttributeError):  # e.g. of a class with __slots__
        component.__qgen_name__ = name
    return component


def describe(kind: str, name: str) -> Description:
    """Who provides a component, its documentation and its options; imports that package.

    Raises what :func:`build` raises for a name that cannot be found or imported.

    >>> import qgen_core as qgen
    >>> bits = qgen.describe("encoder", "binning").options[0]
    >>> bits.name, bits.type, bits.default
    ('bits', 'int | list[int]', 4)
    """
    offer, factory = factory_of(kind, name)
    call_arguments = CALL_ARGUMENTS.get(kind, ())
    options = []
    for key, parameter in _parameters(offer, factory).items():
        if key in call_arguments or key in SUPPLIED_BY_RUN:
            continue
        option_type = type_name(parameter.annotation)
        if parameter.default is inspect.Parameter.empty:
            options.append(Option(key, option_type, required=True))
        else:
            options.append(Option(key, option_type, parameter.default))
    doc = inspect.getdoc(factory) or ""
    return Description(
        kind, offer.name, offer.distribution, offer.version, doc, options=tuple(options)
    )


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UnknownName(f"no kind {kind!r}; there are {', '.join(KINDS)}")


def _parse_ref(kind: str, ref: Ref) -> tuple[str, dict[str, Any]]:
    """The name of the component, and the options of its recipe table."""
    if isinstance(ref, str):
        return ref, {}
    if not isinstance(ref, Mapping):
        raise BadOption(f"a {kind} is a name or a table with a name, not {shown(ref)}")
    table = dict(ref)
    name = table.pop("name", None)
    if not isinstance(name, str):
        keys = ", ".join(table) or "nothing"
        raise BadOption(f"a {kind} table needs a 'name', this one has {keys}")
    return name, table


def _parameters(offer: Offer, factory: Factory) -> dict[str, inspect.Parameter]:
    """The parameters of a factory by name, with their annotations resolved.

    Raises BrokenPlugin for ``*args`` and ``**kwargs``: no option could be checked against them.
    """
    annotated: Any = factory
    if isinstance(factory, type):
        annotated = factory.__init__  # type: ignore[misc]
    try:
        annotations = typing.get_type_hints(annotated, include_extras=True)
        signature = inspect.signature(factory)
    except (NameError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise BrokenPlugin(f"{offer}, whose signature cannot be read: {error}") from error
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = {}
    for key, parameter in signature.parameters.items():
        if parameter.kind in stars:
            raise BrokenPlugin(
                f"{offer}, and takes {stars[parameter.kind]}{key}, so its options cannot be checked"
            )
        parameters[key] = parameter.replace(annotation=annotations.get(key, Any))
    return parameters


def _check_keys(
    kind: str,
    where: str,
    parameters: Mapping[str, inspect.Parameter],
    table: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    """Raise BadOption for the first key that the component does not take.

    From Python, arguments of the later call can be bound in advance, and what a run would supply
    can be given. A recipe table can hold neither.
    """
    call_arguments = CALL_ARGUMENTS.get(kind, ())
    accepted = [key for key in parameters if key not in call_arguments or key in options]
    accepted_in_table = [key for key in accepted if key not in SUPPLIED_BY_RUN]
    for key in table:
        if key not in accepted_in_table:
            raise _unknown_option(where, key, accepted_in_table)
    for key in options:
        if key not in accepted:
            raise _unknown_option(where, key, accepted)


def _unknown_option(where: str, key: str, accepted: Sequence[str]) -> BadOption:
    return BadOption(f"{where} takes {', '.join(accepted) or 'no options'}; not {key!r}")


def _supplied_values(
    kind: str,
    parameters: Mapping[str, inspect.Parameter],
    values: Mapping[str, Any],
    supplied: Mapping[str, Any],
) -> dict[str, Any]:
    """What the run supplies for parameters that are not set yet.

    Arguments of the later call are left to that call, except for ``data``: an ansatz that learns
    from training events gets them from the run that builds it.
    """
    call_arguments = CALL_ARGUMENTS.get(kind, ())
    found = {}
    for key, value in supplied.items():
        left_to_the_call = key in call_arguments and key != "data"
        if key not in parameters or key in values or left_to_the_call:
            continue
        if isinstance(value, Deferred):
            value = value.compute()
        found[key] = value
    return found


def _checked_arguments(
    kind: str,
    where: str,
    parameters: Mapping[str, inspect.Parameter],
    values: Mapping[str, Any],
    supplied: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The keyword arguments for the factory: values checked, nested components built.

    Defaults are left to the factory, except for the names of components, which are built here.
    Raises BadOption for an option that is missing.
    """
    call_arguments = CALL_ARGUMENTS.get(kind, ())
    arguments = {}
    for key, value in values.items():
        arguments[key] = _checked(where, parameters[key], value, supplied)
    for key, parameter in parameters.items():
        if key in arguments or key in call_arguments:
            continue
        default = parameter.default
        if default is inspect.Parameter.empty:
            message = f"{where} needs {key!r}"
            if key == "sampler":
                message += (
                    ': add a table [sampler] with the name of one, or sampler = "..." to '
                    f"its options; there are {', '.join(names('sampler')) or 'none installed'}"
                )
            raise BadOption(message)
        if default is not None and _takes_components(parameter.annotation):
            arguments[key] = _checked(where, parameter, default, supplied)
    return arguments


def _takes_components(annotation: Any) -> bool:
    return component_kind(annotation) is not None or element_kind(annotation) is not None


def _checked(
    where: str, parameter: inspect.Parameter, value: Any, supplied: Mapping[str, Any] | None
) -> Any:
    """One option as its annotated type, with components built from their names and tables."""
    kind = component_kind(parameter.annotation)
    is_word = isinstance(value, str) and value in words_of(parameter.annotation)
    if kind is not None and isinstance(value, str | Mapping) and not is_word:
        if built_later(parameter.annotation):
            return _builder(kind, value, supplied or {})
        return build(kind, value, supplied)
    kind_of_elements = element_kind(parameter.annotation)
    if kind_of_elements is not None and isinstance(value, list | tuple):
        components = []
        for element in value:
            if isinstance(element, str | Mapping):
                element = build(kind_of_elements, element, supplied)
            components.append(element)
        value = components
    return validated(where, parameter.name, value, parameter.annotation)


def _builder(kind: str, ref: Ref, supplied: Mapping[str, Any]) -> Factory:
    """A function of what is supplied to a part of a model; the run's own spaces are not its."""
    passed_on = {name: value for name, value in supplied.items() if name not in SUPPLIED_BY_RUN}

    def build_part(**given: Any) -> Any:
        return build(kind, ref, {**passed_on, **given})

    return build_part


def _call_factory(offer: Offer, factory: Factory, arguments: Mapping[str, Any]) -> Any:
    try:
        with waiting(f"{offer.kind} {offer.name!r} of {offer.distribution} to be built"):
            component = factory(**arguments)
    except (QgenError, MemoryError):
        raise
    except ImportError as error:  # adapters import their SDK when they are built
        raise BrokenPlugin(f"{offer}, which could not be imported: {reason_of(error)}") from error
    except (Exception, SystemExit) as error:
        raise BrokenPlugin(f"{offer}, and failed while it was built: {reason_of(error)}") from error
    if offer.kind in INTERFACES:
        _check_interface(offer, type(component))
    return component


@cache
def known_providers() -> dict[str, dict[str, str]]:
    """Which package of this project provides which name: kind to name to distribution.

    Used for hints in messages only; nothing here needs to be installed.

    >>> known_providers()["backend"]["lightning"]
    'qgen-pennylane'
    """
    file = importlib.resources.files("qgen_core.discovery").joinpath("known.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _unknown_name(kind: str, name: str, available: Mapping[str, Any]) -> str:
    """The message for a name that nothing offers: what is installed, and what may be meant."""
    providers = {}
    for other, distribution in known_providers().get(kind, {}).items():
        if distribution != CORE and other not in available:
            providers[other] = distribution
    message = f"no {kind} {name!r}; installed: {', '.join(available) or 'none'}"
    if name in providers:
        return f"{message}\n  {source_of(providers[name])} provides it"
    close = difflib.get_close_matches(name, [*available, *providers], n=1, cutoff=0.6)
    if not close:
        return message
    message += f"\n  did you mean {close[0]!r}?"
    if close[0] in providers:
        message += f"  {source_of(providers[close[0]])} provides it"
    return message
