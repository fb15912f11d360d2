"""Powell's COBYLA without constraints: a search by linear models on a simplex.

The algorithm is that of PRIMA, which scipy follows from 1.16 on. There the general case with
constraints costs some milliseconds an evaluation; without them the model's step is known in closed
form, and a search takes a tenth of that. Its path is scipy's up to rounding, which may decide
between points of equal distance, so that two searches differ from there on.

Source: Powell, in Advances in Optimization and Numerical Analysis (1994) 51; Zhang, PRIMA,
doi:10.5281/zenodo.8052654.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np

from qgen_core.typing import Floats

#: A step that reaches less than this share of the predicted decrease shrinks the trust region.
POOR = 0.1
#: One that reaches more than this share may let it grow.
GOOD = 0.7
#: A trust region of at most this many times the resolution is set to it.
NEAR = 1.5
#: A step below this share of the resolution is not evaluated.
SHORT = 0.1
#: Largest error of the inverse matrix of the simplex; above a tenth of it it is computed anew.
WORST_INVERSE = 1.0
EPS = float(np.finfo(np.float64).eps)


#: The reason of a search that ended because it had reached its resolution.
RESOLVED = "resolution"


class Found(NamedTuple):
    """The least value of a search, where it was found, and why the search ended."""

    point: Floats
    value: float
    reason: str


class _Damaged(Exception):
    """The simplex has become so flat that rounding errors are as large as its edges."""


class _Simplex:
    """P + 1 points with their values; the best of them, the pole, is the last one.

    ``edges`` (P, P) holds the other points minus the pole as columns, ``inverse`` its inverse.
    """

    def __init__(self, function: Callable[[Floats], float], start: Floats, radius: float) -> None:
        size = len(start)
        self.edges = radius * np.eye(size)
        self.pole = np.array(start, dtype=np.float64)
        self.values = np.empty(size + 1)
        self.values[-1] = function(self.pole.copy())
        for number in range(size):
            point = self.pole.copy()
            point[number] += radius
            self.values[number] = function(point.copy())
            if self.values[number] < self.values[-1]:
                self.values[[number, -1]] = self.values[[-1, number]]
                self.pole = point
                self.edges[number, : number + 1] = -radius
        self.inverse = self._new_inverse()
        self._check_inverse()
        self.move_pole()

    @property
    def slope(self) -> Floats:
        """The gradient of the linear function through all points."""
        slope: Floats = (self.values[:-1] - self.values[-1]) @ self.inverse
        return slope

    def lengths(self) -> Floats:
        """The squared lengths of the edges."""
        lengths: Floats = np.sum(self.edges**2, axis=0)
        return lengths

    def close_value(self, step: Floats, distance: float) -> float | None:
        """The value of a point that is within ``distance`` of the pole plus ``step``, if any."""
        squared = np.append(np.sum((step[:, None] - self.edges) ** 2, axis=0), step @ step)
        nearest = int(np.argmin(squared))
        if squared[nearest] <= distance**2:
            return float(self.values[nearest])
        return None

    def replace(self, number: int, step: Floats, value: float) -> None:
        """Put the pole plus ``step`` in the place of a point."""
        size = len(step)
        if number < size:
            self.edges[:, number] = step
            row = self.inverse[number] / (self.inverse[number] @ step)
            self.inverse -= np.outer(self.inverse @ step, row)
            self.inverse[number] = row
        else:
            self.pole += step
            self.edges -= step[:, None]
            shares = self.inverse @ step
            column_sums = self.inverse.sum(axis=0)
            self.inverse += np.outer(shares, column_sums / (1 - shares.sum()))
        self._check_inverse()
        self.values[number] = value
        self.move_pole()

    def move_pole(self) -> None:
        """Make the point of least value the pole."""
        best = int(np.argmin(self.values))
        if self.values[best] < self.values[-1]:
            edge = self.edges[:, best].copy()
            self.pole += edge
            self.edges[:, best] = 0.0
            self.edges -= edge[:, None]
            self.inverse[best] = -self.inverse.sum(axis=0)
            self.values[[best, -1]] = self.values[[-1, best]]
            self._check_inverse()

    def place_for(self, step: Floats, radius: float, *, improved: bool) -> int | None:
        """The point to be replaced by the pole plus ``step``; None if there is no good one.

        A point is the better to replace the farther away it is, and the more the volume of the
        simplex grows.
        """
        centre = np.zeros(len(step))
        if improved:
            centre = step
        squared = np.append(np.sum((self.edges - centre[:, None]) ** 2, axis=0), centre @ centre)
        shares = self.inverse @ step
        score = np.maximum(1.0, squared / radius**2) * np.abs(np.append(shares, 1 - shares.sum()))
        if not improved:
            score[-1] = -1.0
        score[np.isnan(score)] = -1.0
        if np.any(score > 0):
            return int(np.argmax(score))
        if improved:
            return int(np.argmax(squared))
        return None

    def _check_inverse(self) -> None:
        error = self._error(self.inverse)
        if not error <= 0.1 * WORST_INVERSE:
            again = self._new_inverse()
            if not self._error(again) >= error:
                self.inverse = again
                error = self._error(again)
        if not error <= WORST_INVERSE:
            raise _Damaged

    def _new_inverse(self) -> Floats:
        return np.asarray(np.linalg.inv(self.edges), dtype=np.float64)

    def _error(self, inverse: Floats) -> float:
        return float(np.max(np.abs(inverse @ self.edges - np.eye(len(inverse)))))


def search(
    function: Callable[[Floats], float], start: Floats, *, radius: float, tol: float, limit: int
) -> Found:
    """Minimise a function of (P,), from a simplex of size ``radius`` to a resolution ``tol``.

    The function is evaluated at most ``limit`` times, but P + 1 times at least.

    >>> found = search(lambda x: float(np.sum((x - 0.5) ** 2)), np.zeros(2), radius=1.0, tol=1e-4,
    ...     limit=500)
    >>> found.point.round(2).tolist(), found.reason
    ([0.5, 0.5], 'resolution')
    """
    best = Found(start, np.inf, RESOLVED)
    calls = 0

    def counted(point: Floats) -> float:
        nonlocal best, calls
        calls += 1
        value = function(point)
        if value < best.value:
            best = Found(point, value, RESOLVED)
        return value

    try:
        simplex = _Simplex(counted, start, radius)
        _descend(simplex, counted, radius, tol, lambda: calls >= limit)
    except _Damaged:
        return best._replace(reason="rounding errors")
    if calls >= limit:
        return best._replace(reason="evaluations")
    return best


def _descend(
    simplex: _Simplex,
    function: Callable[[Floats], float],
    radius: float,
    tol: float,
    used_up: Callable[[], bool],
) -> None:
    """Steps in a trust region and steps that keep the simplex from becoming flat."""
    resolution = radius

    def value_after(step: Floats) -> float:
        known = simplex.close_value(step, 1e-4 * tol)
        if known is not None:
            return known
        return function(simplex.pole + step)

    while not used_up():
        adequate = bool(np.all(simplex.lengths() <= 4 * radius**2))
        slope = simplex.slope
        step = _steepest(slope, radius)
        length = min(radius, sqrt(step @ step))
        predicted = -float(step @ slope)
        is_short = length <= SHORT * resolution
        if is_short or not predicted > 1e-6 * EPS * resolution:
            failed = True
            radius = _at_least(0.1 * radius, resolution)
        else:
            value = value_after(step)
            decrease = simplex.values[-1] - value
            share = decrease / predicted
            radius = _at_least(_next_radius(radius, length, share), resolution)
            improved = bool(decrease > 0)
            place = simplex.place_for(step, max(resolution, radius / 10), improved=improved)
            if place is not None:
                simplex.replace(place, step, value)
            if used_up():
                return
            failed = share <= 0 or place is None
        if not failed:
            continue
        if adequate and max(radius, length) <= resolution:
            if resolution <= tol:
                break
            finer = _next_resolution(resolution, tol)
            radius = max(0.5 * resolution, finer)
            resolution = finer
        elif not adequate and np.any(simplex.lengths() > 4 * radius**2):
            _restore_shape(simplex, value_after, radius)
    if is_short and length > 1e-3 * tol and not used_up():
        function(simplex.pole + step)


def _restore_shape(
    simplex: _Simplex, value_after: Callable[[Floats], float], radius: float
) -> None:
    """Replace the farthest point by one near the pole, at a right angle to the others."""
    farthest = int(np.argmax(simplex.lengths()))
    direction = simplex.inverse[farthest]
    step = radius / 2 * (direction / np.linalg.norm(direction))
    slope = simplex.slope
    if -(step @ slope) < step @ slope:
        step = -step
    simplex.replace(farthest, step, value_after(step))


def _steepest(slope: Floats, radius: float) -> Floats:
    """The step of length ``radius`` against the slope; zero where that is not defined."""
    steepness = sqrt(slope @ slope)
    if not steepness > EPS**2 or not np.isfinite(steepness):
        return np.zeros(len(slope))
    step: Floats = -radius * (slope / steepness)
    return step


def _at_least(radius: float, resolution: float) -> float:
    if radius <= NEAR * resolution:
        return resolution
    return radius


def _next_radius(radius: float, length: float, share: float) -> float:
    """The trust region after a step that reached this share of the predicted decrease."""
    if share <= POOR:
        return 0.5 * length
    if share <= GOOD:
        return max(0.5 * radius, length)
    return max(0.5 * radius, 2.0 * length)


def _next_resolution(resolution: float, tol: float) -> float:
    ratio = resolution / tol
    if ratio > 250:
        return 0.1 * resolution
    if ratio <= 16:
        return tol
    return sqrt(ratio) * tol
