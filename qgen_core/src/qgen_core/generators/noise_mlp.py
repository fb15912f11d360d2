"""The generator ``noise-mlp``: a small network of noise, the classical control of ``qag``."""

from __future__ import annotations

from math import sqrt
from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Space
from qgen_core.generators.conditions import condition_width, require_conditions
from qgen_core.generators.dense import activated
from qgen_core.generators.initial import Init, initial_parameters
from qgen_core.interfaces import Generator
from qgen_core.typing import Array, Floats, Pullback, Rng


class NoiseMlp(Generator):
    """Images ``y = tanh(g(x) + b)`` of normal noise x, one number a pixel, as ``qag`` gets.

    With Q pixels and the layer

    - ``local``, ``g_i = sum_j w_ij x_(i-j)`` over j < size, with i - j modulo Q: each pixel sees
      its own number and those of the pixels before it. Q (size + 1) parameters.
    - ``hidden``, ``g = V tanh(U x)`` with ``size`` hidden units. Q (2 size + 1) parameters.

    So ``local`` of size L, and for even L ``hidden`` of size L / 2, have as many parameters as the
    ansatz ``clic8`` with L layers. Conditions (N, K) add ``C c`` to g, with Q K parameters more.

    Output: ``samples`` (N, Q) in [-1, 1], with exact gradients.

    Args:
        space: reals, one column a pixel.
        condition: space of the conditions, angles or reals; None for a model without conditions.
        variance: of the noise.
        layer: ``local`` or ``hidden``.
        size: of the layer.
        init: initial parameters: ``uniform`` in [-scale, scale], ``normal`` with standard
            deviation ``scale``, or ``zeros``, from which ``hidden`` has no gradient but of b.
        scale: of ``init``.
        seed: of the initial parameters; None draws a new one.

    Raises BadOption for options out of range.

    Source: ours, a control (docs/readings.md).

    >>> model = NoiseMlp(space=Space("reals", 8), seed=1)
    >>> sum(values.size for values in model.parameters().values())
    24
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        variance: float = 0.5,
        layer: Literal["local", "hidden"] = "local",
        size: int = 2,
        init: Init = "normal",
        scale: float = 0.5,
        seed: int | None = None,
    ) -> None:
        if space.kind != "reals":
            raise BadOption(f"noise-mlp makes real numbers, not {space}; use e.g. 'min-max'")
        if not (np.isfinite([variance, scale]).all() and variance >= 0 and scale >= 0):
            raise BadOption(f"variance and scale are at least 0, not {variance:g} and {scale:g}")
        if size < 1 or (layer == "local" and size > space.width):
            raise BadOption(
                f"size is at least 1, and at most {space.width}, the number of pixels, for the "
                f"layer 'local'; not {size}"
            )
        self.space = space
        self.condition = condition
        self.variance = variance
        self.layer = layer
        self.size = size
        pixels = space.width
        shapes: dict[str, tuple[int, ...]] = {"bias": (pixels,), "weight": (pixels, size)}
        if layer == "hidden":
            shapes["hidden"] = (size, pixels)
        if condition is not None:
            shapes["of_condition"] = (pixels, condition_width(condition))
        sizes = [int(np.prod(shape)) for shape in shapes.values()]
        values = initial_parameters(sum(sizes), init, scale, seed)
        pieces = np.split(values, np.cumsum(sizes)[:-1])
        self._parameters: dict[str, Array] = {}
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True):
            self._parameters[name] = piece.reshape(shape).copy()

    def parameters(self) -> dict[str, Array]:
        return self._parameters

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Images (n, pixels). Raises BadOption for n < 0, DataError for conditions."""
        if n < 0:
            raise BadOption(f"n is the number of images, at least 0, not {n}")
        require_conditions("noise-mlp", self.condition, condition, n)
        return self._images(self._noise(n, rng), condition)[0]

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Samples (N, pixels), one for each event of the batch, and their pullback."""
        if output not in self.outputs or batch.x is None:
            raise OutputMismatch(f"noise-mlp offers samples for a batch of events, not {output}")
        require_conditions("noise-mlp", self.condition, batch.condition, len(batch.x))
        return self._images(self._noise(len(batch.x), rng), batch.condition)

    def _noise(self, n: int, rng: Rng) -> Floats:
        return rng.normal(0.0, sqrt(self.variance), (n, self.space.width))

    def _images(self, noise: Floats, condition: Array | None) -> tuple[Floats, Pullback]:
        parameters = self._parameters
        weight = parameters["weight"]
        total = np.tile(parameters["bias"], (len(noise), 1))
        if self.layer == "local":
            for distance in range(self.size):
                total += weight[:, distance] * np.roll(noise, distance, axis=1)
        else:
            units, of_units = activated(noise @ parameters["hidden"].T, "tanh")
            total += units @ weight.T
        if condition is not None:
            total += condition @ parameters["of_condition"].T
        images, of_total = activated(total, "tanh")

        def pullback(cotangent: Array) -> dict[str, Array]:
            d_total = of_total(cotangent)
            gradient: dict[str, Array] = {"bias": d_total.sum(axis=0)}
            if self.layer == "local":
                columns = []
                for distance in range(self.size):
                    shifted = np.roll(noise, distance, axis=1)
                    columns.append((d_total * shifted).sum(axis=0))
                gradient["weight"] = np.stack(columns, axis=1)
            else:
                gradient["weight"] = d_total.T @ units
                gradient["hidden"] = of_units(d_total @ weight).T @ noise
            if condition is not None:
                gradient["of_condition"] = d_total.T @ condition
            return gradient

        return images, pullback
