"""Types of arrays, random generators and pullbacks, shared by the core and the plugins.

>>> import numpy as np
>>> def mean_of_columns(x: Floats) -> Floats:
...     return np.asarray(x.mean(axis=0))
>>> mean_of_columns(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
[2.0, 3.0]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: An array of any type of number.
Array = NDArray[Any]
#: An array of float64.
Floats = NDArray[np.float64]
#: An array of int64.
Ints = NDArray[np.int64]
#: An array of complex128.
Complex = NDArray[np.complex128]
#: A random generator; it is always passed in, never global.
Rng = np.random.Generator
#: Of a generator: from d loss / d output to gradients by name of parameter.
Pullback = Callable[[Array], dict[str, Array]]
#: Of a backend: from d loss / d output to d loss / d angles (B, A).
AnglePullback = Callable[[Array], Floats]
