"""Hooks of qgen-torch: what a run records of torch.

A module beside the package, because importing the package imports torch.
"""

from __future__ import annotations

import sys

from qgen_core.discovery.hooks import hookimpl


@hookimpl
def environment() -> dict[str, str]:
    """The number of torch's threads, on which the last bits of its sums depend.

    A process that has not imported torch has no results of torch, and records nothing.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {"torch threads": str(torch.get_num_threads())}
