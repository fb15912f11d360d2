"""Whatever is public is documented; an overriding method may inherit its documentation."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import house
import pytest


def modules(package: str) -> Iterator[ModuleType]:
    """All public modules of a package that can be imported here; frameworks may be absent."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if "._" in found.name:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield importlib.import_module(found.name)


def documented(owner: type, name: str) -> bool:
    """Whether a method, or one that it overrides, has a docstring."""
    return any(_text(vars(cls)[name]) for cls in owner.__mro__ if name in vars(cls))


def _text(member: Any) -> str | None:
    return getattr(getattr(member, "func", member), "__doc__", None)


def public_members(owner: type) -> Iterator[str]:
    """Methods and properties a class itself defines; hooks are documented by their specs."""
    for name, member in vars(owner).items():
        inner = getattr(
            member, "func", getattr(member, "fget", getattr(member, "__func__", member))
        )
        own = inspect.isfunction(inner) and inner.__module__ == owner.__module__
        if own and not name.startswith("_") and not hasattr(inner, "qgen_impl"):
            yield name


def silent(module: ModuleType) -> Iterator[str]:
    """Public functions, classes and methods of a module that say nothing."""
    for name, member in vars(module).items():
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(member):
            if not inspect.getdoc(member):
                yield f"{module.__name__}.{name}"
            yield from (
                f"{module.__name__}.{name}.{m}"
                for m in public_members(member)
                if not documented(member, m)
            )
        elif inspect.isfunction(member) and not inspect.getdoc(member):
            yield f"{module.__name__}.{name}"


@pytest.mark.parametrize("package", house.PACKAGES)
def test_all_that_is_public_is_documented(package: str) -> None:
    found = []
    for module in modules(package):
        if not module.__doc__:
            found.append(module.__name__)
        found += silent(module)
    assert found == []
