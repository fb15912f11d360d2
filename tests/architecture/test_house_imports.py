"""Who may import whom: the contracts in pyproject.toml, circles, what plugins may import."""

from __future__ import annotations

import ast
import graphlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp
import house
import pytest

#: What the core may import from outside (architecture, section 6.3), beside the standard library.
DEPENDENCIES = {
    *(
        "numpy",
        "scipy",
        "numba",
        "llvmlite",
        "pluggy",
        "pydantic",
        "packaging",
        "h5py",
        "safetensors",
        "tomli_w",
    ),
    *("jinja2", "typer", "click", "rich"),
}
#: Extras, imported inside functions only.
EXTRAS = {"cma", "optuna"}


def lint_imports(folder: Path, *sources: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of ``folder``/pyproject.toml on the packages in ``sources``."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources)), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def contracts() -> list[str]:
    settings = tomllib.loads((house.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def test_the_contracts_are_kept() -> None:
    done = lint_imports(house.ROOT, *house.SOURCES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(contracts())} kept, 0 broken." in done.stdout


def test_each_contract_notices_when_it_is_broken(tmp_path: Path) -> None:
    """The same check on a copy into which each kind of wrong import is written."""
    for source in house.SOURCES:
        shutil.copytree(
            source,
            tmp_path,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "data"),
        )
    shutil.copy(house.ROOT / "pyproject.toml", tmp_path)
    wrong = {
        "qgen_core/attic.py": "x = 1",  # on no floor
        "qgen_core/losses/__init__.py": "import qgen_core.discovery.registry",
        "qgen_core/ising.py": "def f():\n    import torch",
        "qgen_hep/__init__.py": "import qgen_core.discovery.entry_points\nimport qgen_template",
    }
    for name, line in wrong.items():
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{line}\n")
    done = lint_imports(tmp_path, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for name in contracts():
        assert f"{name} BROKEN" in done.stdout


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.fixture(scope="module")
def graph() -> Iterator[dict[str, set[str]]]:
    """Who imports whom, module by module, all packages together."""
    before = list(sys.path)
    sys.path[:0] = map(str, house.SOURCES)
    try:
        built = grimp.build_graph(
            *house.PACKAGES, exclude_type_checking_imports=False, cache_dir=None
        )
    finally:
        sys.path[:] = before
    yield {module: set(built.find_modules_directly_imported_by(module)) for module in built.modules}


def test_modules_import_in_no_circle(graph: dict[str, set[str]]) -> None:
    assert "qgen_core.interfaces" in graph["qgen_core.training.loop"], (
        "the graph is that of the core"
    )
    assert circle(graph) == []


def test_folders_import_in_no_circle(graph: dict[str, set[str]]) -> None:
    folders: dict[str, set[str]] = {}
    for module, imported in graph.items():
        folder = ".".join(module.split(".")[:2])
        folders.setdefault(folder, set()).update(
            {".".join(name.split(".")[:2]) for name in imported} - {folder}
        )
    assert circle(folders) == []


def imported(tree: ast.AST) -> Iterator[tuple[ast.stmt, str, list[str]]]:
    """Every absolute import: the statement, the module, the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module, [alias.name for alias in node.names]


def test_the_core_imports_what_it_declares() -> None:
    allowed = DEPENDENCIES | set(sys.stdlib_module_names) | {"qgen_core"}
    strangers = []
    for path in sorted(house.CORE.rglob("*.py")):
        tree = house.parsed(path)
        at_the_top = {id(node) for node in tree.body}
        for node, module, _ in imported(tree):
            top = module.partition(".")[0]
            if top not in allowed and (top not in EXTRAS or id(node) in at_the_top):
                strangers.append(f"{house.where(path, node)} imports {module}")
    assert strangers == []
    declared = tomllib.loads(
        (house.ROOT / "qgen_core" / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    names = {
        re.split(r"[<>=!~ \[]", text)[0].replace("-", "_") for text in declared["dependencies"]
    }
    assert names <= DEPENDENCIES, "a new dependency is a decision: add it to the architecture first"


def test_plugins_import_public_names_of_public_modules() -> None:
    """Of the core what house.PUBLIC_MODULES lists, of other plugins nothing."""
    wrong = []
    for source in house.SOURCES[1:]:
        own = {child.name for child in source.iterdir()}
        for path in sorted(source.rglob("*.py")):
            for node, module, names in imported(house.parsed(path)):
                first = module.partition(".")[0]
                if first.startswith("qgen_") and first not in own and not _public(module, names):
                    wrong.append(f"{house.where(path, node)} imports {module} {' '.join(names)}")
    assert wrong == []


def _public(module: str, names: list[str]) -> bool:
    """Whether an import takes public names of a public module, or such a module itself."""
    if not names:
        return module in house.PUBLIC_MODULES
    for name in names:
        if name.startswith("_") or name == "*":
            return False
        is_module = f"{module}.{name}" in house.PUBLIC_MODULES
        if module not in house.PUBLIC_MODULES and not is_module:
            return False
    return True


def test_implementations_import_no_front_door() -> None:
    """Inside the core, modules are imported by name: ``import qgen_core`` loads the registry."""
    above = {
        "cli.py",
        "runs.py",
        "recipes.py",
        "report.py",
        "studies.py",
        "evaluation.py",
        "estimate.py",
    }
    wrong = [
        house.where(path, node)
        for path in sorted((house.CORE / "qgen_core").rglob("*.py"))
        for node, module, names in imported(house.parsed(path))
        if module == "qgen_core"
        and path.name not in above
        and not all(_is_module(name) for name in names or ["?"])
    ]
    assert wrong == []


def _is_module(name: str) -> bool:
    return (house.CORE / "qgen_core" / f"{name}.py").exists() or (
        house.CORE / "qgen_core" / name
    ).is_dir()
