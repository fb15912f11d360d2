"""How a learning rate changes over a training."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "linear", "cosine"]


def factor(schedule: Schedule, step: int, total: int) -> float:
    """The factor on the learning rate at ``step`` of ``total``, counted from 0.

    ``linear`` is 1 - step / total; ``cosine`` is (1 + cos(pi step / total)) / 2, the first
    half-period of Loshchilov and Hutter (1608.03983, eq. 5) with a minimum rate of zero.

    >>> factor("constant", 7, 10), factor("linear", 5, 10)
    (1.0, 0.5)
    """
    if schedule == "linear":
        return 1 - step / total
    if schedule == "cosine":
        return (1 + math.cos(math.pi * step / total)) / 2
    return 1.0
