"""Vector registers for numba: one opaque type and the few operations the kernels need.

numba has no vector type, and LLVM does not find the lane shuffles that gates on the lowest
wires need. Each function below emits the LLVM instruction of the same meaning, so it is
right on every machine; ``WIDTH`` is the register width of this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic as _intrinsic
from numba.extending import models, register_model

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile without the interpreter lock, and keep the result on disk."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def jit_fused(function: F) -> F:
    """Like :func:`jit`; a product and a sum may become one instruction."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function))


def jit_sums(function: F) -> F:
    """Like :func:`jit_fused`, with sums in any order, so that they vectorise."""
    flags = {"reassoc", "contract", "nsz"}
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function))


def jit_inline(function: F) -> F:
    """Like :func:`jit`, always put in where it is called: registers must not pass through memory."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """A typed door to numba's decorator; the typing context is not an argument of the result."""
    return cast(Callable[..., Any], _intrinsic(function))


def _register_bytes() -> int:
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx2") else 16


WIDTH = _register_bytes()


def lanes_of(dtype: np.dtype[Any]) -> int:
    """Numbers in one register."""
    return WIDTH // np.dtype(dtype).itemsize


class Vec(types.Type):
    """One register of float32 or float64 lanes."""

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar
        self.lanes = 8 * WIDTH // scalar.bitwidth
        super().__init__(name=f"vec({scalar}, {self.lanes})")


@register_model(Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vec) -> None:
        element = dmm.lookup(fe_type.scalar).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.lanes))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, vec: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vec.as_pointer())


def _llvm_vec(context: Any, vec: Vec) -> Any:
    return context.get_value_type(vec)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = f"v{a.type.count}f{32 if isinstance(a.type.element, ir.FloatType) else 64}"
    callee = cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 3), f"llvm.fma.{kind}")
    return builder.call(callee, [a, b, c])


@intrinsic
def lane_bits(typingctx: Any, array: Any) -> Any:
    """log2 of the number of lanes, a constant."""
    bits = Vec(array.dtype).lanes.bit_length() - 1

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), bits)

    return types.int64(array), emit


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """The register at ``array[index:]``."""
    vec = Vec(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], args[0], args[1], _llvm_vec(context, vec))
        return builder.load(place, align=vec.scalar.bitwidth // 8, typ=_llvm_vec(context, vec))

    return vec(array, types.int64), emit


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a register to ``array[index:]``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _address(context, builder, signature.args[0], args[0], args[1], args[2].type)
        builder.store(args[2], place, align=value.scalar.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), emit


@intrinsic
def splat(typingctx: Any, scalar: Any) -> Any:
    """The same number in every lane."""
    vec = Vec(scalar)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one = builder.insert_element(ir.Constant(_llvm_vec(context, vec), ir.Undefined), args[0], ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), vec.lanes), [0] * vec.lanes)
        return builder.shuffle_vector(one, one, mask)

    return vec(scalar), emit


@intrinsic
def rotate(typingctx: Any, c: Any, s: Any, a: Any, b: Any) -> Any:
    """The plane rotation (c a - s b, s a + c b)."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c, s, a, b = args
        first = _fma(builder, builder.fneg(s), b, builder.fmul(c, a))
        second = _fma(builder, c, b, builder.fmul(s, a))
        return context.make_tuple(builder, signature.return_type, [first, second])

    return types.UniTuple(a, 2)(c, s, a, b), emit


@intrinsic
def cross(typingctx: Any, total: Any, la: Any, lb: Any, pa: Any, pb: Any) -> Any:
    """``total + lb pa - la pb``: how the overlap with l grows as p is rotated."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total, la, lb, pa, pb = args
        return _fma(builder, builder.fneg(la), pb, _fma(builder, lb, pa, total))

    return total(total, la, lb, pa, pb), emit


@intrinsic
def mix(typingctx: Any, c: Any, a: Any, s: Any, b: Any) -> Any:
    """``c a + s b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c, a, s, b = args
        return _fma(builder, s, b, builder.fmul(c, a))

    return a(c, a, s, b), emit


@intrinsic
def multiply_add(typingctx: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _fma(builder, args[1], args[2], args[0])

    return total(total, a, b), emit


@intrinsic
def times(typingctx: Any, a: Any, b: Any) -> Any:
    """``a b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(args[0], args[1])

    return a(a, b), emit


@intrinsic
def lane_sum(typingctx: Any, a: Any) -> Any:
    """The sum of the lanes, in their order."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = builder.extract_element(args[0], ir.IntType(32)(0))
        for lane in range(1, a.lanes):
            total = builder.fadd(total, builder.extract_element(args[0], ir.IntType(32)(lane)))
        return total

    return a.scalar(a), emit


@intrinsic
def choose(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """``a`` in the lanes where ``mask`` > 0, ``b`` elsewhere."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask, a, b = args
        return builder.select(builder.fcmp_ordered(">", mask, ir.Constant(mask.type, None)), a, b)

    return a(mask, a, b), emit


@intrinsic
def flip4(typingctx: Any, a: Any, b: Any, c: Any, d: Any, bit: Any) -> Any:
    """Four registers with their lanes exchanged along one bit of the lane number.

    The masks of LLVM's shuffle are constants, so there is a branch per bit; one for four
    registers, because it stands inside the innermost loop.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        registers, which = args[:4], args[4]
        bits = a.lanes.bit_length() - 1
        end = builder.append_basic_block("flipped")
        blocks = [builder.append_basic_block(f"flip{k}") for k in range(bits)]
        switch = builder.switch(which, blocks[0])
        results = []
        for k, block in enumerate(blocks):
            if k:
                switch.add_case(ir.Constant(which.type, k), block)
            with builder.goto_block(block):
                order = [lane ^ (1 << k) for lane in range(a.lanes)]
                mask = ir.Constant(ir.VectorType(ir.IntType(32), a.lanes), order)
                results.append([builder.shuffle_vector(r, r, mask) for r in registers])
                builder.branch(end)
        builder.position_at_end(end)
        merged = []
        for position, register in enumerate(registers):
            phi = builder.phi(register.type)
            for block, result in zip(blocks, results, strict=True):
                phi.add_incoming(result[position], block)
            merged.append(phi)
        return context.make_tuple(builder, signature.return_type, merged)

    return types.UniTuple(a, 4)(a, b, c, d, types.int64), emit
