"""The tree of columns that depend most on each other (Chow and Liu)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from qgen_core.typing import Floats, Ints

#: Information is compared to so many digits, so that rounding errors do not decide between edges.
DIGITS = 12
#: Numbers of a table of zeros and ones that is made at once (128 MiB of doubles).
PIECE = 2**24


def joint_counts(columns: NDArray[np.generic], levels: Ints, weights: Floats) -> Floats:
    """How often each pair of values occurs together (S, S), a sum of weights (N,).

    Column q of ``columns`` (N, Q) has whole numbers from 0 to ``levels[q]`` - 1. Rows and columns
    of the result are the S = sum(levels) values, those of column 0 first.

    >>> bits = np.array([[0, 0], [1, 1], [1, 1]])
    >>> joint_counts(bits, np.array([2, 2]), np.ones(3)).tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 2.0], [1.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 2.0]]
    """
    size = int(levels.sum())
    places = columns.astype(np.intp) + _first_values(levels)
    counts = np.zeros((size, size))
    at_once = max(PIECE // size, 1)
    for start in range(0, len(places), at_once):
        rows = places[start : start + at_once]
        occurs = np.zeros((len(rows), size))
        np.put_along_axis(occurs, rows, 1.0, axis=1)
        counts += occurs.T @ (occurs * weights[start : start + at_once, None])
    return counts


def mutual_information(counts: Floats, levels: Ints) -> Floats:
    """Mutual information (Q, Q) in nats of each pair of columns, from their :func:`joint_counts`.

    The diagonal holds the entropies. Counts below zero, from negative weights, are taken as 0.

    >>> bits = np.array([[0, 0], [1, 1]])
    >>> levels = np.array([2, 2])
    >>> mutual_information(joint_counts(bits, levels, np.ones(2)), levels).round(4).tolist()  # ln 2
    [[0.6931, 0.6931], [0.6931, 0.6931]]
    """
    first = _first_values(levels)
    column_of = np.repeat(np.arange(len(levels)), levels)
    joint = np.clip(counts, 0.0, None)
    totals = np.add.reduceat(np.add.reduceat(joint, first, axis=0), first, axis=1)
    joint /= totals[column_of][:, column_of]
    of_values = np.add.reduceat(joint, first, axis=1)[:, column_of]
    entropies = rel_entr(joint, of_values * of_values.T)
    information: Floats = np.add.reduceat(np.add.reduceat(entropies, first, axis=0), first, axis=1)
    return information


def dependence_tree(information: Floats) -> list[tuple[int, int]]:
    """Edges (parent, child) of the maximum spanning tree of an information (Q, Q), root 0.

    A parent comes before its children. It is Prim's algorithm; of equal edges that with the lowest
    numbers is taken, so that equal data give equal trees.

    Source: Chow and Liu, IEEE Trans. Inf. Theory 14 (1968) 462.

    >>> dependence_tree(np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0.0]]))
    [(0, 2), (2, 1)]
    """
    information = np.round(information, DIGITS)
    edges: list[tuple[int, int]] = []
    outside = np.arange(1, len(information))
    parent = np.zeros(len(information), dtype=np.intp)
    most = information[0].copy()
    while len(outside):
        order = np.lexsort((outside, parent[outside], -most[outside]))
        child = int(outside[order[0]])
        edges.append((int(parent[child]), child))
        outside = outside[outside != child]
        offered = information[child]
        equal_and_lower = (offered == most) & (child < parent)
        better = (offered > most) | equal_and_lower
        most[better] = offered[better]
        parent[better] = child
    return edges


def _first_values(levels: Ints) -> Ints:
    """The place of value 0 of each column among the values of all columns."""
    first: Ints = np.cumsum(levels) - levels
    return first
