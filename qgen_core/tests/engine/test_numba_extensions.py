"""Packages that extend numba are left to the user's compiled functions: importing them is slow."""

from __future__ import annotations

import os
import subprocess
import sys

#: What numba's extensions are at each point of a process.
SCRIPT = """
import sys

import numba

from qgen_core.simulators.simd.intrinsics import jit


def twice(x):
    return 2.0 * x


print(jit(twice)(3.0), "slow_extension" in sys.modules)
print(numba.njit(twice)(3.0), "slow_extension" in sys.modules)
"""


def test_our_functions_do_not_import_the_extensions_and_others_do(tmp_path):
    info = tmp_path / "slow_extension-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-extension\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[numba_extensions]\ninit = slow_extension:init\n")
    (tmp_path / "slow_extension.py").write_text("def init():\n    pass\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["6.0 False", "6.0 True"], done.stderr
