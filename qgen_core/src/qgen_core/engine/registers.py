"""What a step does to the registers of a tile: four of them, numbered by the bits p (twos) and q (ones)."""

from __future__ import annotations

from typing import Any

from qgen_core.engine.plan import CX_LP, CX_LQ, CX_PL, CX_PQ, CX_QL, CX_QP
from qgen_core.engine.simd import (
    choose,
    cross,
    flip4,
    jit_inline,
    lane_bits,
    load,
    mix,
    multiply_add,
    rotate,
    splat,
    store,
    times,
)

Array = Any  # numba infers; (n,) of float32 or float64
Vec = Any  # one register
Four = Any  # a tuple of four registers


@jit_inline
def load4(buf: Array, at: int, dq: int, dp: int) -> Four:
    """The registers at ``at``, with strides of the bits q and p."""
    return load(buf, at), load(buf, at + dq), load(buf, at + dp), load(buf, at + dp + dq)


@jit_inline
def store4(buf: Array, at: int, dq: int, dp: int, v: Four) -> None:
    """The inverse of :func:`load4`."""
    store(buf, at, v[0])
    store(buf, at + dq, v[1])
    store(buf, at + dp, v[2])
    store(buf, at + dp + dq, v[3])


@jit_inline
def turn_p(c: Vec, s: Vec, v: Four) -> Four:
    """RY on bit p."""
    v0, v2 = rotate(c, s, v[0], v[2])
    v1, v3 = rotate(c, s, v[1], v[3])
    return v0, v1, v2, v3


@jit_inline
def turn_q(c: Vec, s: Vec, v: Four) -> Four:
    """RY on bit q."""
    v0, v1 = rotate(c, s, v[0], v[1])
    v2, v3 = rotate(c, s, v[2], v[3])
    return v0, v1, v2, v3


@jit_inline
def lane_sine(sine: Any, masks: Array, x: int) -> Vec:
    """The sine, with the sign that RY on lane bit x has in each lane."""
    return times(splat(sine), load(masks, x << lane_bits(masks)))


@jit_inline
def turn_lanes(c: Vec, s: Vec, v: Four, f: Four) -> Four:
    """RY on a lane bit, with ``f`` the flipped registers and ``s`` of :func:`lane_sine`."""
    return mix(c, v[0], s, f[0]), mix(c, v[1], s, f[1]), mix(c, v[2], s, f[2]), mix(c, v[3], s, f[3])


@jit_inline
def flipped(v: Four, x: int) -> Four:
    """The registers with lanes exchanged along bit x."""
    return flip4(v[0], v[1], v[2], v[3], x)


@jit_inline
def turn_phases(c: Four, s: Four, re: Four, im: Four) -> tuple[Four, Four]:
    """A phase for each register, or each lane."""
    r0, i0 = rotate(c[0], s[0], re[0], im[0])
    r1, i1 = rotate(c[1], s[1], re[1], im[1])
    r2, i2 = rotate(c[2], s[2], re[2], im[2])
    r3, i3 = rotate(c[3], s[3], re[3], im[3])
    return (r0, r1, r2, r3), (i0, i1, i2, i3)


@jit_inline
def splat4(numbers: Array, at: int) -> Four:
    """Four numbers, each in all lanes."""
    return splat(numbers[at]), splat(numbers[at + 1]), splat(numbers[at + 2]), splat(numbers[at + 3])


@jit_inline
def cnot(code: int, x: int, y: int, masks: Array, v: Four) -> Four:
    """A CNOT among p, q and the lane bits x (control), y (target); its own inverse."""
    v0, v1, v2, v3 = v
    if code == CX_PQ:
        return v0, v1, v3, v2
    if code == CX_QP:
        return v0, v3, v2, v1
    if code == CX_LP or code == CX_LQ:
        m = load(masks, x << lane_bits(masks))
        if code == CX_LP:
            return choose(m, v2, v0), choose(m, v3, v1), choose(m, v0, v2), choose(m, v1, v3)
        return choose(m, v1, v0), choose(m, v0, v1), choose(m, v3, v2), choose(m, v2, v3)
    f0, f1, f2, f3 = flip4(v0, v1, v2, v3, y)
    if code == CX_PL:
        return v0, v1, f2, f3
    if code == CX_QL:
        return v0, f1, v2, f3
    m = load(masks, x << lane_bits(masks))
    return choose(m, f0, v0), choose(m, f1, v1), choose(m, f2, v2), choose(m, f3, v3)


@jit_inline
def overlap_p(acc: Array, at: int, u: Four, v: Four) -> None:
    """Add to ``acc[at:]`` what RY on bit p of v does to the overlap with u."""
    store(acc, at, cross(cross(load(acc, at), u[0], u[2], v[0], v[2]), u[1], u[3], v[1], v[3]))


@jit_inline
def overlap_q(acc: Array, at: int, u: Four, v: Four) -> None:
    """The same for bit q."""
    store(acc, at, cross(cross(load(acc, at), u[0], u[1], v[0], v[1]), u[2], u[3], v[2], v[3]))


@jit_inline
def overlap_lanes(acc: Array, at: int, u: Four, f: Four) -> None:
    """The same for a lane bit, f flipped, but for the sign of each lane."""
    half = multiply_add(multiply_add(load(acc, at), u[0], f[0]), u[1], f[1])
    store(acc, at, multiply_add(multiply_add(half, u[2], f[2]), u[3], f[3]))


@jit_inline
def overlap_phases(acc: Array, at: int, ur: Four, ui: Four, re: Four, im: Four) -> None:
    """The same for phases, a sum for each register and lane."""
    lanes = 1 << lane_bits(acc)
    store(acc, at, cross(load(acc, at), ur[0], ui[0], re[0], im[0]))
    at += lanes
    store(acc, at, cross(load(acc, at), ur[1], ui[1], re[1], im[1]))
    at += lanes
    store(acc, at, cross(load(acc, at), ur[2], ui[2], re[2], im[2]))
    at += lanes
    store(acc, at, cross(load(acc, at), ur[3], ui[3], re[3], im[3]))
