"""Operations that the kernels call: LLVM instructions on the registers of a tile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from qgen_core.simulators.simd.intrinsics import (
    Vec,
    fma,
    intrinsic,
    lane_bits_of,
    load_number,
    splat_of,
)
from qgen_core.simulators.statevector.registers import (
    ACROSS_LANES,
    WITHIN_LANES,
    Emitter,
    Registers,
)
from qgen_core.simulators.statevector.steps import (
    PAIR_RY_P,
    PAIR_RY_Q,
    RY_L,
    RY_P,
    RY_Q,
    STEP_COLUMNS,
    STEP_ORDER,
    STEP_PHASES,
    STEP_PLACE,
)

Type = Any  # of numba
Value = Any  # of LLVM
_INT = types.int64


def _four(vec: Type) -> Type:
    return types.UniTuple(vec, 4)


@intrinsic
def tile_at(typingctx: Any, buf: Type, start: Type, t: Type, p: Type, q: Type) -> Any:
    """Where tile t begins."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        return Emitter(context, builder, signature).tile(lane_bits_of(Vec(buf.dtype)), *args[1:])

    return _INT(buf, _INT, _INT, _INT, _INT), emit


def _moving(back: bool) -> Any:
    """Copy runs of numbers between a state and a buffer that holds them one after another."""

    def move(
        typingctx: Any, state: Type, start: Type, rows: Type, count: Type, run: Type, buf: Type
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            e = Emitter(context, builder, signature)
            _, start, _, count, run, _ = args
            lanes = Vec(state.dtype).lanes
            rows_at = e.data(2, args)
            with cgutils.for_range(builder, count, intp=count.type) as outer:
                row = load_number(builder, rows_at, outer.index)
                there = builder.shl(builder.add(start, row), ir.Constant(row.type, 1))
                here = builder.mul(outer.index, run)
                nothing, step = ir.Constant(run.type, 0), ir.Constant(run.type, 2 * lanes)
                with cgutils.for_range_slice(builder, nothing, run, step, run.type) as (done, _):
                    ends = [(0, builder.add(there, done)), (5, builder.add(here, done))]
                    (source, at), (target, to) = reversed(ends) if back else ends
                    registers = [e.load(source, args, e.further(at, k)) for k in (0, lanes)]
                    for k, register in zip((0, lanes), registers, strict=True):
                        e.store(target, args, e.further(to, k), register)
            return context.get_dummy_value()

        return types.void(state, _INT, rows, _INT, _INT, buf), emit

    return intrinsic(move)


#: ``count`` runs of ``run`` numbers (some times two registers), which start at the amplitudes
#: ``start + rows``.
gather, scatter = _moving(False), _moving(True)


@intrinsic
def load4(typingctx: Any, buf: Type, at: Type, dq: Type, dp: Type) -> Any:
    """The registers at ``at``, with strides of the bits q and p."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        return e.pack([e.load(0, args, place) for place in e.places(*args[1:])])

    return _four(Vec(buf.dtype))(buf, _INT, _INT, _INT), emit


@intrinsic
def store4(typingctx: Any, buf: Type, at: Type, dq: Type, dp: Type, v: Type) -> Any:
    """The inverse of :func:`load4`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        for place, register in zip(e.places(*args[1:4]), e.four(args[4]), strict=True):
            e.store(0, args, place, register)
        return context.get_dummy_value()

    return types.void(buf, _INT, _INT, _INT, v), emit


@intrinsic
def splat4(typingctx: Any, numbers: Type, at: Type) -> Any:
    """Four numbers, each in all lanes."""
    vec = Vec(numbers.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        found = [load_number(builder, e.data(0, args), e.further(args[1], k)) for k in range(4)]
        return e.pack([splat_of(builder, number, vec.lanes) for number in found])

    return _four(vec)(numbers, _INT), emit


@intrinsic
def run_turn(
    typingctx: Any, code: Type, x: Type, y: Type, c: Type, s: Type, masks: Type, v: Type, w: Type
) -> Any:
    """A step that is no phase on two tiles, real and imaginary parts.

    RY on p, q or a lane bit, or CNOT.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        both = e.four(args[6]) + e.four(args[7])
        out = _turned(e, args, both, None)
        return e.pack(out[:4], out[4:])

    return types.UniTuple(v, 2)(_INT, _INT, _INT, c, s, masks, v, w), emit


@intrinsic
def undo_turn(
    typingctx: Any,
    code: Type,
    x: Type,
    y: Type,
    c: Type,
    s: Type,
    masks: Type,
    v: Type,
    u: Type,
    acc: Type,
    slot: Type,
) -> Any:
    """The same on a state and its adjoint, with s of the way back.

    Overlaps are added to ``acc``.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        both = e.four(args[6]) + e.four(args[7])
        out = _turned(e, args, both, 8)
        return e.pack(out[:4], out[4:])

    return types.UniTuple(v, 2)(_INT, _INT, _INT, c, s, masks, v, u, acc, _INT), emit


def _turned(e: Emitter, args: Any, both: Registers, acc: int | None) -> Registers:
    """Two tiles after a turn.

    Where ``acc`` is an argument, they are state and adjoint, whose overlap goes there.
    """
    code, x, y, c, s = args[:5]
    sign, c, s = e.lane_sign(5, args, x), e.splat(c, both[0]), e.splat(s, both[0])
    bits = lane_bits_of(Vec(e.signature.args[5].dtype))

    def add(overlap: Callable[[Value], Value]) -> None:
        if acc is not None:
            e.store(acc, args, args[acc + 1], overlap(e.load(acc, args, args[acc + 1])))

    def turned(number: int) -> Registers:
        code, bit = divmod(number, 4)
        flipped = e.flip(both, bit) if code in ACROSS_LANES else both
        if code in (RY_P, RY_Q):
            add(lambda total: e.overlap(code, total, both[4:], both[:4]))
            return e.turn(code, both, partial(e.rotate, c, s))
        if code != RY_L:
            return e.cnot(code, sign, both, flipped)
        add(lambda total: e.products(total, both[4:], flipped[:4]))
        signed = e.builder.fmul(s, sign)
        return [
            fma(e.builder, signed, f, e.builder.fmul(c, r))
            for r, f in zip(both, flipped, strict=True)
        ]

    numbers = [4 * code for code in WITHIN_LANES] + [
        4 * code + bit for code in ACROSS_LANES for bit in range(bits)
    ]
    return e.cases(
        e.builder.add(e.builder.shl(code, ir.Constant(code.type, 2)), y), numbers, turned
    )


@intrinsic
def run_phases(typingctx: Any, c: Type, s: Type, re: Type, im: Type) -> Any:
    """A phase for each register, or each lane: real and imaginary parts."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        out = _phased(e, *(e.four(a) for a in args))
        return e.pack(out[:4], out[4:])

    return types.UniTuple(re, 2)(c, s, re, im), emit


def _phased(e: Emitter, c: Registers, s: Registers, re: Registers, im: Registers) -> Registers:
    """Real, then imaginary parts of a tile after phases."""
    turned = [e.rotate(*four) for four in zip(c, s, re, im, strict=True)]
    return [one for one, _ in turned] + [other for _, other in turned]


@intrinsic
def undo_phases(
    typingctx: Any,
    psi: Type,
    lam: Type,
    at: Type,
    dq: Type,
    dp: Type,
    c: Type,
    s: Type,
    acc: Type,
    slot: Type,
) -> Any:
    """Undo phases on a tile of the state and the adjoint, and add the overlaps to ``acc``.

    One for each register.

    From memory to memory, register by register: all of a tile would be more than most processors
    have.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        lanes = Vec(psi.dtype).lanes
        c, s = e.four(args[5]), e.four(args[6])
        for k, re in enumerate(e.places(*args[2:5])):
            im = e.further(re, lanes)
            read = [e.load(number, args, place) for number in (0, 1) for place in (re, im)]
            slot = e.further(args[8], k * lanes)
            out = _phase_undone(e, args, 7, slot, c[k], s[k], read)
            for number, place, register in zip((0, 0, 1, 1), (re, im, re, im), out, strict=True):
                e.store(number, args, place, register)
        return context.get_dummy_value()

    return types.void(psi, lam, _INT, _INT, _INT, c, s, acc, _INT), emit


def _phase_undone(
    e: Emitter, args: Any, acc: int, slot: Value, c: Value, s: Value, parts: Registers
) -> Registers:
    """Real and imaginary part of state and adjoint before a phase.

    Their overlap is added to ``acc``.
    """
    a, b, la, lb = parts
    e.store(acc, args, slot, e.cross(e.load(acc, args, slot), la, lb, a, b))
    # turning (imaginary, real) instead of (real, imaginary) turns back
    b, a = e.rotate(c, s, b, a)
    lb, la = e.rotate(c, s, lb, la)
    return [a, b, la, lb]


class _Pair:
    """The numbers of a pair, outside of the loop over tiles."""

    def __init__(self, e: Emitter, args: Any, first: int, kind: Type, way: int) -> None:
        vec, build = Vec(kind), e.builder
        bits, p, q, k, steps, cos, sin = args[first : first + 7]
        numbers, cosines, sines = (e.data(n, args) for n in range(first + 4, first + 7))
        row = build.mul(k, ir.Constant(k.type, STEP_COLUMNS))
        order, phases, at = (
            load_number(build, numbers, e.further(row, column))
            for column in (STEP_ORDER, STEP_PHASES, STEP_PLACE)
        )
        two = ir.Constant(q.type, 2)
        self.p, self.q, self.dq, self.dp = p, q, build.shl(two, q), build.shl(two, p)
        self.phases, self.places = (
            build.icmp_signed("!=", phases, ir.Constant(phases.type, 0)),
            self._order(e, order),
        )
        self.c, self.s = (
            [self._splat(e, data, at, n, vec) for n in range(4)] for data in (cosines, sines)
        )
        self.flags = {
            c: load_number(build, cosines, e.further(at, n))
            for c, n in ((RY_P, PAIR_RY_P), (RY_Q, PAIR_RY_Q))
        }
        self.ratios = {
            c: load_number(build, sines, e.further(at, n))
            for c, n in ((RY_P, PAIR_RY_P), (RY_Q, PAIR_RY_Q))
        }
        if way < 0:
            self.ratios = {code: build.fneg(ratio) for code, ratio in self.ratios.items()}
        self.lanes, self.lane_bits = vec.lanes, lane_bits_of(vec)
        self.tiles = build.shl(
            ir.Constant(bits.type, 1), build.sub(bits, ir.Constant(bits.type, self.lane_bits + 2))
        )

    def _order(self, e: Emitter, order: Value) -> list[Value]:
        """Where four registers are from the first on, in an order of two bits each."""
        build, one, nothing = e.builder, ir.Constant(order.type, 1), ir.Constant(order.type, 0)

        def part(bit: int, stride: Value) -> Value:
            is_set = build.and_(build.lshr(order, ir.Constant(order.type, bit)), one)
            return build.select(build.trunc(is_set, ir.IntType(1)), stride, nothing)

        return [build.add(part(2 * k, self.dq), part(2 * k + 1, self.dp)) for k in range(4)]

    def _splat(self, e: Emitter, data: Value, at: Value, n: int, vec: Vec) -> Value:
        return splat_of(e.builder, load_number(e.builder, data, e.further(at, n)), vec.lanes)

    def turned(self, e: Emitter, tiles: Registers) -> Registers:
        """RY on p and on q."""
        for code in (RY_P, RY_Q):
            tiles = e.turn_by_ratio(code, self.flags[code], self.ratios[code], tiles)
        return tiles


@intrinsic
def run_pair(
    typingctx: Any,
    buf: Type,
    start: Type,
    bits: Type,
    p: Type,
    q: Type,
    k: Type,
    steps: Type,
    cos: Type,
    sin: Type,
) -> Any:
    """Step k, a pair, on all tiles of 2^bits amplitudes at ``buf[start:]``.

    Registers come in another order (CNOTs), then phases if there are any, then RY on p and on q.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        pair = _Pair(e, args, 2, buf.dtype, 1)

        def phased(present: int, tile: Registers) -> Registers:
            return _phased(e, pair.c, pair.s, tile[:4], tile[4:]) if present else tile

        with cgutils.for_range(builder, pair.tiles, intp=pair.tiles.type) as loop:
            at = e.tile(pair.lane_bits, args[1], loop.index, pair.p, pair.q)
            starts = [builder.add(at, place) for place in pair.places]
            tile = [
                e.load(0, args, e.further(one, part)) for part in (0, pair.lanes) for one in starts
            ]
            tile = pair.turned(e, e.cases(pair.phases, [1, 0], partial(phased, tile=tile)))
            for k, place in enumerate(e.places(at, pair.dq, pair.dp)):
                e.store(0, args, place, tile[k])
                e.store(0, args, e.further(place, pair.lanes), tile[4 + k])
        return context.get_dummy_value()

    return types.void(buf, _INT, _INT, _INT, _INT, _INT, steps, cos, sin), emit


@intrinsic
def undo_pair(
    typingctx: Any,
    psi: Type,
    lam: Type,
    start: Type,
    bits: Type,
    p: Type,
    q: Type,
    k: Type,
    steps: Type,
    cos: Type,
    sin: Type,
    acc: Type,
) -> Any:
    """The same from its end, on a state and its adjoint; overlaps are added to ``acc``.

    Of phases in four registers, of RY on p in two, on q in two.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        pair = _Pair(e, args, 3, psi.dtype, -1)
        slots = [ir.Constant(args[2].type, k * pair.lanes) for k in range(8)]

        def turned(at: Value, part: int) -> Registers:
            starts = e.places(e.further(at, part * pair.lanes), pair.dq, pair.dp)
            both = [e.load(number, args, one) for number in (0, 1) for one in starts]
            for code, slot in ((RY_P, slots[4 + part]), (RY_Q, slots[6 + part])):
                e.store(10, args, slot, e.overlap(code, e.load(10, args, slot), both[4:], both[:4]))
            return pair.turned(e, both)

        def phased(present: int, halves: list[Registers]) -> Registers:
            out = [
                [halves[part][first + k] for first in (0, 4) for part in (0, 1)] for k in range(4)
            ]
            if present:
                out = [
                    _phase_undone(e, args, 10, slots[k], pair.c[k], pair.s[k], out[k])
                    for k in range(4)
                ]
            return [register for four in out for register in four]

        with cgutils.for_range(builder, pair.tiles, intp=pair.tiles.type) as loop:
            at = e.tile(pair.lane_bits, args[2], loop.index, pair.p, pair.q)
            out = e.cases(
                pair.phases, [1, 0], partial(phased, halves=[turned(at, part) for part in (0, 1)])
            )
            for k, place in enumerate(pair.places):
                for n, (number, part) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                    to = e.further(builder.add(at, place), part * pair.lanes)
                    e.store(number, args, to, out[4 * k + n])
        return context.get_dummy_value()

    return types.void(psi, lam, _INT, _INT, _INT, _INT, _INT, steps, cos, sin, acc), emit
