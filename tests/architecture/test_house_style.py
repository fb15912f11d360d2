"""One thing a statement, and few parameters a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import house
import pytest

MOST_PARAMETERS = 9
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, *, factory: bool = False) -> int:
    """How many parameters a function takes, ``self`` and ``cls`` left out.

    Keyword-only parameters with defaults of a component's factory do not count, because they are
    the keys of a recipe.
    """
    positional = [*function.args.posonlyargs, *function.args.args]
    count = len(positional)
    if positional and positional[0].arg in {"self", "cls"}:
        count -= 1
    for default in function.args.kw_defaults:
        if default is None or not factory:
            count += 1
    return count


def factories_in(path: Path, registered: set[str]) -> list[ast.AST]:
    """The functions of a file that build components: named as entry points, or by ``register``.

    For a class it is ``__init__``.
    """
    tree = house.parsed(path)
    module = house.module_name(path)
    names = registered_names(tree)
    found: list[ast.AST] = []
    for node in tree.body:
        if not isinstance(node, (ast.ClassDef, *house.FUNCTIONS)):
            continue
        if f"{module}:{node.name}" not in registered and node.name not in names:
            continue
        if not isinstance(node, ast.ClassDef):
            found.append(node)
            continue
        for method in node.body:
            if isinstance(method, house.FUNCTIONS) and method.name == "__init__":
                found.append(method)
    return found


def registered_names(tree: ast.AST) -> set[str]:
    """The names of the factories in calls of ``register(kind, name, factory)``."""
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) != 3:
            continue
        function = ast.unparse(node.func)
        if function.rpartition(".")[2] == "register":
            names.add(ast.unparse(node.args[2]))
    return names


def conditional_in_comprehension(tree: ast.AST) -> Iterator[ast.AST]:
    """Comprehensions that hold a conditional expression."""
    for node in ast.walk(tree):
        if not isinstance(node, COMPREHENSIONS):
            continue
        if any(isinstance(inner, ast.IfExp) for inner in ast.walk(node)):
            yield node


def test_no_function_takes_ten_parameters() -> None:
    found = []
    registered = house.entry_points()
    for path in house.source_files():
        factories = {(node.lineno, node.col_offset) for node in factories_in(path, registered)}
        for function in house.functions(house.parsed(path)):
            is_factory = (function.lineno, function.col_offset) in factories
            if parameters(function, factory=is_factory) > MOST_PARAMETERS:
                found.append(f"{house.where(path, function)} {function.name}")
    assert found == []


def test_no_comprehension_holds_a_conditional_expression() -> None:
    found = []
    for path in house.source_files():
        for node in conditional_in_comprehension(house.parsed(path)):
            found.append(house.where(path, node))
    assert found == []


@pytest.mark.parametrize(
    ("source", "count", "count_of_factory"),
    [
        ("def f(self, a, b=1): ...", 2, 2),
        ("def f(a, *, b, c=1): ...", 3, 2),
        ("def f(a, /, b, *rest, **options): ...", 2, 2),
    ],
)
def test_how_parameters_are_counted(source: str, count: int, count_of_factory: int) -> None:
    function = next(house.functions(ast.parse(source)))
    assert parameters(function) == count
    assert parameters(function, factory=True) == count_of_factory


def test_components_are_found_in_their_files() -> None:
    file = house.CORE / "qgen_core" / "trainers" / "adam.py"
    (factory,) = factories_in(file, {"qgen_core.trainers.adam:Adam"})
    assert isinstance(factory, ast.FunctionDef) and factory.name == "__init__"
    assert factories_in(file, set()) == []
    assert "qgen_core.trainers.adam:Adam" in house.entry_points()
    assert registered_names(ast.parse('qgen.register("trainer", "mine", Mine)')) == {"Mine"}


def test_a_conditional_expression_in_a_comprehension_is_found() -> None:
    assert list(conditional_in_comprehension(ast.parse("[a if a else b for a in c]")))
    assert not list(conditional_in_comprehension(ast.parse("[a for a in c if a]")))
