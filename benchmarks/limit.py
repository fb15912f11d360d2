"""The arithmetic limit: flops of the minimal algorithm over the measured peak of one core.

**Flops.** A three-angle rotation is one complex 2x2 matrix on each of the 2^(Q-1) pairs of
amplitudes: 4 complex products and 2 sums, 28 flops. The adjoint sweep un-computes the state
(28), moves the adjoint state (28), and takes the 2x2 overlap of both (4 complex products,
accumulated: 32). CNOTs move amplitudes and cost no flops; the loss is of order 2^Q and left out.
So one training step takes 28 + 28 + 28 + 32 = 116 flops a pair and rotation.

**Peak.** Fused multiply-adds (2 flops a lane) on independent accumulators that stay in
registers, written in LLVM's language so that no compiler can change them, for the vectors
that measure fastest on this machine. A product without a sum takes as long as both, so 116 flops
take 64 instructions, not 58: nothing that applies general matrices gets closer than 1.1 times the
limit.

The limit holds for rotations applied as general matrices, which is what simulators do. qgen writes
them as real rotations and merged phases (docs/engine.md), which takes about half the flops, and so
can go below it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from time import perf_counter

FLOPS_FORWARD = 28
FLOPS_STEP = 116


def step_flops(wires: int, rotations: int, batch: int = 1) -> float:
    """Flops of a training step with this many three-angle rotations."""
    return float(FLOPS_STEP * 2 ** (wires - 1) * rotations * batch)


def _module(element: str, lanes: int, accumulators: int) -> str:
    """LLVM text of ``void peak(i64 n, ptr out)``: n rounds of one multiply-add per accumulator."""
    vector, kind = f"<{lanes} x {element}>", f"v{lanes}f{32 if element == 'float' else 64}"

    def constant(value: str) -> str:
        return "<" + ", ".join(f"{element} {value}" for _ in range(lanes)) + ">"

    # Exact in both precisions; the accumulators settle at b / (1 - a) = 0.5 and never overflow.
    a, b = constant("5.000000e-01"), constant("2.500000e-01")
    every = range(accumulators)
    phis = "\n".join(
        f"  %x{k} = phi {vector} [ {constant(f'{k}.0')}, %entry ], [ %y{k}, %loop ]" for k in every
    )
    fma = f"call {vector} @llvm.fma.{kind}"
    fmas = "\n".join(f"  %y{k} = {fma}({vector} %x{k}, {vector} {a}, {vector} {b})" for k in every)
    places = "\n".join(f"  %p{k} = getelementptr {vector}, ptr %out, i64 {k}" for k in every)
    stores = "\n".join(f"  store {vector} %y{k}, ptr %p{k}, align 4" for k in every)
    return f"""
declare {vector} @llvm.fma.{kind}({vector}, {vector}, {vector})
define void @peak(i64 %n, ptr %out) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{fmas}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
{places}
{stores}
  ret void
}}"""


class Peak:
    """A compiled loop of ``flops`` flops; :meth:`run` takes about 2 ms."""

    ROUNDS = 100_000

    def __init__(self, precision: str, vector_bytes: int, accumulators: int) -> None:
        from llvmlite import binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        element, size = ("float", 4) if precision == "single" else ("double", 8)
        lanes = vector_bytes // size
        module = llvm.parse_assembly(_module(element, lanes, accumulators))
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
        )
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()
        self._out = ctypes.create_string_buffer(vector_bytes * accumulators)
        signature = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)
        self._function: Callable[..., None] = signature(self._engine.get_function_address("peak"))
        self.flops = 2.0 * lanes * accumulators * self.ROUNDS

    def run(self) -> None:
        self._function(self.ROUNDS, ctypes.addressof(self._out))

    def rate(self) -> float:
        """Flops per second of one run."""
        start = perf_counter()
        self.run()
        return self.flops / (perf_counter() - start)


@cache
def peak(precision: str) -> Peak:
    """The loop that is fastest here, of several vector widths and numbers of accumulators."""
    trials = [Peak(precision, size, n) for size in (16, 32, 64) for n in (10, 12)]
    return max(trials, key=lambda trial: max(trial.rate() for _ in range(5)))
