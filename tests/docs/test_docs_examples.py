"""The examples in the docstrings of all packages run."""

from __future__ import annotations

import doctest
import importlib
import warnings
from pathlib import Path

import pytest
from docs_blocks import ROOT

from qgen_core.discovery import registry


def modules_with_examples() -> dict[str, list[str]]:
    """By package, the modules with examples, found in the sources without importing them."""
    found: dict[str, list[str]] = {}
    for source in (ROOT / "qgen_core" / "src", *sorted((ROOT / "plugins").glob("*/src"))):
        for path in sorted(source.rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(source).with_suffix("").parts
                name = ".".join(part for part in parts if part != "__init__")
                found.setdefault(parts[0], []).append(name)
    return found


MODULES = modules_with_examples()


# One test per package, so that its modules share one process and import an SDK once.
@pytest.mark.parametrize("package", MODULES)
def test_examples_of_a_package_run(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # examples register components, which later tests must not find
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    failures = []
    not_imported = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES[package]:
            try:
                module = importlib.import_module(name)
            except ImportError as error:
                if str(error.name).startswith("qgen"):
                    raise
                not_imported.append(f"{name} needs {error.name}")
            else:
                failures += failures_in(module)
    assert not failures, "\n".join(failures)
    if not_imported:
        pytest.skip("; ".join(not_imported))


def failures_in(module: object) -> list[str]:
    """What doctest reports about the examples of a module that fail."""
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=report.append)
    if runner.tries == 0:
        report.append(f"{module}: the file has an example that is in no docstring")
    return report
