"""For tests of models: a reference simulator, an ansatz, and derivatives by differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qgen_core.circuits.circuit import Circuit, Gate, Label, given, param
from qgen_core.circuits.measures import Measure
from qgen_core.events import Batch, Events
from qgen_core.interfaces import Capabilities, Generator
from qgen_core.testing.reference import ReferenceBackend
from qgen_core.typing import Pullback


class Counting(ReferenceBackend):
    """The reference simulator; it records the number of rows of each call."""

    capabilities = Capabilities(max_wires=8)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def exact(self, circuit: Circuit, angles: np.ndarray, measure: Measure) -> np.ndarray:
        self.batches.append(len(angles))
        return super().exact(circuit, angles, measure)


class Device(Counting):
    """The same without exact values, like hardware."""

    capabilities = Capabilities(max_wires=8, exact=False)

    def check_shots(self, shots: int | None) -> None:
        assert shots is not None

    def run(self, circuit, angles, measure, shots=None):  # type: ignore[no-untyped-def]
        self.check_shots(shots)
        return super().run(circuit, angles, measure, shots)


def layers(
    wires: int,
    *,
    inputs: int = 0,
    registers: tuple[int, ...] = (),
    data: Events | None = None,
    depth: int = 2,
) -> Circuit:
    """Inputs by RX on all wires, RY and RZ on all, CNOT chain; RY and a CRZ at the end."""
    gates: list[Gate] = []
    labels: list[Label] = []

    def trained(name: str, where: tuple[int, ...], layer: int) -> None:
        gates.append(Gate(name, where, param(len(labels))))
        labels.append(Label(layer, where[-1], 0))

    for layer in range(depth):
        for wire in range(wires):
            if inputs:
                gates.append(Gate("rx", (wire,), given(wire % inputs)))
            trained("ry", (wire,), layer)
            trained("rz", (wire,), layer)
        gates += [Gate("cx", (wire, wire + 1)) for wire in range(wires - 1)]
    for wire in range(wires):
        trained("ry", (wire,), depth)
    if wires > 1:
        trained("crz", (0, 1), depth)
        trained("ry", (1,), depth)
    return Circuit(wires, tuple(gates), tuple(labels))


@pytest.fixture
def dense() -> Counting:
    return Counting()


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def ansatz() -> Callable[..., Circuit]:
    return layers


@pytest.fixture
def check_slopes() -> Callable[[Generator, str, Batch], None]:
    """Compares the derivatives of a weighted sum of an output with differences."""

    def check(model: Generator, output: str, batch: Batch) -> None:
        assert batch.x is not None
        weights = np.random.default_rng(4).normal(size=len(batch.x))

        def forward() -> tuple[np.ndarray, Pullback]:
            return model.forward(output, batch, rng=np.random.default_rng(1))

        gradient = forward()[1](weights)
        assert gradient.keys() == model.parameters().keys()
        for name, value in model.parameters().items():
            for place in np.ndindex(value.shape):
                before = value[place]
                value[place] = before + 1e-5
                above = weights @ forward()[0]
                value[place] = before - 1e-5
                below = weights @ forward()[0]
                value[place] = before
                assert gradient[name][place] == pytest.approx((above - below) / 2e-5, abs=1e-7)

    return check
