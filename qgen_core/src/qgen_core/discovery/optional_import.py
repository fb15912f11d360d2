"""Importing a package that only some components need, at the place where it is used."""

from __future__ import annotations

import importlib
from typing import Any

from qgen_core.errors import BrokenPlugin


def import_optional(module: str, needed_by: str, install: str) -> Any:
    """Import a module of an optional package, or say how to install it.

    Args:
        module: the module, e.g. ``"cirq"`` or ``"qiskit.circuit"``.
        needed_by: what needs it, as the message names it, e.g. ``"backend 'cirq'"``.
        install: what ``pip install`` takes to install it, e.g. ``"cirq-core"``.

    Raises BrokenPlugin, with the ``pip`` command, if the package is not installed or cannot be
    imported.

    >>> import_optional("math", "backend 'demo'", "demo-sdk").sqrt(4.0)
    2.0
    >>> import_optional("no_such_sdk", "backend 'demo'", "demo-sdk")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.BrokenPlugin: BrokenPlugin: backend 'demo' needs the package demo-sdk; ...
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BrokenPlugin(
            f"{needed_by} needs the package {install}; "
            f"`pip install {install}` installs it ({error})"
        ) from error
    except ImportError as error:
        raise BrokenPlugin(
            f"{needed_by} needs {install}, which could not be imported: {error}; "
            f"`pip install --force-reinstall {install}` repairs the installation"
        ) from error
