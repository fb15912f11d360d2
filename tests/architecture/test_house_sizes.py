"""Sizes (architecture, section 7): files, functions, nesting, and the contract on one page."""

from __future__ import annotations

import ast
import statistics

import house
import pytest


def lines(text: str) -> int:
    return len(text.splitlines())


def test_no_file_is_longer_than_500_lines() -> None:
    files = [*house.source_files(), *house.test_files()]
    assert len(files) > 50
    sizes = {house.where(path): lines(path.read_text(encoding="utf-8")) for path in files}
    assert {name: size for name, size in sizes.items() if size > 500} == {}


def test_the_median_file_has_at_most_150_lines() -> None:
    """Of files that say something: an ``__init__.py`` of one docstring is none."""
    sizes = [lines(path.read_text(encoding="utf-8")) for path in house.source_files()]
    assert statistics.median(size for size in sizes if size > 5) <= 150


def test_the_contract_fits_one_page() -> None:
    assert lines((house.CORE / "qgen_core" / "interfaces.py").read_text(encoding="utf-8")) <= 300


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{house.where(path, function)} {function.name}": house.length(function)
        for path in [*house.source_files(), *house.test_files()]
        for function in house.functions(house.parsed(path))
        if house.length(function) > 60
    }
    assert long == {}


def test_no_function_nests_deeper_than_four() -> None:
    deep = {
        f"{house.where(path, function)} {function.name}": house.nesting(function)
        for path in [*house.source_files(), *house.test_files()]
        for function in house.functions(house.parsed(path))
        if house.nesting(function) > 4
    }
    assert deep == {}


@pytest.mark.parametrize(
    ("source", "size", "depth"),
    [
        ("def f():\n    '''One\n    two.'''\n    return 1\n", 2, 0),
        (
            "def f(a,\n      b):\n    if a:\n        pass\n    elif b:\n        pass\n    else:\n        pass\n",
            8,
            1,
        ),
        (
            "def f(a):\n    if a:\n        pass\n    else:\n        if a:\n            pass\n        a = 1\n",
            7,
            2,
        ),
        (
            "def f(a):\n    for b in a:\n        with b:\n            try:\n                pass\n"
            "            finally:\n                while b: pass\n",
            7,
            4,
        ),
        (
            "def f(a):\n    if a:\n        def g():\n            if a: return 1\n        return g\n",
            5,
            1,
        ),
        ("def f(a):\n    match a:\n        case 1:\n            if a: return 2\n", 4, 2),
    ],
)
def test_how_functions_are_measured(source: str, size: int, depth: int) -> None:
    function = next(house.functions(ast.parse(source)))
    assert house.length(function) == size
    assert house.nesting(function) == depth
