"""Results of jobs, checked before they are used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.remote import bad_result
from qgen_core.typing import Floats

#: Rounding error by which expectations may exceed [-1, 1].
ROUNDING = 1e-9


def outcomes(result: Any, rows: int, shots: int, wires: int) -> NDArray[np.int64]:
    """The outcome of each shot (rows, shots) as integers, wire 0 the most significant bit.

    A row is one PUB, or one set of parameters of the only PUB. Raises BadResult.

    >>> from types import SimpleNamespace
    >>> array = np.array([[[1], [2]]], dtype=np.uint8)  # (rows, shots, bytes)
    >>> pub = SimpleNamespace(data=SimpleNamespace(meas=SimpleNamespace(array=array)))
    >>> outcomes([pub], rows=1, shots=2, wires=2)
    array([[1, 2]])
    """
    width = -(-wires // 8)
    arrays = [np.asarray(_data(pub, "meas").array) for pub in _pubs(result, rows)]
    for array in arrays:
        if array.dtype != np.uint8 or array.ndim < 2 or array.shape[-1] != width:
            first = arrays[0]
            raise bad_result(
                f"{first.dtype} {first.shape} instead of {width} bytes a shot for {wires} wires"
            )
    blocks = [array.reshape(-1, *array.shape[-2:]) for array in arrays]
    found_shots = sorted({block.shape[1] for block in blocks})
    found_rows = sum(len(block) for block in blocks)
    if found_shots != [shots] or found_rows != rows:
        raise bad_result(
            f"{found_rows} rows of {found_shots} shots instead of {rows} rows of {shots}"
        )
    digits = np.concatenate(blocks).astype(np.int64)
    found: NDArray[np.int64] = digits @ (1 << 8 * np.arange(width, dtype=np.int64)[::-1])
    if np.max(found) >= 2**wires:
        raise bad_result(f"the outcome {np.max(found)} on {wires} wires")
    return found


def means(result: Any, rows: int, words: int) -> Floats:
    """Expectations (rows, words). Raises BadResult.

    >>> from types import SimpleNamespace
    >>> pub = SimpleNamespace(data=SimpleNamespace(evs=[[0.5, -1.0]]))
    >>> means([pub], rows=1, words=2)
    array([[ 0.5, -1. ]])
    """
    arrays = [np.asarray(_data(pub, "evs"), dtype=np.float64) for pub in _pubs(result, rows)]
    size = sum(array.size for array in arrays)
    misshapen = any(array.ndim < 1 or array.shape[-1] != words for array in arrays)
    if misshapen or size != rows * words:
        raise bad_result(f"{size} expectations instead of {rows} rows of {words}")
    found = np.concatenate([array.reshape(-1, words) for array in arrays])
    possible = np.abs(found) <= 1 + ROUNDING  # False for NaN
    if not np.all(possible):
        raise bad_result(f"the expectation {found[~possible][0]}, which is not between -1 and 1")
    return found


def _pubs(result: Any, rows: int) -> list[Any]:
    try:
        pubs = list(result)
    except TypeError:
        raise bad_result(f"a {type(result).__name__} instead of results") from None
    if len(pubs) not in (1, rows):
        raise bad_result(f"{len(pubs)} results for {rows} rows")
    return pubs


def _data(pub: Any, name: str) -> Any:
    value = getattr(getattr(pub, "data", None), name, None)
    if value is None:
        raise bad_result(f"no {name!r}")
    return value
