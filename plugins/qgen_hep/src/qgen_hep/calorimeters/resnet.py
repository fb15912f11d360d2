"""A residual network of convolutions over the layers, angles and rings of a shower.

torch is the extra ``torch`` of this package; this module is imported when a network is built.

Source: ResNet-18 (He et al., arXiv:1512.03385) in three dimensions (Hara et al.,
arXiv:1711.09577), with the channels and the last layer of the CaloChallenge (Krause et al.,
arXiv:2410.21611).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

#: Channels of the four stages; the first one is that of the first convolution, too.
CHANNELS = (32, 64, 64, 128)
#: Residual blocks of a stage, each of two convolutions.
BLOCKS = 2


class ShowerResNet(nn.Module):
    """The logarithm of the odds (N, 1) of inputs (N, 1 + voxels).

    The first input is the logarithm of the incident energy, the others are the voxels, whose layers
    all have the same numbers of angles and rings. A convolution of width 7 and stride 2 and a
    maximum over 3 voxels of stride 2 come first, then four stages of two residual blocks, the last
    three of which begin with stride 2. The mean over all that is left and the incident energy enter
    the last layer. Edges are padded with zeros, those in the angle too, as in the CaloChallenge.

    Args:
        image: the numbers of layers, angles and rings.

    >>> network = ShowerResNet((45, 16, 9))
    >>> network(torch.ones(2, 1 + 45 * 16 * 9)).shape
    torch.Size([2, 1])
    """

    def __init__(self, image: tuple[int, int, int]) -> None:
        super().__init__()
        self.image = image
        first = CHANNELS[0]
        layers: list[nn.Module] = [
            nn.Conv3d(1, first, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm3d(first),
            nn.ReLU(),
            nn.MaxPool3d(3, stride=2, padding=1),
        ]
        before = first
        for stage, channels in enumerate(CHANNELS):
            for block in range(BLOCKS):
                stride = 1
                if stage > 0 and block == 0:
                    stride = 2
                layers.append(_Block(before, channels, stride))
                before = channels
        layers.append(nn.AdaptiveAvgPool3d(1))
        self.features = nn.Sequential(*layers)
        self.of_energy = nn.BatchNorm1d(1)
        self.last = nn.Linear(before + 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, inputs: Any) -> Any:
        """The logarithm of the odds (N, 1) of inputs (N, 1 + voxels)."""
        images = inputs[:, 1:].reshape(-1, 1, *self.image)
        features = self.features(images).flatten(1)
        energy = self.of_energy(inputs[:, :1])
        return self.last(torch.cat([features, energy], dim=1))


class _Block(nn.Module):
    """Two convolutions of width 3, added to the input, or to a projection of another shape."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv3d(before, channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(),
            nn.Conv3d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm3d(channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(before, channels, 1, stride=stride, bias=False),
                nn.BatchNorm3d(channels),
            )

    def forward(self, images: Any) -> Any:
        return torch.relu(self.change(images) + self.shortcut(images))
