"""The generator ``style-qgan``: expectations of a circuit with noise in every angle."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core import Backend, Batch, Circuit, Expectations, Gate, Generator, Shots, Space, given
from qgen_core.errors import BadOption
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng
from qgen_torch.conditions import (
    check_condition,
    condition_rows,
    condition_width,
)

#: Amplitudes in memory at once while sampling; sets the number of events per backend call.
MAX_AMPLITUDES = 2**22


class StyleQgan(Generator):
    """``x_i = <Z_i>`` of a circuit in which every angle is ``w z + b``: noise enters as a style.

    A layer has RY and RZ on every wire. Layers 2, 6, 10, ... are followed by two CRY, from wire 0
    to 1 and from 0 to 2, and layers 4, 8, ... by two CRY from 1 to 2 and from 2 to 0. On two wires
    the pairs are always (0, 1) and (1, 0); on four or more they run around the ring. RY on every
    wire ends the circuit. Angles use the dimensions of z followed by the conditions, cyclically.
    The products ``w z + b`` are computed here and enter the circuit as inputs, so any backend runs
    it.

    Each angle has a weight and a bias: ``4 L n + 2 n + 2 L`` parameters for L layers on n wires,
    without ``2 L`` on one wire. As in the published code, every layer has parameters for one CRY,
    so for an odd number of layers the last two parameters have no effect.

    Output: ``samples`` (N, width), each in [-1, 1]; encode events to that range, e.g. with
    ``min-max`` and ``range = [-1, 1]``.

    Args:
        backend: runs the circuit; gradients are adjoint if it offers them, else parameter shift.
        layers: L.
        wires: n; None takes as many as the events need.
        observables: ``z`` reads Z of each wire; ``zx`` reads X of each wire as well, which gives
            two columns per wire.
        latent: dimension of the noise z, standard normal.
        shots: measurements per expectation. None: exact expectations.
        scale: initial parameters are uniform in [-scale, scale].

    Raises BadOption for events that are bits or spins and for too few wires, and what the backend
    raises.

    Source: Bravo-Prieto et al., arXiv:2110.06933, section 3, and its published code; conditions
    and numbers of wires other than one and three are our choice (docs/readings.md).

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
                f"style-qgan makes numbers in [-1, 1], not {space}; "
                "use an encoder such as 'min-max'"
            )
        if layers < 1 or latent < 1 or not scale >= 0:
            raise BadOption(
                "layers and latent must be at least 1 and scale at least 0, "
                f"not {layers}, {latent} and {scale:g}"
            )
        if wires is None:
            wires = -(-space.width // len(observables))
        if wires * len(observables) < space.width:
            raise BadOption(
                f"{wires} wires read by {observables!r} give fewer than {space.width} columns; "
                "increase wires"
            )
        self.space = space
        self.condition = condition
        self.backend = backend
        self.shots = shots
        self.latent = latent
        self.circuit = style_circuit(wires, layers)
        words = []
        for letter in observables:
            for wire in range(wires):
                words.append(wire * "I" + letter.upper() + (wires - wire - 1) * "I")
        self.measure = Expectations(tuple(words[: space.width]))
        backend.check(self.circuit, shots)
        backend.require(self.circuit, self.measure)
        angles = 2 * layers * wires + wires
        if wires > 1:
            angles += layers
        rng = generator(None) if seed is None else stream(seed, "init")
        self.weight, self.bias = rng.uniform(-scale, scale, (2, angles))
        style_width = latent + condition_width(condition)
        #: The column of (z, condition) that each angle of the circuit uses.
        self._style_columns = np.arange(self.circuit.num_angles) % style_width

    def parameters(self) -> dict[str, Array]:
        return {"weight": self.weight, "bias": self.bias}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        if n < 0:
            raise BadOption(f"n is a number of events, not {n}")
        check_condition("style-qgan", self.condition, condition, n)
        out = np.empty((n, self.space.width))
        at_once = max(1, MAX_AMPLITUDES >> self.circuit.num_wires)
        for start in range(0, n, at_once):
            stop = min(start + at_once, n)
            rows = condition_rows(condition, start, stop)
            styles = self._styles(stop - start, rows, rng)
            angles = self._angles(styles)
            out[start:stop] = self.backend.run(
                self.circuit, angles, self.measure, Shots.of(self.shots, rng)
            )
        return out

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "samples" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition("style-qgan", self.condition, batch.condition, len(batch.x))
        styles = self._styles(len(batch.x), batch.condition, rng)
        found, back = self.backend.forward(
            self.circuit, self._angles(styles), self.measure, Shots.of(self.shots, rng)
        )

        def pullback(cotangent: Array) -> dict[str, Array]:
            _, d_inputs = self.circuit.pullback(back(cotangent))
            gradient = {"weight": np.zeros(len(self.weight)), "bias": np.zeros(len(self.bias))}
            used = d_inputs.shape[1]
            np.einsum("na,na->a", d_inputs, styles, out=gradient["weight"][:used])
            np.sum(d_inputs, axis=0, out=gradient["bias"][:used])
            return gradient

        return found, pullback

    def _styles(self, n: int, condition: Array | None, rng: Rng) -> Floats:
        """The noise or condition that enters each angle, (n, angles)."""
        z = rng.standard_normal((n, self.latent))
        if condition is not None:
            z = np.concatenate([z, condition], axis=1)
        return z[:, self._style_columns]

    def _angles(self, styles: Floats) -> Floats:
        used = styles.shape[1]
        return self.circuit.bind((), self.weight[:used] * styles + self.bias[:used])


def style_circuit(wires: int, layers: int) -> Circuit:
    """The circuit of the style-qGAN: every angle is an input of its own, in the order of the gates.

    >>> style_circuit(3, 2).num_inputs
    17
    """
    gates: list[Gate] = []

    def add(name: str, *on: int) -> None:
        gates.append(Gate(name, on, given(len(gates))))

    if wires == 3:
        pairs = [(0, 1), (0, 2), (1, 2), (2, 0)]
    else:
        pairs = [(wire, (wire + 1) % wires) for wire in range(wires)]
    entanglers = 0
    for layer in range(layers):
        for wire in range(wires):
            add("ry", wire)
            add("rz", wire)
        if wires > 1 and layer % 2:
            for _ in range(2):
                add("cry", *pairs[entanglers % len(pairs)])
                entanglers += 1
    for wire in range(wires):
        add("ry", wire)
    return Circuit(wires, tuple(gates))
