"""One thing a statement, and few parameters a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import house
import pytest

MOST_PARAMETERS = 9
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters a function takes, ``self`` and ``cls`` left out.

    Keyword-only parameters with defaults do not count: a factory's are the keys of a recipe.
    """
    positional = [*function.args.posonlyargs, *function.args.args]
    count = len(positional)
    if positional and positional[0].arg in {"self", "cls"}:
        count -= 1
    for default in function.args.kw_defaults:
        if default is None:
            count += 1
    return count


def conditional_in_comprehension(tree: ast.AST) -> Iterator[ast.AST]:
    """Comprehensions that hold a conditional expression."""
    for node in ast.walk(tree):
        if not isinstance(node, COMPREHENSIONS):
            continue
        if any(isinstance(inner, ast.IfExp) for inner in ast.walk(node)):
            yield node


def test_no_function_takes_ten_parameters() -> None:
    found = []
    for path in house.source_files():
        for function in house.functions(house.parsed(path)):
            if parameters(function) > MOST_PARAMETERS:
                found.append(f"{house.where(path, function)} {function.name}")
    assert found == []


def test_no_comprehension_holds_a_conditional_expression() -> None:
    found = []
    for path in house.source_files():
        for node in conditional_in_comprehension(house.parsed(path)):
            found.append(house.where(path, node))
    assert found == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f(self, a, b=1): ...", 2),
        ("def f(a, *, b, c=1): ...", 2),
        ("def f(a, /, b, *rest, **options): ...", 2),
    ],
)
def test_how_parameters_are_counted(source: str, count: int) -> None:
    assert parameters(next(house.functions(ast.parse(source)))) == count


def test_a_conditional_expression_in_a_comprehension_is_found() -> None:
    assert list(conditional_in_comprehension(ast.parse("[a if a else b for a in c]")))
    assert not list(conditional_in_comprehension(ast.parse("[a for a in c if a]")))
