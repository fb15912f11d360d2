"""Packages that extend numba, and BLAS, are left to the user's functions: they import slowly."""

from __future__ import annotations

import os
import subprocess
import sys

#: What is imported at each point of a process.
SCRIPT = """
import sys

import numba
import numpy as np

from qgen_core.simulators.simd.intrinsics import jit


def twice(x):
    return 2.0 * x


def product(matrix):
    return (matrix @ matrix)[0, 0]


slow = ("numba.np.arraymath", "slow_extension", "scipy.linalg")
print(jit(twice)(3.0), [name in sys.modules for name in slow])
print(numba.njit(product)(2.0 * np.eye(2)), [name in sys.modules for name in slow])
"""


def test_our_functions_do_not_import_the_extensions_and_others_do(tmp_path):
    """The first process compiles our function, the second one loads it, which needs still less."""
    info = tmp_path / "slow_extension-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-extension\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[numba_extensions]\ninit = slow_extension:init\n")
    (tmp_path / "slow_extension.py").write_text("def init():\n    pass\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    variables = {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for ours in ("6.0 [True, False, False]", "6.0 [False, False, False]"):
        done = subprocess.run(
            [sys.executable, tmp_path / "script.py"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split("\n")[:2] == [ours, "4.0 [True, True, True]"], done.stderr
