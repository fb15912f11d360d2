"""What a job returned, checked before it is believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import RemoteError
from qgen_core.typing import Floats


class BadResult(RemoteError):
    """A result that cannot be that of the job."""


#: Means of +1 and -1 lie between these, but for rounding.
ROUNDING = 1e-9


def outcomes(result: Any, rows: int, shots: int, wires: int) -> NDArray[np.int64]:
    """The outcome of each shot (rows, shots), wire 0 the most significant bit. Raises RemoteError.

    A row is one PUB, or one set of parameters of the only PUB.
    """
    width = -(-wires // 8)
    pubs = [np.asarray(_data(pub, "meas").array) for pub in _pubs(result, rows)]
    if any(a.dtype != np.uint8 or a.ndim < 2 or a.shape[-1] != width for a in pubs):
        raise bad(
            f"{pubs[0].dtype} {pubs[0].shape} instead of {width} bytes a shot for {wires} wires"
        )
    joined = [a.reshape(-1, *a.shape[-2:]) for a in pubs]
    counted = sorted({a.shape[1] for a in joined})
    if counted != [shots] or sum(len(a) for a in joined) != rows:
        raise bad(
            f"{sum(len(a) for a in joined)} rows of {counted} shots instead of {rows} rows of {shots}"
        )
    digits = np.concatenate(joined).astype(np.int64)
    found: NDArray[np.int64] = digits @ (1 << 8 * np.arange(width, dtype=np.int64)[::-1])
    if np.max(found) >= 2**wires:
        raise bad(f"the outcome {np.max(found)} on {wires} wires")
    return found


def means(result: Any, rows: int, words: int) -> Floats:
    """Expectations (rows, words). Raises RemoteError."""
    pubs = [np.asarray(_data(pub, "evs"), dtype=np.float64) for pub in _pubs(result, rows)]
    sizes = sum(a.size for a in pubs)
    if any(a.ndim < 1 or a.shape[-1] != words for a in pubs) or sizes != rows * words:
        raise bad(f"{sizes} expectations instead of {rows} rows of {words}")
    found = np.concatenate([a.reshape(-1, words) for a in pubs])
    if not np.all(np.abs(found) <= 1 + ROUNDING):  # also where one is NaN
        raise bad(
            f"the expectation {found[~(np.abs(found) <= 1 + ROUNDING)][0]}, which is not between -1 and 1"
        )
    return found


def _pubs(result: Any, rows: int) -> list[Any]:
    try:
        pubs = list(result)
    except TypeError:
        raise bad(f"a {type(result).__name__} instead of results") from None
    if len(pubs) not in (1, rows):
        raise bad(f"{len(pubs)} results for {rows} rows")
    return pubs


def _data(pub: Any, name: str) -> Any:
    value = getattr(getattr(pub, "data", None), name, None)
    if value is None:
        raise bad(f"no {name!r}")
    return value


def bad(what: str) -> BadResult:
    """The error for a result that cannot be."""
    return BadResult(f"returned {what}, which is not used")
