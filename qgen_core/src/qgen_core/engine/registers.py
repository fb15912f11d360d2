"""What a step does to the registers of a tile: four of them, numbered by the bits p (twos) and q (ones).

Each function writes LLVM instructions where it is called. As functions of numba they would take
most of the time that compiling the kernels takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from qgen_core.engine.simd import Vec, address, fma, intrinsic, lane_bits_of, llvm_vec, splat_of
from qgen_core.engine.steps import CX_LL, CX_LP, CX_LQ, CX_PL, CX_QL, MOVES

Type = Any  # of numba
Value = Any  # of LLVM
#: For each code of a CNOT which register comes in the place of each, or which have their lanes exchanged.
_MOVES = {**MOVES, CX_LP: (2, 3, 0, 1), CX_LQ: (1, 0, 3, 2)}
_FLIPS = {CX_PL: (2, 3), CX_QL: (1, 3), CX_LL: (0, 1, 2, 3)}


class Emitter:
    """Where instructions go, and those that registers need."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.builder, self.signature = context, builder, signature

    def four(self, value: Value) -> list[Value]:
        """The registers of a tuple."""
        return list(cgutils.unpack_tuple(self.builder, value))

    def pack(self, *fours: list[Value]) -> Value:
        """A tuple of registers, or of several such tuples."""
        result = self.signature.return_type
        kinds = [result] if len(fours) == 1 else list(result)
        packed = [self.context.make_tuple(self.builder, k, f) for k, f in zip(kinds, fours, strict=True)]
        return packed[0] if len(fours) == 1 else self.context.make_tuple(self.builder, result, packed)

    def place(self, number: int, args: Any, index: Value) -> tuple[Value, int]:
        """Where the register at an index of the array argument ``number`` is, and its alignment."""
        array = self.signature.args[number]
        vec = Vec(array.dtype)
        at = address(self.context, self.builder, array, args[number], index, llvm_vec(self.context, vec))
        return at, array.dtype.bitwidth // 8

    def load(self, number: int, args: Any, index: Value) -> Value:
        """The register at an index of an array argument."""
        at, align = self.place(number, args, index)
        return self.builder.load(at, align=align, typ=at.type.pointee)

    def store(self, number: int, args: Any, index: Value, value: Value) -> None:
        """Write a register to an index of an array argument."""
        at, align = self.place(number, args, index)
        self.builder.store(value, at, align=align)

    def rotate(self, c: Value, s: Value, a: Value, b: Value) -> tuple[Value, Value]:
        """The plane rotation (c a - s b, s a + c b)."""
        build = self.builder
        first = fma(build, build.fneg(s), b, build.fmul(c, a))
        return first, fma(build, c, b, build.fmul(s, a))

    def shear(self, tangent: bool, t: Value, a: Value, b: Value) -> tuple[Value, Value]:
        """The plane rotation with tangent t, (a - t b, t a + b), or with cotangent t, (t a - b, a + t b)."""
        build = self.builder
        if tangent:
            return fma(build, build.fneg(t), b, a), fma(build, t, a, b)
        return fma(build, t, a, build.fneg(b)), fma(build, t, b, a)

    def cross(self, total: Value, la: Value, lb: Value, pa: Value, pb: Value) -> Value:
        """``total + lb pa - la pb``: how the overlap with l grows as p is rotated."""
        return fma(self.builder, self.builder.fneg(la), pb, fma(self.builder, lb, pa, total))

    def cases(self, selector: Value, codes: list[int], emit: Callable[[int], list[Value]]) -> list[Value]:
        """Values of one of several blocks of instructions; the last for all other codes."""
        build = self.builder
        end = build.append_basic_block("end")
        blocks = [build.append_basic_block(f"case{code}") for code in codes]
        switch = build.switch(selector, blocks[-1])
        results = []
        for code, block in zip(codes, blocks, strict=True):
            if block is not blocks[-1]:
                switch.add_case(ir.Constant(selector.type, code), block)
            with build.goto_block(block):
                values = emit(code)
                results.append((values, build.block))
                build.branch(end)
        build.position_at_end(end)
        merged = []
        for position, first in enumerate(results[0][0]):
            phi = build.phi(first.type)
            for values, block in results:
                phi.add_incoming(values[position], block)
            merged.append(phi)
        return merged

    def flip(self, registers: list[Value], bit: Value) -> list[Value]:
        """Registers with their lanes exchanged along a bit of the lane number; the masks of LLVM are constants."""
        lanes = registers[0].type.count

        def exchange(k: int) -> list[Value]:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [lane ^ (1 << k) for lane in range(lanes)])
            return [self.builder.shuffle_vector(r, r, mask) for r in registers]

        return self.cases(bit, list(range(lanes.bit_length() - 1)), exchange)


def _four(vec: Type) -> Type:
    return types.UniTuple(vec, 4)


@intrinsic
def load4(typingctx: Any, buf: Type, at: Type, dq: Type, dp: Type) -> Any:
    """The registers at ``at``, with strides of the bits q and p."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e, (_, at, dq, dp) = Emitter(context, builder, signature), args
        upper = builder.add(at, dp)
        return e.pack([e.load(0, args, i) for i in (at, builder.add(at, dq), upper, builder.add(upper, dq))])

    return _four(Vec(buf.dtype))(buf, types.int64, types.int64, types.int64), emit


@intrinsic
def store4(typingctx: Any, buf: Type, at: Type, dq: Type, dp: Type, v: Type) -> Any:
    """The inverse of :func:`load4`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e, (_, at, dq, dp, v) = Emitter(context, builder, signature), args
        upper = builder.add(at, dp)
        places = (at, builder.add(at, dq), upper, builder.add(upper, dq))
        for index, register in zip(places, e.four(v), strict=True):
            e.store(0, args, index, register)
        return context.get_dummy_value()

    return types.void(buf, types.int64, types.int64, types.int64, v), emit


def _by_ratio(e: Emitter, args: Any, count: int, turn: Callable[[bool], list[Value]]) -> Value:
    """The registers turned by a tangent or by a cotangent, which a flag tells; all of ``count`` tuples."""
    flag = e.builder.fptoui(args[0], ir.IntType(32))
    turned = e.cases(flag, [1, 0], lambda code: turn(code == 1))
    return e.pack(*(turned[4 * k : 4 * k + 4] for k in range(count)))


@intrinsic
def places4(typingctx: Any, order: Type, dq: Type, dp: Type) -> Any:
    """Where four registers are from the first on, in an order of two bits each."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        order, dq, dp = args
        one, nothing = ir.Constant(order.type, 1), ir.Constant(order.type, 0)

        def part(bit: int, stride: Value) -> Value:
            is_set = builder.and_(builder.lshr(order, ir.Constant(order.type, bit)), one)
            return builder.select(builder.trunc(is_set, ir.IntType(1)), stride, nothing)

        places = [builder.add(part(2 * k, dq), part(2 * k + 1, dp)) for k in range(4)]
        return context.make_tuple(builder, signature.return_type, places)

    return types.UniTuple(types.int64, 4)(types.int64, types.int64, types.int64), emit


@intrinsic
def load_at(typingctx: Any, buf: Type, at: Type, places: Type) -> Any:
    """The registers at ``at`` and such places."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        return e.pack([e.load(0, args, builder.add(args[1], place)) for place in e.four(args[2])])

    return _four(Vec(buf.dtype))(buf, types.int64, places), emit


@intrinsic
def store_at(typingctx: Any, buf: Type, at: Type, places: Type, v: Type) -> Any:
    """The inverse of :func:`load_at`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        for place, register in zip(e.four(args[2]), e.four(args[3]), strict=True):
            e.store(0, args, builder.add(args[1], place), register)
        return context.get_dummy_value()

    return types.void(buf, types.int64, places, v), emit


def _turn(pairs: tuple[tuple[int, int], ...]) -> Callable[..., Any]:
    """RY on the bit along which the registers of each pair differ, on two tiles, up to a factor (turns.py)."""

    def turn(typingctx: Any, flag: Type, ratio: Type, v: Type, w: Type) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            e = Emitter(context, builder, signature)
            t = splat_of(context, builder, Vec(ratio), args[1])

            def by(tangent: bool) -> list[Value]:
                turned = []
                for out in (e.four(args[2]), e.four(args[3])):
                    for a, b in pairs:
                        out[a], out[b] = e.shear(tangent, t, out[a], out[b])
                    turned += out
                return turned

            return _by_ratio(e, args, 2, by)

        return types.UniTuple(v, 2)(flag, ratio, v, w), emit

    return intrinsic(turn)


#: RY on bit p and on bit q: (flag, ratio, registers, other registers).
turn_p = _turn(((0, 2), (1, 3)))
turn_q = _turn(((0, 1), (2, 3)))


@intrinsic
def turn_lanes(
    typingctx: Any, flag: Type, ratio: Type, masks: Type, x: Type, v: Type, w: Type, fv: Type, fw: Type
) -> Any:
    """RY on lane bit x of two tiles, whose flipped registers come last, up to a factor."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        vec = Vec(ratio)
        t = splat_of(context, builder, vec, args[1])
        sign = e.load(2, args, builder.shl(args[3], ir.Constant(args[3].type, lane_bits_of(vec))))
        pairs = [*zip(e.four(args[4]), e.four(args[6])), *zip(e.four(args[5]), e.four(args[7]))]

        def by(tangent: bool) -> list[Value]:
            if tangent:
                s = builder.fmul(t, sign)
                return [fma(builder, s, other, register) for register, other in pairs]
            return [fma(builder, t, register, builder.fmul(sign, other)) for register, other in pairs]

        return _by_ratio(e, args, 2, by)

    return types.UniTuple(v, 2)(flag, ratio, masks, types.int64, v, w, fv, fw), emit


@intrinsic
def scaled(typingctx: Any, factor: Type, v: Type) -> Any:
    """The registers times a number."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        factors = splat_of(context, builder, Vec(factor), args[0])
        return e.pack([builder.fmul(factors, register) for register in e.four(args[1])])

    return v(factor, v), emit


@intrinsic
def flipped(typingctx: Any, v: Type, x: Type) -> Any:
    """The registers with lanes exchanged along bit x."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        return e.pack(e.flip(e.four(args[0]), args[1]))

    return v(v, types.int64), emit


@intrinsic
def turn_phases(typingctx: Any, c: Type, s: Type, re: Type, im: Type) -> Any:
    """A phase for each register, or each lane: real and imaginary parts."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        turned = [e.rotate(*four) for four in zip(*(e.four(a) for a in args), strict=True)]
        return e.pack([re for re, _ in turned], [im for _, im in turned])

    return types.UniTuple(re, 2)(c, s, re, im), emit


@intrinsic
def splat4(typingctx: Any, numbers: Type, at: Type) -> Any:
    """Four numbers, each in all lanes."""
    vec = Vec(numbers.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        data = context.make_array(numbers)(context, builder, args[0]).data
        places = [builder.gep(data, [builder.add(args[1], ir.Constant(args[1].type, k))]) for k in range(4)]
        return Emitter(context, builder, signature).pack(
            [splat_of(context, builder, vec, builder.load(place, typ=place.type.pointee)) for place in places]
        )

    return _four(vec)(numbers, types.int64), emit


@intrinsic
def cnot(typingctx: Any, code: Type, x: Type, y: Type, masks: Type, v: Type) -> Any:
    """A CNOT among p, q and the lane bits x (control), y (target); its own inverse."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e, (code, x, y, _, registers) = Emitter(context, builder, signature), args
        v = e.four(registers)

        def controlled(others: list[Value]) -> list[Value]:
            """The others in the lanes where the control is 1."""
            index = builder.shl(x, ir.Constant(x.type, lane_bits_of(signature.args[4].dtype)))
            mask = e.load(3, args, index)
            on = builder.fcmp_ordered(">", mask, ir.Constant(mask.type, None))
            return [builder.select(on, other, register) for other, register in zip(others, v, strict=True)]

        def case(code: int) -> list[Value]:
            if code in _MOVES:
                moved = [v[k] for k in _MOVES[code]]
                return controlled(moved) if code in (CX_LP, CX_LQ) else moved
            turned = e.flip(v, y)
            return controlled(turned) if code == CX_LL else [turned[k] if k in _FLIPS[code] else v[k] for k in range(4)]

        return e.pack(e.cases(code, [*_MOVES, *_FLIPS], case))

    return v(types.int64, types.int64, types.int64, masks, v), emit


def _overlap(pairs: tuple[tuple[int, int], ...]) -> Callable[..., Any]:
    """What RY along these pairs of v does to the overlap with u, added to ``acc[at:]``."""

    def overlap(typingctx: Any, acc: Type, at: Type, u: Type, v: Type) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            e = Emitter(context, builder, signature)
            u, v = e.four(args[2]), e.four(args[3])
            total = e.load(0, args, args[1])
            for a, b in pairs:
                total = e.cross(total, u[a], u[b], v[a], v[b])
            e.store(0, args, args[1], total)
            return context.get_dummy_value()

        return types.void(acc, types.int64, u, v), emit

    return intrinsic(overlap)


#: For RY on bit p and on bit q: (acc, at, registers of the adjoint, of the state).
overlap_p = _overlap(((0, 2), (1, 3)))
overlap_q = _overlap(((0, 1), (2, 3)))


@intrinsic
def overlap_lanes(typingctx: Any, acc: Type, at: Type, u: Type, f: Type) -> Any:
    """The same for a lane bit, f flipped, but for the sign of each lane."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        total = e.load(0, args, args[1])
        for adjoint, other in zip(e.four(args[2]), e.four(args[3]), strict=True):
            total = fma(builder, adjoint, other, total)
        e.store(0, args, args[1], total)
        return context.get_dummy_value()

    return types.void(acc, types.int64, u, f), emit


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
    to: Type,
) -> Any:
    """Undo phases on a tile of the state and the adjoint, and add the overlaps to ``acc[to:]``: one for each register.

    From memory to memory, register by register: all of a tile would be more than most processors have.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e, (at, dq, dp, cos, sin, _, to) = Emitter(context, builder, signature), args[2:]
        lanes = Vec(signature.args[0].dtype).lanes
        step = ir.Constant(at.type, lanes)
        upper = builder.add(at, dp)
        places = (at, builder.add(at, dq), upper, builder.add(upper, dq))
        for k, (c, s, re) in enumerate(zip(e.four(cos), e.four(sin), places, strict=True)):
            im = builder.add(re, step)
            a, b, la, lb = e.load(0, args, re), e.load(0, args, im), e.load(1, args, re), e.load(1, args, im)
            total = builder.add(to, ir.Constant(to.type, k * lanes))
            e.store(7, args, total, e.cross(e.load(7, args, total), la, lb, a, b))
            # turning (imaginary, real) instead of (real, imaginary) turns back
            for number, (one, two) in enumerate(((a, b), (la, lb))):
                back_im, back_re = e.rotate(c, s, two, one)
                e.store(number, args, re, back_re)
                e.store(number, args, im, back_im)
        return context.get_dummy_value()

    return types.void(psi, lam, types.int64, types.int64, types.int64, c, s, acc, types.int64), emit


@intrinsic
def overlap_phases(typingctx: Any, acc: Type, at: Type, ur: Type, ui: Type, re: Type, im: Type) -> Any:
    """The overlaps of phases of a tile in registers, added to ``acc[at:]``: one for each register."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature)
        lanes = Vec(acc.dtype).lanes
        for k, parts in enumerate(zip(*(e.four(a) for a in args[2:]), strict=True)):
            index = builder.add(args[1], ir.Constant(args[1].type, k * lanes))
            e.store(0, args, index, e.cross(e.load(0, args, index), *parts))
        return context.get_dummy_value()

    return types.void(acc, types.int64, ur, ui, re, im), emit
