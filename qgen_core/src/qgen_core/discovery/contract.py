"""Which version of the contract a plugin is written for, and whether the core fulfils it.

The contract is what a plugin may rely on: the interfaces and the public modules of the core. Its
version is one whole number, raised by a change after which a correct plugin may fail. A plugin
names the versions that it is written for in its metadata, as entry points of the group
``qgen.contract``; so they are read without importing it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The entry-point group in which a plugin names its contracts.
GROUP = "qgen.contract"
#: The contract that this core offers.
CONTRACT = 1
#: The oldest contract whose plugins this core still runs.
OLDEST_CONTRACT = 1


def misfit(declared: Sequence[str], plugin: str, core: str) -> str:
    """Why a plugin does not fit this core, and what to do; empty if it fits.

    A plugin that declares no contract fits: its requirement on the version of the core decides.

    Args:
        declared: names of the plugin's entry points in :data:`GROUP`.
        plugin: the plugin's distribution.
        core: the distribution of the core.

    >>> misfit(["1"], "qgen-demo", "qgen-core")
    ''
    >>> misfit(["1", "2"], "qgen-demo", "qgen-core")
    ''
    >>> misfit(["3"], "qgen-demo", "qgen-core").partition(";")[0]
    'is written for contract 3, newer than contract 1 of qgen-core'
    """
    if not declared:
        return ""
    for name in declared:
        if not re.fullmatch(r"[0-9]+", name):
            return (
                f"declares the contract {name!r}, which is not a whole number; its author has to "
                "correct its pyproject.toml"
            )
    versions = sorted(int(name) for name in declared)
    if any(OLDEST_CONTRACT <= version <= CONTRACT for version in versions):
        return ""
    newer = [version for version in versions if version > CONTRACT]
    if newer:
        return (
            f"is written for contract {newer[0]}, newer than contract {CONTRACT} of {core}; "
            f"`pip install --upgrade {core}` installs a newer core"
        )
    return (
        f"is written for contract {versions[-1]}, older than contract {OLDEST_CONTRACT}, the "
        f"oldest that {core} runs; `pip install --upgrade {plugin}` installs a newer release of it"
    )
