"""The engine with registers of 16, 32 and 64 bytes, with and without fused multiply-add.

LLVM splits registers that the processor lacks, so that every machine can run all of them, each in a
process of its own. numba compiles for the features in ``NUMBA_CPU_FEATURES``; ``NUMBA_CPU_NAME``
alone does not take those of the host away.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from qgen_core.errors import BadOption
from qgen_core.simulators.simd import intrinsics

HERE = Path(__file__).parent
ON_X86 = platform.machine().lower() in ("x86_64", "amd64")
#: Runs tests after a check that code is compiled for what the parent has asked for.
CHILD = """
import sys
import numba
import pytest
from numba.core import entrypoints
entrypoints._already_initialized = True  # other packages' extensions take seconds to import
from qgen_core.simulators.simd import intrinsics
width, fused, *arguments = sys.argv[1:]
assert intrinsics.WIDTH == int(width)
compiled = numba.njit(fastmath={"contract"})(lambda a, b, c: a * b + c)
compiled(1.0, 2.0, 3.0)
(assembly,) = compiled.inspect_asm().values()
assert ("vfmadd" in assembly) == (fused == "fused"), assembly
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]))
"""


def run_tests(width, fused, *arguments, timeout=500):
    """Run tests of the engine in a process whose code is compiled for another processor."""
    variables = {**os.environ, intrinsics.WIDTH_VARIABLE: str(width)}
    if not fused:
        variables |= {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2"}
    kind = "fused" if fused else "plain"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(width), kind, *arguments],
        cwd=HERE,
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def skip_unless_possible(fused):
    if not ON_X86:
        pytest.skip("only processors of the x86 family can be chosen by these names")
    if fused and not llvm.get_host_cpu_features().get("fma"):
        pytest.skip("this processor has no fused multiply-add")


def skip_what_this_process_tests(width, fused):
    """All other tests of the engine run with the registers of this process."""
    has_fma = llvm.get_host_cpu_features().get("fma", False)
    if width == intrinsics.WIDTH and fused == has_fma and "NUMBA_CPU_FEATURES" not in os.environ:
        pytest.skip("the target of this process, which the other tests of the engine run on")


TARGETS = [(width, fused) for fused in (False, True) for width in intrinsics.WIDTHS]


@pytest.mark.parametrize(
    ("width", "fused", "precision"),
    [
        (16, False, "double"),
        (32, False, "single"),
        (64, False, "double"),
        (16, True, "single"),
        (32, True, "double"),
        (64, True, "single"),
    ],
)
def test_probabilities_gradients_and_cosines(width, fused, precision):
    skip_unless_possible(fused)
    skip_what_this_process_tests(width, fused)
    run_tests(
        width,
        fused,
        "test_engine_pieces.py",
        "test_statevector_gradients.py",
        "-k",
        f"cosines or (probabilities_of_random_circuits and {precision})",
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("width", "fused"), TARGETS)
def test_all_of_the_engine(width, fused):
    skip_unless_possible(fused)
    run_tests(
        width, fused, ".", "-m", "not long", "--ignore", "test_engine_targets.py", timeout=3500
    )


@pytest.mark.parametrize("width", intrinsics.WIDTHS)
def test_the_width_can_be_chosen(width, monkeypatch):
    monkeypatch.setenv(intrinsics.WIDTH_VARIABLE, str(width))
    assert intrinsics._register_bytes() == width


@pytest.mark.parametrize("width", ["8", "128", "wide", "-16"])
def test_other_widths_are_refused(width, monkeypatch):
    monkeypatch.setenv(intrinsics.WIDTH_VARIABLE, width)
    with pytest.raises(BadOption, match="set it to 16, 32 or 64, or unset it"):
        intrinsics._register_bytes()


def test_lanes_fill_a_register():
    for dtype in (np.float32, np.float64):
        assert intrinsics.lanes_of(np.dtype(dtype)) * np.dtype(dtype).itemsize == intrinsics.WIDTH
