"""A plan as compiled code reads it: one array of integers and one of doubles.

To numba an array is nine numbers, which it passes to every function that is inlined; these used to
be most of the code to compile. So the tables of a plan stand one after another in one array, after
a head of sizes and offsets, and compiled code holds pointers to them. The constants below name the
entries of the head and the columns of the tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.simulators.statevector.plan import StatevectorPlan
from qgen_core.typing import Floats, Ints

# Sizes, in the head of the integers.
#: log2 of the amplitudes of a block.
LOCAL_BITS = 0
#: log2 of the amplitudes of a contiguous run within a block.
RUN_BITS = 1
STAGES = 2
#: Bits of a block's number.
BLOCK_BITS = 3
#: Entries of the table of angles.
TABLE_SIZE = 4
#: Linear forms that fill that table.
FORMS = 5
#: Integers in all steps.
STEP_NUMBERS = 6
#: Angles of the circuit.
ANGLES = 7
#: Length of a row of the Walsh matrix: the amplitudes of four registers.
WALSH_ROW = 8
#: Real numbers in a state.
STATE_NUMBERS = 9
#: 2^Q.
OUTCOMES = 10

# Offsets, in the head of the integers: first those of the tables of integers, in the order of
# ``tables_of``,
STAGES_AT = 11
RUNS_AT = 12
BLOCK_BITS_AT = 13
TILES_AT = 14
STEPS_AT = 15
FORMS_AT = 16
TERM_COLUMNS_AT = 17
# then those of the tables of doubles, which begin with the Walsh matrix.
CONSTS_AT = 18
FACTORS_AT = 19
_HEAD = 20

# Columns of a stage.
STAGE_FIRST_TILE = 0
STAGE_END_TILE = 1
#: 1 if the bits of a block are the lowest ones, so that it needs no gathering.
STAGE_IN_PLACE = 2
STAGE_COLUMNS = 3

# Columns of a tile: its bits and its steps.
TILE_P = 0
TILE_Q = 1
TILE_FIRST_STEP = 2
TILE_END_STEP = 3
TILE_COLUMNS = 4

# Columns of a linear form: its terms, its places in the table, and its row of signs there.
FORM_FIRST_TERM = 0
FORM_END_TERM = 1
FORM_PLACE = 2
FORM_COUNT = 3
FORM_SIGNS = 4
FORM_COLUMNS = 5


def _offsets(first: int, tables: list[NDArray[Any]]) -> list[int]:
    """Where each table begins when they follow one another from ``first``."""
    offsets = []
    for table in tables:
        offsets.append(first)
        first += table.size
    return offsets


def tables_of(plan: StatevectorPlan, walsh: Floats) -> tuple[Ints, Floats]:
    """The integers and the doubles of a plan, with a Walsh matrix over four registers."""
    ints: list[NDArray[Any]] = [
        plan.stages,
        plan.rows,
        plan.others,
        plan.tiles,
        plan.steps,
        plan.forms,
        plan.columns,
    ]
    doubles: list[NDArray[Any]] = [walsh, plan.consts, plan.factors]
    head = np.zeros(_HEAD, dtype=np.int64)
    head[LOCAL_BITS] = plan.local
    head[RUN_BITS] = plan.low
    head[STAGES] = len(plan.stages)
    head[BLOCK_BITS] = plan.others.shape[1]
    head[TABLE_SIZE] = plan.table
    head[FORMS] = len(plan.forms)
    head[STEP_NUMBERS] = plan.steps.size
    head[ANGLES] = plan.angles
    head[WALSH_ROW] = len(walsh)
    head[STATE_NUMBERS] = 2 << plan.bits
    head[OUTCOMES] = 1 << plan.wires
    head[STAGES_AT:CONSTS_AT] = _offsets(_HEAD, ints)
    head[CONSTS_AT:] = _offsets(0, doubles)[1:]
    flat_ints = np.concatenate([head, *(table.ravel() for table in ints)])
    flat_doubles = np.concatenate([table.ravel() for table in doubles])
    return flat_ints, flat_doubles
