"""Uniform random numbers for many chains, quickly: by numpy in threads, or on a GPU by torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from qgen_core.support.random_streams import generator
from qgen_core.typing import Array, Rng

Tensor = torch.Tensor
#: Numbers that a stream draws at once. Threads spend half of their time on smaller pieces in
#: waiting for the interpreter and in asking for memory.
PIECE = 2**18


class Uniforms(ABC):
    """Fills tensors with uniform numbers from 0 to 1."""

    @abstractmethod
    def fill(self, out: Tensor) -> None:
        """Overwrite a tensor with new numbers."""

    @classmethod
    def of(cls, rng: Rng, device: torch.device) -> Uniforms:
        """Those for tensors on a device, seeded from ``rng``.

        >>> numbers = torch.empty(1000)
        >>> Uniforms.of(np.random.default_rng(1), torch.device("cpu")).fill(numbers)
        >>> bool(numbers.min() >= 0), bool(numbers.max() <= 1)
        (True, True)
        """
        if device.type == "cpu":
            return _NumpyUniforms(rng)
        return _TorchUniforms(rng, device)


class _NumpyUniforms(Uniforms):
    """Numbers of numpy: pieces of a tensor have streams of their own, whatever the threads are."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._streams: list[Rng] = []
        self._pool = ThreadPoolExecutor(torch.get_num_threads())

    def fill(self, out: Tensor) -> None:
        numbers = out.view(-1).numpy()
        pieces = np.array_split(numbers, -(-numbers.size // PIECE) or 1)
        while len(self._streams) < len(pieces):
            self._streams.append(generator(int(self._rng.integers(2**63))))
        drawn = [
            self._pool.submit(_fill, stream, piece)
            for stream, piece in zip(self._streams, pieces, strict=False)
        ]
        for one in drawn:
            one.result()


def _fill(stream: Rng, out: Array) -> None:
    """Uniform numbers: doubles of numpy, or singles of 32 bits, two from each word of 64."""
    if out.dtype == np.float64:
        stream.random(out=out)
        return
    words = stream.bit_generator.random_raw(-(-out.size // 2))
    halves = words.view(np.uint32)[: out.size]
    np.multiply(halves, np.float32(2**-32), out=out, dtype=np.float32, casting="unsafe")


class _TorchUniforms(Uniforms):
    def __init__(self, rng: Rng, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))

    def fill(self, out: Tensor) -> None:
        out.uniform_(generator=self._generator)
