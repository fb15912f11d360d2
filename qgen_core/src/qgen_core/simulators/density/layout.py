"""Columns of the tables that the compiled code of density matrices reads, and the size of a tile.

``bind.py`` reads groups and factors, ``fold.py`` passes and their folds, ``kernels.py`` passes and
their loops; ``tables.py`` writes them all.
"""

from __future__ import annotations

#: Columns of a tile, a few registers whatever their width.
TILE = 32

# Columns of a group. Its matrix (D, D) depends on the angles whose columns stand between
# GROUP_FIRST_ANGLE and GROUP_END_ANGLE in a list of them. Of the start of a wire only what it makes
# of |0> is wanted, a single column.
#: D.
GROUP_SIZE = 0
GROUP_FIRST_FACTOR = 1
GROUP_END_FACTOR = 2
#: Where its matrix begins, among the matrices of a row of angles.
GROUP_MATRIX = 3
GROUP_FIRST_ANGLE = 4
GROUP_END_ANGLE = 5
#: D, or 1 for a start.
GROUP_COLUMNS = 6

# Columns of a factor, a matrix (d, d) on one digit of a group or on all.
#: d.
FACTOR_SIZE = 0
#: Stride of its wire among the D digits; 1 if it acts on all of them.
FACTOR_STRIDE = 1
#: Where its terms begin; of a factor without terms, the number of the group that is its run.
FACTOR_PLACE = 2
#: How many terms it has; 0 if it is the matrix of a run.
FACTOR_TERMS = 3
#: The column of its angle, or a negative number if it has none; of a run 0 if that has an angle.
FACTOR_ANGLE = 4
FACTOR_COLUMNS = 5
NO_ANGLE = -1

# Columns of a pass.
#: Rows of a tile before and after it.
PASS_ROWS_BEFORE = 0
PASS_ROWS_AFTER = 1
#: How many coefficients are neighbours in memory.
PASS_INNER = 2
#: The loops around these.
PASS_FIRST_LOOP = 3
PASS_LOOPS = 4
#: Where the offsets of the rows before and after begin.
PASS_OFFSETS_BEFORE = 5
PASS_OFFSETS_AFTER = 6
#: Where its matrix begins, among the matrices of a row of angles.
PASS_MATRIX = 7
PASS_TILES = 8
#: Columns of all its tiles.
PASS_WIDTH = 9
#: 1 if the gradient of its matrix is wanted.
PASS_HAS_GRADIENT = 10
#: The number of its group.
PASS_GROUP = 11
#: Where its fold begins, among those of all passes.
PASS_FOLD = 12
#: How many wires enter.
PASS_FRESH = 13

# A fold says how the matrix of a pass follows from that of its group. It is a list: the rows of the
# group's matrix that are kept; for each of its columns, the one of the pass's matrix to which it is
# added; for each wire that enters, its number and its stride among the digits of the group.

# Columns of a loop.
LOOP_SIZE = 0
LOOP_STRIDE_BEFORE = 1
LOOP_STRIDE_AFTER = 2
LOOP_COLUMNS = 3

#: Where the counters of loops begin in the row of places that holds the position in them.
WALK_COUNTERS = 3
