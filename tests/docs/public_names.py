"""The public names of the core: what the modules in ``house.PUBLIC_MODULES`` offer."""

from __future__ import annotations

import ast
import importlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import getsource
from types import ModuleType
from typing import Any, TypeVar

from docs_blocks import ROOT

sys.path.insert(0, str(ROOT / "tests" / "architecture"))

from house import PUBLIC_MODULES  # noqa: E402

#: What a module needs for itself, whatever its name.
PRIVATE_KINDS = (TypeVar, logging.Logger)


@dataclass(frozen=True)
class PublicName:
    """A name of a public module, and its value."""

    module: str
    name: str
    value: Any

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@cache
def public_names() -> tuple[PublicName, ...]:
    """The names in ``__all__`` of each public module, or those it defines without an underscore."""
    found = []
    for path in PUBLIC_MODULES:
        module = importlib.import_module(path)
        names = getattr(module, "__all__", None) or _defined_names(module)
        for name in names:
            value = getattr(module, name)
            if not name.startswith("_") and not isinstance(value, PRIVATE_KINDS):
                found.append(PublicName(path, name, value))
    return tuple(found)


def _defined_names(module: ModuleType) -> Iterator[str]:
    """The names that the statements of a module define, imports left out."""
    for statement in ast.parse(getsource(module)).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.AnnAssign | ast.Assign):
            targets = getattr(statement, "targets", None) or [statement.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
