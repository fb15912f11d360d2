"""The contract on one page: what an encoder, backend, sampler, generator, loss and trainer is.

Everything that travels between them is a frozen dataclass of numpy arrays. One method is
the price of entry; the base classes give the rest. To vary a thing, wrap it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Annotated, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.circuits.capabilities import Capabilities as Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError, NoGradient
from qgen_core.events import Batch, Events, Space
from qgen_core.ising import Ising
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.random_streams import Seed, generator
from qgen_core.training import loop as training
from qgen_core.typing import Array, Floats, Pullback, Rng

Inputs = ArrayLike | None
Shots = int | None  # None: exact
Hooks = Sequence[object]
Folder = Checkpoints | str | PathLike[str] | None
OUTPUTS = ("probabilities", "log_prob", "samples", "objective")


@dataclass(frozen=True)
class Component:
    """Marks an option that takes a component of this kind: a name or a table in a recipe."""

    kind: str


Ansatz = Annotated[Callable[..., Circuit], Component("ansatz")]
Noise = Annotated[Callable[[Circuit, Measure], tuple[Circuit, Measure]], Component("noise")]
Dataset = Annotated[Callable[[], Events], Component("dataset")]
Metric = Annotated[Callable[..., Mapping[str, float]], Component("metric")]


class Stateful(ABC):
    """Something a checkpoint holds. Without state of its own it inherits these two."""

    def state(self) -> dict[str, Array]:
        """Copies of everything a checkpoint needs, numpy arrays only."""
        return {}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take back what :meth:`state` gave. Raises CheckpointError when it does not fit."""
        if state:
            raise CheckpointError(
                f"{type(self).__name__} has no state, the checkpoint holds {sorted(state)}"
            )


class Encoder(Stateful):
    """Maps physics numbers to a model's alphabet and back, given the condition."""

    __qgen_kind__ = "encoder"
    space: Space

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn edges, scales and ``space`` from training events (N, F)."""
        return self

    @abstractmethod
    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, F) to (N, space.width)."""

    @abstractmethod
    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """(N, space.width) to (N, F); ``rng`` draws inside a bin."""

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """log |d encode / d x| per event (N,); None where encoding has no density."""
        return None

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) can be encoded; a run drops, counts and reports the others."""
        return np.ones(len(x), dtype=np.bool_)


class Backend(ABC):
    """Runs circuits; the batch axis always leads. A backend has no size: the circuit has."""

    __qgen_kind__ = "backend"
    capabilities: Capabilities = Capabilities()

    @abstractmethod
    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: Shots = None,
        rng: Rng | None = None,
    ) -> Array:
        """Measure the circuit for each row of ``angles`` (B, A); shapes as the measure says."""

    def forward(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: Shots = None,
        rng: Rng | None = None,
    ) -> tuple[Array, Callable[[Array], Floats]]:
        """:meth:`run`, and a function from d loss / d output to d loss / d angles (B, A).

        An engine overrides it to keep what the way back needs.
        """
        output = self.run(circuit, angles, measure, shots=shots, rng=rng)
        return output, lambda cotangent: self.vjp(
            circuit, angles, measure, cotangent, shots=shots, rng=rng
        )

    def vjp(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        cotangent: Array,
        *,
        shots: Shots = None,
        rng: Rng | None = None,
    ) -> Floats:
        """d loss / d angles (B, A); by default parameter shift, all shifts in one batch."""
        return parameter_shift(
            lambda rows: self.run(circuit, rows, measure, shots=shots, rng=rng),
            circuit,
            angles,
            cotangent,
        )

    def native(
        self, circuit: Circuit, measure: Measure, framework: str
    ) -> Callable[..., Any] | None:
        """A differentiable function of a framework (``"torch"``): angles (B, A) to output; None: has none."""
        return None

    @final
    def probabilities(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs = None,
        *,
        shots: Shots = None,
        seed: Seed = None,
    ) -> Array:
        """Outcome probabilities (2^Q,), or (B, 2^Q) if params or inputs have a batch axis."""
        return self._people(circuit, params, inputs, Probabilities(), shots, seed)

    @final
    def expectations(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs = None,
        *,
        paulis: Sequence[str],
        shots: Shots = None,
        seed: Seed = None,
    ) -> Array:
        """Expectations of Pauli words, (words,) or (B, words)."""
        return self._people(circuit, params, inputs, Expectations(tuple(paulis)), shots, seed)

    @final
    def sample(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs = None,
        *,
        shots: int,
        seed: Seed = None,
    ) -> Array:
        """Measured bits, (shots, Q) or (B, shots, Q) int8."""
        return self._people(circuit, params, inputs, Bits(), shots, seed)

    def _people(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs,
        measure: Measure,
        shots: Shots,
        seed: Seed,
    ) -> Array:
        batched = np.ndim(params) == 2 or (inputs is not None and np.ndim(inputs) == 2)
        rng = None if shots is None else generator(seed)
        out = self.run(circuit, circuit.bind(params, inputs), measure, shots=shots, rng=rng)
        return out if batched else np.asarray(out[0])

    @final
    def check(self, circuit: Circuit, shots: Shots = None) -> None:
        """Raise Unsupported or BadOption for a circuit or shots beyond ``capabilities``."""
        self.capabilities.check(type(self).__name__, circuit, shots)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused, with the numbers, if training needs memory that is not there."""


class Sampler(Stateful):
    """Draws spins from an Ising energy at the inverse temperature ``beta`` it claims."""

    __qgen_kind__ = "sampler"
    beta: float = 1.0

    @abstractmethod
    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Spins (n, S), or (B, n, S) when h has rows; info: ``source``, ``energies``, timing, job id, chain breaks."""


class Generator(Stateful):
    """A model: it samples, and it offers one or more outputs to train on.

    probabilities (C, 2^Q), a row a condition · samples (N, width) · log_prob (N,), a true
    density of encoded events · objective (N,), the model's own training objective.
    """

    __qgen_kind__ = "generator"
    space: Space
    condition: Space | None = None
    outputs: frozenset[str] = frozenset({"samples"})

    @abstractmethod
    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n encoded events (n, width); ``condition`` (n, K) has a row for each."""

    def parameters(self) -> dict[str, Array]:
        """Live arrays, updated in place by a trainer."""
        return {}

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """An output, and the map from its cotangent to gradients keyed as :meth:`parameters`."""
        if output != "samples" or batch.x is None:
            raise NoGradient(f"{type(self).__name__} has no forward pass for {output!r}")

        def pullback(cotangent: Array) -> dict[str, Array]:
            raise NoGradient(
                f"samples of {type(self).__name__} have no gradient; use a trainer without, e.g. 'spsa'"
            )

        return self.sample(len(batch.x), batch.condition, rng=rng), pullback

    def outputs_at(
        self, output: str, thetas: Floats, batch: Batch, *, rng: Rng, backend: Backend | None = None
    ) -> Array:
        """The output at many flat parameter vectors (T, P), stacked: (T, ...).

        Parameters are restored. ``backend`` evaluates there instead, where a model has one.
        """
        if backend is not None:
            raise BadOption(f"{type(self).__name__} runs on no backend that could be exchanged")
        before = training.flatten(self.parameters())
        try:
            rows = []
            for theta in thetas:
                training.assign(self.parameters(), theta)
                rows.append(self.forward(output, batch, rng=rng)[0])
            return np.stack(rows)
        finally:
            training.assign(self.parameters(), before)

    def state(self) -> dict[str, Array]:
        return {name: np.array(value) for name, value in self.parameters().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        training.load_into(type(self).__name__, self.parameters(), state)


class Loss(Stateful):
    """Reads exactly one kind of output; ``updates`` > 0 makes it a learned one (a critic)."""

    __qgen_kind__ = "loss"
    reads: str
    updates: int = 0

    @abstractmethod
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """The value, and its cotangent d value / d output in the output's shape."""

    def update(self, output: Array, batch: Batch, *, rng: Rng) -> float | None:
        """One step of the critic on fresh samples and fresh data, both drawn by fit; its loss, for the history."""
        return None


class Trainer(Stateful):
    """Moves the parameters. A trainer has :meth:`step`, or ``owns_loop`` and :meth:`minimise`."""

    __qgen_kind__ = "trainer"
    owns_loop: bool = False

    def __init__(
        self,
        *,
        steps: int = 300,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
    ) -> None:
        """Raise BadOption for values below 1.

        ``batch_size`` events a step (None: all) where the loss reads events; ``keep_best`` ends on the
        parameters of least loss; ``patience`` stops after so many steps without a new least loss.
        """
        for name, value in (("steps", steps), ("batch_size", batch_size), ("patience", patience)):
            if value is not None and value < 1:
                raise BadOption(f"{name} must be at least 1, not {value}")
        self.steps, self.batch_size = steps, batch_size
        self.keep_best, self.patience = keep_best, patience

    @final
    def fit(
        self,
        generator: Generator,
        data: Events,
        loss: Loss,
        *,
        seed: int,
        hooks: Hooks = (),
        run: Folder = None,
    ) -> training.History:
        """Train on encoded events; with a folder ``run`` go on from its checkpoint, save there, heed signals."""
        return training.fit(self, generator, data, loss, seed=seed, hooks=hooks, run=run)

    def step(self, problem: training.Problem) -> float:
        """Move the parameters once; the loss before the move."""
        raise BrokenPlugin(f"trainer {type(self).__name__} has neither step nor minimise")

    def minimise(self, problem: training.Problem) -> float:
        """Move them to the end; the least loss. Every evaluation is a step of the history."""
        raise BrokenPlugin(f"trainer {type(self).__name__} sets owns_loop and has no minimise")

    def finish(self, problem: training.Problem) -> None:
        """After the last step, before the state is saved: e.g. take the average of the parameters. May come twice."""
