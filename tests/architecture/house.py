"""Where the code is, and how it is measured."""

from __future__ import annotations

import ast
import os
import tomllib
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
    "qbraid",
    "qbraid_core",
    "cirq",
    "qsimcirq",
    "dimod",
    "dwave",
    "distributed",
)

#: The modules of the core that a plugin may import; each of them is described in docs/api.
PUBLIC_MODULES = (
    "qgen_core",
    "qgen_core.ansatze.hardware_efficient",
    "qgen_core.circuits.capabilities",
    "qgen_core.circuits.circuit",
    "qgen_core.circuits.draw",
    "qgen_core.circuits.gates",
    "qgen_core.circuits.measures",
    "qgen_core.circuits.parameter_shift",
    "qgen_core.circuits.pauli_form",
    "qgen_core.circuits.paulis",
    "qgen_core.discovery.hooks",
    "qgen_core.discovery.optional_import",
    "qgen_core.encoders.checks",
    "qgen_core.errors",
    "qgen_core.events",
    "qgen_core.interfaces",
    "qgen_core.ising",
    "qgen_core.metrics.classifier_auc",
    "qgen_core.metrics.score",
    "qgen_core.mitigation.folding",
    "qgen_core.mitigation.readout_mitigated",
    "qgen_core.noise_models.channels",
    "qgen_core.noise_models.noisy",
    "qgen_core.remote",
    "qgen_core.runs.assembly",
    "qgen_core.runs.compare",
    "qgen_core.runs.evaluation",
    "qgen_core.runs.event_formats",
    "qgen_core.runs.lock",
    "qgen_core.runs.report",
    "qgen_core.runs.run",
    "qgen_core.runs.tracking",
    "qgen_core.samplers.annealing",
    "qgen_core.samplers.base",
    "qgen_core.samplers.chains",
    "qgen_core.samplers.diagonalisation",
    "qgen_core.samplers.enumeration",
    "qgen_core.samplers.free_spins",
    "qgen_core.samplers.temperature",
    "qgen_core.samplers.wrapped",
    "qgen_core.simulators.base",
    "qgen_core.studies",
    "qgen_core.support.checkpoint",
    "qgen_core.support.cuts",
    "qgen_core.support.files",
    "qgen_core.support.hdf5",
    "qgen_core.support.identity_cache",
    "qgen_core.support.numbers",
    "qgen_core.support.parameters",
    "qgen_core.support.random_streams",
    "qgen_core.support.resources",
    "qgen_core.testing",
    "qgen_core.testing.reference",
    "qgen_core.typing",
)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def source_files() -> list[Path]:
    """The Python files of all packages."""
    return [path for source in SOURCES for path in sorted(source.rglob("*.py"))]


def test_files() -> list[Path]:
    """The Python files of all tests."""
    folders = [ROOT / "tests", *sorted(source.parent / "tests" for source in SOURCES)]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def module_name(path: Path) -> str:
    """The dotted name of the module in a source file."""
    for source in SOURCES:
        if path.is_relative_to(source):
            return ".".join(path.relative_to(source).with_suffix("").parts)
    raise ValueError(f"{path} is in no source folder")


def entry_points() -> set[str]:
    """The objects that the packages name as components, as ``module:object``."""
    found: set[str] = set()
    for source in SOURCES:
        text = (source.parent / "pyproject.toml").read_text(encoding="utf-8")
        for group in tomllib.loads(text)["project"].get("entry-points", {}).values():
            found |= set(group.values())
    return found


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
