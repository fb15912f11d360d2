"""Numbers in memory that several threads look at, without the interpreter lock: pieces taken, and waiting."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from qgen_core.engine.simd import intrinsic, jit

Array = Any


@intrinsic
def _peek(typingctx: Any, array: Any) -> Any:
    """The first number of an array of int64, read from memory each time."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(data, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array), emit


@intrinsic
def take(typingctx: Any, array: Any, more: Any) -> Any:
    """Add to the first number of an array of int64; what it was before. No two threads get the same."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", data, args[1], "monotonic")

    return types.int64(array, types.int64), emit


@jit
def wait(number: Array, known: int, turns: int, courtesy: int) -> bool:
    """Look at most ``turns`` times (about 1 ns each) whether the number is another; whether it is.

    If so, ``courtesy`` more turns give the thread that has changed it time to leave the interpreter:
    who finds the interpreter lock taken is put to sleep.
    """
    seen = 0
    while turns > 0 and seen <= courtesy:
        turns -= 1
        if _peek(number) != known:
            turns, seen = 1, seen + 1
    return seen > 0
