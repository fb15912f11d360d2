"""The global random states, which no component may use: they are compared, never drawn from."""

from __future__ import annotations

import sys
from collections.abc import Hashable

import numpy as np
from numpy import random as legacy


def global_states() -> dict[str, Hashable]:
    """The state of numpy's legacy generator, and of Python's and torch's if they are imported.

    >>> before = global_states()
    >>> before == global_states()
    True
    """
    name, key, *rest = legacy.get_state(legacy=True)
    states: dict[str, Hashable] = {"numpy": (name, np.asarray(key).tobytes(), *rest)}
    python = sys.modules.get("random")
    torch = sys.modules.get("torch")
    if python is not None:
        states["random"] = python.getstate()
    if torch is not None:
        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states
