"""Compiled calls that helpers join: offered, taken and withdrawn without the interpreter lock.

Entering the interpreter takes longer than a small batch lets one wait, and who finds its lock taken
is put to sleep. So helpers stay in compiled code, where they look at a *box* of their own: its
state, and a call that is offered there. A function offers the very call that it is in, and all who
make that call take pieces of the work. Then it withdraws the offer: a helper that has not come yet
is not waited for.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from qgen_core.simulators.simd.intrinsics import FLAT, INNER, data_of, intrinsic, jit

Array = Any

#: Numbers of a box, a line of the cache: state, function, and where its arguments stand.
BOX = 8
#: States. A helper that is called back leaves compiled code.
IDLE, OFFERED, AT_WORK, CALLED_BACK = range(4)

_INT = ir.IntType(64)
_PLACE = ir.IntType(8).as_pointer()


def _number(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """A pointer to an entry of an array of int64."""
    return builder.gep(data_of(context, builder, kind, array), [index])


@intrinsic
def take(typingctx: Any, array: Any, index: Any, more: Any) -> Any:
    """Add to an entry of an array of int64; what it was before. No two threads get the same."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _number(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("add", place, args[2], "monotonic")

    return types.int64(array, types.int64, types.int64), emit


@intrinsic
def _look(typingctx: Any, box: Any) -> Any:
    """The state of a box, given by its address; what was written before the state is there too."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(
            builder.inttoptr(args[0], _INT.as_pointer()), "acquire", 8, typ=_INT
        )

    return types.int64(types.int64), emit


@intrinsic
def _change(typingctx: Any, box: Any, known: Any, state: Any) -> Any:
    """Change the state of a box if it is the known one; whether it was."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.inttoptr(args[0], _INT.as_pointer())
        return builder.extract_value(
            builder.cmpxchg(place, args[1], args[2], "acq_rel", "acquire"), 1
        )

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def _make_call(typingctx: Any, box: Any) -> Any:
    """The call in a box."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers = builder.inttoptr(args[0], _INT.as_pointer())
        function, arguments = (
            builder.load(builder.gep(numbers, [_INT(k)]), typ=_INT) for k in (1, 2)
        )
        kind = ir.FunctionType(ir.IntType(32), [_PLACE]).as_pointer()
        builder.call(builder.inttoptr(function, kind), [builder.inttoptr(arguments, _PLACE)])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def _breathe(typingctx: Any) -> Any:
    """A moment for the other thread of a core that two share.

    Nothing on processors that have no word for it.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        module, hint = builder.module, ir.IntType(32)
        if module.triple.startswith("x86_64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(module, kind, "llvm.x86.sse2.pause"), [])
        elif module.triple.startswith(("aarch64", "arm64")):
            kind = ir.FunctionType(ir.VoidType(), [hint])
            builder.call(
                cgutils.get_or_insert_function(module, kind, "llvm.aarch64.hint"), [hint(1)]
            )
        return context.get_dummy_value()

    return types.void(), emit


def _call_of(builder: Any, kind: Any) -> Any:
    """A function that calls the one being emitted, with arguments in memory but -1 helpers.

    Its status.
    """
    outer = builder.function
    function = ir.Function(
        builder.module, ir.FunctionType(ir.IntType(32), [_PLACE]), f"{outer.name}.share"
    )
    function.linkage = "internal"
    inner = ir.IRBuilder(function.append_basic_block())
    arguments = inner.bitcast(function.args[0], kind.as_pointer())
    values = []
    for k, argument in enumerate(outer.args[2:]):
        if argument.name == "arg.helpers":
            values.append(argument.type(-1))
        else:
            values.append(
                inner.load(inner.gep(arguments, [_INT(0), ir.IntType(32)(k)]), typ=argument.type)
            )
    results = [inner.alloca(argument.type.pointee) for argument in outer.args[:2]]
    inner.ret(inner.call(outer, [*results, *values]))
    return function


@intrinsic
def share(typingctx: Any, boxes: Any, helpers: Any) -> Any:
    """Run the enclosing compiled function again here and on ``helpers`` threads.

    :func:`withdraw` must follow. The function raises nothing, and takes no references to arrays
    (FLAT): these are counted by an atomic operation each, and threads that count in the same place
    take turns.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = builder.function.args[2:]
        kind = ir.LiteralStructType([argument.type for argument in given])
        arguments = cgutils.alloca_once(builder, kind)
        for k, argument in enumerate(given):
            builder.store(argument, builder.gep(arguments, [_INT(0), ir.IntType(32)(k)]))
        call = _call_of(builder, kind)
        with cgutils.for_range(builder, args[1]) as loop:
            box = builder.load(
                _number(context, builder, signature.args[0], args[0], loop.index), typ=_INT
            )
            numbers = builder.inttoptr(box, _INT.as_pointer())
            builder.store(builder.ptrtoint(call, _INT), builder.gep(numbers, [_INT(1)]))
            builder.store(builder.ptrtoint(arguments, _INT), builder.gep(numbers, [_INT(2)]))
            builder.store_atomic(_INT(OFFERED), numbers, "release", 8)
        builder.call(call, [builder.bitcast(arguments, _PLACE)])
        return context.get_dummy_value()

    return types.void(boxes, types.int64), emit


@partial(jit, **INNER)
def withdraw(boxes: Array, helpers: int) -> None:
    """Take back the call of :func:`share`, and wait for those who have begun it."""
    for k in range(helpers):
        if not _change(boxes[k], OFFERED, IDLE):
            while _look(boxes[k]) != IDLE:
                _breathe()


@partial(jit, **FLAT)
def serve(box: int, patience: int) -> None:
    """Run calls offered in a box until none comes for ``patience`` looks or one is withdrawn."""
    looks, state = patience, IDLE
    while looks > 0 and state != CALLED_BACK:
        state = _look(box)
        if state == OFFERED and _change(box, OFFERED, AT_WORK):
            _make_call(box)
            _change(box, AT_WORK, IDLE)
            looks = patience
        _breathe()
        looks -= 1
