"""Monotonic rational-quadratic splines, the univariate maps of ``inn``."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log

import torch
import torch.nn.functional as F
from torch.distributions import Transform, constraints

Tensor = torch.Tensor
#: The least width and height of a bin, as a share of the interval, and the least slope at a knot.
LEAST = 1e-3
#: softplus of this plus LEAST is the slope 1: numbers that are all 0 give the identity.
SLOPE_ONE = log(expm1(1 - LEAST))


class RationalQuadraticSpline(Transform):
    """A monotonic map of [-bound, bound] to itself, element by element; the identity outside.

    Between two knots it is a quotient of quadratic polynomials; at the ends its slope is 1. Numbers
    that are all 0 give the identity. Elements outside the interval do not affect those inside.

    Args:
        widths: of the bins, (..., K), any real numbers.
        heights: of the bins, (..., K), any real numbers.
        slopes: at the knots between bins, (..., K - 1), any real numbers.
        bound: half the length of the interval.

    Source: Durkan et al., arXiv:1906.04032, section 3 and appendix A, with their least sizes 1e-3.

    >>> zeros = torch.zeros(3, 4)
    >>> spline = RationalQuadraticSpline(zeros, zeros, torch.zeros(3, 3), bound=2.0)
    >>> spline(torch.tensor([-3.0, 0.5, 1.0]))
    tensor([-3.0000,  0.5000,  1.0000])
    """

    domain = constraints.real
    codomain = constraints.real
    bijective = True
    sign = +1

    def __init__(self, widths: Tensor, heights: Tensor, slopes: Tensor, *, bound: float) -> None:
        super().__init__()
        self.widths = _shares(_bins_first(widths))
        self.heights = _shares(_bins_first(heights))
        self.slopes = _bins_first(slopes)
        self.bound = bound

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The spline of x, and the logarithm of its slope; both have the shape of x."""
        inside = x.abs() < self.bound
        place = torch.where(inside, x, 0.0)
        rights = self._knots(self.widths)
        tops = self._knots(self.heights)
        found = self._bin(_bin_of(place, rights), rights, tops)
        xi = ((place - found.left) / found.width).clamp(0, 1)
        rest = xi * (1 - xi)
        bend = found.second + found.first - 2 * found.steepness
        below = found.steepness + bend * rest
        above = found.steepness * xi**2 + found.first * rest
        y = found.bottom + found.height * above / below
        rise = found.second * xi**2 + 2 * found.steepness * rest + found.first * (1 - xi) ** 2
        slope = rise * (found.steepness / below) ** 2
        return torch.where(inside, y, x), torch.where(inside, slope.log(), 0.0)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.call_and_ladj(x)[1]

    def _call(self, x: Tensor) -> Tensor:
        return self.call_and_ladj(x)[0]

    def _inverse(self, y: Tensor) -> Tensor:
        inside = y.abs() < self.bound
        place = torch.where(inside, y, 0.0)
        rights = self._knots(self.widths)
        tops = self._knots(self.heights)
        found = self._bin(_bin_of(place, tops), rights, tops)
        rise = place - found.bottom
        bend = rise * (found.second + found.first - 2 * found.steepness)
        a = found.height * (found.steepness - found.first) + bend
        b = found.height * found.first - bend
        c = -found.steepness * rise
        # Of a discriminant near 0, rounding may leave less than 0.
        root = (b**2 - 4 * a * c).clamp_min(0).sqrt()
        xi = (-2 * c / (b + root)).clamp(0, 1)
        return torch.where(inside, found.left + found.width * xi, y)

    def _knots(self, shares: Tensor) -> Tensor:
        """The right ends (K, ...) of bins that are given as shares of the interval."""
        return self.bound * (2 * torch.cumsum(shares, dim=0) - 1)

    def _bin(self, bins: Tensor, rights: Tensor, tops: Tensor) -> _Bin:
        """The bins of numbers ``bins`` (1, ...)."""
        width = 2 * self.bound * _entry(self.widths, bins)
        height = 2 * self.bound * _entry(self.heights, bins)
        ends = (0,) * 2 * (self.slopes.ndim - 1)
        knots = F.pad(self.slopes, (*ends, 1, 1))
        return _Bin(
            left=_entry(rights, bins) - width,
            width=width,
            bottom=_entry(tops, bins) - height,
            height=height,
            first=_slope(_entry(knots, bins)),
            second=_slope(_entry(knots, bins + 1)),
            steepness=height / width,
        )


@dataclass(frozen=True)
class _Bin:
    """The bin of each element: where it is, its size, and the slopes at its ends."""

    left: Tensor
    width: Tensor
    bottom: Tensor
    height: Tensor
    first: Tensor
    second: Tensor
    steepness: Tensor


def _bins_first(numbers: Tensor) -> Tensor:
    """Numbers (..., K) as (K, ...): the bins of many elements are then treated side by side.

    torch takes one row of K numbers at a time otherwise, and a softmax of 8 takes 8 times as long.
    """
    return numbers.movedim(-1, 0).contiguous()


def _shares(numbers: Tensor) -> Tensor:
    """Numbers (K, ...) as shares that sum to 1, none below LEAST."""
    least = LEAST * len(numbers)
    return LEAST + (1 - least) * torch.softmax(numbers, dim=0)


def _slope(number: Tensor) -> Tensor:
    """The slope at a knot, above LEAST; that of 0 is 1."""
    return F.softplus(number + SLOPE_ONE) + LEAST


def _entry(values: Tensor, numbers: Tensor) -> Tensor:
    """The entry of ``values`` (K, ...) of each number (1, ...), with the shape (...)."""
    return _of_each(values, numbers.shape[1:]).gather(0, numbers)[0]


def _bin_of(place: Tensor, ends: Tensor) -> Tensor:
    """The number (1, ...) of the bin that each place is in, given the bins' ends (K, ...)."""
    passed = place >= _of_each(ends[:-1], place.shape)
    return passed.sum(dim=0, keepdim=True)


def _of_each(values: Tensor, shape: torch.Size) -> Tensor:
    """``values`` (K, ...) for elements of a shape, (K, *shape); elements may share them."""
    missing = len(shape) + 1 - values.ndim
    spread = values.reshape(len(values), *(1,) * missing, *values.shape[1:])
    return spread.expand(len(values), *shape)
