"""Operations that the kernels call, as LLVM instructions on the registers of a tile.

Arguments that several of them share:

- ``operands``: pointers (steps, cos, sin, masks) to the table of steps, the cosines and sines of
  one row of angles, and the signs of the lane bits.
- ``states``: pointers to a state and its adjoint.
- ``tile``: a pointer to a row of the table of tiles; ``step``: to a row of that of steps.
- ``strides``: of the bits q and p, in numbers.
- ``acc``: a pointer to the registers in which overlaps are summed up.
"""

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
    splat_of,
)
from qgen_core.simulators.statevector.registers import (
    ACROSS_LANES,
    WITHIN_LANES,
    Emitter,
    Memory,
    Registers,
)
from qgen_core.simulators.statevector.steps import (
    PAIR_RY_P,
    PAIR_RY_Q,
    RY_L,
    RY_P,
    RY_Q,
    STEP_CODE,
    STEP_COLUMNS,
    STEP_CONTROL,
    STEP_ORDER,
    STEP_PHASES,
    STEP_PLACE,
    STEP_TARGET,
)
from qgen_core.simulators.statevector.tables import TILE_FIRST_STEP, TILE_P, TILE_Q

Type = Any  # of numba
Value = Any  # of LLVM
_INT = types.int64
_STRIDES = types.UniTuple(types.int64, 2)


def _four(vec: Type) -> Type:
    return types.UniTuple(vec, 4)


@intrinsic
def tile_at(typingctx: Any, buf: Type, start: Type, number: Type, p: Type, q: Type) -> Any:
    """Where the tile of a number begins, in a state that begins at ``start``."""
    lane_bits = lane_bits_of(Vec(buf.dtype))

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        return Emitter(context, builder, signature, args).tile(lane_bits, *args[1:])

    return _INT(buf, _INT, _INT, _INT, _INT), emit


def _copying(to_state: bool) -> Any:
    """Copy runs of numbers between a state and a buffer that holds them one after another."""

    def copy(
        typingctx: Any, state: Type, start: Type, rows: Type, count: Type, run: Type, buf: Type
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            e = Emitter(context, builder, signature, args)
            _, start, _, count, run, _ = args
            in_state = e.memory(0)
            rows = e.memory(2)
            in_buffer = e.memory(5)
            two_registers = e.constant(2 * in_state.vec.lanes)
            with cgutils.for_range(builder, count, intp=count.type) as outer:
                row = rows.number(outer.index)
                state_start = builder.shl(builder.add(start, row), e.constant(1))
                buffer_start = builder.mul(outer.index, run)
                inner = cgutils.for_range_slice(
                    builder, e.constant(0), run, two_registers, run.type
                )
                with inner as (done, _):
                    state_at = builder.add(state_start, done)
                    buffer_at = builder.add(buffer_start, done)
                    if to_state:
                        _copy_two(e, in_buffer, buffer_at, in_state, state_at)
                    else:
                        _copy_two(e, in_state, state_at, in_buffer, buffer_at)
            return e.nothing()

        return types.void(state, _INT, rows, _INT, _INT, buf), emit

    return intrinsic(copy)


def _copy_two(
    e: Emitter, source: Memory, source_at: Value, target: Memory, target_at: Value
) -> None:
    """Copy two registers."""
    lanes = source.vec.lanes
    first = source.load(source_at)
    second = source.load(e.shifted(source_at, lanes))
    target.store(target_at, first)
    target.store(e.shifted(target_at, lanes), second)


#: Copy ``count`` runs of ``run`` numbers (a multiple of two registers), which start at the
#: amplitudes ``start + rows``, from a state to a buffer.
gather = _copying(to_state=False)
#: The inverse of :func:`gather`.
scatter = _copying(to_state=True)


@intrinsic
def load4(typingctx: Any, buf: Type, at: Type, strides: Type) -> Any:
    """The four registers from ``at`` on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        memory = e.memory(0)
        return e.pack([memory.load(place) for place in e.places(args[1], *e.values(2))])

    return _four(Vec(buf.dtype))(buf, _INT, _STRIDES), emit


@intrinsic
def store4(typingctx: Any, buf: Type, at: Type, strides: Type, registers: Type) -> Any:
    """The inverse of :func:`load4`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        memory = e.memory(0)
        for place, register in zip(e.places(args[1], *e.values(2)), e.values(3), strict=True):
            memory.store(place, register)
        return e.nothing()

    return types.void(buf, _INT, _STRIDES, registers), emit


@intrinsic
def splat4(typingctx: Any, numbers: Type, at: Type) -> Any:
    """Four numbers, each in all lanes."""
    vec = Vec(numbers.dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        memory = e.memory(0)
        found = [memory.number(e.shifted(args[1], k)) for k in range(4)]
        return e.pack([splat_of(builder, number, vec.lanes) for number in found])

    return _four(vec)(numbers, _INT), emit


@intrinsic
def run_turn(typingctx: Any, step: Type, operands: Type, re: Type, im: Type) -> Any:
    """A real step (RY or CNOT) on the real and the imaginary parts of a tile."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        turn = _Turn(e, e.memory(0), e.memories(1), backward=False)
        out = turn.applied(e.values(2) + e.values(3))
        return e.pack(out[:4], out[4:])

    return types.UniTuple(re, 2)(step, operands, re, im), emit


@intrinsic
def undo_turn(
    typingctx: Any, step: Type, operands: Type, v: Type, u: Type, acc: Type, slot: Type
) -> Any:
    """Undo a real step on a tile of the state, v, and of the adjoint, u.

    Adds its overlap to the register at ``acc[slot:]``.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        turn = _Turn(e, e.memory(0), e.memories(1), backward=True)
        acc = e.memory(4)
        slot = args[5]

        def add(overlap: Callable[[Value], Value]) -> None:
            acc.store(slot, overlap(acc.load(slot)))

        out = turn.applied(e.values(2) + e.values(3), add)
        return e.pack(out[:4], out[4:])

    return types.UniTuple(v, 2)(step, operands, v, u, acc, _INT), emit


def _no_overlap(overlap: Callable[[Value], Value]) -> None:
    """In the forward pass no overlaps are summed up."""


class _Turn:
    """A real step, loaded from its row."""

    def __init__(self, e: Emitter, step: Memory, operands: list[Memory], *, backward: bool) -> None:
        _, cos, sin, masks = operands
        self.e = e
        self.vec = cos.vec
        self.code = step.number(e.constant(STEP_CODE))
        self.target = step.number(e.constant(STEP_TARGET))
        place = step.number(e.constant(STEP_PLACE))
        s = sin.number(place)
        if backward:
            s = e.builder.fneg(s)
        self.c = e.splat(cos.number(place), self.vec.lanes)
        self.s = e.splat(s, self.vec.lanes)
        self.sign = e.lane_sign(masks, step.number(e.constant(STEP_CONTROL)))

    def applied(
        self,
        both: Registers,
        add: Callable[[Callable[[Value], Value]], None] = _no_overlap,
    ) -> Registers:
        """Two tiles after the step.

        ``add`` is given the function that adds the overlap of the second tile with the first,
        before the step, to a total.
        """
        e = self.e
        bits = lane_bits_of(self.vec)
        first = both[:4]
        second = both[4:]

        def turned(number: int) -> Registers:
            code, bit = divmod(number, 4)
            flipped = both
            if code in ACROSS_LANES:
                flipped = e.flip(both, bit)
            if code in (RY_P, RY_Q):
                add(lambda total: e.overlap(code, total, second, first))
                return e.turn(code, both, partial(e.rotate, self.c, self.s))
            if code != RY_L:
                return e.cnot(code, self.sign, both, flipped)
            add(lambda total: e.products(total, second, flipped[:4]))
            return self._along_lanes(both, flipped)

        # one case for each code, and for each lane bit of the target
        numbers = [4 * code for code in WITHIN_LANES]
        for code in ACROSS_LANES:
            numbers += [4 * code + bit for bit in range(bits)]
        selector = e.builder.add(e.builder.shl(self.code, e.constant(2)), self.target)
        return e.cases(selector, numbers, turned)

    def _along_lanes(self, both: Registers, flipped: Registers) -> Registers:
        """RY on a lane bit."""
        build = self.e.builder
        signed = build.fmul(self.s, self.sign)
        out = []
        for register, other in zip(both, flipped, strict=True):
            out.append(fma(build, signed, other, build.fmul(self.c, register)))
        return out


@intrinsic
def run_phases(typingctx: Any, c: Type, s: Type, re: Type, im: Type) -> Any:
    """A phase for each register, or each lane: real and imaginary parts of a tile."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        out = _with_phases(e, e.values(0), e.values(1), e.values(2), e.values(3))
        return e.pack(out[:4], out[4:])

    return types.UniTuple(re, 2)(c, s, re, im), emit


def _with_phases(e: Emitter, c: Registers, s: Registers, re: Registers, im: Registers) -> Registers:
    """The real, then the imaginary parts of a tile after phases."""
    turned = [e.rotate(*four) for four in zip(c, s, re, im, strict=True)]
    return [one for one, _ in turned] + [other for _, other in turned]


@intrinsic
def undo_phases(
    typingctx: Any,
    states: Type,
    at: Type,
    strides: Type,
    c: Type,
    s: Type,
    acc: Type,
    slot: Type,
) -> Any:
    """Undo phases on the tile at ``at`` of state and adjoint.

    Adds the overlap of each register to the four from ``acc[slot:]`` on. Works from memory to
    memory, register by register: a whole tile would take more registers than most processors have.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        psi, lam = e.memories(0)
        acc = e.memory(5)
        lanes = psi.vec.lanes
        c = e.values(3)
        s = e.values(4)
        for k, re in enumerate(e.places(args[1], *e.values(2))):
            im = e.shifted(re, lanes)
            sources = ((psi, re), (psi, im), (lam, re), (lam, im))
            read = [memory.load(place) for memory, place in sources]
            out = _phase_undone(e, acc, e.shifted(args[6], k * lanes), (c[k], s[k]), read)
            for (memory, place), register in zip(sources, out, strict=True):
                memory.store(place, register)
        return e.nothing()

    return types.void(states, _INT, _STRIDES, c, s, acc, _INT), emit


def _phase_undone(
    e: Emitter, acc: Memory, slot: Value, phase: tuple[Value, Value], parts: Registers
) -> Registers:
    """Real and imaginary part of the state and of the adjoint before a phase (cosine, sine).

    Adds their overlap to ``acc``.
    """
    c, s = phase
    a, b, la, lb = parts
    acc.store(slot, e.cross(acc.load(slot), la, lb, a, b))
    # rotating (imaginary, real) instead of (real, imaginary) is the inverse rotation
    b, a = e.rotate(c, s, b, a)
    lb, la = e.rotate(c, s, lb, la)
    return [a, b, la, lb]


class _Pair:
    """A PAIR step: everything that is loaded before the loop over tiles."""

    def __init__(
        self, e: Emitter, bits: Value, tile: Memory, operands: list[Memory], *, backward: bool
    ) -> None:
        steps, cos, sin, _ = operands
        build = e.builder
        self.e = e
        self.lanes = cos.vec.lanes
        self.lane_bits = lane_bits_of(cos.vec)
        self.p = tile.number(e.constant(TILE_P))
        self.q = tile.number(e.constant(TILE_Q))
        self.dp = build.shl(e.constant(2), self.p)
        self.dq = build.shl(e.constant(2), self.q)
        row = build.mul(tile.number(e.constant(TILE_FIRST_STEP)), e.constant(STEP_COLUMNS))
        order = steps.number(e.shifted(row, STEP_ORDER))
        phases = steps.number(e.shifted(row, STEP_PHASES))
        place = steps.number(e.shifted(row, STEP_PLACE))
        self.has_phases = build.icmp_signed("!=", phases, e.constant(0))
        #: Where each register comes from, relative to the first.
        self.sources = self._sources(order)
        self.c = self._phases(cos, place)
        self.s = self._phases(sin, place)
        #: For RY on p and on q: 1 for a tangent, 0 for a cotangent; and the ratio itself.
        self.flags = {
            RY_P: cos.number(e.shifted(place, PAIR_RY_P)),
            RY_Q: cos.number(e.shifted(place, PAIR_RY_Q)),
        }
        self.ratios = {
            RY_P: sin.number(e.shifted(place, PAIR_RY_P)),
            RY_Q: sin.number(e.shifted(place, PAIR_RY_Q)),
        }
        if backward:
            self.ratios = {code: build.fneg(ratio) for code, ratio in self.ratios.items()}
        free_bits = build.sub(bits, e.constant(self.lane_bits + 2))
        self.tiles = build.shl(e.constant(1), free_bits)

    def _sources(self, order: Value) -> list[Value]:
        """Offsets of the four registers, in an order of two bits each."""
        build = self.e.builder

        def part(bit: int, stride: Value) -> Value:
            is_set = build.and_(build.lshr(order, self.e.constant(bit)), self.e.constant(1))
            return build.select(build.trunc(is_set, ir.IntType(1)), stride, self.e.constant(0))

        return [build.add(part(2 * k, self.dq), part(2 * k + 1, self.dp)) for k in range(4)]

    def _phases(self, numbers: Memory, place: Value) -> Registers:
        """The cosines or sines of four phases, each in all lanes."""
        found = [numbers.number(self.e.shifted(place, k)) for k in range(4)]
        return [self.e.splat(number, self.lanes) for number in found]

    def tile(self, start: Value, number: Value) -> Value:
        """Where a tile begins."""
        return self.e.tile(self.lane_bits, start, number, self.p, self.q)

    def turned(self, tiles: Registers) -> Registers:
        """RY on p and on q."""
        for code in (RY_P, RY_Q):
            tiles = self.e.turn_by_ratio(code, self.flags[code], self.ratios[code], tiles)
        return tiles


@intrinsic
def run_pair(typingctx: Any, buf: Type, start: Type, bits: Type, tile: Type, operands: Type) -> Any:
    """A PAIR on all its tiles of 2^bits amplitudes at ``buf[start:]``.

    It reorders the registers (CNOTs), then applies its phases if it has any, then RY on p and on q.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        state = e.memory(0)
        pair = _Pair(e, args[2], e.memory(3), e.memories(4), backward=False)
        parts = (0, pair.lanes)

        def phased(present: int, tile: Registers) -> Registers:
            if not present:
                return tile
            return _with_phases(e, pair.c, pair.s, tile[:4], tile[4:])

        with cgutils.for_range(builder, pair.tiles, intp=pair.tiles.type) as loop:
            at = pair.tile(args[1], loop.index)
            starts = [builder.add(at, source) for source in pair.sources]
            tile = []
            for part in parts:
                tile += [state.load(e.shifted(place, part)) for place in starts]
            tile = e.cases(pair.has_phases, [1, 0], partial(phased, tile=tile))
            tile = pair.turned(tile)
            for k, place in enumerate(e.places(at, pair.dq, pair.dp)):
                state.store(place, tile[k])
                state.store(e.shifted(place, pair.lanes), tile[4 + k])
        return e.nothing()

    return types.void(buf, _INT, _INT, tile, operands), emit


@intrinsic
def undo_pair(
    typingctx: Any, states: Type, start: Type, bits: Type, tile: Type, operands: Type, acc: Type
) -> Any:
    """Undo a PAIR on state and adjoint, last operation first, and add its overlaps to ``acc``.

    Those of the phases take four registers, those of RY on p two, of RY on q two.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        e = Emitter(context, builder, signature, args)
        psi, lam = e.memories(0)
        pair = _Pair(e, args[2], e.memory(3), e.memories(4), backward=True)
        acc = e.memory(5)
        slots = [e.constant(k * pair.lanes) for k in range(8)]

        def turned(at: Value, part: int) -> Registers:
            """Four registers of the state, then of the adjoint, before the RYs."""
            places = e.places(e.shifted(at, part * pair.lanes), pair.dq, pair.dp)
            state = [psi.load(place) for place in places]
            adjoint = [lam.load(place) for place in places]
            for code, slot in ((RY_P, slots[4 + part]), (RY_Q, slots[6 + part])):
                acc.store(slot, e.overlap(code, acc.load(slot), adjoint, state))
            return pair.turned(state + adjoint)

        def phased(present: int, real: Registers, imag: Registers) -> Registers:
            """For each register the parts of the state, then of the adjoint."""
            out = []
            for k in range(4):
                parts = [real[k], imag[k], real[4 + k], imag[4 + k]]
                if present:
                    parts = _phase_undone(e, acc, slots[k], (pair.c[k], pair.s[k]), parts)
                out += parts
            return out

        with cgutils.for_range(builder, pair.tiles, intp=pair.tiles.type) as loop:
            at = pair.tile(args[1], loop.index)
            real = turned(at, 0)
            imag = turned(at, 1)
            out = e.cases(pair.has_phases, [1, 0], partial(phased, real=real, imag=imag))
            for k, source in enumerate(pair.sources):
                re = builder.add(at, source)
                im = e.shifted(re, pair.lanes)
                psi.store(re, out[4 * k])
                psi.store(im, out[4 * k + 1])
                lam.store(re, out[4 * k + 2])
                lam.store(im, out[4 * k + 3])
        return e.nothing()

    return types.void(states, _INT, _INT, tile, operands, acc), emit
