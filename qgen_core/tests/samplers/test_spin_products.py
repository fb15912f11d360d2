"""Products of spins: exact sums for every shape, type and number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from qgen_core.samplers import spin_products
from qgen_core.samplers.product_kernels import ROWS
from qgen_core.samplers.spin_products import LEAST_PRODUCTS, LEAST_ROWS, SpinProduct

#: Rows, spins and columns: whole blocks, less than one, parts of one, and several blocks of rows.
SHAPES = [(64, 128, 256), (17, 31, 3), (33, 100, 77), (ROWS + 5, 45, 40), (3, 32, 64)]


def spins_of(rows: int, count: int) -> np.ndarray:
    return 2 * np.random.default_rng(3).integers(2, size=(rows, count), dtype=np.int8) - 1


@pytest.fixture
def from_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small products too are made by the compiled code."""
    monkeypatch.setattr(spin_products, "LEAST_ROWS", 1)
    monkeypatch.setattr(spin_products, "LEAST_PRODUCTS", 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_products_of_whole_numbers_are_exact(shape, dtype, from_tables) -> None:
    rows, count, width = shape
    spins = spins_of(rows, count)
    matrix = np.random.default_rng(4).integers(-1000, 1000, (count, width)).astype(np.float64)
    expected = spins.astype(np.int64) @ matrix.astype(np.int64)
    product = SpinProduct(matrix, dtype)
    found = product(spins)
    assert found.dtype == dtype and np.array_equal(found, expected)
    back = product.transposed()(spins_of(rows, width))
    assert np.array_equal(back, spins_of(rows, width).astype(np.int64) @ matrix.T)
    by_column = SpinProduct(found, dtype)(spins.T)
    assert np.array_equal(by_column, spins.T.astype(np.int64) @ expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_products_are_those_of_floats_up_to_rounding(dtype) -> None:
    spins = spins_of(LEAST_ROWS, 1024)
    matrix = np.random.default_rng(4).normal(size=(1024, LEAST_PRODUCTS // 1024 // LEAST_ROWS))
    matrix = matrix.astype(dtype).astype(np.float64)
    found = SpinProduct(matrix, dtype)(spins)
    # Each of the 256 + 3 sums that a number goes through rounds by at most half an epsilon.
    most = (256 + 3) * np.finfo(dtype).eps / 2 * np.abs(matrix).sum(axis=0)
    assert np.all(np.abs(found - spins @ matrix) <= most)
    assert np.abs(found - spins @ matrix).mean() < np.sqrt(1024) * 3 * np.finfo(dtype).eps


def test_threads_do_not_change_products(monkeypatch: pytest.MonkeyPatch, from_tables) -> None:
    monkeypatch.setattr(spin_products, "WORTH_THREADS", 1)
    spins = spins_of(ROWS + 100, 200)
    matrix = np.random.default_rng(4).normal(size=(200, 300))
    alone = SpinProduct(matrix, np.float32, threads=1)(spins)
    for threads in (2, 3):
        assert np.array_equal(SpinProduct(matrix, np.float32, threads=threads)(spins), alone)


def test_the_matrix_is_copied() -> None:
    matrix = np.ones((2, 1))
    product = SpinProduct(matrix, np.float64)
    matrix[:] = 7
    assert product(np.ones((1, 2), dtype=np.int8)).tolist() == [[2.0]]
