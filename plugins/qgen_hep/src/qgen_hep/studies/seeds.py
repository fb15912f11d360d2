"""Numbers over the seeds of a study, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Value = Mapping[str, Any]
MISSING, NONE = "missing", "–"
#: Does not break over two lines.
SPACE = "\u00a0"
PM = "± is the standard deviation over seeds"


def over_seeds(
    values: Sequence[Value | None], number: Callable[[Value], float], form: str = ".3g"
) -> str:
    """Mean and standard deviation of a number over the seeds, as text."""
    found = [number(value) for value in values if value is not None]
    if not values:
        return NONE
    if not found:
        return MISSING
    text = f"{np.mean(found):{form}}"
    if len(found) > 1:
        text += f"{SPACE}±{SPACE}{np.std(found, ddof=1):{'.1g' if form == '.3g' else form}}"
    return text if len(found) == len(values) else f"{text} ({len(found)} of {len(values)})"


def plus_minus(pair: Sequence[float]) -> str:
    """A mean and a standard deviation as text."""
    return f"{pair[0]:.3g}{SPACE}±{SPACE}{pair[1]:.1g}"
