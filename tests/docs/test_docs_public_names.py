"""Each public module has an API page, and each public function and class an example that runs."""

from __future__ import annotations

import importlib
import inspect
import re
from doctest import DocTestFinder
from functools import cache

from docs_blocks import ROOT
from public_names import PUBLIC_MODULES, PublicName, public_names

from qgen_core.errors import QgenError

PAGES = sorted((ROOT / "docs" / "api").glob("*.rst"))
#: Modules that are described for programs, and that plugins do not import.
FOR_PROGRAMS = {
    "qgen_core.circuits.svg",
    "qgen_core.runs.browser",
    "qgen_core.runs.folder",
    "qgen_core.runs.recipes",
    "qgen_core.runs.trained",
}


def test_each_public_module_has_one_api_page() -> None:
    described = []
    for page in PAGES:
        described += re.findall(r"^\.\. automodule:: (\S+)$", page.read_text("utf-8"), re.MULTILINE)
    assert sorted(set(described)) == sorted(described), "a module is described twice"
    assert set(described) == set(PUBLIC_MODULES) | FOR_PROGRAMS


def test_each_public_function_and_class_has_an_example() -> None:
    lacking = {str(public) for public in public_names() if _needs_example(public)}
    assert lacking == set(), "add an example (>>>) to the docstrings of these"


def _needs_example(public: PublicName) -> bool:
    """Whether a public name is a function or class without an example.

    A class has one in its own docstring or in that of one of its methods. Types of errors that
    only set an exit code have theirs in QgenError.
    """
    value = inspect.unwrap(public.value) if callable(public.value) else public.value
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return False
    if inspect.isclass(value) and issubclass(value, QgenError) and value is not QgenError:
        own = {name for name in vars(value) if not name.startswith("__")}
        return own - {"exit_code"} != set()
    full_name = f"{value.__module__}.{value.__qualname__}"
    with_examples = _names_with_examples(value.__module__)
    return not any(name == full_name or name.startswith(f"{full_name}.") for name in with_examples)


@cache
def _names_with_examples(module: str) -> frozenset[str]:
    """What doctest finds in a module, and with it the test that runs all examples."""
    tests = DocTestFinder().find(importlib.import_module(module))
    return frozenset(test.name for test in tests if test.examples)
