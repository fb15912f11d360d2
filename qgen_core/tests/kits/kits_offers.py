"""Which components the core itself offers: the built-ins that the kits must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qgen_core.discovery import registry


def builtins(kind: str) -> list[str]:
    """Names of a kind that come from qgen-core."""
    return [
        n
        for n, offers in registry.offers(kind).items()
        if any(o.distribution == "qgen-core" for o in offers)
    ]


def cases(
    kind: str, told: Mapping[str, Callable[[], Any]], elsewhere: tuple[str, ...] = ()
) -> dict[str, Callable[[], Any]]:
    """How to make each case: as told (``name`` or ``name, variant``), else by its name alone.

    Those ``elsewhere`` are held by the kit in tests of their own.
    """
    known = {name.partition(",")[0] for name in told} | set(elsewhere)
    plain = {
        name: lambda n=name: registry.build(kind, n) for name in builtins(kind) if name not in known
    }
    return {**plain, **told}
