"""A plan, and the words of a measure, as compiled code finds them: one array of integers and one of doubles.

numba carries nine numbers with every array, through every function that is put into another, and most of what there
was to compile were these. So the tables of a plan stand one after another, behind numbers that say how much there is
of what and where it begins; compiled code has pointers into them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.statevector.plan import Plan
from qgen_core.typing import Floats, Ints

#: How much there is: log2 amplitudes of a block and of a run, stages, bits that number blocks, places of the table,
#: linear forms, numbers in all steps, angles, rows of the Walsh matrix, numbers in a state, outcomes.
LOCAL, LOW, STAGES, OTHERS, TABLE, SLOTS, STEPS, ANGLES, RUN, NUMBERS, OUTCOMES = range(11)
#: Where tables of integers begin, and of doubles; those begin with the Walsh matrix.
STAGES_AT, ROWS_AT, OTHERS_AT, TILES_AT, STEPS_AT, SLOTS_AT, COLUMNS_AT, CONSTS_AT, FACTORS_AT = (
    range(11, 20)
)
_HEAD = 20
#: Numbers in a row: of a stage, a tile and a linear form (plan.py), a group and a word (outputs.py).
STAGE, TILE, SLOT, GROUP, WORD = 3, 4, 5, 3, 4


def _behind(first: int, tables: list[NDArray[Any]]) -> list[int]:
    """Where each table begins, the first at ``first``."""
    return [first + sum(table.size for table in tables[:k]) for k in range(len(tables))]


def tables_of(plan: Plan, walsh: Floats) -> tuple[Ints, Floats]:
    """Integers and doubles of a plan, with a Walsh matrix of four registers."""
    ints: list[NDArray[Any]] = [
        plan.stages,
        plan.rows,
        plan.others,
        plan.tiles,
        plan.steps,
        plan.slots,
        plan.columns,
    ]
    doubles: list[NDArray[Any]] = [walsh, plan.consts, plan.factors]
    sizes = [
        plan.local,
        plan.low,
        len(plan.stages),
        plan.others.shape[1],
        plan.table,
        len(plan.slots),
    ]
    sizes += [plan.steps.size, plan.angles, len(walsh), 2 << plan.bits, 1 << plan.wires]
    head = np.array(sizes + _behind(_HEAD, ints) + _behind(0, doubles)[1:])
    return np.concatenate([head, *(t.ravel() for t in ints)]), np.concatenate(
        [t.ravel() for t in doubles]
    )
