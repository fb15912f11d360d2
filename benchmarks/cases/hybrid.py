"""A quantum layer in a network of torch, forward and backward, one thread: torch tensors in and
out.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.batch_task import make_batch_task
from benchmarks.cases.batch import Entry, one_case
from benchmarks.context import Case, Context
from benchmarks.machine import versions

THREADS = 1

#: (name, circuit, batch, in quick mode)
CASES = (
    ("hybrid/6", "layer", 32, True),
    ("hybrid/8", "wide-layer", 256, False),
    ("hybrid/qinn", "conditioner", 10, False),
)
CONTESTANTS = (
    Entry("qgen_layer", "qgen"),
    Entry("qgen_layer", "qgen, backend torch", options={"engine": True}),
    Entry("tensorcircuit", "TensorCircuit-NG, jax alone"),
    Entry("tensorcircuit", "TensorCircuit-NG, its interface to torch", options={"in_torch": True}),
    Entry("pennylane_layer", "PennyLane TorchLayer, default.qubit", ("double",)),
    Entry("pyqtorch", "pyqtorch"),
    Entry("torchquantum", "torchquantum", ("single",), environment="torchquantum"),
)
DISTRIBUTIONS = ("torch", "qgen-torch", "tensorcircuit-ng", "jax", "pennylane", "pyqtorch")


def run(context: Context) -> Iterator[Case]:
    """Gradients of parameters and inputs for given cotangents of <Z> on every wire."""
    for name, circuit, batch, quick in CASES:
        if context.wants(name) and (quick or not context.quick):
            context.say(name)
            entries = tuple(e for e in CONTESTANTS if e.environment == "peers" or not context.quick)
            found = one_case(context, name, make_batch_task(circuit, batch), entries, backward=True)
            yield {**found, "versions": {"peers": versions(DISTRIBUTIONS)}}
