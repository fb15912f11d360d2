"""The generator ``style-qgan``: noise enters every angle of a circuit, whose expectations are the event."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core import Backend, Batch, Circuit, Expectations, Gate, Generator, Space, given
from qgen_core.errors import BadOption
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng
from qgen_torch.generators.conditions import check_condition

#: Amplitudes held at once while sampling.
MAX_AMPLITUDES = 2**22


class StyleQgan(Generator):
    """``x_i = <Z_i>`` of a circuit in which each angle is ``w z + b``: noise re-uploaded as a style.

    A layer has RY and RZ on every wire; after the layers 2, 6, 10, ... come two CRY from wire 0 to 1 and
    to 2, after 4, 8, ... two from 1 to 2 and from 2 to 0 (on two wires always (0,1) and (1,0); on four or
    more the pairs of the ring in turn); RY on every wire ends it. The angles take the dimensions of z, and
    behind them the conditions, in turn. The products ``w z + b`` are made here and enter the circuit as
    inputs, so any backend runs it.

    Each angle has a weight and a bias: ``4 L n + 2 n + 2 L`` parameters for L layers on n wires, without
    ``2 L`` on one wire. As in the published files there is a place for one CRY a layer, so with an odd
    number of layers the last two parameters move nothing.

    Output: ``samples`` (N, width), each in [-1, 1]; encode events so, e.g. with
    ``min-max`` and ``range = [-1, 1]``.

    Args:
        backend: runs the circuit; adjoint gradients where it has them, else parameter shift.
        layers: L.
        wires: n; None: as many as the events need columns.
        observables: ``z`` reads Z of each wire in turn, ``zx`` then also X of each wire, for twice as many
            columns.
        latent: dimensions of the noise z, standard normal.
        shots: expectations are estimated from so many measurements. None: exact.
        scale: parameters start uniformly in [-scale, scale].

    Raises BadOption for events that are bits or spins, or too few wires, and what the backend raises.

    Source: Bravo-Prieto et al., arXiv:2110.06933, section 3, and its published code; conditions
    and other numbers of wires than one and three are our reading (docs/readings.md).

    >>> from qgen_core import backend
    >>> model = StyleQgan(space=Space("reals", 3), backend=backend("statevector"), layers=2)
    >>> sum(values.size for values in model.parameters().values())
    34
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        *,
        space: Space,
        backend: Backend,
        condition: Space | None = None,
        layers: int = 2,
        wires: int | None = None,
        observables: Literal["z", "zx"] = "z",
        latent: int = 5,
        shots: int | None = None,
        scale: float = 0.15,
        seed: int | None = None,
    ) -> None:
        if space.kind in ("bits", "spins"):
            raise BadOption(
                f"style-qgan makes numbers in [-1, 1], not {space}; use an encoder such as 'min-max'"
            )
        if layers < 1 or latent < 1 or not scale >= 0:
            raise BadOption(
                f"layers and latent are at least 1, scale at least 0, not {layers}, {latent}, {scale:g}"
            )
        wires = -(-space.width // len(observables)) if wires is None else wires
        if wires * len(observables) < space.width:
            raise BadOption(
                f"{wires} wires read by {observables!r} give fewer than {space.width} columns; take more"
            )
        self.space, self.condition, self.backend, self.shots = space, condition, backend, shots
        self.latent = latent
        self.circuit = style_circuit(wires, layers)
        words = [
            wire * "I" + letter.upper() + (wires - wire - 1) * "I"
            for letter in observables
            for wire in range(wires)
        ]
        self.measure = Expectations(tuple(words[: space.width]))
        backend.check(self.circuit, shots)
        backend.require(self.circuit, self.measure)
        angles = 2 * layers * wires + wires + (layers if wires > 1 else 0)
        rng = generator(None) if seed is None else stream(seed, "init")
        self.weight, self.bias = rng.uniform(-scale, scale, (2, angles))
        styles = latent + (0 if condition is None else condition.width)
        self._style = np.arange(self.circuit.num_angles) % styles

    def parameters(self) -> dict[str, Array]:
        return {"weight": self.weight, "bias": self.bias}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        if n < 0:
            raise BadOption(f"n is the number of events, not {n}")
        check_condition("style-qgan", self.condition, condition, n)
        out = np.empty((n, self.space.width))
        at_once = max(1, MAX_AMPLITUDES >> self.circuit.num_wires)
        for start in range(0, n, at_once):
            stop = min(start + at_once, n)
            styles = self._styles(
                stop - start, None if condition is None else condition[start:stop], rng
            )
            angles = self._angles(styles)
            out[start:stop] = self.backend.run(
                self.circuit, angles, self.measure, shots=self.shots, rng=rng
            )
        return out

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "samples" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition("style-qgan", self.condition, batch.condition, len(batch.x))
        styles = self._styles(len(batch.x), batch.condition, rng)
        found, back = self.backend.forward(
            self.circuit, self._angles(styles), self.measure, shots=self.shots, rng=rng
        )

        def pullback(cotangent: Array) -> dict[str, Array]:
            _, slope = self.circuit.pullback(back(cotangent))
            gradient = {"weight": np.zeros(len(self.weight)), "bias": np.zeros(len(self.bias))}
            used = slope.shape[1]
            np.einsum("na,na->a", slope, styles, out=gradient["weight"][:used])
            np.sum(slope, axis=0, out=gradient["bias"][:used])
            return gradient

        return found, pullback

    def _styles(self, n: int, condition: Array | None, rng: Rng) -> Floats:
        """What each angle is turned by, (n, angles): the dimensions of the noise and the conditions in turn."""
        z = rng.standard_normal((n, self.latent))
        z = z if condition is None else np.concatenate([z, condition], axis=1)
        return z[:, self._style]

    def _angles(self, styles: Floats) -> Floats:
        used = styles.shape[1]
        return self.circuit.bind((), self.weight[:used] * styles + self.bias[:used])


def style_circuit(wires: int, layers: int) -> Circuit:
    """The circuit, every angle an input of its own, in the order of its gates."""
    gates: list[Gate] = []

    def turn(name: str, *on: int) -> None:
        gates.append(Gate(name, on, given(len(gates))))

    pairs = (
        [(0, 1), (0, 2), (1, 2), (2, 0)]
        if wires == 3
        else [(k, (k + 1) % wires) for k in range(wires)]
    )
    number = 0
    for layer in range(layers):
        for wire in range(wires):
            turn("ry", wire)
            turn("rz", wire)
        if wires > 1 and layer % 2:
            for _ in range(2):
                turn("cry", *pairs[number % len(pairs)])
                number += 1
    for wire in range(wires):
        turn("ry", wire)
    return Circuit(wires, tuple(gates))
