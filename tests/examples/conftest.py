"""The example plugins of the docs can be imported without being installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

for source in sorted(EXAMPLES.glob("*/src")):
    sys.path.insert(0, str(source))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Networks as small as those of the tests are slower on several threads of torch."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
