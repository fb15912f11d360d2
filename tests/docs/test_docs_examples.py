"""The examples in the docstrings of all packages run."""

from __future__ import annotations

import doctest
import importlib
import warnings
from pathlib import Path

import pytest
from docs_blocks import ROOT


def modules() -> list[str]:
    """The modules whose docstrings hold examples, found in the sources without importing them."""
    found = []
    for source in (ROOT / "qgen_core" / "src", *sorted((ROOT / "plugins").glob("*/src"))):
        for path in sorted(source.rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(source).with_suffix("").parts
                found.append(".".join(part for part in parts if part != "__init__"))
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_of_a_module_run(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            if str(error.name).startswith("qgen"):
                raise
            pytest.skip(f"needs {error.name}")
        failed, tried = doctest.testmod(module)
    assert tried > 0, "the file holds an example that is in no docstring"
    assert failed == 0
