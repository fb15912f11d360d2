"""A pytest plugin: the first tests of each file run, each once, with its first parameters."""

from __future__ import annotations

import pytest

#: Enough to import what the tests of a file are about.
TESTS_OF_A_FILE = 4


@pytest.hookimpl(trylast=True)  # after the selection by markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    first: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        of_file = first.setdefault(item.nodeid.partition("::")[0], {})
        name = item.nodeid.partition("[")[0]
        if len(of_file) < TESTS_OF_A_FILE:
            of_file.setdefault(name, item)
    kept = [item for of_file in first.values() for item in of_file.values()]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
