"""The contract on one page: encoder, backend, sampler, generator, loss and trainer.

Components exchange frozen dataclasses of numpy arrays. Most base classes require one or two
methods and implement the rest. To change how a component behaves, wrap it in another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pkgutil import resolve_name
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.circuits.capabilities import Capabilities as Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities, State
from qgen_core.circuits.measures import Shots as Shots
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError, NoGradient, Unsupported
from qgen_core.events import Batch, Events, Space, Words
from qgen_core.ising import Ising
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.notebook import ShownInNotebook, paragraph, table
from qgen_core.support.parameters import assign, flatten, load_into
from qgen_core.support.random_streams import Seed, generator
from qgen_core.support.short_repr import ShownByOptions
from qgen_core.typing import AnglePullback, Array, Floats, Ints, Pullback, Rng

#: Data inputs of a circuit, (I,) or (B, I); None for a circuit without inputs.
Inputs = ArrayLike | None
#: Objects with ``@hookimpl`` methods.
Hooks = Sequence[object]
#: Where a training saves its checkpoints; None: nowhere.
Folder = Checkpoints | str | PathLike[str] | None
#: The outputs that a generator may offer and a loss may read.
OUTPUTS = ("probabilities", "log_prob", "samples", "objective", "correlators")
#: The most steps of a history that a notebook shows, which are the last ones.
MOST_STEPS_SHOWN = 5


def name_of(component: object) -> str:
    """The registry name that a component was built under, else the name of its class.

    >>> import qgen_core as qgen
    >>> name_of(qgen.trainer("adam")), name_of(3.0)
    ('adam', 'float')
    """
    return str(getattr(component, "__qgen_name__", type(component).__name__))


@dataclass(frozen=True)
class Component:
    """Marks an option that takes a component of this kind: a name or a table in a recipe.

    Options annotated with an interface class need no mark. It is for kinds that are functions,
    whose types :data:`Ansatz`, :data:`Couplings`, :data:`Noise`, :data:`Dataset` and
    :data:`Metric` carry it, and for :data:`Stage`.

    >>> import qgen_core as qgen
    >>> def twice(wires: int, *, block: Ansatz) -> Circuit:
    ...     return Circuit(wires, block(wires).instructions * 2)
    >>> qgen.register("ansatz", "doctest-twice", twice)
    >>> qgen.ansatz("doctest-twice", block={"name": "brick", "layers": 1})(2).num_wires
    2

    With ``later`` the option takes the same, and the factory gets a function that builds the
    component when it is called with ``space``, ``condition`` and ``seed``: the parts of a model
    have other spaces than the model. What a run supplies besides, e.g. its backend, is passed on.
    """

    kind: str
    later: bool = False


#: A function of the sizes (left, right) of two sides of units that returns the pairs (E, 2) which
#: are coupled: the number of a unit of the left side, and of one of the right.
Couplings = Annotated[Callable[[int, int], Ints], Component("couplings")]
#: A function of the number of wires that returns a circuit.
Ansatz = Annotated[Callable[..., Circuit], Component("ansatz")]
#: A function of (space=, condition=, seed=) that builds a part of a model, which is a generator.
Stage = Annotated[Callable[..., "Generator"], Component("generator", later=True)]
#: A function of (circuit, measure) that returns both with noise.
Noise = Annotated[Callable[[Circuit, Measure], tuple[Circuit, Measure]], Component("noise")]
#: A function without arguments that returns events.
Dataset = Annotated[Callable[[], Events], Component("dataset")]
#: A function of (reference, generated) that returns numbers by name, floats or Estimates. It is
#: also given ``edges``, ``rng``, ``model`` and ``encoded`` (a pair of arrays), as far as it has
#: parameters for them. For a model that cannot be sampled, ``generated`` and its bits are None.
Metric = Annotated[Callable[..., Mapping[str, Any]], Component("metric")]
#: What a training draws anew in each step: see :class:`Trainer`.
RandomNumbers = Literal["fresh", "common"]
#: What the best parameters of a training are selected by: see :class:`Trainer`.
Selection = Literal["loss"] | Metric | None


@dataclass(frozen=True)
class Estimate:
    """A number of a metric that knows its own uncertainty, or has something to say.

    A metric that returns plain numbers is called on many resamples, to find the uncertainty and the
    floor (what it gives between two samples of the reference). One that would take too long, e.g.
    because it trains a classifier, gives all three by itself.

    Args:
        value: the number.
        uncertainty: its standard deviation over samples; None: found by resampling.
        floor: its mean where both samples come from the reference; None: found by resampling.
        floor_spread: the standard deviation of the floor.
        note: a remark for tables, e.g. the name of a kernel that was chosen.

    Raises BrokenPlugin unless uncertainty, floor and floor_spread are given together.

    >>> Estimate(0.52, uncertainty=0.01, floor=0.5, floor_spread=0.01).is_complete
    True
    """

    value: float
    uncertainty: float | None = None
    floor: float | None = None
    floor_spread: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        missing = [
            name for name in ("uncertainty", "floor", "floor_spread") if getattr(self, name) is None
        ]
        if 0 < len(missing) < 3:
            raise BrokenPlugin(
                "a metric that knows its uncertainty also gives floor and floor_spread; this one "
                f"lacks {' and '.join(missing)}"
            )

    @property
    def is_complete(self) -> bool:
        """Whether no resampling is needed."""
        return self.uncertainty is not None


class Stateful(ShownByOptions, ABC):
    """Base class of everything that a checkpoint holds. By default there is no state.

    >>> class Counter(Stateful):
    ...     def __init__(self):
    ...         self.count = np.zeros(1)
    ...
    ...     def state(self):
    ...         return {"count": self.count.copy()}
    ...
    ...     def load(self, state):
    ...         self.count[:] = state["count"]
    >>> counter = Counter()
    >>> counter.count += 3
    >>> restored = Counter()
    >>> restored.load(counter.state())
    >>> restored.count
    array([3.])
    """

    def state(self) -> dict[str, Array]:
        """Copies of the arrays that a checkpoint has to hold, by name."""
        return {}

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore what :meth:`state` returned. Raises CheckpointError when it does not fit."""
        if state:
            raise CheckpointError(
                f"{type(self).__name__} has no state, the checkpoint holds {sorted(state)}"
            )


class Encoder(Stateful):
    """Maps physics numbers to a model's alphabet and back, given the condition.

    A subclass sets ``space``, at the latest in :meth:`fit`.

    >>> class UpperHalf(Encoder):
    ...     '''A feature in [0, 1) becomes one bit: whether it is 1/2 or more.'''
    ...
    ...     space = Space("bits", 1)
    ...
    ...     def encode(self, x, condition=None, *, rng=None):
    ...         return (x >= 0.5).astype(np.int8)
    ...
    ...     def decode(self, z, condition=None, *, rng):
    ...         return (z + rng.random(z.shape)) / 2
    >>> encoder = UpperHalf()
    >>> bits = encoder.encode(np.array([[0.2], [0.9]]))
    >>> bits.ravel()
    array([0, 1], dtype=int8)
    >>> decoded = encoder.decode(bits, rng=np.random.default_rng(1))
    >>> bool(decoded[0, 0] < 0.5 <= decoded[1, 0])
    True
    """

    __qgen_kind__ = "encoder"
    space: Space

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn edges, scales and ``space`` from training events (N, F)."""
        return self

    @abstractmethod
    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """Encode physics numbers (N, F); returns (N, space.width)."""

    @abstractmethod
    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """Decode (N, space.width) to physics numbers (N, F); ``rng`` draws within a bin."""

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """log |d encode / d x| of each event (N,); None where encoding has no density."""
        return None

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) can be encoded; a run drops, counts and reports the others."""
        return np.ones(len(x), dtype=np.bool_)


@dataclass(frozen=True)
class DeviceCircuit:
    """What a circuit has become after it is transpiled for a device.

    Args:
        depth: the number of layers of gates, the measurement included.
        two_qubit_gates: the number of gates on two qubits, which have most of the errors.

    >>> print(DeviceCircuit(41, 24))
    depth 41, 24 two-qubit gates
    """

    depth: int
    two_qubit_gates: int

    def __str__(self) -> str:
        return f"depth {self.depth}, {self.two_qubit_gates} two-qubit gates"


class Backend(ShownByOptions, ABC):
    """Runs circuits. The batch axis comes first; the number of wires is that of the circuit.

    A device implements :meth:`run`. One that has exact values inherits
    :class:`~qgen_core.simulators.base.Simulator` instead, which adds shots and readout errors.
    """

    __qgen_kind__ = "backend"
    capabilities: Capabilities = Capabilities()

    @abstractmethod
    def run(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> Array:
        """Measure the circuit for each row of ``angles`` (B, A), which has a column per angle.

        Returns the array that the measure describes: exact values without ``shots``, estimates with
        them. Raises Unsupported for what the backend cannot run (see
        :meth:`~qgen_core.interfaces.Backend.check`), and BadOption
        for angles of another shape and where shots are missing.

        >>> import qgen_core as qgen
        >>> from qgen_core import Circuit, Gate, Probabilities, param
        >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
        >>> angles = circuit.bind([[0.0], [np.pi]])
        >>> qgen.backend("statevector").run(circuit, angles, Probabilities()).round(3)
        array([[1., 0.],
               [0., 1.]])
        >>> shots = Shots(100, np.random.default_rng(7))
        >>> qgen.backend("statevector").run(circuit, angles, Probabilities(), shots)
        array([[1., 0.],
               [0., 1.]])
        """

    def forward(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> tuple[Array, AnglePullback]:
        """:meth:`run`, and its pullback: from d loss / d output to d loss / d angles (B, A).

        The pullback may be called several times. By default it runs the circuits of the
        parameter-shift rule, in one batch, with the same shots. An engine overrides this method to
        keep states for an adjoint sweep. Raises Unsupported for bits and states, which have no
        gradient, and what :meth:`run` raises.

        >>> import qgen_core as qgen
        >>> from qgen_core import Circuit, Gate, param, pauli_z
        >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
        >>> angles = circuit.bind([np.pi / 2])
        >>> output, pullback = qgen.backend("statevector").forward(circuit, angles, pauli_z(1))
        >>> pullback(np.ones_like(output)).round(3)  # d cos(theta) / d theta
        array([[-1.]])
        """
        if isinstance(measure, Bits | State):
            raise Unsupported(
                f"{type(measure).__name__} has no gradient; measure probabilities or expectations"
            )
        output = self.run(circuit, angles, measure, shots)

        def pullback(cotangent: Array) -> Floats:
            return parameter_shift(
                lambda rows: self.run(circuit, rows, measure, shots), circuit, angles, cotangent
            )

        return output, pullback

    def native(
        self, circuit: Circuit, measure: Measure, framework: str
    ) -> Callable[..., Any] | None:
        """A differentiable function in ``framework`` ("torch"), or None if there is none.

        It maps angles (B, A) to the output of :meth:`run` without shots.
        """
        return None

    @final
    def probabilities(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs = None,
        *,
        shots: int | None = None,
        seed: Seed = None,
    ) -> Array:
        """Outcome probabilities (2^Q,), or (B, 2^Q) if params or inputs have a batch axis.

        Relative frequencies with ``shots``, drawn from ``seed``.

        >>> import qgen_core as qgen
        >>> from qgen_core import Circuit, Gate
        >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
        >>> qgen.backend("statevector").probabilities(bell, []).round(3)
        array([0.5, 0. , 0. , 0.5])
        """
        return self._run_bound(circuit, params, inputs, Probabilities(), shots, seed)

    @final
    def expectations(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs = None,
        *,
        paulis: Sequence[str],
        shots: int | None = None,
        seed: Seed = None,
    ) -> Array:
        """Expectations of Pauli words, (words,) or (B, words).

        >>> import qgen_core as qgen
        >>> from qgen_core import Circuit, Gate
        >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
        >>> qgen.backend("statevector").expectations(bell, [], paulis=["ZZ", "XX", "ZI"]).round(3)
        array([1., 1., 0.])
        """
        return self._run_bound(circuit, params, inputs, Expectations(tuple(paulis)), shots, seed)

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
        """Measured bits, (shots, Q) or (B, shots, Q) int8.

        >>> import qgen_core as qgen
        >>> from qgen_core import Circuit, Gate
        >>> flipped = Circuit(2, (Gate("x", (0,)),))
        >>> qgen.backend("statevector").sample(flipped, [], shots=2, seed=1)
        array([[1, 0],
               [1, 0]], dtype=int8)
        """
        return self._run_bound(circuit, params, inputs, Bits(), shots, seed)

    def _run_bound(
        self,
        circuit: Circuit,
        params: ArrayLike,
        inputs: Inputs,
        measure: Measure,
        number_of_shots: int | None,
        seed: Seed,
    ) -> Array:
        """A run, without a batch axis where neither params nor inputs have one."""
        batched = np.ndim(params) == 2 or (inputs is not None and np.ndim(inputs) == 2)
        shots = None
        if number_of_shots is not None:
            shots = Shots(number_of_shots, generator(seed))
        out = self.run(circuit, circuit.bind(params, inputs), measure, shots)
        if batched:
            return out
        return np.asarray(out[0])

    @final
    def check(self, circuit: Circuit, shots: Shots | int | None = None) -> None:
        """Raise Unsupported or BadOption for a circuit or shots beyond ``capabilities``.

        ``shots`` may be their number alone, to check a model's options before it runs.
        """
        self.capabilities.check(type(self).__name__, circuit, shots)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused, with the numbers, if training needs more memory than is free."""

    def device_seconds(self, circuit: Circuit, rows: int, shots: int) -> float | None:
        """The seconds for which one batch, ``rows`` circuits of ``shots`` each, occupies a device.

        A forecast by the formula of the device's maker; nothing is submitted. None where nothing is
        known, and by default. Raises RemoteError if a service has to be asked and does not answer.

        >>> import qgen_core as qgen
        >>> qgen.backend("statevector").device_seconds(Circuit(1, ()), 10, 1000) is None
        True
        """
        return None

    def device_circuit(self, circuit: Circuit) -> DeviceCircuit | None:
        """The size of a circuit after it is transpiled for a device; nothing is submitted.

        None where circuits run as they are written, and by default. Raises RemoteError if a service
        has to be asked and does not answer, Unsupported for a circuit that the device cannot run.

        >>> import qgen_core as qgen
        >>> qgen.backend("statevector").device_circuit(Circuit(1, ())) is None
        True
        """
        return None


@dataclass
class DrawRecord:
    """What draws from a sampler reported: who drew, as which jobs, and the latest numbers.

    >>> record = DrawRecord()
    >>> record.add({"source": "emulated annealer", "chain_breaks": 0.01}, beta=2.0)
    >>> record.sources, record.numbers
    (['emulated annealer'], {'beta': 2.0, 'chain_breaks': 0.01})
    """

    sources: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)

    def add(self, info: Mapping[str, Any], beta: float) -> None:
        """Add the information of one draw at the inverse temperature ``beta``."""
        self.numbers["beta"] = float(beta)
        for name, value in info.items():
            if name not in ("source", "job") and np.ndim(value) == 0 and np.isreal(value):
                self.numbers[name] = float(value)
        sources = []
        if "source" in info:
            sources.append(str(info["source"]))
        self.merge(sources, _job_ids(info))

    def merge(self, sources: Sequence[str], jobs: Sequence[str]) -> None:
        """Add sources and jobs, each once."""
        _extend(self.sources, sources)
        _extend(self.jobs, jobs)


def _extend(known: list[str], names: Sequence[str]) -> None:
    """Add the names that are not there yet."""
    for name in names:
        if name not in known:
            known.append(name)


def _job_ids(info: Mapping[str, Any]) -> list[str]:
    """The ids of an information's ``job``: one text, or a list of them."""
    job = info.get("job", [])
    if isinstance(job, str):
        return [job]
    return [str(one) for one in job]


class Sampler(Stateful):
    """Draws spins from exp(-beta E) of an Ising energy E.

    ``beta`` is the sampler's own inverse temperature: a setting, or what it estimates that an
    annealer has. A model that wants exp(-E) calls :meth:`draw`.

    >>> class FreeSpins(Sampler):
    ...     def sample(self, ising, n, *, rng, initial=None):
    ...         up = 1 / (1 + np.exp(2 * self.beta * ising.h))
    ...         spins = np.where(rng.random((n, ising.num_spins)) < up, 1, -1)
    ...         return spins.astype(np.int8), {"source": "independent spins"}
    >>> energy = Ising(h=[-50.0, 50.0], J=[], graph=np.empty((0, 2)))
    >>> spins, info = FreeSpins().sample(energy, 2, rng=np.random.default_rng(1))
    >>> spins.tolist(), info
    ([[1, -1], [1, -1]], {'source': 'independent spins'})
    """

    __qgen_kind__ = "sampler"
    beta: float = 1.0
    #: Whether draws are made by a device over the network, where each may cost money.
    remote: bool = False

    @abstractmethod
    def sample(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """n samples of exp(-beta E), and information about the sampling.

        Spins are -1 or +1, (n, S), or (B, n, S) where ``ising`` has rows (h or fixed (B, S)).
        ``initial`` has the shape of the result: a Markov chain may start there, other samplers
        ignore it. Raises Unsupported for an energy that the sampler cannot represent.

        The information has ``source``, who drew the samples, in words that tell an emulation from
        a device. It may have ``energies``, of the shape of the samples without the spins; ``job``,
        the id of a job or a list of them; and numbers, such as times and the share of broken
        chains.
        """

    def device_seconds(self, ising: Ising, n: int) -> float | None:
        """The seconds for which a call of :meth:`sample` occupies a device.

        A forecast by the formula of the device's maker; nothing is submitted. None where nothing is
        known, and by default. Raises RemoteError if a service has to be asked and does not answer.

        >>> import qgen_core as qgen
        >>> energy = Ising(h=[0.0], J=[], graph=np.empty((0, 2)))
        >>> qgen.sampler("gibbs").device_seconds(energy, 10) is None
        True
        """
        return None

    @final
    def draw(
        self, ising: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """n samples of exp(-E), whatever ``beta`` is: :meth:`sample` of the energy E / beta.

        The information's ``energies`` are those of E. Its source, job ids and numbers are kept for
        :meth:`take_record`.
        """
        beta = self.beta
        if beta != 1:
            ising = ising.scaled(1 / beta)
        spins, info = self.sample(ising, n, rng=rng, initial=initial)
        if "energies" in info:
            info = {**info, "energies": np.asarray(info["energies"]) * beta}
        self._record().add(info, beta)
        return spins, info

    @final
    def take_record(self) -> DrawRecord:
        """What the draws since the last call reported.

        The training loop takes it after each step, for the history and run.json, and a run after
        each piece that it generates, for the event file.
        """
        record = self._record()
        self._draws = DrawRecord()
        return record

    def _record(self) -> DrawRecord:
        # Made at the first use, because a sampler need not call an __init__ of this class.
        if not hasattr(self, "_draws"):
            self._draws = DrawRecord()
        return self._draws


class Generator(Stateful):
    """A model: it samples, and it offers one or more outputs to train on.

    The outputs: ``probabilities`` (C, 2^Q), one row per condition; ``samples`` (N, width);
    ``log_prob`` (N,), the log density of encoded events; ``objective`` (N,), the model's own
    training objective; ``correlators`` (R, W), independent unbiased estimates of the expectations
    of the batch's words, one row where they are exact. With conditions, ``correlators`` has a row
    for each event, for its condition.

    >>> class Coin(Generator):
    ...     '''One bit, which is 1 with the probability 1 / (1 + exp(-theta)).'''
    ...
    ...     space = Space("bits", 1)
    ...     outputs = frozenset({"probabilities", "samples"})
    ...
    ...     def __init__(self):
    ...         self.theta = np.zeros(1)
    ...
    ...     def parameters(self):
    ...         return {"theta": self.theta}
    ...
    ...     def sample(self, n, condition=None, *, rng):
    ...         one = 1 / (1 + np.exp(-self.theta))
    ...         return (rng.random((n, 1)) < one).astype(np.int8)
    ...
    ...     def forward(self, output, batch, *, rng):
    ...         if output != "probabilities":
    ...             return super().forward(output, batch, rng=rng)
    ...         one = 1 / (1 + np.exp(-self.theta))
    ...
    ...         def pullback(cotangent):
    ...             return {"theta": (cotangent[:, 1] - cotangent[:, 0]) * one * (1 - one)}
    ...
    ...         return np.stack([1 - one, one], axis=1), pullback
    >>> output, pullback = Coin().forward(
    ...     "probabilities", Batch(), rng=np.random.default_rng(1)
    ... )
    >>> output, pullback(np.array([[0.0, 1.0]]))["theta"]
    (array([[0.5, 0.5]]), array([0.25]))
    """

    __qgen_kind__ = "generator"
    space: Space
    condition: Space | None = None
    sampler: Sampler | None = None  # one that the model draws with; a checkpoint saves it by itself
    outputs: frozenset[str] = frozenset({"samples"})
    #: Tables of a recipe that usually go with this model on columns of any scale, by name or with
    #: options: encoder, condition_encoder, loss, trainer; and options of the generator itself.
    #: :func:`qgen_core.fit` takes what it is not given from here.
    usual: ClassVar[Mapping[str, Any]] = {}
    #: Outputs whose values mean nothing, only their gradients do, as in contrastive divergence.
    #: Gradient-free trainers, ``keep_best`` and ``patience`` compare values, so they refuse these.
    surrogates: frozenset[str] = frozenset()
    #: Whether the outputs of an event depend on the rest of the batch, as with batch normalisation.
    #: Trainers that split batches leave those of such a model whole.
    needs_whole_batch: bool = False

    @abstractmethod
    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n encoded events (n, width); ``condition`` (n, K) has one row per event."""

    def parameters(self) -> dict[str, Array]:
        """The arrays by name, not copies: a trainer changes them in place."""
        return {}

    def needs_random_numbers(self, output: str) -> bool:
        """Whether :meth:`forward` draws random numbers for an output; by default it may.

        Where it does not, the loop makes no stream of them, which takes part of a short step: the
        ``rng`` that it gives must not be used.
        """
        return True

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Work that is done once a step, before :meth:`forward`; by default none.

        This is the only place where a training may change state besides the parameters: Markov
        chains that persist, an estimate of a temperature, running averages of a batch. The training
        loop calls it at each step with the whole batch, in every process alike; for a trainer that
        owns its loop before each evaluation that is recorded, at the parameters of that evaluation.
        """

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """An output, and its pullback to gradients with the keys of :meth:`parameters`.

        The result depends on the state, the batch and ``rng`` only, and the state stays as it is
        (see :meth:`prepare`). Raises NoGradient for an output that the model has no forward pass
        for.
        """
        if output != "samples" or batch.x is None:
            raise NoGradient(f"{type(self).__name__} has no forward pass for {output!r}")

        def pullback(cotangent: Array) -> dict[str, Array]:
            raise NoGradient(
                f"samples of {type(self).__name__} have no gradient; "
                "use a trainer without, e.g. 'spsa'"
            )

        return self.sample(len(batch.x), batch.condition, rng=rng), pullback

    def outputs_at(
        self, output: str, thetas: Floats, batch: Batch, *, rng: Rng, backend: Backend | None = None
    ) -> Array:
        """The output for each of T flat parameter vectors (T, P), stacked to (T, ...).

        The parameters are restored afterwards. ``backend`` replaces the model's own backend;
        BadOption is raised if the model has none.
        """
        if backend is not None:
            raise BadOption(f"{type(self).__name__} runs on no backend that could be exchanged")
        before = flatten(self.parameters())
        try:
            rows = []
            for theta in thetas:
                assign(self.parameters(), theta)
                rows.append(self.forward(output, batch, rng=rng)[0])
            return np.stack(rows)
        finally:
            assign(self.parameters(), before)

    def state(self) -> dict[str, Array]:
        return {name: np.array(value) for name, value in self.parameters().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self.parameters(), state)


@dataclass(frozen=True)
class Model:
    """A trained generator with its encoders: what a metric gets that asks for ``model``.

    >>> import qgen_core as qgen
    >>> events = Events(np.array([[0.2], [0.7]]))
    >>> encoder = qgen.encoder("binning", bits=1, window=[[0.0, 1.0]]).fit(events.x)
    >>> generator = qgen.generator(
    ...     "qcbm", ansatz="brick", backend="statevector", space=encoder.space, seed=1
    ... )
    >>> log_density = Model(generator, encoder).log_prob(events, rng=np.random.default_rng(1))
    >>> round(0.5 * float(np.exp(log_density).sum()), 9)  # an event in each of two bins
    1.0
    """

    generator: Generator
    encoder: Encoder
    condition_encoder: Encoder | None = None

    def encode(self, events: Events, *, rng: Rng) -> tuple[Array, Array | None]:
        """Encoded features (N, width) and conditions (N, K) of events in physical units."""
        z = self.encoder.encode(events.x, events.condition, rng=rng)
        if self.condition_encoder is None or events.condition is None:
            return z, None
        return z, self.condition_encoder.encode(events.condition, rng=rng)

    def log_prob(self, events: Events, *, rng: Rng) -> Floats:
        """The log density of each event (N,) in the units of its columns, given its condition.

        It is log p of the encoded event plus log |d encode / d x| of the encoder. Raises
        Unsupported if the generator has no ``log_prob`` or the encoder no density.
        """
        if "log_prob" not in self.generator.outputs:
            raise Unsupported(
                f"generator {name_of(self.generator)!r} has no log_prob; it offers "
                f"{', '.join(sorted(self.generator.outputs))}"
            )
        slope = self.encoder.log_det(events.x, events.condition)
        if slope is None:
            raise Unsupported(f"encoder {name_of(self.encoder)!r} has no density (log_det)")
        z, condition = self.encode(events, rng=rng)
        log_prob, _ = self.generator.forward("log_prob", Batch(x=z, condition=condition), rng=rng)
        density: Floats = np.asarray(log_prob, dtype=np.float64) + slope
        return density


class Loss(Stateful):
    """Compares one output of a generator with events.

    ``reads`` names the output. A learned loss (a critic) sets ``updates`` > 0, the number of
    its updates before each step of the trainer. A loss that reads ``correlators`` overrides
    :meth:`words`.

    >>> class MeanObjective(Loss):
    ...     reads = "objective"
    ...
    ...     def __call__(self, output, batch):
    ...         return float(output.mean()), np.full(len(output), 1 / len(output))
    >>> MeanObjective()(np.array([1.0, 3.0]), Batch())
    (2.0, array([0.5, 0.5]))
    """

    __qgen_kind__ = "loss"
    reads: str
    updates: int = 0

    @abstractmethod
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        """The value, and its cotangent d value / d output in the output's shape."""

    def value(self, output: Array, batch: Batch) -> float:
        """The value alone, equal to that of a call; override it where it takes less time."""
        value, _ = self(output, batch)
        return value

    def words(self, *, rng: Rng) -> Words | None:
        """The words of a step, for a loss that reads ``correlators``; they are those of the batch.

        The training draws them anew at each step; model and loss find them as ``batch.words``.
        """
        return None

    def update(self, output: Array, batch: Batch, *, rng: Rng) -> float | None:
        """Update the critic on new samples and events; return its loss for the history, or None."""
        return None


@dataclass
class History(ShownInNotebook):
    """What happened in a training, step by step.

    ``records`` has one mapping per step, with at least ``step`` and ``loss``; ``stopped`` says
    why the training ended; ``warnings`` are those that were logged during the training; ``draws``
    says who drew the samples of a model with a sampler. ``kept_step`` is the step whose parameters
    the training ended with, if the trainer keeps the best ones; ``kept_value`` is the number by
    which they were selected, and ``kept_by`` says what that is.

    >>> history = History([{"step": 0, "loss": 0.5}, {"step": 1, "loss": 0.25}])
    >>> history.losses
    array([0.5 , 0.25])
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    warnings: list[str] = field(default_factory=list)
    draws: DrawRecord = field(default_factory=DrawRecord)
    kept_step: int | None = None
    kept_value: float | None = None
    kept_by: str = ""

    def __repr__(self) -> str:
        told = [f"{len(self.records)} steps"]
        if self.records:
            told.append(f"last loss {self.records[-1]['loss']:.6g}")
        if self.kept_step is not None:
            told.append(f"kept step {self.kept_step}")
        if self.warnings:
            told.append(f"{len(self.warnings)} warnings")
        if self.stopped:
            told.append(repr(self.stopped))
        return f"History({', '.join(told)})"

    def _details_html(self) -> str:
        """The last steps, and the warnings."""
        last = self.records[-MOST_STEPS_SHOWN:]
        names = list(dict.fromkeys(name for record in last for name in record))
        rows = []
        for record in last:
            numbers = {name: f"{value:.6g}" for name, value in record.items()}
            rows.append([numbers.get(name, "") for name in names])
        return table(names, rows) + "".join(paragraph(text) for text in self.warnings)

    @property
    def losses(self) -> Floats:
        """The loss of each step (steps,)."""
        return np.array([record["loss"] for record in self.records], dtype=np.float64)


class Problem(Protocol):
    """What a trainer and a hook are given: the loss as a function of the generator's parameters.

    ``step`` counts from 0 to ``total`` - 1. Random numbers depend on ``seed``, the step and a
    purpose only, so a resumed training draws what an uninterrupted one would have drawn.

    A trainer that moves the parameters along their gradients:

    >>> import qgen_core as qgen
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> class Descent(Trainer):
    ...     def step(self, problem: Problem) -> float:
    ...         value, gradient = problem.value_and_gradient()
    ...         for name, parameter in problem.generator.parameters().items():
    ...             parameter -= 0.1 * gradient[name]
    ...         return value
    >>> history = Descent(steps=20).fit(Quadratic(), events(), qgen.loss("mean"), seed=1)
    >>> bool(history.losses[-1] < history.losses[0]), history.stopped
    (True, 'all 20 steps done')
    """

    generator: Generator
    data: Events
    validation: Events | None
    loss: Loss
    seed: int
    total: int
    batch_size: int | None
    step: int

    def rng(self, purpose: str, worker: int = 0) -> Rng:
        """The random stream of a purpose at this step; ``worker`` numbers independent ones."""

    @property
    def epoch_steps(self) -> int:
        """Steps of one pass over the events."""

    @property
    def batch(self) -> Batch:
        """The batch of this step, the same at every call within the step."""

    def value_and_gradient(
        self, batch: Batch | None = None, worker: int = 0
    ) -> tuple[float, dict[str, Array]]:
        """The loss and its gradients, keyed as ``generator.parameters()``.

        ``batch`` replaces this step's batch, e.g. by a part of it; give each part its own
        ``worker``, so that it draws its own random numbers. Raises Diverged if a value is not
        finite, and NoGradient if the generator has no gradient of what the loss reads.
        """

    def values(self, thetas: Floats, backend: Backend | None = None) -> Floats:
        """The loss (T,) for each of T flat parameter vectors (T, P), all on this step's batch.

        ``backend`` evaluates the circuits of a quantum model in place of its own backend.
        """

    def evaluate(self, theta: Floats) -> float:
        """The loss at one flat vector (P,), counted as a step; for :meth:`Trainer.minimise` only.

        A resumed training takes the evaluations that it saved from the checkpoint.
        """

    def log(self, **numbers: float) -> None:
        """Add numbers to this step's record in the history."""

    def stop(self, reason: str) -> None:
        """End the training after this step; ``reason`` is kept in ``History.stopped``."""

    def warn(self, text: str) -> None:
        """Log a warning; the first of equal texts is also kept in ``History.warnings``."""


class Trainer(Stateful):
    """Optimises the parameters of a generator.

    A trainer implements :meth:`step`; one whose optimiser cannot be called step by step sets
    ``owns_loop`` and implements :meth:`minimise` instead.

    >>> import qgen_core as qgen
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> class SignDescent(Trainer):
    ...     def step(self, problem):
    ...         value, gradient = problem.value_and_gradient()
    ...         for name, parameter in problem.generator.parameters().items():
    ...             parameter -= 0.02 * np.sign(gradient[name])
    ...         return value
    >>> trainer = SignDescent(steps=20)
    >>> history = trainer.fit(Quadratic(), events(), qgen.loss("mean"), seed=1)
    >>> bool(history.losses[-1] < history.losses[0])
    True
    """

    __qgen_kind__ = "trainer"
    owns_loop: bool = False
    #: Whether steps compare losses at several points instead of following a gradient.
    gradient_free: bool = False
    #: Whether each step draws its own events and random numbers, or all use those of step 0.
    random_numbers: RandomNumbers = "fresh"

    def __init__(
        self,
        *,
        steps: int = 300,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
        select: Selection = None,
        validate_every: int | None = None,
        random_numbers: RandomNumbers = "fresh",
    ) -> None:
        """Set the options that all trainers have.

        Args:
            steps: the number of steps.
            batch_size: the number of events per step, where the loss reads events. None: all.
            keep_best: whether training ends with the parameters of least loss.
            patience: training stops after this number of steps without a new least loss. None:
                it does not stop early.
            select: what ``keep_best`` and ``patience`` compare instead of the training loss:
                ``loss`` for the loss on validation events, or a metric between these and samples
                of the model, both encoded. It implies ``keep_best``.
            validate_every: the number of steps between two validations; by default a fiftieth of
                all steps.
            random_numbers: ``fresh`` draws the events of a batch, the noise of the model and its
                shots anew in each step. ``common`` uses those of step 0 in all of them, so that
                the loss is a function of the parameters, the same in each step; it is the loss on
                these events only.

        Raises BadOption for values below 1.
        """
        numbers = {
            "steps": steps,
            "batch_size": batch_size,
            "patience": patience,
            "validate_every": validate_every,
        }
        for name, value in numbers.items():
            if value is not None and value < 1:
                raise BadOption(f"{name} must be at least 1, not {value}")
        self.steps = steps
        self.batch_size = batch_size
        self.keep_best = keep_best or select is not None
        self.patience = patience
        self.select = select
        self.validate_every = validate_every
        self.random_numbers = random_numbers

    @final
    def fit(
        self,
        generator: Generator,
        data: Events,
        loss: Loss | str | Mapping[str, Any],
        *,
        seed: int,
        hooks: Hooks = (),
        run: Folder = None,
        validation: Events | None = None,
    ) -> History:
        """Train on encoded events. The generator's parameters are changed in place.

        ``loss`` is a loss, or the name of one or a table with its options, as in a recipe.
        ``run`` is a folder: a training continues from the checkpoint there, saves its own there,
        and on SIGINT or SIGTERM ends the current step, saves and raises Interrupted. ``hooks`` are
        objects with ``@hookimpl`` methods. ``validation`` are encoded events that are not trained
        on, for ``select`` and for hooks. Raises OutputMismatch, before the first step, if loss,
        generator and events do not fit together, and Diverged if the loss or a gradient is no
        longer finite.
        """
        # The loop is built on this module, so it is looked up when a training starts instead of
        # being imported here, as components are looked up by the registry.
        run_loop = resolve_name("qgen_core.training.loop:fit")
        if not isinstance(loss, Loss):
            loss = resolve_name("qgen_core:build")("loss", loss)
        history: History = run_loop(
            self, generator, data, loss, seed=seed, hooks=hooks, run=run, validation=validation
        )
        return history

    def step(self, problem: Problem) -> float:
        """Move the parameters once; return the loss before the move."""
        raise BrokenPlugin(f"trainer {type(self).__name__} has neither step nor minimise")

    def minimise(self, problem: Problem) -> float:
        """Optimise the parameters to the end; return the least loss.

        The loss is evaluated with ``problem.evaluate``; each evaluation is a step of the history.
        """
        raise BrokenPlugin(f"trainer {type(self).__name__} sets owns_loop and has no minimise")

    def finish(self, problem: Problem) -> None:
        """Called after the last step, before the state is saved, e.g. to use averaged parameters.

        It may be called twice: a run that was interrupted while it saved its final state calls it
        again.
        """
