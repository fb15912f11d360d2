"""What is compiled: when it is compiled anew, and what its arithmetic may do."""

import itertools
import os
import subprocess
import sys

import numba
import numpy as np
import pytest
from engine_circuits import brick
from scipy.special import xlogy

from qgen_core.circuits.measures import Probabilities, pauli_z
from qgen_core.simulators.density import bind, fold
from qgen_core.simulators.density import kernels as density
from qgen_core.simulators.simd import divergences, intrinsics, work_sharing
from qgen_core.simulators.simd.code_cache import CodeCache
from qgen_core.simulators.statevector import kernels, outputs, rotations, sweep
from qgen_core.simulators.statevector.backend import StatevectorBackend


def dispatchers():
    modules = (bind, fold, density, divergences, work_sharing, kernels, outputs, sweep, rotations)
    return [
        (m.__name__, f) for m in modules for f in vars(m).values() if hasattr(f, "targetoptions")
    ]


def test_compiled_code_is_kept_for_the_sources_of_all_that_it_calls(tmp_path):
    """numba compares only the function's own file, and would run old code of its callees."""
    found = dispatchers()
    assert len(found) > 20
    kept = [f._cache for _, f in found if isinstance(f._cache, CodeCache)]
    assert len(kept) > 10
    expected = CodeCache(brick, intrinsics.SOURCES, "").sources
    assert {cache.sources for cache in kept} == {expected}
    assert CodeCache(brick, "others", "").sources != expected
    (tmp_path / "a.py").write_text("one")
    (tmp_path / "b").mkdir()
    before = intrinsics._digest(tmp_path)
    (tmp_path / "b" / "c.py").write_text("two")
    after = intrinsics._digest(tmp_path)
    (tmp_path / "b" / "c.py").write_text("three")
    assert len({before, after, intrinsics._digest(tmp_path)}) == 3


def test_no_function_takes_over_the_arithmetic_of_its_caller():
    for name, function in dispatchers():
        assert "fastmath" in function.targetoptions, (name, function)
    sums = {
        f.py_func.__name__
        for _, f in dispatchers()
        if "reassoc" in (f.targetoptions["fastmath"] or ())
    }
    assert "jensen_shannon" in sums and not sums & {
        "forward",
        "backward",
        "cosines",
        "_log",
        "find_rotations",
    }


def test_all_batches_and_numbers_of_threads_run_the_same_compiled_code():
    circuit = brick(5, 1)
    rng = np.random.default_rng(0)
    counts = []
    for batch, threads in itertools.product((1, 2, 3, 4, 50), (1, 2)):
        engine = StatevectorBackend(threads=threads)
        angles = rng.uniform(-3, 3, (batch, circuit.num_angles))
        for measure in (Probabilities(), pauli_z(5)):
            output, back = engine.exact_forward(circuit, angles, measure)
            back(np.ones_like(output))
        counts.append([len(function.signatures) for function in (sweep.forward, sweep.backward)])
    assert min(counts[0]) >= 2  # probabilities and expectations
    assert all(count == counts[0] for count in counts)


def test_no_function_of_the_density_engine_is_compiled_for_a_literal_argument(tmp_path):
    """Each such one would be compiled twice, which nobody sees but who waits for the first step."""
    code = """
import numpy as np
from qgen_core.circuits.measures import Probabilities
from qgen_core.simulators.density import bind, fold, kernels
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.ansatze.brick import brick
circuit = brick(2, layers=1)
output, back = DensityBackend(threads=1).exact_forward(
    circuit, np.ones((1, circuit.num_angles)), Probabilities()
)
back(np.ones_like(output))
for module in (bind, fold, kernels):
    for function in vars(module).values():
        if hasattr(function, "targetoptions") and function.__module__ == module.__name__:
            print(function.__name__, len(function.signatures), *function.signatures)
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.split(" ", 1) for line in found.stdout.splitlines())
    assert {"_times", "_weights", "_multiply"} <= told.keys()
    for name, signatures in told.items():
        assert "Literal" not in signatures, name


@pytest.mark.parametrize("low", [-700.0, -1e-9])
def test_logarithms_are_within_two_roundings(low):
    x = np.exp(np.random.default_rng(3).uniform(low, 1, 20_000))
    expected = np.log(x)
    log = divergences._log
    found = numba.vectorize(lambda v: log(v))(x)
    assert np.all(np.abs(found - expected) <= 2 * np.spacing(np.abs(expected)))


@pytest.mark.parametrize("size", [1, 2, 7, 256, 5000])
def test_jensen_shannon_is_the_sum_it_stands_for(size):
    rng = np.random.default_rng(size)
    p, target = rng.dirichlet(np.full(size, 0.3), 2) if size > 1 else (np.ones(1), np.ones(1))
    p[: size // 4], target[size // 8 : size // 3] = 0.0, 0.0
    weight, mean = np.empty(size), 0.5 * (p + target)
    total = divergences.jensen_shannon(p, target, 1e-30, 1e-300, weight)
    safe = np.where(mean > 0, mean, 1.0)
    expected = xlogy(p, p / safe).sum() + xlogy(target, target / safe).sum()
    np.testing.assert_allclose(total, expected, rtol=1e-13, atol=1e-15)
    slopes = np.log(np.maximum(p, 1e-30) / np.maximum(mean, 0.5e-30))
    np.testing.assert_allclose(weight, slopes, rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", [4, 8, 33, 64])
def test_jensen_shannon_does_not_depend_on_where_the_tables_lie(size):
    """Compilers make two versions of a loop that writes, one for arrays that lie close together."""
    rng = np.random.default_rng(size)
    p, target = rng.dirichlet(np.ones(size), 2)
    found = set()
    for gap in range(0, 80, 2):
        for order in itertools.permutations(range(3)):
            memory = np.zeros(3 * size + 2 * gap)
            places = [memory[at * (size + gap) :][:size] for at in order]
            places[0][:] = p
            places[1][:] = target
            total = divergences.jensen_shannon(*places[:2], 1e-30, 1e-300, places[2])
            found.add((total, places[2].tobytes()))
    assert len(found) == 1


def test_jensen_shannon_of_what_is_no_number():
    for p, target in (([np.nan, 1.0], [0.5, 0.5]), ([0.5, 0.5], [np.nan, 1.0])):
        weight = np.empty(2)
        assert np.isnan(
            divergences.jensen_shannon(np.array(p), np.array(target), 1e-12, 1e-300, weight)
        )
        assert np.isnan(weight[0]) and np.isfinite(weight[1])
