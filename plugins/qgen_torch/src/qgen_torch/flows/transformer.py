"""A transformer of tokens that are modulated by a condition: adaLN-Zero."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import nn

from qgen_torch.flows.matching import time_features
from qgen_torch.networks.mlp import mlp

Tensor = torch.Tensor
#: The standard deviation of the first positions of tokens.
POSITION_SCALE = 0.02


class VelocityTransformer(nn.Module):
    """The velocity of events whose columns are grouped into tokens.

    A token is a linear map of its columns plus a learned position. Tokens of one group share their
    maps. Time and condition modulate every block. The last map is 0 at first, so the velocity is.

    Args:
        tokens: the groups, each (number of tokens, columns of one of them), in the order of the
            columns.
        given: the number of columns of the conditions.
        features: of each token inside the network, a multiple of ``heads``.
        blocks: the number of blocks.
        heads: of the attention.
        ratio: hidden features of the blocks' perceptrons, in units of ``features``.
        frequencies: of the time.

    Source: Peebles and Xie, arXiv:2212.09748, section 3.2 (adaLN-Zero).

    >>> tokens = ((1, 8), (10, 16))
    >>> network = VelocityTransformer(
    ...     tokens, 1, features=8, blocks=1, heads=2, ratio=2, frequencies=4
    ... )
    >>> network(torch.zeros(5, 168), torch.zeros(5), torch.zeros(5, 1)).shape
    torch.Size([5, 168])
    """

    def __init__(
        self,
        tokens: Sequence[tuple[int, int]],
        given: int,
        *,
        features: int,
        blocks: int,
        heads: int,
        ratio: int,
        frequencies: int,
    ) -> None:
        super().__init__()
        self.tokens = tuple(tokens)
        self.frequencies = frequencies
        count = sum(number for number, _ in tokens)
        self.inputs = nn.ModuleList(nn.Linear(size, features) for _, size in tokens)
        self.positions = nn.Parameter(POSITION_SCALE * torch.randn(count, features))
        self.of_time = mlp(2 * frequencies, features, widths=(features,), activation="silu")
        self.of_condition: nn.Module | None = None
        if given:
            self.of_condition = mlp(given, features, widths=(features,), activation="silu")
        self.blocks = nn.ModuleList(Block(features, heads, ratio) for _ in range(blocks))
        self.last = Modulation(features, 2)
        self.outputs = nn.ModuleList(zeroed(nn.Linear(features, size)) for _, size in tokens)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """The velocity (N, width)."""
        context = self.of_time(time_features(t, self.frequencies))
        if self.of_condition is not None:
            context = context + self.of_condition(condition)
        groups = torch.split(x, [number * size for number, size in self.tokens], dim=1)
        embedded = []
        for (number, size), group, linear in zip(self.tokens, groups, self.inputs, strict=True):
            embedded.append(linear(group.reshape(len(x), number, size)))
        tokens = torch.cat(embedded, dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens, context)
        shift, scale = self.last(context)
        tokens = normalised(tokens) * (1 + scale) + shift
        groups = torch.split(tokens, [number for number, _ in self.tokens], dim=1)
        columns = []
        for group, linear in zip(groups, self.outputs, strict=True):
            columns.append(linear(group).flatten(start_dim=1))
        return torch.cat(columns, dim=1)


class Block(nn.Module):
    """Attention and a perceptron, each with a shift, a scale and a gate that the context gives.

    All gates are 0 at first, so a block starts as the identity.

    >>> block = Block(8, heads=2, ratio=2)
    >>> tokens = torch.randn(2, 5, 8)
    >>> torch.equal(block(tokens, torch.ones(2, 8)), tokens)
    True
    """

    def __init__(self, features: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.modulation = Modulation(features, 6)
        self.queries_keys_values = nn.Linear(features, 3 * features)
        self.mixed = nn.Linear(features, features)
        self.perceptron = mlp(features, features, widths=(ratio * features,), activation="gelu")

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens (N, T, features) of tokens, given a context (N, features)."""
        shift, scale, gate, next_shift, next_scale, next_gate = self.modulation(context)
        tokens = tokens + gate * self._attention(normalised(tokens) * (1 + scale) + shift)
        inputs = normalised(tokens) * (1 + next_scale) + next_shift
        changed: Tensor = tokens + next_gate * self.perceptron(inputs)
        return changed

    def _attention(self, tokens: Tensor) -> Tensor:
        # Written out, because torch's fused attention has no second derivatives.
        n, count, features = tokens.shape
        of_head = features // self.heads
        numbers = self.queries_keys_values(tokens).reshape(n, count, 3, self.heads, of_head)
        queries, keys, values = numbers.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(queries @ keys.transpose(-2, -1) / sqrt(of_head), dim=-1)
        attended = (weights @ values).transpose(1, 2).reshape(n, count, features)
        mixed: Tensor = self.mixed(attended)
        return mixed


class Modulation(nn.Module):
    """Numbers for all tokens of an event, computed from its context; 0 at first."""

    def __init__(self, features: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = zeroed(nn.Linear(features, parts * features))

    def forward(self, context: Tensor) -> tuple[Tensor, ...]:
        """So many tensors (N, 1, features)."""
        numbers: Tensor = self.linear(nn.functional.silu(context))
        return numbers[:, None, :].chunk(self.parts, dim=-1)


def normalised(tokens: Tensor) -> Tensor:
    """Tokens with the mean 0 and the width 1 over their features.

    >>> normalised(torch.tensor([1.0, 3.0])).round(decimals=3)
    tensor([-1.,  1.])
    """
    return nn.functional.layer_norm(tokens, tokens.shape[-1:], eps=1e-6)


def zeroed(linear: nn.Linear) -> nn.Linear:
    """A linear map whose numbers are all 0.

    >>> zeroed(nn.Linear(2, 1))(torch.ones(1, 2)).item()
    0.0
    """
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
