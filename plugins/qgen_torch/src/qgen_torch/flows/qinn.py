"""The generator ``qinn``: an invertible network whose conditioners hold a circuit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from math import pi
from typing import Literal

import numpy as np
import torch
from torch import nn

from qgen_core import Backend, Batch, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Rng
from qgen_torch.conditions import condition_width
from qgen_torch.flows.captures import EVENTS, MOST, Captures
from qgen_torch.flows.coupling import CouplingFlow, Mixing, check_couplings, univariate_maps
from qgen_torch.flows.flow_model import MOST_NUMBERS, FlowModel
from qgen_torch.flows.quantum_conditioner import (
    CircuitCore,
    Computes,
    Core,
    CoreName,
    Entanglement,
    QuantumConditioner,
    QuantumConditioners,
    Rotations,
    conditioner_circuit,
)
from qgen_torch.layer import QuantumLayer
from qgen_torch.networks.mlp import Activation
from qgen_torch.networks.module_arrays import Precision, seeded, torch_seed

Tensor = torch.Tensor
#: The most bytes of all captures: a checkpoint holds them.
MOST_CAPTURED = 2**26
#: Before the names of captures in the state.
CAPTURED = "captured/"


class QuantumConditionedNetwork(FlowModel):
    """The flow of ``inn`` with a circuit in the networks that compute the numbers of its maps.

    In each block, u is the half of the columns that stays as it is, with the condition. Then

        angles = scale tanh(W u + b),   q_w = <Z_w> of the circuit,   numbers = perceptron(q)

    The map of the other half has these numbers, so it can be inverted, and its determinant is
    exact, whatever computes them. The perceptron's last layer is 0 at first.

    The controls are the same model with another ``core`` in place of the circuit: ``tanh`` for
    tanh(W u + b), ``cos`` for cos(scale tanh(W u + b)), which is the circuit without entanglement
    and trained rotations, and ``network`` for layers ``tanh(x + V x + c)`` that have exactly as
    many parameters as the circuit. ``frozen`` leaves the parameters of the core (of the circuit or
    of ``network``) as they were drawn. Options of the circuit do not matter for ``tanh``, but for
    ``wires``; for ``network`` they give the number of parameters.

    With ``shots`` every call draws new measurements. For the measurements of one call the map is
    still exactly invertible, but two calls differ. ``exp(log_prob)`` is then an unbiased estimate
    of the density that samples have, so ``log_prob`` is too low in the mean, and ``nll`` an upper
    bound. ``measured(seed)`` repeats the measurements of a call.

    With ``capture_every = n``, every n-th step of a training stores what the model makes of the
    first 8 events of the first batch: see the property ``captures``.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions.
        blocks: the number of couplings. Two of them change every column.
        univariate: ``affine``, ``exp(s) x + t`` with s limited to +-6.9; ``spline``,
            rational-quadratic functions.
        bins: of each spline, at least 2.
        bound: splines are the identity outside [-bound, bound], column by column.
        core: ``quantum``, ``tanh``, ``cos`` or ``network``.
        computes: ``all`` numbers from one core; of affine maps also ``separately``, s and t from a
            core each, or ``s`` or ``t`` alone, and the other one from a perceptron of u.
        wires: of the circuit, its number of qubits, and of columns of the other cores.
        layers: of the circuit.
        entanglement: the CNOTs after the rotations of a layer: ``linear``, ``ring`` or ``none``.
        rotations: of each wire in a layer: ``ry-rz`` or ``rz-ry-rx``.
        reupload: whether the angles are encoded before each layer; else before the first.
        scale: of the angles, in radians.
        initial: the parameters of circuits are at first uniform in [-initial, initial].
        frozen: whether the parameters of the cores are not trained.
        backend: runs the circuit. None takes the fastest, as in
            :class:`~qgen_torch.layer.QuantumLayer`.
        shots: measurements of a circuit; None for exact values.
        widths: of the hidden layers of the perceptrons.
        activation: of these layers.
        mixing: between the blocks: ``permutation``, ``rotation`` or ``none``, as in ``inn``.
        act_norm: whether each block begins with a normalisation.
        capture_every: the number of steps between two captures; None for none.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks, e.g. ``cuda``.

    Raises BadOption for numbers out of range, for one column without a condition, and for options
    that exclude each other, BrokenPlugin without the extra ``flows``.

    Source: couplings as in ``inn``; the conditioner is that of FastCaloQ's hybrid module (angles by
    RY, rotations and CNOTs, <Z>, two linear layers); scale, re-uploading and the zeros at first are
    our choice.

    >>> model = QuantumConditionedNetwork(space=Space("reals", 3), blocks=2, wires=2, seed=1)
    >>> x = model.sample(4, rng=np.random.default_rng(1))
    >>> log_prob, _ = model.forward("log_prob", Batch(x), rng=np.random.default_rng(1))
    >>> x.shape, log_prob.shape, model.parameters()["couplings.0.hyper.core.layer.theta"].shape
    ((4, 3), (4,), (8,))
    """

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        blocks: int = 4,
        univariate: Literal["spline", "affine"] = "affine",
        bins: int = 8,
        bound: float = 5.0,
        core: CoreName = "quantum",
        computes: Computes = "all",
        wires: int = 6,
        layers: int = 2,
        entanglement: Entanglement = "linear",
        rotations: Rotations = "ry-rz",
        reupload: bool = False,
        scale: float = pi,
        initial: float = pi,
        frozen: bool = False,
        backend: Backend | None = None,
        shots: int | None = None,
        widths: tuple[int, ...] = (64,),
        activation: Activation = "silu",
        mixing: Mixing = "permutation",
        act_norm: bool = True,
        capture_every: int | None = None,
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        check_couplings("qinn", blocks, bins, bound, widths)
        given = condition_width(condition)
        if space.width == 1 and not given:
            raise BadOption(
                "qinn computes the map of a column from other columns or a condition; give one"
            )
        if computes != "all" and univariate != "affine":
            raise BadOption(
                f"computes = {computes!r} is for univariate = 'affine': splines have no s and t"
            )
        circuit = conditioner_circuit(
            wires, layers, entanglement=entanglement, rotations=rotations, reupload=reupload
        )
        cores = Core(core, circuit, scale, initial, frozen, backend, shots)
        self.backend = backend
        self.shots = shots
        self._captures: Captures | None = None
        if capture_every is not None:
            _check_captured(blocks, space.width, wires)
            self._captures = Captures(capture_every)
        with seeded(torch_seed(seed, "init")):
            flow = CouplingFlow(
                space.width,
                given,
                blocks=blocks,
                univariate=univariate_maps(univariate, bins, bound),
                conditioners=QuantumConditioners(cores, computes, widths, activation),
                mixing=mixing,
                act_norm=act_norm,
            )
        super().__init__(flow, space=space, condition=condition, precision=precision, device=device)
        amplitudes = 2**wires
        self.events_at_once = max(1, min(self.events_at_once, MOST_NUMBERS // amplitudes))
        most = max(1, MOST_NUMBERS // (flow.numbers + 2 * blocks * amplitudes))
        self.largest_graphs = {"log_prob": most}

    @contextmanager
    def measured(self, seed: int) -> Iterator[None]:
        """Within the block, the measurements of one pass through the flow are those of a seed.

        A pass is one call of ``flow.to_latent`` or ``flow.to_data``. Without shots nothing is drawn
        and this has no effect. The state is the same afterwards.

        >>> model = QuantumConditionedNetwork(
        ...     space=Space("reals", 2), wires=2, shots=10, precision="double", seed=1
        ... )
        >>> for value in model.parameters().values():
        ...     value += 0.1
        >>> x = torch.ones(5, 2, dtype=torch.float64)
        >>> with model.measured(3):
        ...     z, _ = model.flow.to_latent(x, None)
        >>> with model.measured(3):
        ...     torch.allclose(model.flow.to_data(z, None), x)
        True
        """
        layers = [part for part in self.module.modules() if isinstance(part, QuantumLayer)]
        before = [layer.draws.clone() for layer in layers]
        for number, layer in enumerate(layers):
            layer.draws.copy_(torch.tensor([seed, number]))
        try:
            yield
        finally:
            for layer, draws in zip(layers, before, strict=True):
                layer.draws.copy_(draws)

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        with self._measured_by(rng):
            return super().samples(n, condition, rng)

    def log_prob(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        with self._measured_by(rng):
            return super().log_prob(x, condition, rng)

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Fit the normalisations to the first batch, and capture if it is time to."""
        with self._measured_by(rng):
            super().prepare(batch, rng=rng)
        if self._captures is None or batch.x is None:
            return
        self._send_parameters()
        with torch.no_grad(), self._measured_by(rng):
            self._captures.step(batch, self._captured)

    @property
    def captures(self) -> dict[str, Array]:
        """What was captured of E events at K steps, before these steps; empty without any.

        ``x`` (E, width) and ``condition``: the events, encoded. ``steps`` (K,), counted from the
        first. ``latents`` (K, E, width). ``features`` (K, E, C, wires): what the C cores of the
        flow give, block by block. ``states`` (K, E, C, 2^wires), complex: those of the circuits,
        exact and without noise on any backend; only for the core ``quantum``.

        There are at most 64 captures: with one more, every second one is dropped and the time
        between two is doubled. The checkpoints of a run hold them, so that a resumed training
        continues them.

        >>> import qgen_core as qgen
        >>> model = QuantumConditionedNetwork(
        ...     space=Space("reals", 2), blocks=2, wires=3, capture_every=5, seed=1
        ... )
        >>> events = qgen.Events(np.random.default_rng(1).normal(size=(50, 2)))
        >>> nll = qgen.loss("nll", reads="log_prob")
        >>> history = qgen.trainer("torch", steps=10).fit(model, events, nll, seed=1)
        >>> model.captures["steps"], model.captures["states"].shape
        (array([0, 5]), (2, 8, 2, 8))
        """
        if self._captures is None:
            return {}
        found = self._captures.found()
        if "states" in found:
            found["states"] = found["states"].view(np.complex128)[..., 0]
        return found

    def state(self) -> dict[str, Array]:
        found = super().state()
        if self._captures is not None:
            for name, value in self._captures.state().items():
                found[CAPTURED + name] = value
        return found

    def load(self, state: Mapping[str, Array]) -> None:
        of_module = {}
        captured = {}
        for name, value in state.items():
            if self._captures is not None and name.startswith(CAPTURED):
                captured[name.removeprefix(CAPTURED)] = value
            else:
                of_module[name] = value
        super().load(of_module)
        if self._captures is not None:
            self._captures.load(captured)

    def _measured_by(self, rng: Rng) -> AbstractContextManager[None]:
        """``measured`` by a seed of the step, where there is something to draw."""
        if self.shots is None:
            return nullcontext()
        return self.measured(int(rng.integers(2**62)))

    def _captured(self, batch: Batch) -> dict[str, Array]:
        """Latents, features and states of events, by a pass through the flow."""
        assert batch.x is not None
        condition = None
        if batch.condition is not None:
            condition = self.tensor(batch.condition)
        features: list[Array] = []
        states: list[Array] = []

        def note(core: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            features.append(output.numpy(force=True))
            if isinstance(core, CircuitCore):
                states.append(core.states(inputs[0]))

        with ExitStack() as stack:
            for part in self.module.modules():
                if isinstance(part, QuantumConditioner):
                    stack.enter_context(part.core.register_forward_hook(note))
            latents, _ = self.flow.to_latent(self.tensor(batch.x), condition)
        found = {"latents": latents.numpy(force=True), "features": np.stack(features, axis=1)}
        if states:
            found["states"] = np.stack(states, axis=1)
        return found


def _check_captured(blocks: int, width: int, wires: int) -> None:
    """Raise BadOption for captures that take too much of a checkpoint."""
    of_core = 16 * 2**wires + 8 * wires
    needed = MOST * EVENTS * (2 * blocks * of_core + 8 * width)
    if needed > MOST_CAPTURED:
        raise BadOption(
            f"captures of {blocks} blocks with {wires} wires take up to {needed >> 20} MiB of each "
            f"checkpoint, more than {MOST_CAPTURED >> 20}; take fewer wires, or leave out "
            "capture_every"
        )
