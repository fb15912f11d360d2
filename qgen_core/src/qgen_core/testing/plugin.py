"""The kits of everything that a package offers: ``qgen test-plugin``."""

from __future__ import annotations

import inspect
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import SkipTest

import numpy as np

from qgen_core.discovery import registry
from qgen_core.errors import BadOption, QgenError, RecipeError, UnknownName
from qgen_core.events import Events, Space
from qgen_core.testing import (
    AnsatzKit,
    BackendKit,
    DatasetKit,
    EncoderKit,
    GeneratorKit,
    Kit,
    LossKit,
    MetricKit,
    SamplerKit,
    TrainerKit,
)
from qgen_core.testing.spaces import some_events

#: The kit of each kind that has one; components of other kinds are imported and built only.
KITS: Mapping[str, type[Kit]] = {
    "encoder": EncoderKit,
    "generator": GeneratorKit,
    "sampler": SamplerKit,
    "loss": LossKit,
    "trainer": TrainerKit,
    "backend": BackendKit,
    "ansatz": AnsatzKit,
    "dataset": DatasetKit,
    "metric": MetricKit,
}
#: Spaces that components are tried in; the first one that a component takes is its space.
SPACES = (Space("bits", 4), Space("reals", 2), Space("angles", 2), Space("spins", 4))
#: What stands for options that a component requires and that were not given.
STAND_INS: Mapping[str, Any] = {"ansatz": "brick", "backend": "statevector", "sampler": "exact"}
#: Events that a component gets which asks for data.
EVENTS = 256

State = Literal["passed", "failed", "known failure", "not applicable"]


@dataclass(frozen=True)
class Outcome:
    """How one test of one component ended, and why it did not pass."""

    component: str
    test: str
    state: State
    message: str = ""

    @property
    def key(self) -> str:
        """What the file of settings calls it, e.g. ``loss mine test_minimum``."""
        return f"{self.component} {self.test}"


@dataclass(frozen=True)
class Settings:
    """What the kits cannot know: options of components, attributes of kits, known failures.

    Args:
        options: by kind and name, the options to build a component with; among them ``kit``, the
            attributes of its kit such as ``minimum``, and ``space``, with ``kind`` and ``width``.
        known: failures that are known, by :attr:`Outcome.key`, with the reason.
    """

    options: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Settings:
        r"""Read a TOML file.

        Tables such as ``[loss.mine]`` hold options, ``[loss.mine.kit]`` attributes of the kit, and
        ``[known]`` the known failures. Raises RecipeError for another content.

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "kits.toml")
        ...     text = '[loss.mine.kit]\nminimum = 0.0\n[known]\n"loss mine t" = "slow"'
        ...     written = file.write_text(text)
        ...     found = Settings.read(file)
        >>> found.options["loss"]["mine"], found.known
        ({'kit': {'minimum': 0.0}}, {'loss mine t': 'slow'})
        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RecipeError(f"cannot read {path}: {error}") from error
        known = document.pop("known", {})
        for kind, tables in document.items():
            if kind not in registry.KINDS:
                raise RecipeError(
                    f"{path}: {kind!r} is no kind of component; there are "
                    f"{', '.join(registry.KINDS)}, and the table [known]"
                )
            if not _is_table_of(tables, dict):
                raise RecipeError(f"{path}: [{kind}] holds a table for each name, [{kind}.NAME]")
        if not _is_table_of(known, str):
            raise RecipeError(f'{path}: [known] holds lines "KIND NAME TEST" = "reason"')
        return cls(document, known)


def _is_table_of(table: Any, kind: type) -> bool:
    return isinstance(table, dict) and all(isinstance(value, kind) for value in table.values())


def components_of(distribution: str) -> list[registry.Offer]:
    """Everything that an installed package offers, kind by kind.

    Raises UnknownName for a package that offers nothing.

    >>> {offer.kind for offer in components_of("qgen-core")} >= set(KITS) - {"study"}
    True
    """
    wanted = distribution.lower().replace("_", "-")
    found = []
    packages = set()
    for kind in registry.KINDS:
        for same_name in registry.offers(kind).values():
            for offer in same_name:
                packages.add(offer.distribution)
                if offer.distribution.lower().replace("_", "-") == wanted:
                    found.append(offer)
    if not found:
        there = ", ".join(sorted(packages))
        raise UnknownName(f"no package {distribution!r} offers components; there are {there}")
    return found


def examine(offer: registry.Offer, settings: Settings) -> Iterator[Outcome]:
    """Run the kit of a component's kind on it, one outcome for each test.

    A component that cannot be built has one outcome, of the test ``build``.

    >>> js = registry.find("loss", "js")
    >>> {outcome.state for outcome in examine(js, Settings())} <= {"passed", "not applicable"}
    True
    """
    component = f"{offer.kind} {offer.name}"
    options = dict(settings.options.get(offer.kind, {}).get(offer.name, {}))
    attributes = dict(options.pop("kit", {}))
    try:
        make = _maker(offer, options)
    except QgenError as error:
        yield _judged(Outcome(component, "build", "failed", _told(error)), settings)
        return
    yield Outcome(component, "build", "passed")
    if offer.kind in KITS:
        kit = _kit_of(KITS[offer.kind], make, attributes)
        for test in sorted(name for name in dir(kit) if name.startswith("test")):
            yield _judged(outcome_of(kit, component, test), settings)


def _maker(offer: registry.Offer, options: Mapping[str, Any]) -> Callable[..., Any]:
    """A function that builds the component anew; it has been tried. Raises QgenError."""
    _, factory = registry.factory_of(offer.kind, f"{offer.distribution}:{offer.name}")
    given = dict(options)
    spaces: Sequence[Space] = SPACES
    if "space" in given:
        spaces = (Space(**given.pop("space")),)
    parameters = inspect.signature(factory).parameters
    required = {
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    for name in required & set(STAND_INS) - set(given):
        given[name] = STAND_INS[name]

    def made(space: Space, steps: int | None = None) -> Any:
        chosen = dict(given)
        if steps is not None and "steps" in parameters:
            chosen["steps"] = steps
        reference = {"name": f"{offer.distribution}:{offer.name}", **chosen}
        return registry.build(offer.kind, reference, _supplied(space))

    first: QgenError | None = None
    for space in spaces:
        try:
            made(space)
        except BadOption as error:
            first = first or error
        else:
            return lambda *steps: made(space, *steps)
    assert first is not None
    raise first


def _supplied(space: Space) -> dict[str, Any]:
    """What a run would supply to a component with events of this space."""
    columns = tuple(f"x{number}" for number in range(space.width))
    data = Events(some_events(space, EVENTS, np.random.default_rng(5)), columns=columns)
    return {"space": space, "seed": 1, "data": data, "column_names": columns}


def _kit_of(kit: type[Kit], make: Callable[..., Any], attributes: Mapping[str, Any]) -> Kit:
    """An instance of a kit that makes the component. Raises BadOption for unknown attributes."""
    unknown = [name for name in attributes if not hasattr(kit, name)]
    if unknown:
        raise BadOption(f"{kit.__name__} has no attribute {', '.join(map(repr, unknown))}")
    methods = {"make": lambda self, *given: make(*given)}
    subject = type("Subject", (kit,), {**methods, **attributes})
    instance: Kit = subject()
    return instance


def outcome_of(kit: Kit, component: str, name: str) -> Outcome:
    """How one test of a kit ends, run as pytest would.

    >>> class TestJs(LossKit):
    ...     def make(self):
    ...         return registry.build("loss", "js")
    >>> outcome_of(TestJs(), "loss js", "test_minimum").state
    'not applicable'
    """
    test = getattr(kit, name)
    try:
        if "tmp_path" in inspect.signature(test).parameters:
            with tempfile.TemporaryDirectory() as folder:
                test(Path(folder))
        else:
            test()
    except SkipTest as reason:
        return Outcome(component, name, "not applicable", str(reason))
    except Exception as error:  # whatever a component raises is a finding about it
        return Outcome(component, name, "failed", _told(error))
    return Outcome(component, name, "passed")


def _judged(outcome: Outcome, settings: Settings) -> Outcome:
    """The outcome, of which a failure may be known."""
    reason = settings.known.get(outcome.key)
    if outcome.state != "failed" or reason is None:
        return outcome
    return Outcome(outcome.component, outcome.test, "known failure", reason)


def _told(error: BaseException) -> str:
    if isinstance(error, AssertionError | QgenError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def as_text(outcomes: Sequence[Outcome], settings: Settings) -> str:
    """The report: a line for each component, then every failure with its message.

    >>> passed = Outcome("loss a", "build", "passed")
    >>> failed = Outcome("loss a", "test_b", "failed", "why")
    >>> print(as_text([passed, failed], Settings()))
    loss a                              1 passed, 1 failed
    <BLANKLINE>
    loss a test_b
      why
    """
    lines = []
    for component in dict.fromkeys(outcome.component for outcome in outcomes):
        states = [outcome.state for outcome in outcomes if outcome.component == component]
        told = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
        lines.append(f"{component:<35} {', '.join(told)}")
    for outcome in outcomes:
        if outcome.state in ("failed", "known failure"):
            lines += ["", outcome.key]
            known = "known: " if outcome.state == "known failure" else ""
            lines += [f"  {known}{line}" for line in outcome.message.splitlines()]
    failing = {outcome.key for outcome in outcomes if outcome.state == "known failure"}
    for key in settings.known:
        if key not in failing:
            lines += ["", f"{key} is listed as a known failure and does not fail; remove it"]
    return "\n".join(lines)
