"""What a result keeps: plain data."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain(values: Any) -> Any:
    """Numbers as plain data of six digits, which is what a result keeps."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return float(f"{array:.6g}")
    return [plain(value) for value in array]
