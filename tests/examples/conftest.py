"""The example plugins of the docs can be imported without being installed."""

from __future__ import annotations

import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

for source in sorted(EXAMPLES.glob("*/src")):
    sys.path.insert(0, str(source))
