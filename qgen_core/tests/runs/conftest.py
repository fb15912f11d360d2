"""Recipes over toy datasets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import toyset  # noqa: E402

from qgen_core.runs import compare, report  # noqa: E402
from qgen_core.runs.recipes import Recipe  # noqa: E402


@pytest.fixture(autouse=True)
def _offered() -> None:
    toyset.offer()


@pytest.fixture(autouse=True)
def _pages_without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures come from plugins, take seconds each, and have tests of their own."""
    for pages in (report, compare):
        monkeypatch.setattr(pages, "plugin_sections", lambda found: [])


@pytest.fixture
def recipe() -> Recipe:
    return Recipe.parse(toyset.RECIPE)


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.toml"
    path.write_text(toyset.RECIPE, encoding="utf-8")
    return path
