"""Reading installed packages: which are allowed, whom an entry point comes from, what broke.

Only metadata is read until a component is asked for by name. (``importlib.metadata`` is the
standard library's successor of the PyPI package ``entrypoints``.)
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from qgen_core.errors import BrokenPlugin

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CORE = "qgen-core"
log = logging.getLogger("qgen")


@cache
def all_entries() -> tuple[importlib.metadata.EntryPoint, ...]:
    """The entry points of all installed packages in groups ``qgen.*``, read once a process.

    Package by package, since one malformed file, of any package whatever, ends
    ``importlib.metadata.entry_points()`` for all. As on import, the first of a name on the path wins.
    """
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for distribution in importlib.metadata.distributions():
        where = str(getattr(distribution, "_path", "a package"))
        try:
            if "[qgen." not in (distribution.read_text("entry_points.txt") or ""):
                continue
            own = [entry for entry in distribution.entry_points if entry.group.startswith("qgen.")]
        except Exception as error:
            log.warning("%s is left out, its entry points cannot be read: %s", where, error)
            continue
        found.setdefault(_facts(distribution).get("Name", where), own)
    return tuple(entry for own in found.values() for entry in own)


def entries(group: str) -> list[importlib.metadata.EntryPoint]:
    """The entry points of a group that QGEN_PLUGINS admits."""
    return [entry for entry in all_entries() if entry.group == group and allowed(entry)]


def distribution_of(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that an entry point comes from.

    A package without readable metadata is called by its module, with version "unknown".
    """
    facts = _facts(entry.dist)
    module = entry.value.partition(":")[0].partition(".")[0]
    return facts.get("Name") or module, facts.get("Version") or "unknown"


@cache  # reading metadata takes a millisecond, and every entry point asks for its package's
def _facts(distribution: importlib.metadata.Distribution | None) -> dict[str, str]:
    """Name and Version, as far as the metadata can be read."""
    try:
        metadata = None if distribution is None else distribution.metadata
    except (OSError, ValueError):  # e.g. no UTF-8
        metadata = None
    return (
        {}
        if metadata is None
        else {key: metadata[key] for key in ("Name", "Version") if key in metadata}
    )


def allowed(entry: importlib.metadata.EntryPoint) -> bool:
    """Whether QGEN_PLUGINS (names of distributions, comma separated) admits this entry point."""
    limit = os.environ.get("QGEN_PLUGINS")
    if limit is None:
        return True
    names = {part.strip().lower().replace("_", "-") for part in limit.split(",")}
    return distribution_of(entry)[0].lower().replace("_", "-") in names | {CORE}


@contextmanager
def import_failures(what: str, entry: importlib.metadata.EntryPoint) -> Iterator[None]:
    """Turn whatever an import raises, SystemExit too, into BrokenPlugin that blames the package."""
    check_core_version(what, entry)
    name, version = distribution_of(entry)
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = (
            f"it called exit({error.code!r}) on import"
            if isinstance(error, SystemExit)
            else reason_of(error)
        )
        raise BrokenPlugin(
            f"{what} comes from {name} {version}, which could not be imported: {reason}"
        ) from error


def reason_of(error: BaseException) -> str:
    """What an exception says, on one line; its type too, unless it is an import that failed."""
    text = " ".join(str(error).split())
    if isinstance(error, ImportError) and text:
        return text
    return ": ".join(filter(None, [type(error).__name__, text]))


def check_core_version(what: str, entry: importlib.metadata.EntryPoint) -> None:
    """Raise BrokenPlugin if the package asks for another version of qgen-core."""
    installed = importlib.metadata.version(CORE)
    for need in _requirements(entry.dist):
        if need.name.lower().replace("_", "-") == CORE and not need.specifier.contains(
            installed, prereleases=True
        ):
            name, version = distribution_of(entry)
            raise BrokenPlugin(
                f"{what} comes from {name} {version}, which needs {CORE} {need.specifier}; installed is {installed}"
            )


@cache
def packages() -> dict[str, dict[str, str]]:
    """Versions of the core and the plugins, each with those of what it requires; empty for what is not there."""
    found: dict[str, dict[str, str]] = {}
    names = {CORE, *(distribution_of(entry)[0] for entry in all_entries() if allowed(entry))}
    for name in sorted(names, key=lambda n: (n != CORE, n)):
        found[name] = {name: version_of(name)}
        if found[name][name]:
            needs = {need.name for need in _requirements(importlib.metadata.distribution(name))} - {
                CORE
            }
            found[name] |= {need: version_of(need) for need in sorted(needs)}
    return found


def version_of(distribution: str) -> str:
    """The version that is installed; empty if none is."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _requirements(distribution: importlib.metadata.Distribution | None) -> Iterator[Requirement]:
    """What a distribution requires on this system, without its extras, as far as that can be read."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        texts = (distribution.requires or []) if distribution is not None else []
    except (OSError, ValueError):
        texts = []
    for text in texts:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield need
