"""The generator ``giqnn``: quantum layers with a learned inverse state preparation."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any, ClassVar, Literal, cast

import torch
from torch import nn

from qgen_core import Backend, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Rng
from qgen_torch.conditions import check_condition, condition_width
from qgen_torch.flows.coupling import (
    ActNorm,
    CouplingFlow,
    Flow,
    Perceptrons,
    check_couplings,
    univariate_maps,
)
from qgen_torch.flows.flow_model import FlowModel
from qgen_torch.flows.invertibility import Invertibility
from qgen_torch.flows.quantum_conditioner import Entanglement
from qgen_torch.flows.quantum_map import Base, Forward, MapOptions, QuantumMap
from qgen_torch.networks.module_arrays import seeded, torch_seed

Tensor = torch.Tensor
#: The kernel of the MMD is the mean of exp(-d^2 / sigma) over these.
SIGMAS = (0.1, 1.0, 10.0, 100.0)


class QuantumFlow(Flow):
    """Quantum layers with a normalisation before and after each, between classical couplings.

    Args:
        norms: one more than there are layers.
        layers: the quantum layers, from data to latents.
        before: couplings before them; None for none.
        after: couplings after them.

    >>> from qgen_torch.flows.quantum_map import MapOptions
    >>> layers = [QuantumMap(2, MapOptions(initial=0.0))]
    >>> flow = QuantumFlow([ActNorm(2), ActNorm(2)], layers, None, None).double()
    >>> z, log_det = flow.to_latent(torch.tensor([[0.5, -2.0]], dtype=torch.float64), None)
    >>> [round(value, 9) for value in z[0].tolist()], abs(log_det.item()) < 1e-9
    ([0.5, -2.0], True)
    """

    def __init__(
        self,
        norms: list[ActNorm],
        layers: list[QuantumMap],
        before: CouplingFlow | None,
        after: CouplingFlow | None,
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norms)
        self.layers = nn.ModuleList(layers)
        self.before = before
        self.after = after
        self.numbers = 0
        for layer in layers:
            width = layer.width
            self.numbers += (1 + 2 * width) * 2**width
        for couplings in (before, after):
            if couplings is not None:
                self.numbers += couplings.numbers

    def to_latent(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        z, log_det, _ = self.forward_steps(x, condition)
        return z, log_det

    def forward_steps(
        self, x: Tensor, condition: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Forward]]:
        """What ``to_latent`` returns, and what each quantum layer made of its inputs."""
        total = x.new_zeros(len(x))
        if self.before is not None:
            x, log_det = self.before.to_latent(x, condition)
            total = total + log_det
        steps = []
        for norm, layer in zip(self.norms, self.layers, strict=False):
            h, log_det = cast(ActNorm, norm).to_latent(x)
            step = cast(QuantumMap, layer).to_latent(h)
            total = total + log_det + step.log_det
            steps.append(step)
            x = step.z
        x, log_det = cast(ActNorm, self.norms[-1]).to_latent(x)
        total = total + log_det
        if self.after is not None:
            x, log_det = self.after.to_latent(x, condition)
            total = total + log_det
        return x, total, steps

    def to_data(self, z: Tensor, condition: Tensor | None) -> Tensor:
        if self.after is not None:
            z = self.after.to_data(z, condition)
        z = cast(ActNorm, self.norms[-1]).to_data(z)
        pairs = list(zip(self.norms, self.layers, strict=False))
        for norm, layer in reversed(pairs):
            h = cast(QuantumMap, layer).to_input(z)
            z = cast(ActNorm, norm).to_data(h)
        if self.before is not None:
            z = self.before.to_data(z, condition)
        return z

    def fit_norms(self, x: Tensor, condition: Tensor | None) -> None:
        if self.before is not None:
            self.before.fit_norms(x, condition)
            x, _ = self.before.to_latent(x, condition)
        for number, part in enumerate(self.norms):
            norm = cast(ActNorm, part)
            norm.fit(x)
            h, _ = norm.to_latent(x)
            if number < len(self.layers):
                x = cast(QuantumMap, self.layers[number]).to_latent(h).z
        if self.after is not None:
            self.after.fit_norms(h, condition)

    def fidelity(self, steps: list[Forward], rng: Rng | None = None) -> Tensor:
        """The fidelity of each event in each quantum layer, (N, layers)."""
        found = []
        for layer, step in zip(self.layers, steps, strict=True):
            found.append(cast(QuantumMap, layer).fidelity(step, rng))
        return torch.stack(found, dim=1)


class InvertibleQuantumNetwork(FlowModel):
    """A generator of quantum layers whose inverse is learned: a circuit's own map of the data.

    A layer encodes n numbers in n wires, runs a circuit and reads y = <Z> of each wire, a point of
    the cube [-1, 1]^n; see :class:`~qgen_torch.flows.quantum_map.QuantumMap`. Back from y leads a
    second circuit, which prepares the state of which y was read, and the first circuit undone.
    Between these are elementwise normalisations, and classical couplings if they are asked for.

    Outputs:

    - ``log_prob``: see ``log_prob``. It is a density of the samples only where the map can be
      inverted; ``invertibility`` measures how far it can.
    - ``objective`` of an event: ``-log_prob + fidelity_weight sum (1 - F) + mmd_weight MMD^2``,
      with the fidelity F = |<psi|phi>|^2 of each layer, and MMD^2 between the batch, without its
      weights, and as many samples; see ``squared_mmd``. Train with the loss ``mean``.
      ``log_prob`` alone does not train the inverse.
    - ``samples``: from normal latents, by the learned inverse.

    The latents are normal in n dimensions. With ``base = "normal"`` they are artanh(y), with
    ``"uniform"`` y is uniform on the cube; both are bijections of the open cube, and their
    determinants are in the density. A base on y itself that reaches beyond the cube, e.g. a normal
    one, is not a choice: it would give weight to outputs that no circuit has.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions, which only couplings can use.
        quantum_layers: how many layers follow each other.
        wires: of each layer; None or the number of columns, since the Jacobian has to be square.
        layers: of rotations in the circuit U.
        inverse_layers: of rotations in the inverse state preparation V.
        entanglement: controlled rotations of a layer: ``linear``, ``ring`` or ``none``.
        scale: angles are within pi/2 +- scale, in radians, at most pi/2. Below it, y cannot reach
            the sides of the cube, and circuits can turn the state without folding the map.
        correction: hidden units of the perceptron that corrects the prepared angles; 0 for none.
        base: ``normal`` or ``uniform``.
        initial: parameters of circuits are uniform in [-initial, initial] at first; at 0 a layer
            is the identity.
        frozen: whether U stays as it was drawn; V is trained.
        fidelity_weight: in the objective. It also keeps the map from folding, because no state
            of y is that of two events; with little of it likelihood rewards folds.
        mmd_weight: in the objective.
        swap_shots: fidelities of the objective come from so many shots of the swap test; None for
            exact ones.
        before: the number of couplings, as in ``inn``, before the quantum layers.
        after: the number of couplings after them.
        univariate: the maps of couplings, ``affine`` or ``spline``.
        widths: of the hidden layers in couplings.
        backend: runs the circuits; None takes the embedded engine.
        device: of the networks, e.g. ``cuda``.

    Numbers are float64 everywhere, for the sake of the determinant.

    Raises BadOption for other wires than columns, for a condition without couplings, and for
    numbers out of range; BrokenPlugin for couplings without the extra ``flows``.

    Source: Rousselot and Spannowsky, SciPost Phys. 16, 146 (2024), arXiv:2302.12906, as far as its
    abstract tells: an invertible circuit with a learnable inverse state preparation, trained by
    likelihood and MMD. The circuits, the decoding, the correction and the bases are our choice.

    >>> import numpy as np
    >>> from qgen_core import Batch
    >>> model = InvertibleQuantumNetwork(space=Space("reals", 2), seed=1)
    >>> x = model.sample(4, rng=np.random.default_rng(1))
    >>> objective, _ = model.forward("objective", Batch(x), rng=np.random.default_rng(1))
    >>> x.shape, objective.shape
    ((4, 2), (4,))
    """

    outputs = frozenset({"log_prob", "objective", "samples"})
    usual: ClassVar[Mapping[str, Any]] = {
        **FlowModel.usual,
        "loss": "mean",
        "trainer": {"name": "torch", "learning_rate": 0.01, "steps": 300, "batch_size": 256},
    }

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        quantum_layers: int = 1,
        wires: int | None = None,
        layers: int = 2,
        inverse_layers: int = 2,
        entanglement: Entanglement = "linear",
        scale: float = pi / 2,
        correction: int = 16,
        base: Base = "normal",
        initial: float = 0.1,
        frozen: bool = False,
        fidelity_weight: float = 10.0,
        mmd_weight: float = 1.0,
        swap_shots: int | None = None,
        before: int = 0,
        after: int = 0,
        univariate: Literal["spline", "affine"] = "affine",
        widths: tuple[int, ...] = (32,),
        backend: Backend | None = None,
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        width = space.width
        _check(width, wires, quantum_layers, (fidelity_weight, mmd_weight), (before, after))
        given = condition_width(condition)
        if given and not before + after:
            raise BadOption(
                "giqnn uses a condition in its couplings; set before or after to at least 1"
            )
        self.fidelity_weight = fidelity_weight
        self.mmd_weight = mmd_weight
        self.backend = backend
        self.needs_whole_batch = mmd_weight > 0

        def couplings(blocks: int) -> CouplingFlow | None:
            if not blocks:
                return None
            check_couplings("giqnn", blocks, 8, 5.0, widths)
            return CouplingFlow(
                width,
                given,
                blocks=blocks,
                univariate=univariate_maps(univariate, 8, 5.0),
                conditioners=Perceptrons(widths),
                act_norm=True,
            )

        options = MapOptions(
            layers=layers,
            inverse_layers=inverse_layers,
            entanglement=entanglement,
            scale=scale,
            correction=correction,
            base=base,
            initial=initial,
            frozen=frozen,
            swap_shots=swap_shots,
            backend=backend,
        )
        with seeded(torch_seed(seed, "init")):
            quantum = [QuantumMap(width, options) for _ in range(quantum_layers)]
            norms = [ActNorm(width) for _ in range(quantum_layers + 1)]
            flow = QuantumFlow(norms, quantum, couplings(before), couplings(after))
        super().__init__(flow, space=space, condition=condition, precision="double", device=device)

    def log_prob(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """``log N(f(x)) + log |det df/dx|`` (N,) of the forward map f, with every part of it.

        It is the log density of what the exact inverse of f would make of normal latents. The
        samples come from the learned inverse, so it is their density as far as the round trip is
        exact. Where ``invertibility`` says "not invertible" it describes the forward map only:

        - Latents outside the image of f, which circuits may not fill, have no x. Their weight is
          missing, and the density integrates to less than 1.
        - Where the map folds, several x share a latent, each with the full weight: the density may
          integrate to more than 1, and its likelihood may not be compared with that of others.
        """
        return super().log_prob(x, condition, rng)

    def objective(self, x: Tensor, condition: Tensor | None, rng: Rng) -> Tensor:
        """The training objective (N,): likelihood, fidelity and MMD with their weights."""
        flow = self._quantum_flow
        z, log_det, steps = flow.forward_steps(x, condition)
        total = -self._density(z, log_det)
        if self.fidelity_weight:
            infidelity = 1.0 - flow.fidelity(steps, rng)
            total = total + self.fidelity_weight * infidelity.sum(dim=1)
        if self.mmd_weight and len(x) > 1:
            generated = self.samples(len(x), condition, rng)
            total = total + self.mmd_weight * squared_mmd(generated, x)
        return total

    def invertibility(self, x: Array, condition: Array | None = None) -> Invertibility:
        """How far the model can be inverted, on encoded events (N, width).

        >>> import numpy as np
        >>> model = InvertibleQuantumNetwork(space=Space("reals", 2), initial=0.0, seed=1)
        >>> found = model.invertibility(np.array([[0.2, -0.4], [1.0, 0.3]]))
        >>> found.is_invertible, round(found.mean_fidelity, 9), found.folded
        (True, 1.0, 0.0)
        """
        check_condition(self._name, self.condition, condition, len(x))
        self._send_parameters()
        flow = self._quantum_flow
        events = self.tensor(x)
        given = None
        if condition is not None:
            given = self.tensor(condition)
        with torch.no_grad():
            z, log_det, steps = flow.forward_steps(events, given)
            fidelity = flow.fidelity(steps)
            distance = (flow.to_data(z, given) - events).abs()
            positive = torch.stack([step.sign for step in steps]).prod(dim=0) > 0
        share = positive.double().mean().item()
        return Invertibility(
            mean_fidelity=fidelity.mean().item(),
            worst_round_trip=distance.max().item(),
            smallest_determinant=log_det.min().exp().item(),
            folded=min(share, 1.0 - share),
        )

    @property
    def _quantum_flow(self) -> QuantumFlow:
        assert isinstance(self.module, QuantumFlow)
        return self.module


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """MMD^2, without bias, between as many events x and y (N, width), N at least 2.

    The kernel is the mean of exp(-d^2 / sigma) over sigma = 0.1, 1, 10, 100. MMD^2 is the mean
    of k(x, x') and of k(y, y') over pairs of different events, less twice the mean of k(x, y).

    >>> squared_mmd(torch.zeros(2, 1), torch.zeros(2, 1)).item()
    0.0
    """
    count = len(x)
    between = _kernel(x, y).mean()
    total = -2 * between
    for events in (x, y):
        kernel = _kernel(events, events)
        total = total + (kernel.sum() - kernel.trace()) / (count * (count - 1))
    return total


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """The kernel between all pairs, (N, M)."""
    squares = (x**2).sum(dim=1)[:, None] + (y**2).sum(dim=1) - 2 * x @ y.T
    total = torch.zeros_like(squares)
    for sigma in SIGMAS:
        total = total + torch.exp(squares * (-1 / sigma))
    return total / len(SIGMAS)


def _check(
    width: int,
    wires: int | None,
    quantum_layers: int,
    weights: tuple[float, float],
    couplings: tuple[int, int],
) -> None:
    """Raise BadOption for options of giqnn that cannot be."""
    if wires not in (None, width):
        raise BadOption(
            f"giqnn maps {width} columns by {width} wires, not {wires}: the Jacobian of its "
            "density has to be square; leave out wires, or change the columns"
        )
    if quantum_layers < 1 or min(couplings) < 0:
        raise BadOption(
            "giqnn needs quantum_layers of at least 1, before and after of at least 0, not "
            f"{quantum_layers}, {couplings[0]} and {couplings[1]}"
        )
    if not min(weights) >= 0:
        raise BadOption(
            "fidelity_weight and mmd_weight must be at least 0, not "
            f"{weights[0]:g} and {weights[1]:g}"
        )
