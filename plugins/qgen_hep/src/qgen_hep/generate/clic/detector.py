"""The layers of the CLIC-like calorimeter, and their reduction to pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.typing import Array, Floats

PixelCount = Literal[8, 16]

LAYERS = 25
#: Tungsten and silicon of each layer, in mm.
TUNGSTEN = np.array([2.4] * 17 + [4.8] * 8)
SILICON = 0.5
#: Radiation lengths of tungsten and silicon, in mm.
TUNGSTEN_X0 = 3.504
SILICON_X0 = 93.7
#: The thickness (25,) of each layer in radiation lengths.
THICKNESS = TUNGSTEN / TUNGSTEN_X0 + SILICON / SILICON_X0
#: The first layer of each pixel. 8: seven times three layers, then four. 16: nine times two
#: layers, then seven single ones.
FIRST_LAYERS: dict[int, tuple[int, ...]] = {
    8: (0, 3, 6, 9, 12, 15, 18, 21),
    16: (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19, 20, 21, 22, 23, 24),
}


def pixels_of(layers: Array, pixels: int) -> Floats:
    """The means (N, pixels) of groups of consecutive layers (N, 25), in their unit.

    Raises BadOption unless there are 8 or 16 pixels.

    >>> depth = np.arange(25.0)[None]
    >>> pixels_of(depth, 8).tolist()
    [[1.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0, 22.5]]
    >>> pixels_of(depth, 16)[0, [0, 8, 9, 15]].tolist()
    [0.5, 16.5, 18.0, 24.0]
    """
    if pixels not in FIRST_LAYERS:
        raise BadOption(f"25 layers are reduced to 8 or 16 pixels, not {pixels}")
    first = FIRST_LAYERS[pixels]
    counts = np.diff([*first, LAYERS])
    sums = np.add.reduceat(np.asarray(layers, dtype=np.float64), first, axis=1)
    means: Floats = sums / counts
    return means
