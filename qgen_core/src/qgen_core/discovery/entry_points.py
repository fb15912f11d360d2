"""Reading the entry points and metadata of installed packages.

Which packages are admitted, which distribution an entry point comes from, and whose fault it is
when an import fails. Only metadata is read until a component is asked for by name.
(``importlib.metadata`` is the standard library's successor of the PyPI package ``entrypoints``.)
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from qgen_core.discovery import contract
from qgen_core.errors import BrokenPlugin

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CORE = "qgen-core"
#: Seconds after which it is said which package is being waited for.
PATIENCE = 10.0
log = logging.getLogger("qgen")


@cache
def all_entries() -> tuple[importlib.metadata.EntryPoint, ...]:
    """The entry points of all installed packages in groups ``qgen.*``, read once per process.

    Packages are read one by one, because ``importlib.metadata.entry_points()`` fails as a whole
    when the file of any one package is malformed. If a package is found twice, the first on the
    import path counts, as for imports.
    """
    by_package: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for distribution in importlib.metadata.distributions():
        where = str(getattr(distribution, "_path", "a package"))
        try:
            if "[qgen." not in (distribution.read_text("entry_points.txt") or ""):
                continue
            own = [entry for entry in distribution.entry_points if entry.group.startswith("qgen.")]
        except Exception as error:
            log.warning("%s is left out, its entry points cannot be read: %s", where, error)
            continue
        by_package.setdefault(_name_and_version(distribution).get("Name", where), own)
    found = []
    for own in by_package.values():
        found.extend(own)
    return tuple(found)


def entries(group: str) -> list[importlib.metadata.EntryPoint]:
    """The entry points of a group that QGEN_PLUGINS admits.

    >>> "js" in [entry.name for entry in entries("qgen.losses")]
    True
    """
    return [entry for entry in all_entries() if entry.group == group and allowed(entry)]


def distribution_of(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that an entry point comes from.

    A package without readable metadata is named by its module, with version "unknown".
    """
    facts = _name_and_version(entry.dist)
    return facts.get("Name") or _top_module(entry), facts.get("Version") or "unknown"


def _top_module(entry: importlib.metadata.EntryPoint) -> str:
    module = entry.value.partition(":")[0]
    return module.partition(".")[0]


@cache  # reading metadata takes a millisecond, and each entry point asks for that of its package
def _name_and_version(distribution: importlib.metadata.Distribution | None) -> dict[str, str]:
    """Name and Version, as far as the metadata can be read."""
    if distribution is None:
        return {}
    try:
        metadata = distribution.metadata
    except (OSError, ValueError):  # e.g. not UTF-8
        return {}
    if metadata is None:
        return {}
    return {key: metadata[key] for key in ("Name", "Version") if key in metadata}


def allowed(entry: importlib.metadata.EntryPoint) -> bool:
    """Whether QGEN_PLUGINS (names of distributions, comma separated) admits this entry point.

    Without that variable, every package is admitted; the core always is.
    """
    setting = os.environ.get("QGEN_PLUGINS")
    if setting is None:
        return True
    admitted = {_normalised(part.strip()) for part in setting.split(",")}
    distribution, _ = distribution_of(entry)
    return _normalised(distribution) in admitted | {CORE}


def _normalised(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


@contextmanager
def import_failures(what: str, entry: importlib.metadata.EntryPoint) -> Iterator[None]:
    """Turn whatever an import raises, SystemExit too, into BrokenPlugin that names the package.

    ``what`` is what is being imported, e.g. ``"backend 'aer'"``. Raises BrokenPlugin also if the
    package requires another version of qgen-core, or is written for a contract that the core does
    not fulfil. An import that takes long is named.
    """
    check_core_version(what, entry)
    check_contract(what, entry)
    name, version = distribution_of(entry)
    try:
        with waiting(f"{what} of {name} {version} to be imported"):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = reason_of(error)
        if isinstance(error, SystemExit):
            reason = f"it called exit({error.code!r}) on import"
        raise BrokenPlugin(
            f"{what} comes from {name} {version}, which could not be imported: {reason}"
        ) from error


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Log what is being waited for: once it has taken :data:`PATIENCE`, and when Ctrl-C ends it.

    Nothing is stopped.

    >>> with waiting("backend 'demo' of qgen-demo 1.0 to be imported"):
    ...     pass
    """
    timer = threading.Timer(
        PATIENCE, log.warning, ("waiting for %s (%g s so far); Ctrl-C stops", what, PATIENCE)
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        log.warning("stopped while waiting for %s", what)
        raise
    finally:
        timer.cancel()


def blamed(error: BaseException) -> BrokenPlugin | None:
    """The error that names the plugin in whose code an exception was raised; None without one.

    Of several plugins that called each other the innermost is named, with file and line.

    >>> blamed(ValueError("raised nowhere")) is None
    True
    """
    packages_of_modules = {}
    for entry in all_entries():
        name, version = distribution_of(entry)
        if name != CORE:
            packages_of_modules[_top_module(entry)] = f"{name} {version}"
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        package = packages_of_modules.get(module.partition(".")[0])
        if package is not None:
            found = BrokenPlugin(f"{package} failed in {module}, line {line}: {reason_of(error)}")
    return found


def reason_of(error: BaseException) -> str:
    """The message of an exception on one line, after its type unless it is an ImportError.

    >>> reason_of(OSError("no such device"))
    'OSError: no such device'
    """
    text = " ".join(str(error).split())
    if isinstance(error, ImportError) and text:
        return text
    name = type(error).__name__
    if not text:
        return name
    return f"{name}: {text}"


def check_core_version(what: str, entry: importlib.metadata.EntryPoint) -> None:
    """Raise BrokenPlugin if the package of an entry point requires another qgen-core version."""
    installed = importlib.metadata.version(CORE)
    for requirement in _requirements(entry.dist):
        if _normalised(requirement.name) != CORE:
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            name, version = distribution_of(entry)
            raise BrokenPlugin(
                f"{what} comes from {name} {version}, which needs {CORE} {requirement.specifier}; "
                f"installed is {installed}"
            )


def check_contract(what: str, entry: importlib.metadata.EntryPoint) -> None:
    """Raise BrokenPlugin if the package of an entry point is written for another contract."""
    name, version = distribution_of(entry)
    reason = contract.misfit(contracts_of(name), name, CORE)
    if reason:
        raise BrokenPlugin(f"{what} comes from {name} {version}, which {reason}")


def contracts_of(distribution: str) -> list[str]:
    """The contracts that a plugin declares, as they are written; reads metadata only.

    >>> contracts_of("no-such-package")
    []
    """
    found = []
    for entry in all_entries():
        if entry.group == contract.GROUP and distribution_of(entry)[0] == distribution:
            found.append(entry.name)
    return sorted(found)


@cache
def packages() -> dict[str, dict[str, str]]:
    """Versions of the core and of each plugin, with those of the packages that each requires.

    Keys are distributions, the core first; a version is empty for what is not installed.

    >>> "numpy" in packages()["qgen-core"]
    True
    """
    plugins = {distribution_of(entry)[0] for entry in all_entries() if allowed(entry)}
    found: dict[str, dict[str, str]] = {}
    for name in [CORE, *sorted(plugins - {CORE})]:
        found[name] = {name: version_of(name)}
        if not found[name][name]:
            continue
        requirements = _requirements(importlib.metadata.distribution(name))
        required = {requirement.name for requirement in requirements}
        for requirement_name in sorted(required - {CORE}):
            found[name][requirement_name] = version_of(requirement_name)
    return found


def version_of(distribution: str) -> str:
    """The installed version of a distribution; empty if it is not installed.

    >>> version_of("no-such-package")
    ''
    """
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _requirements(distribution: importlib.metadata.Distribution | None) -> Iterator[Requirement]:
    """What a distribution requires on this system, without its extras, as far as it can be read."""
    from packaging.requirements import InvalidRequirement, Requirement

    if distribution is None:
        return
    try:
        texts = distribution.requires or []
    except (OSError, ValueError):
        return
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement
