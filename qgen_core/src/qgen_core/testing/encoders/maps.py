"""Encoder kit: encoding, decoding and the density of the map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.interfaces import Encoder
from qgen_core.testing.encoders.base import EncoderBase
from qgen_core.testing.kit import check, equal, globals_untouched, not_applicable, unchanged
from qgen_core.testing.slopes import slope
from qgen_core.testing.spaces import check_encoded
from qgen_core.testing.statistics import SIGMAS
from qgen_core.typing import Array, Floats, Rng

#: Largest error of a round trip, as a part of a column's range, by precision of the events.
ROUND_TRIP_TOLERANCE: dict[type[np.floating[Any]], float] = {np.float64: 1e-9, np.float32: 1e-4}
#: Largest mean squared error of a lossy round trip, in variances of a column.
LOSSY_TOLERANCE = 0.95
#: Step of the finite differences, relative to the value.
STEP = 1e-3
#: Number of events drawn in one cell to integrate its density.
DRAWS = 4000


class MapTests(EncoderBase):
    """``encode``, ``decode`` and ``log_det``."""

    def test_encoded_form(self) -> None:
        """Encoded events have the shape, type and values of the space; events are not changed."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        for size in (1, 7, len(x)):
            part = x[:size]
            conditions = _rows(condition, slice(size))
            with unchanged("encode()", x=part, condition=conditions), globals_untouched("encode()"):
                z = encoder.encode(part, conditions, rng=np.random.default_rng(1))
            check_encoded(f"encode() of {size} events", z, encoder.space, size)

    def test_round_trip(self) -> None:
        """Decoding returns the events, or events of the same cell, in float64 and float32.

        That of a lossy encoder returns events that are nearer to them than their mean.
        """
        encoder = self.fitted()
        for kind, tolerance in ROUND_TRIP_TOLERANCE.items():
            x, condition = self.accepted(encoder, kind)
            z = encoder.encode(x, condition, rng=np.random.default_rng(1))
            with unchanged("decode()", z=z, condition=condition), globals_untouched("decode()"):
                back = np.asarray(encoder.decode(z, condition, rng=np.random.default_rng(2)))
            is_floats = back.shape == x.shape and back.dtype.kind == "f"
            check(
                is_floats and np.all(np.isfinite(back)),
                f"decode() of {z.shape} must give finite floats {x.shape}, not {back.dtype} "
                f"{back.shape}",
            )
            if self.lossy:
                _check_nearer_than_mean(x, back)
            elif self.continuous(encoder):
                error = float(np.max(np.abs(back - x) / np.ptp(x, axis=0)))
                check(
                    error <= tolerance,
                    f"decode(encode(x)) is off by {error:.3g} of a column's range for "
                    f"{kind.__name__} events (allowed {tolerance:g}): decode must invert encode",
                )
            else:
                self._check_same_cells(encoder, z, back, condition)

    def _check_same_cells(
        self, encoder: Encoder, z: Array, back: Array, condition: Array | None
    ) -> None:
        check(
            np.all(encoder.accepts(back, condition)),
            "decode() makes events that the encoder does not accept",
        )
        again = encoder.encode(back, condition, rng=np.random.default_rng(1))
        wrong = int(np.sum(np.any(again != z, axis=1)))
        check(
            not wrong, f"{wrong} of {len(z)} decoded events lie in another cell than they came from"
        )

    def test_decoding_is_reproducible(self) -> None:
        """The same rng decodes to the same events."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        z = encoder.encode(x, condition, rng=np.random.default_rng(1))
        twice = [encoder.decode(z, condition, rng=np.random.default_rng(2)) for _ in range(2)]
        check(
            equal(twice), "decode() with the same rng gives other events; draw from the rng given"
        )

    def test_events_are_independent(self) -> None:
        """An event is encoded alone as among others, with its own condition."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        together = encoder.encode(x, condition, rng=np.random.default_rng(1))
        for row in range(0, len(x), max(1, len(x) // 20)):
            only = slice(row, row + 1)
            alone = encoder.encode(x[only], _rows(condition, only), rng=np.random.default_rng(1))
            check(
                np.allclose(alone[0], together[row], rtol=1e-12, atol=1e-12),
                f"event {row} is encoded as {together[row]} among others and as {alone[0]} alone; "
                "what is learned belongs into fit()",
            )

    def test_log_det(self) -> None:
        """log_det agrees with finite differences; for cells, exp(log_det) integrates to one."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        found = encoder.log_det(x, condition)
        if found is None:
            not_applicable("the encoder has no density")
        check(
            np.shape(found) == (len(x),) and np.all(np.isfinite(found)),
            f"log_det() of {len(x)} events is finite and of the shape ({len(x)},), not "
            f"{np.shape(found)}",
        )
        if not self.continuous(encoder):
            self._check_cells(encoder)
            return
        rows = _inner(encoder, x, condition)[:50]
        expected = _log_jacobian(encoder, x[rows], _rows(condition, rows))
        worst = int(np.argmax(np.abs(found[rows] - expected)))
        row = rows[worst]
        check(
            abs(found[row] - expected[worst]) <= 1e-5,
            f"log_det() of event {row} is {found[row]:.8g}, finite differences of encode() give "
            f"{expected[worst]:.8g}: it is log |det d encode / d x|, summed over columns",
        )

    def _check_cells(self, encoder: Encoder) -> None:
        """The density exp(log_det) integrates to one over the cell of an event."""
        x, condition = self.accepted(encoder)
        rng = np.random.default_rng(3)
        for row in (0, 1, 2):
            inside, many = _decoded_often(encoder, x, condition, row, rng)
            low = inside.min(axis=0)
            high = inside.max(axis=0)
            density = encoder.log_det(rng.uniform(low, high, inside.shape), many)
            assert density is not None
            total = float(np.mean(np.exp(density)) * np.prod(high - low))
            check(
                abs(total - 1) < 0.05,
                f"exp(log_det) integrates to {total:.4g} over the cell of event {row}, not to 1: "
                "it is minus the logarithm of the cell's volume where decode() draws uniformly",
            )

    def test_decoded_density(self) -> None:
        """Decoded events are distributed inside a cell as exp(log_det) says."""
        encoder = self.fitted()
        x, condition = self.accepted(encoder)
        if encoder.log_det(x, condition) is None or self.continuous(encoder):
            not_applicable("decoding draws nothing, or the encoder has no density")
        rng = np.random.default_rng(4)
        for row in (0, 1, 2):
            drawn, many = _decoded_often(encoder, x, condition, row, rng)
            low = drawn.min(axis=0)
            high = drawn.max(axis=0)
            uniform = rng.uniform(low, high, drawn.shape)
            density = encoder.log_det(uniform, many)
            assert density is not None
            weights = np.exp(density) / np.sum(np.exp(density))
            for power in (1, 2):
                found = np.mean(drawn**power, axis=0)
                expected = weights @ uniform**power
                spread = np.std(drawn**power, axis=0) + np.std(uniform**power, axis=0)
                allowed = SIGMAS * spread / np.sqrt(DRAWS)
                check(
                    np.all(np.abs(found - expected) <= allowed),
                    f"decoded events of the cell of event {row} have the mean x^{power} {found}, "
                    f"exp(log_det) gives {expected}: decode() must draw from that density",
                )


def _check_nearer_than_mean(x: Array, back: Array) -> None:
    """Decoded events are nearer to the events (N, F) than their mean is, in units of columns."""
    share = float(np.mean(np.mean((back - x) ** 2, axis=0) / np.var(x, axis=0)))
    check(
        share < LOSSY_TOLERANCE,
        f"decode(encode(x)) is off by {share:.3g} of the variance of a column, as far as the mean "
        "of all events: decode() must tell events apart",
    )


def _rows(condition: Array | None, rows: slice | NDArray[np.intp]) -> Array | None:
    """The conditions of some events; None if there are none."""
    if condition is None:
        return None
    return condition[rows]


def _decoded_often(
    encoder: Encoder, x: Array, condition: Array | None, row: int, rng: Rng
) -> tuple[Array, Array | None]:
    """One event, encoded, and decoded ``DRAWS`` times, with its condition as often."""
    one = _rows(condition, slice(row, row + 1))
    many = None
    if one is not None:
        many = np.repeat(one, DRAWS, axis=0)
    z = np.repeat(encoder.encode(x[row : row + 1], one), DRAWS, axis=0)
    return encoder.decode(z, many, rng=rng), many


def _steps(x: Floats) -> Floats:
    """The step of the finite differences for each value."""
    return np.asarray(STEP * np.where(x == 0, np.ptp(x, axis=0), np.abs(x)))


def _inner(encoder: Encoder, x: Floats, condition: Array | None) -> NDArray[np.intp]:
    """The positions of events whose neighbours, one step away, are accepted as well."""
    inside = np.ones(len(x), dtype=np.bool_)
    for sign in (-1, 1):
        inside &= encoder.accepts(x + sign * _steps(x), condition)
    return np.flatnonzero(inside)


def _log_jacobian(encoder: Encoder, x: Floats, condition: Array | None) -> Floats:
    """log |det d encode / d x| of events (N, F) by finite differences."""
    columns = []
    for column in range(x.shape[1]):
        unit = _steps(x) * np.eye(x.shape[1])[column]

        def moved(t: float, unit: Floats = unit) -> Floats:
            return np.asarray(encoder.encode(x + t * unit, condition), dtype=np.float64)

        columns.append(slope(moved, 0.5) / unit[:, column : column + 1])
    return np.asarray(np.linalg.slogdet(np.stack(columns, axis=2))[1])
