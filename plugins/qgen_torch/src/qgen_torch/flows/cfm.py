"""The generator ``cfm``: conditional flow matching with a multilayer perceptron."""

from __future__ import annotations

import torch
from torch import nn

from qgen_core import Space
from qgen_core.errors import BadOption
from qgen_torch.conditions import condition_width
from qgen_torch.flows.integration import Integrator, Solver
from qgen_torch.flows.matching import Divergence, FlowMatching, Pairing, probes_of, time_features
from qgen_torch.networks.mlp import Activation, mlp
from qgen_torch.networks.module_arrays import TORCH, Precision, seeded, torch_seed

Tensor = torch.Tensor


class VelocityNetwork(nn.Module):
    """A multilayer perceptron of events, features of the time, and conditions.

    >>> network = VelocityNetwork(3, 1, frequencies=4, widths=(8,), activation="silu")
    >>> network(torch.zeros(5, 3), torch.zeros(5), torch.zeros(5, 1)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        width: int,
        given: int,
        *,
        frequencies: int,
        widths: tuple[int, ...],
        activation: Activation,
    ) -> None:
        super().__init__()
        self.frequencies = frequencies
        inputs = width + 2 * frequencies + given
        self.layers = mlp(inputs, width, widths=widths, activation=activation)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """The velocity (N, width)."""
        inputs = [x, time_features(t, self.frequencies)]
        if condition is not None:
            inputs.append(condition)
        velocity: Tensor = self.layers(torch.cat(inputs, dim=1))
        return velocity


class Cfm(FlowMatching):
    """Conditional flow matching: noise becomes events along a velocity that a network has learned.

    The loss ``mean`` trains on ``objective``, the squared error of the velocity on straight paths
    from noise to events; no equation is solved in training. A sample takes as many evaluations of
    the network as the solver asks for: ``steps`` times 4 with ``rk4``, 2 with ``midpoint`` and 1
    with ``euler``; with ``dopri5`` what its tolerance needs. ``evaluations`` has the number for the
    events that were drawn last.

    ``log_prob`` follows events back to the noise. Its error is that of the solver, and with
    ``hutchinson`` the noise of an unbiased estimate. The ``exact`` divergence takes as many
    backward passes as there are columns.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions.
        widths: of the hidden layers.
        activation: of these layers; a smooth one makes the paths smooth.
        frequencies: of the cosines and sines of the time that the network is given.
        solver: ``rk4``, ``dopri5``, ``midpoint`` or ``euler``.
        steps: equal steps of all solvers but ``dopri5``.
        tolerance: of ``dopri5``, relative and absolute. It chooses its steps for up to 2048 events
            together, so an event depends a little on the others.
        divergence: ``exact`` or ``hutchinson``.
        probes: the random directions of an estimate of the divergence.
        pairing: ``independent``; ``optimal`` pairs the noise and the events of a batch at least
            distance, for models without conditions, which makes paths straighter.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the network, e.g. ``cuda``.

    Raises BadOption for numbers out of range and for ``optimal`` with conditions, BrokenPlugin
    without the extra ``flows``.

    Source: Lipman et al., arXiv:2210.02747; CaloDREAM, Favaro et al., arXiv:2405.09629 (showers),
    whose straight paths and solver these are. The features of the time and the sizes are ours.

    >>> import numpy as np
    >>> model = Cfm(space=Space("reals", 2), widths=(8,), steps=5, seed=1)
    >>> model.sample(3, rng=np.random.default_rng(1)).shape, model.evaluations
    ((3, 2), 20)
    """

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        widths: tuple[int, ...] = (128, 128, 128),
        activation: Activation = "silu",
        frequencies: int = 8,
        solver: Solver = "rk4",
        steps: int = 20,
        tolerance: float = 1e-5,
        divergence: Divergence = "exact",
        probes: int = 1,
        pairing: Pairing = "independent",
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if frequencies < 1:
            raise BadOption(f"cfm needs at least 1 of frequencies, not {frequencies}")
        with seeded(torch_seed(seed, "init")):
            network = VelocityNetwork(
                space.width,
                condition_width(condition),
                frequencies=frequencies,
                widths=widths,
                activation=activation,
            )
        super().__init__(
            network.to(TORCH[precision]),
            space=space,
            condition=condition,
            integrator=Integrator(solver, steps, tolerance),
            probes=probes_of(divergence, probes),
            pairing=pairing,
            device=device,
        )
