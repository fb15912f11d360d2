"""Vector registers for numba: an opaque type and the few operations that the kernels need.

numba has no vector type, and LLVM does not find the lane shuffles that gates on the lowest wires
need. Each intrinsic below emits the LLVM instruction of the same meaning, so it is right on every
processor; ``WIDTH`` is the register width of this one. Another one can be chosen with the variable
``QGEN_REGISTER_BYTES``: LLVM splits registers that the processor does not have.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic as _intrinsic
from numba.extending import models, register_model

from qgen_core.errors import BadOption
from qgen_core.simulators.simd.code_cache import CodeCache
from qgen_core.simulators.simd.numba_start import without_extensions

F = TypeVar("F", bound=Callable[..., Any])
#: In compiled functions an array or a pointer to numbers; numba infers its type.
Numbers = Any


def _digest(folder: Path, pattern: str = "*.py") -> str:
    """A digest of the names and contents of all source files of a pattern below a folder."""
    digest = sha256()
    for path in sorted(folder.rglob(pattern)):
        digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


_CORE = Path(__file__).parents[2]
#: The sources that compiled code depends on: all simulators and samplers, and kernels of others.
SOURCES = "".join(
    [
        _digest(_CORE / "simulators"),
        _digest(_CORE / "samplers"),
        _digest(_CORE, "*kernel*.py"),
    ]
)


def _compiled(function: F, fastmath: set[str], **options: Any) -> F:
    """Compile without the interpreter lock; cached on disk until one of the ``SOURCES`` changes.

    By itself numba compares only the file of the function, and would go on using old code of the
    functions that it calls; and it trusts damaged files. So the cache is a :class:`CodeCache`.
    ``fastmath`` is always given: without it, a function is compiled with what its first caller
    allows.
    """
    always = {
        "nogil": True,
        "error_model": "numpy",
        "no_cfunc_wrapper": True,
        "fastmath": fastmath or False,
    }
    cached = options.pop("cache", True)
    dispatcher: Any = numba.njit(**(options | always))(function)
    if cached:
        dispatcher._cache = CodeCache(function, SOURCES, f"registers of {WIDTH} bytes")
    compile_for = dispatcher._compile_for_args
    dispatcher._compile_for_args = partial(without_extensions, compile_for)
    return cast(F, dispatcher)


#: Options of functions that create no arrays: numba then does not count references to their
#: arguments.
FLAT = {"_nrt": False}
#: Options of such functions that only compiled code calls.
INNER = {"no_cpython_wrapper": True, "cache": False} | FLAT


def jit(function: F, /, **options: Any) -> F:
    """Compile a function; sums and products are done as written."""
    return _compiled(function, set(), **options)


def jit_fused(function: F, /, **options: Any) -> F:
    """Like :func:`jit`, but a product and a sum may become one fused instruction."""
    return _compiled(function, {"contract"}, **options)


def jit_sums(function: F, /, **options: Any) -> F:
    """Like :func:`jit_fused`, but sums may be reordered, so that they vectorise.

    A loop that sums must not write to an array: LLVM makes a second version of such a loop, for
    arrays that lie close together, which sums in another order.
    """
    return _compiled(function, {"reassoc", "contract", "nsz"}, **options)


def jit_inline(function: F) -> F:
    """Like :func:`jit`, but always inlined by LLVM: registers do not pass through memory."""
    return _compiled(function, set(), forceinline=True)


def jit_body(function: F) -> F:
    """Inline a function into its caller before numba compiles the caller.

    So it is not compiled by itself, and its sums are done as the caller allows.
    """
    return _compiled(function, {"contract"}, inline="always")


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba's decorator with types; callers of the result do not pass the typing context."""
    return cast(Callable[..., Any], _intrinsic(function))


#: The variable that chooses the width of registers, and its values.
WIDTH_VARIABLE = "QGEN_REGISTER_BYTES"
WIDTHS = (16, 32, 64)


def _register_bytes() -> int:
    """The chosen width, or else that of the processor."""
    chosen = os.environ.get(WIDTH_VARIABLE)
    if chosen:
        if chosen not in map(str, WIDTHS):
            raise BadOption(f"{WIDTH_VARIABLE} is {chosen!r}: set it to 16, 32 or 64, or unset it")
        return int(chosen)
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    if features.get("avx2"):
        return 32
    return 16


#: Bytes of a vector register.
WIDTH = _register_bytes()


def lanes_of(dtype: np.dtype[Any]) -> int:
    """How many numbers a register holds.

    >>> lanes_of(np.dtype(np.float32)) == 2 * lanes_of(np.dtype(np.float64))
    True
    """
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


_BYTES = ir.IntType(8).as_pointer()


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """A pointer to the numbers of an array; a pointer is returned as it is."""
    if isinstance(kind, types.CPointer):
        return array
    return context.data_model_manager[kind].get(builder, array, "data")


def address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, vec: Any) -> Any:
    """A pointer to the register at ``array[index:]``."""
    return builder.bitcast(
        builder.gep(data_of(context, builder, array_type, array), [index]), vec.as_pointer()
    )


@intrinsic
def pointer(typingctx: Any, array: Any, index: Any) -> Any:
    """A pointer to ``array[index]``: a number, or a row of an array with several axes.

    It is indexed like an array with one axis. To numba an array is nine numbers, and each index may
    count from the end; where functions are inlined, that would be most of the code to compile.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        data = data_of(context, builder, kind, args[0])
        if isinstance(kind, types.CPointer):
            return builder.gep(data, [args[1]])
        strides = context.data_model_manager[kind].get(builder, args[0], "strides")
        offset = builder.mul(builder.extract_value(strides, 0), args[1])
        return builder.bitcast(builder.gep(builder.bitcast(data, _BYTES), [offset]), data.type)

    return types.CPointer(array.dtype)(array, types.int64), emit


def llvm_vec(context: Any, vec: Vec) -> Any:
    """The LLVM type of a register."""
    return context.get_value_type(vec)


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c`` in one instruction."""
    bits = 32 if isinstance(a.type.element, ir.FloatType) else 64
    kind = f"v{a.type.count}f{bits}"
    signature = ir.FunctionType(a.type, [a.type] * 3)
    callee = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fma.{kind}")
    return builder.call(callee, [a, b, c])


@intrinsic
def plain(typingctx: Any, value: Any) -> Any:
    """A literal as an ordinary number; numba compiles a function anew for each literal argument."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    return types.unliteral(value)(value), emit


@intrinsic
def lane_bits(typingctx: Any, array: Any) -> Any:
    """log2 of the number of lanes, a constant."""
    bits = lane_bits_of(Vec(array.dtype))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), bits)

    return types.int64(array), emit


def load_number(builder: Any, data: Any, index: Any) -> Any:
    """The number at an index, from a pointer to the first."""
    place = builder.gep(data, [index])
    return builder.load(place, typ=place.type.pointee)


@intrinsic
def rounded(typingctx: Any, number: Any, array: Any) -> Any:
    """A double rounded to the precision of an array."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if array.dtype == types.float64:
            return args[0]
        return builder.fptrunc(args[0], ir.FloatType())

    return array.dtype(types.float64, array), emit


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """The register at ``array[index:]``."""
    vec = Vec(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        register = llvm_vec(context, vec)
        place = address(context, builder, signature.args[0], args[0], args[1], register)
        return builder.load(place, align=vec.scalar.bitwidth // 8, typ=register)

    return vec(array, types.int64), emit


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a register to ``array[index:]``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = address(context, builder, signature.args[0], args[0], args[1], args[2].type)
        builder.store(args[2], place, align=value.scalar.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), emit


def lane_bits_of(vec: Vec) -> int:
    """log2 of the number of lanes."""
    return int(vec.lanes).bit_length() - 1


def splat_of(builder: Any, number: Any, lanes: int) -> Any:
    """The same number in every lane."""
    undefined = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    first_lane = builder.insert_element(undefined, number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first_lane, first_lane, zeros)


@intrinsic
def splat(typingctx: Any, scalar: Any) -> Any:
    """The same number in every lane."""
    vec = Vec(scalar)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return splat_of(builder, args[0], vec.lanes)

    return vec(scalar), emit


@intrinsic
def multiply_add(typingctx: Any, total: Any, a: Any, b: Any) -> Any:
    """``total + a b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return fma(builder, args[1], args[2], args[0])

    return total(total, a, b), emit


@intrinsic
def plus(typingctx: Any, a: Any, b: Any) -> Any:
    """``a + b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(args[0], args[1])

    return a(a, b), emit


@intrinsic
def times(typingctx: Any, a: Any, b: Any) -> Any:
    """``a b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(args[0], args[1])

    return a(a, b), emit


@intrinsic
def over(typingctx: Any, a: Any, b: Any) -> Any:
    """``a / b``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(args[0], args[1])

    return a(a, b), emit


@intrinsic
def widen_add(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Add the lanes of a register to the doubles at ``array[index:]``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.VectorType(ir.DoubleType(), value.lanes)
        place = address(context, builder, signature.args[0], args[0], args[1], wide)
        more = args[2]
        if value.scalar.bitwidth != 64:
            more = builder.fpext(more, wide)
        total = builder.fadd(builder.load(place, align=8, typ=wide), more)
        builder.store(total, place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), emit


@intrinsic
def lane_sum(typingctx: Any, a: Any) -> Any:
    """The sum of the lanes: the halves of the register are added, then the halves of the sum."""

    def lanes_from(builder: Any, register: Any, first: int, count: int) -> Any:
        numbers = list(range(first, first + count))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), count), numbers)
        return builder.shuffle_vector(register, register, mask)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = args[0]
        count = a.lanes
        while count > 1:
            count //= 2
            low = lanes_from(builder, total, 0, count)
            high = lanes_from(builder, total, count, count)
            total = builder.fadd(low, high)
        return builder.extract_element(total, ir.IntType(32)(0))

    return a.scalar(a), emit


@intrinsic
def to_bits(typingctx: Any, number: Any) -> Any:
    """The bits of a double as an unsigned integer."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.uint64(types.float64), emit


@intrinsic
def to_number(typingctx: Any, bits: Any) -> Any:
    """The double with these bits."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), emit


@intrinsic
def single_to_bits(typingctx: Any, number: Any) -> Any:
    """The bits of a float32 as an unsigned integer."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), emit


@intrinsic
def bits_to_single(typingctx: Any, bits: Any) -> Any:
    """The float32 with these bits."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), emit
