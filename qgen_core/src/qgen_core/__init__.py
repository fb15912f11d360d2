"""qgen: quantum and classical generative models for high-energy physics, swapped by name.

    import qgen_core as qgen
    backend = qgen.backend("statevector")
    circuit = qgen.ansatz("brick", layers=6)(8)

Verbs are singular and build a component by name; ``names`` and ``describe`` say what there is.
"""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import Any

from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, Label, const, given, param
from qgen_core.circuits.draw import draw
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, State, pauli_z
from qgen_core.circuits.qasm import to_qasm
from qgen_core.discovery.hooks import hookimpl
from qgen_core.discovery.registry import build, describe, names, register
from qgen_core.errors import QgenError
from qgen_core.events import Batch, Events, Space
from qgen_core.interfaces import (
    Ansatz,
    Backend,
    Capabilities,
    Component,
    Dataset,
    Encoder,
    Generator,
    Loss,
    Metric,
    Noise,
    Sampler,
    Trainer,
)
from qgen_core.ising import Ising
from qgen_core.simulators.base import Simulator
from qgen_core.typing import Pullback

__version__ = _version("qgen-core")


def encoder(name: str, /, **options: Any) -> Encoder:
    """Build an encoder by name."""
    return build("encoder", name, **options)  # type: ignore[no-any-return]


def generator(name: str, /, **options: Any) -> Generator:
    """Build a generator by name."""
    return build("generator", name, **options)  # type: ignore[no-any-return]


def sampler(name: str, /, **options: Any) -> Sampler:
    """Build a sampler by name."""
    return build("sampler", name, **options)  # type: ignore[no-any-return]


def loss(name: str, /, **options: Any) -> Loss:
    """Build a loss by name."""
    return build("loss", name, **options)  # type: ignore[no-any-return]


def trainer(name: str, /, **options: Any) -> Trainer:
    """Build a trainer by name."""
    return build("trainer", name, **options)  # type: ignore[no-any-return]


def backend(name: str, /, **options: Any) -> Backend:
    """Build a backend by name; it has no size, the circuit has."""
    return build("backend", name, **options)  # type: ignore[no-any-return]


def noise(name: str, /, **options: Any) -> Noise:
    """A noise model: a function of (circuit, measure) that returns both, made noisy."""
    return build("noise", name, **options)  # type: ignore[no-any-return]


def ansatz(name: str, /, **options: Any) -> Ansatz:
    """An ansatz: a function of the number of wires that returns a circuit."""
    return build("ansatz", name, **options)  # type: ignore[no-any-return]


def dataset(name: str, /, **options: Any) -> Dataset:
    """A dataset: a function without arguments that returns events."""
    return build("dataset", name, **options)  # type: ignore[no-any-return]


def metric(name: str, /, **options: Any) -> Metric:
    """A metric: a function of (reference, generated) that returns numbers by name."""
    return build("metric", name, **options)  # type: ignore[no-any-return]


__all__ = [
    "Angle",
    "Ansatz",
    "Backend",
    "Batch",
    "Bits",
    "Capabilities",
    "Channel",
    "Circuit",
    "Component",
    "Dataset",
    "Encoder",
    "Events",
    "Expectations",
    "Gate",
    "Generator",
    "Ising",
    "Label",
    "Loss",
    "Metric",
    "Noise",
    "Probabilities",
    "Pullback",
    "QgenError",
    "Sampler",
    "Simulator",
    "Space",
    "State",
    "Trainer",
    "ansatz",
    "backend",
    "build",
    "const",
    "dataset",
    "describe",
    "draw",
    "encoder",
    "generator",
    "given",
    "hookimpl",
    "loss",
    "metric",
    "names",
    "noise",
    "param",
    "pauli_z",
    "register",
    "sampler",
    "to_qasm",
    "trainer",
]
