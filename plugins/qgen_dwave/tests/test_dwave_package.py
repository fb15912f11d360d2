"""The package from outside: its README, and what happens where D-Wave's packages are missing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LOADS = """
import sys
for name in ("dimod", "dwave", "minorminer"):
    sys.modules[name] = None
import importlib.metadata as metadata
entries = metadata.distribution("qgen-dwave").entry_points
found = [entry for entry in entries if entry.group != "qgen.contract"]
for entry in found:
    entry.load()
print(*sorted(e.name for e in found))
"""
USES = """
import sys
sys.modules["dimod"] = None
import numpy as np
import qgen_core as qgen
from qgen_core.errors import BrokenPlugin
spin = qgen.Ising([0.1], [], np.empty((0, 2)))
try:
    qgen.sampler("dwave-sa").sample(spin, 1, rng=np.random.default_rng(1))
except BrokenPlugin as error:
    print(error, error.exit_code)
"""


def said(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_works() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})


def test_entry_points_load_without_the_sdk() -> None:
    assert said(LOADS).split() == [
        "dwave-descent",
        "dwave-emulator",
        "dwave-qpu",
        "dwave-sa",
        "dwave-sqa",
        "dwave-tabu",
        "dwave-tree",
        "pegasus",
        "zephyr",
    ]


def test_what_is_missing_is_named() -> None:
    text = said(USES)
    assert "needs the package dwave-ocean-sdk; `pip install dwave-ocean-sdk` installs it" in text
    assert text.strip().endswith("4")
