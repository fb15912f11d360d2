"""What a step does to the registers of a tile.

Four of them, numbered by the bits p (twos) and q (ones).

All is written as LLVM instructions. As functions of numba, which has no vectors and infers the type
of each value, this would take most of the time that compiling the kernels takes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from qgen_core.simulators.simd.intrinsics import (
    Vec,
    address,
    data_of,
    fma,
    lane_bits_of,
    llvm_vec,
    splat_of,
)
from qgen_core.simulators.statevector.steps import (
    CX_LL,
    CX_LP,
    CX_LQ,
    CX_PL,
    CX_QL,
    MOVES,
    RY_L,
    RY_P,
    RY_Q,
)

Value = Any  # of LLVM
Registers = list[Value]
#: For RY on bit p and on bit q, the registers that differ in that bit.
PAIRS = {RY_P: ((0, 2), (1, 3)), RY_Q: ((0, 1), (2, 3))}
#: For each code of a CNOT which register comes in the place of each, or which have their lanes
#: exchanged.
_MOVES = {**MOVES, CX_LP: (2, 3, 0, 1), CX_LQ: (1, 0, 3, 2)}
_FLIPS = {CX_PL: (2, 3), CX_QL: (1, 3), CX_LL: (0, 1, 2, 3)}
#: Turns that lanes of a register are exchanged for, and others.
ACROSS_LANES = [RY_L, *_FLIPS]
WITHIN_LANES = [*PAIRS, *_MOVES]


class Emitter:
    """Where instructions go, and those that registers need."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.builder, self.signature = context, builder, signature

    def four(self, value: Value) -> Registers:
        """The registers of a tuple."""
        return list(cgutils.unpack_tuple(self.builder, value))

    def pack(self, *fours: Registers) -> Value:
        """A tuple of registers, or of several such tuples."""
        result = self.signature.return_type
        kinds = [result] if len(fours) == 1 else list(result)
        packed = [
            self.context.make_tuple(self.builder, k, f) for k, f in zip(kinds, fours, strict=True)
        ]
        return (
            packed[0] if len(fours) == 1 else self.context.make_tuple(self.builder, result, packed)
        )

    def place(self, number: int, args: Any, index: Value) -> tuple[Value, int]:
        """Where the register at an index of the array argument ``number`` is, and its alignment."""
        array = self.signature.args[number]
        vec = Vec(array.dtype)
        at = address(
            self.context, self.builder, array, args[number], index, llvm_vec(self.context, vec)
        )
        return at, array.dtype.bitwidth // 8

    def load(self, number: int, args: Any, index: Value) -> Value:
        """The register at an index of an array argument."""
        at, align = self.place(number, args, index)
        return self.builder.load(at, align=align, typ=at.type.pointee)

    def store(self, number: int, args: Any, index: Value, value: Value) -> None:
        """Write a register to an index of an array argument."""
        at, align = self.place(number, args, index)
        self.builder.store(value, at, align=align)

    def further(self, index: Value, steps: int) -> Value:
        """An index and a constant."""
        return self.builder.add(index, ir.Constant(index.type, steps))

    def data(self, number: int, args: Any) -> Value:
        """A pointer to the numbers of an array argument."""
        return data_of(self.context, self.builder, self.signature.args[number], args[number])

    def tile(self, lane_bits: int, start: Value, number: Value, p: Value, q: Value) -> Value:
        """Where a tile begins.

        Its number is that of an amplitude without the lane bits, p and q, and q < p.
        """
        build, one = self.builder, ir.Constant(number.type, 1)
        for bit in (q, p):
            place = build.sub(bit, ir.Constant(bit.type, lane_bits))
            below = build.and_(number, build.sub(build.shl(one, place), one))
            number = build.or_(build.shl(build.sub(number, below), one), below)
        return build.add(start, build.shl(number, ir.Constant(number.type, lane_bits + 1)))

    def places(self, at: Value, dq: Value, dp: Value) -> list[Value]:
        """Where the registers of a tile are, with strides of the bits q and p."""
        upper = self.builder.add(at, dp)
        return [at, self.builder.add(at, dq), upper, self.builder.add(upper, dq)]

    def lane_sign(self, number: int, args: Any, bit: Value) -> Value:
        """The row of the masks for a bit of the lane number: -1 or 1 in each lane."""
        bits = lane_bits_of(Vec(self.signature.args[number].dtype))
        return self.load(number, args, self.builder.shl(bit, ir.Constant(bit.type, bits)))

    def splat(self, number: Value, like: Value) -> Value:
        """A number in all lanes."""
        return splat_of(self.builder, number, like.type.count)

    def rotate(self, c: Value, s: Value, a: Value, b: Value) -> tuple[Value, Value]:
        """The plane rotation (c a - s b, s a + c b)."""
        build = self.builder
        first = fma(build, build.fneg(s), b, build.fmul(c, a))
        return first, fma(build, c, b, build.fmul(s, a))

    def shear(self, tangent: bool, t: Value, a: Value, b: Value) -> tuple[Value, Value]:
        """Rotate by tangent t, (a - t b, t a + b), or by cotangent t, (t a - b, a + t b)."""
        build = self.builder
        if tangent:
            return fma(build, build.fneg(t), b, a), fma(build, t, a, b)
        return fma(build, t, a, build.fneg(b)), fma(build, t, b, a)

    def cross(self, total: Value, la: Value, lb: Value, pa: Value, pb: Value) -> Value:
        """``total + lb pa - la pb``: how the overlap with l grows as p is rotated."""
        return fma(self.builder, self.builder.fneg(la), pb, fma(self.builder, lb, pa, total))

    def products(self, total: Value, u: Registers, v: Registers) -> Value:
        """``total`` and the products of registers."""
        for one, other in zip(u, v, strict=True):
            total = fma(self.builder, one, other, total)
        return total

    def cases(
        self, selector: Value, codes: list[int], emit: Callable[[int], Registers]
    ) -> Registers:
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

    def flip(self, registers: Registers, bit: int) -> Registers:
        """Registers with their lanes exchanged along a bit of the lane number."""
        lanes = registers[0].type.count
        mask = ir.Constant(
            ir.VectorType(ir.IntType(32), lanes), [lane ^ (1 << bit) for lane in range(lanes)]
        )
        return [self.builder.shuffle_vector(r, r, mask) for r in registers]

    def turn(
        self, code: int, tiles: Registers, turn: Callable[[Value, Value], tuple[Value, Value]]
    ) -> Registers:
        """Several tiles with each two registers turned that differ in bit p or q."""
        out = list(tiles)
        for first in range(0, len(tiles), 4):
            for a, b in PAIRS[code]:
                out[first + a], out[first + b] = turn(out[first + a], out[first + b])
        return out

    def turn_by_ratio(self, code: int, flag: Value, ratio: Value, tiles: Registers) -> Registers:
        """RY by tangent or cotangent, up to a factor (rotations.py)."""
        t = self.splat(ratio, tiles[0])
        flag = self.builder.fptoui(flag, ir.IntType(32))
        return self.cases(
            flag, [1, 0], lambda one: self.turn(code, tiles, partial(self.shear, one == 1, t))
        )

    def cnot(self, code: int, sign: Value, tiles: Registers, flipped: Registers) -> Registers:
        """A CNOT among p, q and the lane bits.

        The sign of the control's bit, registers flipped along the target's.
        """
        if code in _FLIPS:
            others = list(tiles)
            for k in range(len(tiles)):
                if k % 4 in _FLIPS[code]:
                    others[k] = flipped[k]
        else:
            others = [tiles[first + k] for first in range(0, len(tiles), 4) for k in _MOVES[code]]
        if code not in (CX_LP, CX_LQ, CX_LL):
            return others
        on = self.builder.fcmp_ordered(">", sign, ir.Constant(sign.type, None))
        return [self.builder.select(on, other, r) for other, r in zip(others, tiles, strict=True)]

    def overlap(self, code: int, total: Value, u: Registers, v: Registers) -> Value:
        """``total`` and how RY on bit p or q of v changes the overlap with u."""
        for a, b in PAIRS[code]:
            total = self.cross(total, u[a], u[b], v[a], v[b])
        return total
