"""Where the code is, and how it is measured."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "qgen_core" / "src"
SOURCES = [
    CORE,
    *sorted(path for path in (ROOT / "plugins").glob("*/src") if any(path.glob("*/__init__.py"))),
]
PACKAGES = [
    child.name
    for source in SOURCES
    for child in sorted(source.iterdir())
    if (child / "__init__.py").exists()
]

#: What may never be imported by the core, nor by listing components.
FRAMEWORKS = (
    "torch",
    "pennylane",
    "qiskit",
    "qiskit_aer",
    "cirq",
    "qsimcirq",
    "dimod",
    "dwave",
    "distributed",
)

BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def source_files() -> list[Path]:
    """The Python files of all packages."""
    return [path for source in SOURCES for path in sorted(source.rglob("*.py"))]


def test_files() -> list[Path]:
    """The Python files of all tests."""
    folders = [ROOT / "tests", *sorted(source.parent / "tests" for source in SOURCES)]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def where(path: Path, node: ast.AST | None = None) -> str:
    """A place for people, relative to the root."""
    line = f":{node.lineno}" if node is not None and hasattr(node, "lineno") else ""
    return f"{path.relative_to(ROOT)}{line}"


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that sees the sources of this tree first."""
    path = os.pathsep.join([*map(str, SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, **more}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def nesting(node: ast.AST, depth: int = 0) -> int:
    """How deep blocks lie in blocks; ``elif`` lies no deeper than its ``if``, an inner function starts anew."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, nesting(child, depth + (isinstance(child, BLOCKS) and not is_elif)))
    return deepest
