"""Options that ask for huge circuits are refused by their size, before anything is built."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

import qgen_core as qgen
from qgen_core.errors import ResourceRefused
from qgen_core.mitigation.folding import MAX_INSTRUCTIONS, amplified
from qgen_core.support.resources import MAX_LAYERED_WIRES, MAX_WIRES

#: Bytes that a refusal may take; the smallest of these circuits would take a hundred times more.
LITTLE = 2**20
LAYERED = ("brick", "hardware-efficient", "strongly-entangling", "tree", "qag-chain")
BY_REGISTERS = {"copula": {"registers": (4, 4)}, "ising": {"registers": (4, 4)}}


def refused(build: Callable[[], Any], match: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ResourceRefused, match=match):
            build()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LITTLE


@pytest.mark.parametrize("layers", [100_000, 10**12])
@pytest.mark.parametrize("name", [*LAYERED, *BY_REGISTERS])
def test_layers(name: str, layers: int) -> None:
    ansatz = qgen.ansatz(name, layers=layers)
    registers = BY_REGISTERS.get(name, {})
    refused(lambda: ansatz(8, **registers), f"{layers} layers on 8 wires .* at most 8192 layers")


def test_layers_of_chow_liu() -> None:
    bits = [[0, 0], [0, 1], [1, 0], [1, 1]]
    ansatz = qgen.ansatz("chow-liu", layers=100_000)
    refused(lambda: ansatz(2, data=qgen.Events(bits)), "100000 layers on 2 wires")


@pytest.mark.parametrize("name", ["brick", "mera-up", "hardware-efficient"])
def test_wires(name: str) -> None:
    refused(lambda: qgen.ansatz(name)(2**20), f"1048576 wires are too many .* at most {MAX_WIRES}")


def test_the_largest_that_is_allowed_is_built() -> None:
    circuit = qgen.ansatz("qag-chain", layers=2**10)(MAX_LAYERED_WIRES // 2**10)
    assert circuit.num_params == MAX_LAYERED_WIRES + circuit.num_wires
    with pytest.raises(ResourceRefused, match="at most 1024 layers"):
        qgen.ansatz("qag-chain", layers=2**10 + 1)(circuit.num_wires)


@pytest.mark.parametrize("how", ["gates", "circuit", "channels"])
def test_amplified_noise(how: Any) -> None:
    circuit = qgen.ansatz("brick", layers=1)(2)
    refused(lambda: amplified(circuit, MAX_INSTRUCTIONS + 1, how), "take smaller scales")


@pytest.mark.parametrize("backend", ["statevector", "density"])
def test_backends_say_how_many_qubits_fit(backend: str) -> None:
    circuit = qgen.Circuit(MAX_WIRES, (qgen.Gate("h", (0,)),))
    with pytest.raises(ResourceRefused, match="2048 qubits need more than a million PiB"):
        qgen.backend(backend).require(circuit, qgen.Probabilities())
