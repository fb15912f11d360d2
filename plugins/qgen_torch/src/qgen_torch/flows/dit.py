"""The generator ``dit``: flow matching with a transformer of tokens."""

from __future__ import annotations

from qgen_core import Space
from qgen_core.errors import BadOption
from qgen_core.support.resources import require_memory
from qgen_torch.conditions import condition_width
from qgen_torch.flows.integration import Integrator, Solver
from qgen_torch.flows.matching import Divergence, FlowMatching, probes_of
from qgen_torch.flows.transformer import VelocityTransformer
from qgen_torch.networks.mlp import COPIES
from qgen_torch.networks.module_arrays import TORCH, Precision, seeded, torch_seed


class Dit(FlowMatching):
    """A diffusion transformer: flow matching whose velocity is a transformer of tokens.

    Columns are grouped into tokens, e.g. the cells of one layer and angle of a calorimeter, which
    attend to each other; time and conditions modulate every block (adaLN-Zero). Objective, density
    and solvers are those of ``cfm``.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions.
        tokens: the groups of tokens, each [number of tokens, columns of one of them], in the order
            of the columns. Tokens of a group share their first and last linear map. None: each
            column is a token, all in one group, e.g. for layer energies.
        features: of a token inside the network, a multiple of ``heads``.
        blocks: the number of blocks.
        heads: of the attention.
        ratio: hidden features of the perceptron in a block, in units of ``features``.
        frequencies: of the cosines and sines of the time.
        solver: ``rk4``, ``dopri5``, ``midpoint`` or ``euler``.
        steps: equal steps of all solvers but ``dopri5``.
        tolerance: of ``dopri5``, relative and absolute, for up to 1024 events together.
        divergence: ``exact`` or ``hutchinson``, which many columns need.
        probes: the random directions of an estimate of the divergence.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the network, e.g. ``cuda``.

    Raises BadOption for tokens that do not have as many columns as the events and for numbers out
    of range, BrokenPlugin without the extra ``flows``, ResourceRefused for more weights than memory
    holds.

    Source: Peebles and Xie, arXiv:2212.09748; CaloDREAM, Favaro et al., arXiv:2405.09629. Tokens of
    different sizes and the features of the time are ours.

    >>> import numpy as np
    >>> model = Dit(
    ...     space=Space("reals", 8), tokens=((2, 3), (1, 2)), features=8, blocks=1, steps=2, seed=1
    ... )
    >>> model.sample(3, rng=np.random.default_rng(1)).shape, model.evaluations
    ((3, 8), 8)
    """

    events_at_once = 1024
    largest_graphs = {"log_prob": 64}

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        tokens: tuple[tuple[int, int], ...] | None = None,
        features: int = 96,
        blocks: int = 4,
        heads: int = 4,
        ratio: int = 4,
        frequencies: int = 16,
        solver: Solver = "rk4",
        steps: int = 20,
        tolerance: float = 1e-5,
        divergence: Divergence = "exact",
        probes: int = 1,
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if min(features, blocks, heads, ratio, frequencies) < 1 or features % heads:
            raise BadOption(
                "dit needs features, blocks, heads, ratio and frequencies of at least 1, and "
                f"features that are a multiple of heads, not {features}, {blocks}, {heads}, "
                f"{ratio} and {frequencies}"
            )
        groups = tokens or ((space.width, 1),)
        _check_tokens(groups, space.width)
        weights = blocks * (10 + 2 * ratio) * features**2
        require_memory(
            COPIES * 4 * weights,
            f"dit with about {weights} weights, in training,",
            "take fewer features or blocks",
        )
        with seeded(torch_seed(seed, "init")):
            network = VelocityTransformer(
                groups,
                condition_width(condition),
                features=features,
                blocks=blocks,
                heads=heads,
                ratio=ratio,
                frequencies=frequencies,
            )
        super().__init__(
            network.to(TORCH[precision]),
            space=space,
            condition=condition,
            integrator=Integrator(solver, steps, tolerance),
            probes=probes_of(divergence, probes),
            device=device,
        )


def _check_tokens(groups: tuple[tuple[int, int], ...], width: int) -> None:
    """Raise BadOption unless the tokens take every column once."""
    columns = sum(number * size for number, size in groups)
    if columns == width and all(min(group) >= 1 for group in groups):
        return
    raise BadOption(
        f"tokens are groups [number of tokens, columns of one], which have {width} columns in all, "
        f"not {[list(group) for group in groups]} with {columns}"
    )
