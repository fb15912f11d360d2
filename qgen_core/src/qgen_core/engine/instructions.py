"""The operations that the kernels call, each a run of LLVM instructions on the registers of a tile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from qgen_core.engine.registers import ACROSS_LANES, WITHIN_LANES, Emitter, Registers
from qgen_core.engine.simd import Vec, fma, intrinsic, lane_bits_of, splat_of
from qgen_core.engine.steps import RY_L, RY_P, RY_Q

Type = Any  # of numba
Value = Any  # of LLVM
_INT = types.int64


def _four(vec: Type) -> Type:
    return types.UniTuple(vec, 4)


@intrinsic
def tile_at(typingctx: Any, buf: Type, start: Type, t: Type, p: Type, q: Type) -> Any:
    """Where tile t begins: its number is that of an amplitude without the lane bits, p and q, and q < p."""
    vec = Vec(buf.dtype)
    bits = lane_bits_of(vec)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        _, start, number, p, q = args
        one = ir.Constant(number.type, 1)
        for bit in (q, p):
            place = builder.sub(bit, ir.Constant(bit.type, bits))
            below = builder.and_(number, builder.sub(builder.shl(one, place), one))
            number = builder.or_(builder.shl(builder.sub(number, below), one), below)
        return builder.add(start, builder.shl(number, ir.Constant(number.type, bits + 1)))

    return _INT(buf, _INT, _INT, _INT, _INT), emit


@intrinsic
def copy(typingctx: Any, source: Type, at: Type, target: Type, to: Type, count: Type) -> Any:
    """Copy ``count`` numbers, a multiple of two registers."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        _, at, _, to, count = args
        lanes = Vec(source.dtype).lanes
        nothing, step = ir.Constant(count.type, 0), ir.Constant(count.type, 2 * lanes)
        with cgutils.for_range_slice(builder, nothing, count, step, count.type) as (done, _):
            registers = [e.load(0, args, e.further(builder.add(at, done), k)) for k in (0, lanes)]
            for k, register in zip((0, lanes), registers, strict=True):
                e.store(2, args, e.further(builder.add(to, done), k), register)
        return context.get_dummy_value()

    return types.void(source, _INT, target, _INT, _INT), emit


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
        data = context.make_array(numbers)(context, builder, args[0]).data
        places = [builder.gep(data, [e.further(args[1], k)]) for k in range(4)]
        found = [builder.load(place, typ=place.type.pointee) for place in places]
        return e.pack([splat_of(builder, number, vec.lanes) for number in found])

    return _four(vec)(numbers, _INT), emit


@intrinsic
def run_turn(typingctx: Any, code: Type, x: Type, y: Type, c: Type, s: Type, masks: Type, v: Type, w: Type) -> Any:
    """A step that is no phase on two tiles, real and imaginary parts: RY on p, q or a lane bit, or CNOT."""

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
    """The same on a state and its adjoint, with s of the way back; overlaps are added to ``acc``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        both = e.four(args[6]) + e.four(args[7])
        out = _turned(e, args, both, 8)
        return e.pack(out[:4], out[4:])

    return types.UniTuple(v, 2)(_INT, _INT, _INT, c, s, masks, v, u, acc, _INT), emit


def _turned(e: Emitter, args: Any, both: Registers, acc: int | None) -> Registers:
    """Two tiles after a turn; where ``acc`` is an argument, they are state and adjoint, whose overlap goes there."""
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
        return [fma(e.builder, signed, f, e.builder.fmul(c, r)) for r, f in zip(both, flipped, strict=True)]

    numbers = [4 * code for code in WITHIN_LANES] + [4 * code + bit for code in ACROSS_LANES for bit in range(bits)]
    return e.cases(e.builder.add(e.builder.shl(code, ir.Constant(code.type, 2)), y), numbers, turned)


@intrinsic
def run_phases(typingctx: Any, c: Type, s: Type, re: Type, im: Type) -> Any:
    """A phase for each register, or each lane: real and imaginary parts."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        turned = [e.rotate(*four) for four in zip(*(e.four(a) for a in args), strict=True)]
        return e.pack([re for re, _ in turned], [im for _, im in turned])

    return types.UniTuple(re, 2)(c, s, re, im), emit


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
    """Undo phases on a tile of the state and the adjoint, and add the overlaps to ``acc``: one for each register.

    From memory to memory, register by register: all of a tile would be more than most processors have.
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


def _phase_undone(e: Emitter, args: Any, acc: int, slot: Value, c: Value, s: Value, parts: Registers) -> Registers:
    """Real and imaginary part of state and adjoint before a phase; their overlap is added to ``acc``."""
    a, b, la, lb = parts
    e.store(acc, args, slot, e.cross(e.load(acc, args, slot), la, lb, a, b))
    # turning (imaginary, real) instead of (real, imaginary) turns back
    b, a = e.rotate(c, s, b, a)
    lb, la = e.rotate(c, s, lb, la)
    return [a, b, la, lb]


@intrinsic
def ordered(typingctx: Any, order: Type, dq: Type, dp: Type) -> Any:
    """Where four registers are from the first on, in an order of two bits each."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        order, dq, dp = args
        one, nothing = ir.Constant(order.type, 1), ir.Constant(order.type, 0)

        def part(bit: int, stride: Value) -> Value:
            is_set = builder.and_(builder.lshr(order, ir.Constant(order.type, bit)), one)
            return builder.select(builder.trunc(is_set, ir.IntType(1)), stride, nothing)

        places = [builder.add(part(2 * k, dq), part(2 * k + 1, dp)) for k in range(4)]
        return context.make_tuple(builder, signature.return_type, places)

    return _four(_INT)(_INT, _INT, _INT), emit


@intrinsic
def run_pair(
    typingctx: Any,
    buf: Type,
    at: Type,
    dq: Type,
    dp: Type,
    places: Type,
    phases: Type,
    c: Type,
    s: Type,
    turns: Type,
) -> Any:
    """A tile in another order, phases if there are any, RY on p and on q: ``turns`` are flag and ratio of both."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        lanes = Vec(buf.dtype).lanes
        starts = [builder.add(args[1], place) for place in e.four(args[4])]
        tile = [e.load(0, args, at) for at in starts] + [e.load(0, args, e.further(at, lanes)) for at in starts]

        def phased(present: int) -> Registers:
            if not present:
                return tile
            turned = [
                e.rotate(*four) for four in zip(e.four(args[6]), e.four(args[7]), tile[:4], tile[4:], strict=True)
            ]
            return [re for re, _ in turned] + [im for _, im in turned]

        cp, sp, cq, sq = e.four(args[8])
        tile = e.turn_by_ratio(RY_Q, cq, sq, e.turn_by_ratio(RY_P, cp, sp, e.cases(args[5], [1, 0], phased)))
        for k, at in enumerate(e.places(*args[1:4])):
            e.store(0, args, at, tile[k])
            e.store(0, args, e.further(at, lanes), tile[4 + k])
        return context.get_dummy_value()

    return types.void(buf, _INT, _INT, _INT, places, types.boolean, c, s, turns), emit


@intrinsic
def undo_pair(
    typingctx: Any,
    psi: Type,
    lam: Type,
    at: Type,
    dq: Type,
    dp: Type,
    places: Type,
    phases: Type,
    c: Type,
    s: Type,
    turns: Type,
    acc: Type,
) -> Any:
    """The same from its end, on a state and its adjoint; overlaps are added to ``acc``.

    Of phases in four registers, of RY on p in two, on q in two.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        lanes = Vec(psi.dtype).lanes
        cp, sp, cq, sq = e.four(args[9])
        halves = []
        for part in (0, 1):
            starts = e.places(e.further(args[2], part * lanes), *args[3:5])
            both = [e.load(number, args, at) for number in (0, 1) for at in starts]
            for code, first in ((RY_P, 4), (RY_Q, 6)):
                slot = ir.Constant(args[2].type, (first + part) * lanes)
                e.store(10, args, slot, e.overlap(code, e.load(10, args, slot), both[4:], both[:4]))
            halves.append(e.turn_by_ratio(RY_Q, cq, sq, e.turn_by_ratio(RY_P, cp, sp, both)))

        def phased(present: int) -> Registers:
            out = [[halves[part][first + k] for first in (0, 4) for part in (0, 1)] for k in range(4)]
            if present:
                c, s = e.four(args[7]), e.four(args[8])
                slots = [ir.Constant(args[2].type, k * lanes) for k in range(4)]
                out = [_phase_undone(e, args, 10, slots[k], c[k], s[k], out[k]) for k in range(4)]
            return [register for four in out for register in four]

        out = e.cases(args[6], [1, 0], phased)
        for k, place in enumerate(e.four(args[5])):
            at = builder.add(args[2], place)
            for n, (number, part) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                e.store(number, args, e.further(at, part * lanes), out[4 * k + n])
        return context.get_dummy_value()

    return types.void(psi, lam, _INT, _INT, _INT, places, types.boolean, c, s, turns, acc), emit
