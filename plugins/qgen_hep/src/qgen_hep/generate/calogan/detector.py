"""The calorimeter of the CaloGAN data set: its stack, its cells, and which cell a point lies in.

Source: Paganini, de Oliveira and Nachman, arXiv:1712.10321, and the sources of its simulation:
80 layers of 2 mm lead and 4 mm liquid argon, read out in three segments of depth. Deposits in lead
and argon count alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.typing import Floats
from qgen_hep.calorimeters.grids import LAYERS, SHAPES, WINDOW
from qgen_hep.generate.gflash import Material, Medium

LEAD = Material(82, 207.2, 11.35, 6.37)
ARGON = Material(18, 39.948, 1.396, 19.55)
#: Lead and argon of each of the layers of the stack, in mm.
LEAD_MM = 2.0
ARGON_MM = 4.0
STACK = 80
#: The effective medium of the whole stack.
MEDIUM = Medium.of(LEAD, ARGON, LEAD_MM, ARGON_MM)

#: Depths in mm where the three segments, called layers of the image, end.
LAYER_ENDS = np.array([90.0, 437.0, 480.0])
#: Number of cells of each layer, and of all.
SIZES = tuple(across * along for across, along in SHAPES)
CELLS = sum(SIZES)
#: The first cell of each layer.
FIRST = (0, SIZES[0], SIZES[0] + SIZES[1])
#: Names of all cells, layer by layer, in each the index along y running fastest.
COLUMNS = tuple(
    f"{layer}[{cell}]" for layer, size in zip(LAYERS, SIZES, strict=True) for cell in range(size)
)
#: Compartments of :func:`compartment`: the cells, what is beside those of each layer, and the rest.
BESIDE = CELLS
BEHIND = CELLS + len(SHAPES)


def compartment(x: Floats, y: Floats, depth: Floats) -> NDArray[np.int64]:
    """The number of the compartment (S,) of points (S,) in mm.

    0 to 503 are the cells, ``BESIDE`` plus the layer the points outside the window, and ``BEHIND``
    those behind the calorimeter.

    >>> at = np.array([0.1, 0.1, 500.0, 0.0])
    >>> compartment(at, at, np.array([1.0, 100.0, 100.0, 481.0])).tolist()
    [144, 366, 505, 507]
    """
    layer = np.searchsorted(LAYER_ENDS, depth, side="right")
    across = np.array([*(shape[0] for shape in SHAPES), 1])[layer]
    along = np.array([*(shape[1] for shape in SHAPES), 1])[layer]
    first = np.array([*FIRST, BEHIND])[layer]
    column = np.floor((x / WINDOW + 0.5) * across).astype(np.int64)
    row = np.floor((y / WINDOW + 0.5) * along).astype(np.int64)
    inside = (column >= 0) & (column < across) & (row >= 0) & (row < along)
    found: NDArray[np.int64] = np.where(inside, first + column * along + row, BESIDE + layer)
    found[depth >= LAYER_ENDS[-1]] = BEHIND
    return found
