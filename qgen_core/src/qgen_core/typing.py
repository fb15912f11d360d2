"""Types of arrays, random generators and pullbacks, shared by the core and the plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: An array of any numbers.
Array = NDArray[Any]
#: An array of float64.
Floats = NDArray[np.float64]
#: An array of int64.
Ints = NDArray[np.int64]
#: An array of complex128.
Complex = NDArray[np.complex128]
#: A random generator; it is always given, never global.
Rng = np.random.Generator
#: Of a generator: from d loss / d output to gradients keyed as its parameters.
Pullback = Callable[[Array], dict[str, Array]]
#: Of a backend: from d loss / d output to d loss / d angles (B, A).
AnglePullback = Callable[[Array], Floats]
