"""A circuit with inputs, run for a batch of them: what a model with a quantum layer asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.task import Floats, Op, ops_of, packed, unpacked

#: From parameters (P,) and inputs (B, I) to <Z> of each wire (B, Q) and, where asked for,
#: gradients of parameters (P,) and inputs (B, I).
BatchStep = Callable[[Floats, Floats], tuple[Floats, ...]]


@dataclass(frozen=True, eq=False)
class BatchTask:
    """Gates, parameters (P,), inputs (B, I), and the cotangent (B, Q) of the way back."""

    wires: int
    ops: tuple[Op, ...]
    params: Floats
    inputs: Floats
    cotangent: Floats

    def save(self, path: Path) -> None:
        """For contestants in another environment."""
        arrays = {"params": self.params, "inputs": self.inputs, "cotangent": self.cotangent}
        np.savez(path, wires=self.wires, **arrays, **packed(self.ops))

    @classmethod
    def read(cls, path: Path) -> BatchTask:
        with np.load(path) as file:
            return cls(
                int(file["wires"]),
                unpacked(file),
                file["params"],
                file["inputs"],
                file["cotangent"],
            )


def make_batch_task(ansatz: str, batch: int) -> BatchTask:
    """``chain``: 24 parameters on 8 wires (docs/readings.md); ``brick``: 6 layers on 8 wires;
    ``layer`` and ``wide-layer``: 2 strongly entangling layers on 6 and 8 wires; ``conditioner``:
    that of ``qinn``, 2 layers on 6 wires. Each starts with a rotation by an input on every wire.
    """
    from qgen_core.ansatze.brick import brick
    from qgen_core.ansatze.qag_chain import qag_chain
    from qgen_core.ansatze.strongly_entangling import strongly_entangling

    circuit = {
        "chain": lambda: qag_chain(8, inputs=8, layers=2),
        "brick": lambda: brick(8, inputs=8, layers=6, reupload=False),
        "layer": lambda: strongly_entangling(6, inputs=6, layers=2, reupload=False),
        "wide-layer": lambda: strongly_entangling(8, inputs=8, layers=2, reupload=False),
        "conditioner": _conditioner,
    }[ansatz]()
    rng = np.random.default_rng([circuit.num_params, batch])
    inputs = rng.normal(scale=np.sqrt(0.5), size=(batch, circuit.num_inputs))
    params = rng.uniform(-np.pi, np.pi, circuit.num_params)
    return BatchTask(
        circuit.num_wires,
        ops_of(circuit),
        params,
        inputs,
        rng.normal(size=(batch, circuit.num_wires)),
    )


def _conditioner() -> Any:
    from qgen_torch.flows.quantum_conditioner import conditioner_circuit

    return conditioner_circuit(6, 2)
