"""Importing a package that one component needs, where it is used, or saying how to install it."""

from __future__ import annotations

import importlib
from typing import Any

from qgen_core.errors import BrokenPlugin


def sdk(module: str, needed_by: str, install: str) -> Any:
    """A module of an SDK, e.g. ``sdk("cirq", "backend 'cirq'", "cirq-core")``.

    Raises BrokenPlugin, with the pip line, when it is not installed or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BrokenPlugin(
            f"{needed_by} needs the package {install}; `pip install {install}` brings it ({error})"
        ) from error
    except ImportError as error:
        raise BrokenPlugin(
            f"{needed_by} needs {install}, which could not be imported: {error}; "
            f"`pip install --force-reinstall {install}` mends an installation"
        ) from error
