"""Parameters by name as one flat vector, and saved arrays copied into live ones.

Models keep their parameters as named arrays that trainers change in place. Optimisers work on
one flat vector. The functions here convert between the two.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.typing import Array, Floats


def flatten(parameters: Mapping[str, Array]) -> Floats:
    """All parameters as one vector (P,), in the order of the mapping's keys; a copy.

    >>> import numpy as np
    >>> flatten({"angles": np.array([[0.1, 0.2], [0.3, 0.4]]), "bias": np.array(0.5)})
    array([0.1, 0.2, 0.3, 0.4, 0.5])
    """
    parts = [np.ravel(value) for value in parameters.values()]
    if not parts:
        return np.empty(0)
    return np.concatenate(parts, dtype=np.float64)


def assign(parameters: Mapping[str, Array], flat: Floats) -> None:
    """Write a flat vector (P,) into the live arrays, in the order used by :func:`flatten`.

    >>> import numpy as np
    >>> angles = np.zeros((2, 2))
    >>> assign({"angles": angles}, np.array([1.0, 2.0, 3.0, 4.0]))
    >>> angles
    array([[1., 2.],
           [3., 4.]])
    """
    start = 0
    for value in parameters.values():
        end = start + value.size
        value[...] = flat[start:end].reshape(value.shape)
        start = end


def load_into(owner: str, live: Mapping[str, Array], state: Mapping[str, Array]) -> None:
    """Copy saved arrays into live arrays of the same names and shapes: all of them, or none.

    ``owner`` is named in the error. Raises CheckpointError when names, shapes or types differ.

    >>> import numpy as np
    >>> gain = np.zeros(2)
    >>> load_into("spsa", {"gain": gain}, {"gain": np.array([0.5, 0.25])})
    >>> gain
    array([0.5 , 0.25])
    """
    if set(live) != set(state):
        raise CheckpointError(f"{owner} holds {sorted(live)}, the checkpoint {sorted(state)}")
    for name, value in state.items():
        target = live[name]
        castable = np.can_cast(value.dtype, target.dtype, "same_kind")
        if value.shape != target.shape or not castable:
            raise CheckpointError(
                f"{name!r} of {owner} is {target.dtype} {target.shape}, "
                f"in the checkpoint {value.dtype} {value.shape}"
            )
    for name, value in state.items():
        live[name][...] = value
