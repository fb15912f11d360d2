"""Networks and circuits of huge sizes are refused by their size, before they are built."""

from __future__ import annotations

from typing import Any

import pytest

import qgen_core as qgen
from qgen_core.errors import ResourceRefused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "quantum-critic", "wires": 100_000}, "100000 wires are too many for a circuit"),
        ({"name": "quantum-critic", "wires": 1000}, "1000 qubits need more than a million PiB"),
        (
            {"name": "quantum-critic", "ansatz": {"name": "brick", "layers": 100_000}},
            "100000 layers on 4 wires are too many",
        ),
        ({"name": "mlp", "widths": [10**7, 10**7]}, "take smaller widths"),
        ({"name": "mlp", "widths": [10**14]}, "take smaller widths"),
    ],
)
def test_networks(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ResourceRefused, match=said):
        qgen.build("network", options)(2, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "style-qgan", "layers": 100_000}, "100000 layers on 3 wires are too many"),
        ({"name": "style-qgan", "wires": 100_000}, "100000 wires are too many"),
        ({"name": "style-qgan", "latent": 10**12}, "take a smaller latent"),
        ({"name": "mlp-generator", "latent": 10**14}, "take smaller widths"),
    ],
)
def test_generators(options: dict[str, Any], said: str) -> None:
    given = {"space": qgen.Space("reals", 3), "backend": qgen.backend("statevector")}
    with pytest.raises(ResourceRefused, match=said):
        qgen.build("generator", options, given)
