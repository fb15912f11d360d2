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

from qgen_core.errors import BrokenPlugin

CORE = "qgen-core"
log = logging.getLogger("qgen")


@cache
def all_entries() -> tuple[importlib.metadata.EntryPoint, ...]:
    """The entry points of all installed packages in groups ``qgen.*``, read once a process."""
    try:
        found = list(importlib.metadata.entry_points())
    except Exception:  # one unreadable entry_points.txt, of any package whatever, ends the common way
        found = list(_readable_entries())
    return tuple(entry for entry in found if entry.group.startswith("qgen."))


def _readable_entries() -> Iterator[importlib.metadata.EntryPoint]:
    """Package by package, leaving out those that cannot be read; as on import, the first of a name wins."""
    seen = set()
    for distribution in importlib.metadata.distributions():
        try:
            found = list(distribution.entry_points)
            name = str(distribution.metadata["Name"])
        except Exception as error:
            where = getattr(distribution, "_path", "an installed package")
            log.warning("%s is left out, its entry points cannot be read: %s", where, error)
            continue
        if name not in seen:
            yield from found
        seen.add(name)


def entries(group: str) -> list[importlib.metadata.EntryPoint]:
    """The entry points of a group that QGEN_PLUGINS admits."""
    return [entry for entry in all_entries() if entry.group == group and allowed(entry)]


def distribution_of(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that an entry point comes from.

    A package without readable metadata is called by its module, with version "unknown".
    """
    facts = {}
    try:
        metadata = None if entry.dist is None else entry.dist.metadata
        facts = {} if metadata is None else {key: metadata[key] for key in ("Name", "Version") if key in metadata}
    except (OSError, ValueError) as error:
        log.debug("metadata of %r cannot be read: %s", entry.value, error)
    return facts.get("Name") or entry.value.partition(":")[0].partition(".")[0], facts.get("Version") or "unknown"


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
        reason = str(error) or type(error).__name__
        if isinstance(error, SystemExit):
            reason = f"it called exit({error.code!r}) on import"
        elif not isinstance(error, ImportError):
            reason = f"{type(error).__name__}: {reason}"
        raise BrokenPlugin(f"{what} comes from {name} {version}, which could not be imported: {reason}") from error


def check_core_version(what: str, entry: importlib.metadata.EntryPoint) -> None:
    """Raise BrokenPlugin if the package asks for another version of qgen-core."""
    from packaging.requirements import InvalidRequirement, Requirement

    installed = importlib.metadata.version(CORE)
    for text in (entry.dist.requires or []) if entry.dist is not None else []:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue  # asked for by an extra, or on another system
        if need.name.lower().replace("_", "-") == CORE and not need.specifier.contains(installed, prereleases=True):
            name, version = distribution_of(entry)
            raise BrokenPlugin(
                f"{what} comes from {name} {version}, which needs {CORE} {need.specifier}; installed is {installed}"
            )
