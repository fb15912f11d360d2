"""Numbers of a model alone, which no comparison with other samples makes better or worse."""

from __future__ import annotations

from qgen_core.interfaces import Estimate


def number_of_model(value: float, uncertainty: float, note: str = "") -> Estimate:
    """An estimate that is not resampled; its floor is the number itself.

    >>> number_of_model(2.0, 0.1)
    Estimate(value=2.0, uncertainty=0.1, floor=2.0, floor_spread=0.1, note='')
    """
    return Estimate(value, uncertainty, floor=value, floor_spread=uncertainty, note=note)
