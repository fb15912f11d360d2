"""What one test offers by name is not seen by another, in whatever order they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qgen_core.discovery import registry


@contextmanager
def _names_restored() -> Iterator[None]:
    before = dict(registry._local)
    yield
    registry._local.clear()
    registry._local.update(before)


@pytest.fixture(autouse=True, scope="module")
def _names_of_a_module() -> Iterator[None]:
    """Components that fixtures register for a whole module are forgotten after it."""
    with _names_restored():
        yield


@pytest.fixture(autouse=True)
def _names_of_a_test(_names_of_a_module: None) -> Iterator[None]:
    """Components that a test registers are forgotten after it."""
    with _names_restored():
        yield
