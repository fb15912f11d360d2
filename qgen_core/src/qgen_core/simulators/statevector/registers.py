"""What a step does to the four registers of a tile, written as LLVM instructions.

The registers are numbered by the bits p (twos) and q (ones). As numba functions, these operations
would take most of the compile time: numba has no vector type, and infers the type of each value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from qgen_core.simulators.simd.intrinsics import (
    Vec,
    data_of,
    fma,
    lane_bits_of,
    llvm_vec,
    load_number,
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
#: For RY on bit p and on bit q, the registers that differ in that bit only.
PARTNERS = {RY_P: ((0, 2), (1, 3)), RY_Q: ((0, 1), (2, 3))}
#: For CNOTs with target p or q, the register that moves to each place.
_SOURCES = {**MOVES, CX_LP: (2, 3, 0, 1), CX_LQ: (1, 0, 3, 2)}
#: For CNOTs with a lane as target, the registers whose lanes are exchanged.
_FLIPPED = {CX_PL: (2, 3), CX_QL: (1, 3), CX_LL: (0, 1, 2, 3)}
#: CNOTs whose control is a lane bit, so that they change some lanes of a register only.
_CONTROLLED_BY_LANE = (CX_LP, CX_LQ, CX_LL)
#: Codes of the real steps that exchange lanes within a register, and of those that do not.
ACROSS_LANES = [RY_L, *_FLIPPED]
WITHIN_LANES = [*PARTNERS, *_SOURCES]


class Memory:
    """An argument that numbers are read from or written to: a pointer, or an array."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Value) -> None:
        self.builder = builder
        self.data = data_of(context, builder, kind, value)
        self.vec = Vec(kind.dtype)
        self._register_pointer = llvm_vec(context, self.vec).as_pointer()
        self._align = kind.dtype.bitwidth // 8

    def number(self, index: Value) -> Value:
        """The number at an index."""
        return load_number(self.builder, self.data, index)

    def load(self, index: Value) -> Value:
        """The register that starts at an index."""
        place = self._place(index)
        return self.builder.load(place, align=self._align, typ=place.type.pointee)

    def store(self, index: Value, value: Value) -> None:
        """Write a register that starts at an index."""
        self.builder.store(value, self._place(index), align=self._align)

    def _place(self, index: Value) -> Value:
        return self.builder.bitcast(self.builder.gep(self.data, [index]), self._register_pointer)


class Emitter:
    """Emits the body of an intrinsic: access to its arguments, and operations on registers."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.context = context
        self.builder = builder
        self.signature = signature
        self.args = args

    def value(self, number: int) -> Value:
        """The argument of this number."""
        return self.args[number]

    def values(self, number: int) -> list[Value]:
        """The elements of a tuple argument."""
        return list(cgutils.unpack_tuple(self.builder, self.args[number]))

    def memory(self, number: int) -> Memory:
        """A pointer argument."""
        return Memory(self.context, self.builder, self.signature.args[number], self.args[number])

    def memories(self, number: int) -> list[Memory]:
        """The elements of an argument that is a tuple of pointers."""
        kinds = self.signature.args[number]
        found = []
        for kind, value in zip(kinds, self.values(number), strict=True):
            found.append(Memory(self.context, self.builder, kind, value))
        return found

    def nothing(self) -> Value:
        """What an intrinsic without a result returns."""
        return self.context.get_dummy_value()

    def pack(self, *fours: Registers) -> Value:
        """The result of the intrinsic: a tuple of registers, or of several such tuples."""
        result = self.signature.return_type
        if len(fours) == 1:
            return self.context.make_tuple(self.builder, result, fours[0])
        packed = []
        for kind, four in zip(result, fours, strict=True):
            packed.append(self.context.make_tuple(self.builder, kind, four))
        return self.context.make_tuple(self.builder, result, packed)

    def constant(self, number: int) -> Value:
        """An integer."""
        return ir.Constant(ir.IntType(64), number)

    def shifted(self, index: Value, count: int) -> Value:
        """An index plus a constant."""
        return self.builder.add(index, self.constant(count))

    def tile(self, lane_bits: int, start: Value, number: Value, p: Value, q: Value) -> Value:
        """Where a tile begins.

        Its number is that of an amplitude with the lane bits, p and q left out; q < p.
        """
        build = self.builder
        one = self.constant(1)
        for bit in (q, p):
            place = build.sub(bit, self.constant(lane_bits))
            below = build.and_(number, build.sub(build.shl(one, place), one))
            number = build.or_(build.shl(build.sub(number, below), one), below)
        return build.add(start, build.shl(number, self.constant(lane_bits + 1)))

    def places(self, at: Value, dq: Value, dp: Value) -> list[Value]:
        """Where the registers of a tile are, with strides of the bits q and p."""
        upper = self.builder.add(at, dp)
        return [at, self.builder.add(at, dq), upper, self.builder.add(upper, dq)]

    def lane_sign(self, masks: Memory, bit: Value) -> Value:
        """The row of the masks for a bit of the lane number: -1 or 1 in each lane."""
        return masks.load(self.builder.shl(bit, self.constant(lane_bits_of(masks.vec))))

    def splat(self, number: Value, lanes: int) -> Value:
        """A number in all lanes."""
        return splat_of(self.builder, number, lanes)

    def rotate(self, c: Value, s: Value, a: Value, b: Value) -> tuple[Value, Value]:
        """The plane rotation (c a - s b, s a + c b)."""
        build = self.builder
        first = fma(build, build.fneg(s), b, build.fmul(c, a))
        return first, fma(build, c, b, build.fmul(s, a))

    def rotate_scaled(
        self, by_tangent: bool, ratio: Value, a: Value, b: Value
    ) -> tuple[Value, Value]:
        """A plane rotation up to a factor.

        By tangent t it is (a - t b, t a + b), by cotangent t (t a - b, a + t b).
        """
        build = self.builder
        if by_tangent:
            return fma(build, build.fneg(ratio), b, a), fma(build, ratio, a, b)
        return fma(build, ratio, a, build.fneg(b)), fma(build, ratio, b, a)

    def cross(self, total: Value, la: Value, lb: Value, pa: Value, pb: Value) -> Value:
        """``total + lb pa - la pb``: how the overlap with l grows as p is rotated."""
        return fma(self.builder, self.builder.fneg(la), pb, fma(self.builder, lb, pa, total))

    def products(self, total: Value, u: Registers, v: Registers) -> Value:
        """``total`` plus the products of registers."""
        for one, other in zip(u, v, strict=True):
            total = fma(self.builder, one, other, total)
        return total

    def cases(
        self, selector: Value, codes: list[int], emit: Callable[[int], Registers]
    ) -> Registers:
        """The values of one of several blocks of instructions; the last for all other codes."""
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
        order = [lane ^ (1 << bit) for lane in range(lanes)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
        return [self.builder.shuffle_vector(register, register, mask) for register in registers]

    def turn(
        self, code: int, tiles: Registers, turn: Callable[[Value, Value], tuple[Value, Value]]
    ) -> Registers:
        """Several tiles, with ``turn`` applied to the registers that differ in bit p or q."""
        out = list(tiles)
        for first in range(0, len(tiles), 4):
            for a, b in PARTNERS[code]:
                out[first + a], out[first + b] = turn(out[first + a], out[first + b])
        return out

    def turn_by_ratio(self, code: int, flag: Value, ratio: Value, tiles: Registers) -> Registers:
        """RY up to a factor, by tangent (flag 1) or cotangent (flag 0); see ``rotations.py``."""
        ratio = self.splat(ratio, tiles[0].type.count)

        def turned(is_tangent: int) -> Registers:
            return self.turn(code, tiles, partial(self.rotate_scaled, is_tangent == 1, ratio))

        return self.cases(self.builder.fptoui(flag, ir.IntType(32)), [1, 0], turned)

    def cnot(self, code: int, sign: Value, tiles: Registers, flipped: Registers) -> Registers:
        """A CNOT among p, q and the lane bits.

        ``sign`` is that of the control's bit if it is a lane bit; ``flipped`` are the registers
        flipped along the target's.
        """
        if code in _FLIPPED:
            others = list(tiles)
            for k in range(len(tiles)):
                if k % 4 in _FLIPPED[code]:
                    others[k] = flipped[k]
        else:
            others = []
            for first in range(0, len(tiles), 4):
                others += [tiles[first + k] for k in _SOURCES[code]]
        if code not in _CONTROLLED_BY_LANE:
            return others
        on = self.builder.fcmp_ordered(">", sign, ir.Constant(sign.type, None))
        selected = []
        for other, register in zip(others, tiles, strict=True):
            selected.append(self.builder.select(on, other, register))
        return selected

    def overlap(self, code: int, total: Value, u: Registers, v: Registers) -> Value:
        """``total`` plus how RY on bit p or q of v changes the overlap with u."""
        for a, b in PARTNERS[code]:
            total = self.cross(total, u[a], u[b], v[a], v[b])
        return total
