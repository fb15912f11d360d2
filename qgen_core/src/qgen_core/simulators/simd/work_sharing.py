"""Compiled calls that helper threads join, without the interpreter lock.

To enter the interpreter takes longer than a small batch, and a thread that finds its lock taken is
put to sleep. So helpers stay in compiled code, where each watches a *box* of its own: a state, and
a call that is offered there. A compiled function offers the call that it is in itself, and every
thread that makes this call takes pieces of the work until nothing is left. Then the function
withdraws its offer: helpers that have not begun are not waited for.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from qgen_core.simulators.simd.intrinsics import FLAT, INNER, Numbers, data_of, intrinsic, jit

#: Numbers of a box, which fills a cache line.
BOX = 8
# Its numbers: the state, and the addresses of a function and of its arguments.
_FUNCTION = 1
_ARGUMENTS = 2

# States of a box.
#: The helper waits for a call.
IDLE = 0
#: There is a call that the helper has not begun.
OFFERED = 1
#: The helper makes the call.
AT_WORK = 2
#: The helper is to leave compiled code.
CALLED_BACK = 3

_INT = ir.IntType(64)
_POINTER = ir.IntType(8).as_pointer()


def _number(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """A pointer to an entry of an array of int64."""
    return builder.gep(data_of(context, builder, kind, array), [index])


def _numbers_at(builder: Any, address: Any) -> Any:
    """A pointer to the numbers of a box, given by its address."""
    return builder.inttoptr(address, _INT.as_pointer())


@intrinsic
def take(typingctx: Any, array: Any, index: Any, more: Any) -> Any:
    """Add to an entry of an array of int64, atomically; returns what it was before."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _number(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("add", place, args[2], "monotonic")

    return types.int64(array, types.int64, types.int64), emit


@intrinsic
def _state_of(typingctx: Any, box: Any) -> Any:
    """The state of a box (given by its address), and all that was written before that state."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_numbers_at(builder, args[0]), "acquire", 8, typ=_INT)

    return types.int64(types.int64), emit


@intrinsic
def _change(typingctx: Any, box: Any, known: Any, state: Any) -> Any:
    """Change the state of a box if it is the known one; returns whether it was."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _numbers_at(builder, args[0])
        result = builder.cmpxchg(place, args[1], args[2], "acq_rel", "acquire")
        return builder.extract_value(result, 1)

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def _make_call(typingctx: Any, box: Any) -> Any:
    """Make the call in a box."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers = _numbers_at(builder, args[0])
        function = builder.load(builder.gep(numbers, [_INT(_FUNCTION)]), typ=_INT)
        arguments = builder.load(builder.gep(numbers, [_INT(_ARGUMENTS)]), typ=_INT)
        kind = ir.FunctionType(ir.IntType(32), [_POINTER]).as_pointer()
        builder.call(builder.inttoptr(function, kind), [builder.inttoptr(arguments, _POINTER)])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def _pause(typingctx: Any) -> Any:
    """Let the other thread of the same core run for a moment, on processors with such a hint."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        module = builder.module
        if module.triple.startswith("x86_64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            callee = cgutils.get_or_insert_function(module, kind, "llvm.x86.sse2.pause")
            builder.call(callee, [])
        elif module.triple.startswith(("aarch64", "arm64")):
            hint = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [hint])
            callee = cgutils.get_or_insert_function(module, kind, "llvm.aarch64.hint")
            builder.call(callee, [hint(1)])
        return context.get_dummy_value()

    return types.void(), emit


def _inner_call(builder: Any, kind: Any) -> Any:
    """A function that calls the one being emitted, with its arguments from memory but -1 helpers.

    It returns the status of that call.
    """
    outer = builder.function
    signature = ir.FunctionType(ir.IntType(32), [_POINTER])
    function = ir.Function(builder.module, signature, f"{outer.name}.share")
    function.linkage = "internal"
    inner = ir.IRBuilder(function.append_basic_block())
    arguments = inner.bitcast(function.args[0], kind.as_pointer())
    values = []
    for k, argument in enumerate(outer.args[2:]):
        if argument.name == "arg.helpers":
            values.append(argument.type(-1))
        else:
            place = inner.gep(arguments, [_INT(0), ir.IntType(32)(k)])
            values.append(inner.load(place, typ=argument.type))
    results = [inner.alloca(argument.type.pointee) for argument in outer.args[:2]]
    inner.ret(inner.call(outer, [*results, *values]))
    return function


@intrinsic
def share(typingctx: Any, boxes: Any, helpers: Any) -> Any:
    """Run the enclosing compiled function again here and on ``helpers`` threads.

    The last argument of that function is called ``helpers`` and is -1 in the inner calls.
    :func:`withdraw` must follow. The function may raise nothing, and must not count references to
    arrays (FLAT): each count is an atomic operation, and threads that count in the same place wait
    for each other.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given = builder.function.args[2:]
        kind = ir.LiteralStructType([argument.type for argument in given])
        arguments = cgutils.alloca_once(builder, kind)
        for k, argument in enumerate(given):
            builder.store(argument, builder.gep(arguments, [_INT(0), ir.IntType(32)(k)]))
        call = _inner_call(builder, kind)
        with cgutils.for_range(builder, args[1]) as loop:
            place = _number(context, builder, signature.args[0], args[0], loop.index)
            numbers = _numbers_at(builder, builder.load(place, typ=_INT))
            function_place = builder.gep(numbers, [_INT(_FUNCTION)])
            arguments_place = builder.gep(numbers, [_INT(_ARGUMENTS)])
            builder.store(builder.ptrtoint(call, _INT), function_place)
            builder.store(builder.ptrtoint(arguments, _INT), arguments_place)
            builder.store_atomic(_INT(OFFERED), numbers, "release", 8)
        builder.call(call, [builder.bitcast(arguments, _POINTER)])
        return context.get_dummy_value()

    return types.void(boxes, types.int64), emit


@partial(jit, **INNER)
def withdraw(boxes: Numbers, helpers: int) -> None:
    """Withdraw the offer of :func:`share`, and wait for the helpers that have begun the call."""
    for k in range(helpers):
        if not _change(boxes[k], OFFERED, IDLE):
            while _state_of(boxes[k]) != IDLE:
                _pause()


@partial(jit, **FLAT)
def serve(box: int, patience: int) -> None:
    """Make the calls offered in a box, until none comes for ``patience`` looks or CALLED_BACK."""
    looks = patience
    state = IDLE
    while looks > 0 and state != CALLED_BACK:
        state = _state_of(box)
        if state == OFFERED and _change(box, OFFERED, AT_WORK):
            _make_call(box)
            _change(box, AT_WORK, IDLE)
            looks = patience
        _pause()
        looks -= 1
