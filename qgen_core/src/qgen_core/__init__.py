"""qgen: quantum and classical generative models for high-energy physics, chosen by name.

Functions named after a kind of component build one by name; :func:`names` lists the names of a
kind, :func:`describe` the options of a component, and :func:`register` adds one of your own.

>>> import qgen_core as qgen
>>> circuit = qgen.ansatz("brick", layers=6)(8)
>>> theta = [0.1] * circuit.num_params
>>> qgen.backend("statevector").probabilities(circuit, theta).shape
(256,)
"""

from __future__ import annotations

import importlib
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from qgen_core.discovery.registry import build, describe, names, register
from qgen_core.errors import QgenError

if TYPE_CHECKING:
    from qgen_core.circuits.circuit import Angle, Channel, Circuit, Gate, Label, const, given, param
    from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State, pauli_z
    from qgen_core.circuits.qasm import to_qasm
    from qgen_core.discovery.drawing import draw
    from qgen_core.discovery.hooks import hookimpl
    from qgen_core.events import Batch, Events, Space
    from qgen_core.interfaces import (
        Ansatz,
        Backend,
        Capabilities,
        Component,
        Dataset,
        DeviceCircuit,
        Encoder,
        Estimate,
        Generator,
        Loss,
        Metric,
        Model,
        Noise,
        Sampler,
        Trainer,
    )
    from qgen_core.ising import Graph, Ising
    from qgen_core.runs.recipes import Recipe
    from qgen_core.runs.trained import TrainedRun, compare, fit, load, train
    from qgen_core.samplers.base import ClassicalSampler
    from qgen_core.simulators.base import Simulator
    from qgen_core.typing import Pullback

__version__ = _version("qgen-core")

#: Names that are imported when they are first used (PEP 562): most commands need no numpy.
_LATE = {
    "circuits.circuit": "Angle Channel Circuit Gate Label const given param",
    "circuits.measures": "Bits Expectations Probabilities Shots State pauli_z",
    "circuits.qasm": "to_qasm",
    "discovery.drawing": "draw",
    "discovery.hooks": "hookimpl",
    "events": "Batch Events Space",
    "interfaces": "Ansatz Backend Capabilities Component Dataset DeviceCircuit Encoder Estimate "
    "Generator Loss Metric Model Noise Sampler Trainer",
    "ising": "Graph Ising",
    "runs.recipes": "Recipe",
    "runs.trained": "TrainedRun compare fit load train",
    "samplers.base": "ClassicalSampler",
    "simulators.base": "Simulator",
    "typing": "Pullback",
}
_MODULE_OF = {name: module for module, names_in in _LATE.items() for name in names_in.split()}

if not TYPE_CHECKING:  # a type checker shall still find that a name does not exist

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        value = getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})


def encoder(name: str, /, **options: Any) -> Encoder:
    """Build an encoder by name; fit it before it encodes.

    >>> import numpy as np
    >>> import qgen_core as qgen
    >>> x = np.array([[10.0], [20.0], [30.0]])
    >>> qgen.encoder("min-max").fit(x).encode(x).tolist()
    [[0.0], [0.5], [1.0]]
    """
    return build("encoder", name, **options)  # type: ignore[no-any-return]


def generator(name: str, /, **options: Any) -> Generator:
    """Build a generator, the model that is trained, by name.

    >>> import qgen_core as qgen
    >>> model = qgen.generator(
    ...     "qcbm",
    ...     ansatz="brick",
    ...     backend="statevector",
    ...     space=qgen.Space("bits", 4),
    ...     seed=7,
    ... )
    >>> sorted(model.outputs), str(model.space)
    (['log_prob', 'probabilities', 'samples'], '4 bits')
    """
    return build("generator", name, **options)  # type: ignore[no-any-return]


def sampler(name: str, /, **options: Any) -> Sampler:
    """Build a sampler, which draws spins from an Ising energy, by name.

    >>> import numpy as np
    >>> import qgen_core as qgen
    >>> class FreeSpins(qgen.Sampler):
    ...     def sample(self, ising, n, *, rng, initial=None):
    ...         up = 1 / (1 + np.exp(2 * self.beta * ising.h))
    ...         spins = np.where(rng.random((n, ising.num_spins)) < up, 1, -1)
    ...         return spins.astype(np.int8), {"source": "independent spins"}
    >>> qgen.register("sampler", "doctest-free-spins", FreeSpins)
    >>> energy = qgen.Ising(h=np.array([-50.0, 50.0]), J=[], graph=np.empty((0, 2)))
    >>> spins, info = qgen.sampler("doctest-free-spins").sample(
    ...     energy, 2, rng=np.random.default_rng(1)
    ... )
    >>> spins.tolist()
    [[1, -1], [1, -1]]
    """
    return build("sampler", name, **options)  # type: ignore[no-any-return]


def loss(name: str, /, **options: Any) -> Loss:
    """Build a loss by name; it gives a value and the derivative with respect to what it reads.

    >>> import qgen_core as qgen
    >>> qgen.loss("js").reads
    'probabilities'
    """
    return build("loss", name, **options)  # type: ignore[no-any-return]


def trainer(name: str, /, **options: Any) -> Trainer:
    """Build a trainer by name; its ``fit`` trains a generator on events with a loss.

    >>> import qgen_core as qgen
    >>> qgen.trainer("adam", steps=50).steps
    50
    """
    return build("trainer", name, **options)  # type: ignore[no-any-return]


def backend(name: str, /, **options: Any) -> Backend:
    """Build a backend, which runs circuits, by name; the number of wires is the circuit's.

    >>> import qgen_core as qgen
    >>> rotation = qgen.Gate("ry", (0,), qgen.param(0))
    >>> circuit = qgen.Circuit(2, (rotation, qgen.Gate("cx", (0, 1))))
    >>> qgen.backend("statevector").probabilities(circuit, [0.0]).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    return build("backend", name, **options)  # type: ignore[no-any-return]


def noise(name: str, /, **options: Any) -> Noise:
    """Build a noise model by name: a function of (circuit, measure) that returns both with noise.

    >>> import qgen_core as qgen
    >>> circuit = qgen.Circuit(1, (qgen.Gate("h", (0,)),))
    >>> depolarizing = qgen.noise("depolarizing", one_wire=0.2)
    >>> noisy, measure = depolarizing(circuit, qgen.Probabilities())
    >>> [type(operation).__name__ for operation in noisy.instructions]
    ['Gate', 'Channel']
    """
    return build("noise", name, **options)  # type: ignore[no-any-return]


def ansatz(name: str, /, **options: Any) -> Ansatz:
    """Build an ansatz by name: a function of the number of wires that returns a circuit.

    >>> import qgen_core as qgen
    >>> qgen.ansatz("brick", layers=6)(8).num_wires
    8
    """
    return build("ansatz", name, **options)  # type: ignore[no-any-return]


def dataset(name: str, /, **options: Any) -> Dataset:
    """Build a dataset by name: a function without arguments that returns events.

    >>> import numpy as np
    >>> import qgen_core as qgen
    >>> def two_masses(*, mass: float = 91.2):
    ...     return qgen.Events(np.array([[mass], [125.0]]), columns=("mass",), units=("GeV",))
    >>> qgen.register("dataset", "doctest-masses", two_masses)
    >>> qgen.dataset("doctest-masses", mass=80.4)().x.ravel().tolist()
    [80.4, 125.0]
    """
    return build("dataset", name, **options)  # type: ignore[no-any-return]


def metric(name: str, /, **options: Any) -> Metric:
    """Build a metric by name: a function of (reference, generated) that returns numbers by name.

    >>> import numpy as np
    >>> import qgen_core as qgen
    >>> events = qgen.Events(np.arange(100.0)[:, None], columns=("pt",))
    >>> qgen.metric("wasserstein")(events, events)
    {'W1(pt)': 0.0}
    """
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
    "ClassicalSampler",
    "Component",
    "Dataset",
    "DeviceCircuit",
    "Encoder",
    "Estimate",
    "Events",
    "Expectations",
    "Gate",
    "Generator",
    "Graph",
    "Ising",
    "Label",
    "Loss",
    "Metric",
    "Model",
    "Noise",
    "Probabilities",
    "Pullback",
    "QgenError",
    "Recipe",
    "Sampler",
    "Simulator",
    "Shots",
    "Space",
    "State",
    "TrainedRun",
    "Trainer",
    "ansatz",
    "backend",
    "build",
    "compare",
    "const",
    "dataset",
    "describe",
    "draw",
    "encoder",
    "fit",
    "generator",
    "given",
    "hookimpl",
    "load",
    "loss",
    "metric",
    "names",
    "noise",
    "param",
    "pauli_z",
    "register",
    "sampler",
    "to_qasm",
    "train",
    "trainer",
]
