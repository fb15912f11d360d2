"""Small models, losses and disk faults for the tests of the training loop and the trainers."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, Label, param
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import NoGradient
from qgen_core.events import Events, Space, index_to_bits
from qgen_core.interfaces import Backend, Generator, Loss
from qgen_core.support import checkpoint, files
from qgen_core.support.random_streams import stream


class ProductBorn(Generator):
    """A Born machine without entanglement: bit w is 1 with probability sin^2(sum_l theta[l, w] /
    2).

    ``shots`` makes its probabilities frequencies, drawn with the given rng; gradients stay exact.
    """

    outputs = frozenset({"probabilities", "samples"})

    def __init__(
        self, layers: int = 2, wires: int = 3, shots: int | None = None, seed: int = 5
    ) -> None:
        self.space, self.shots = Space("bits", wires), shots
        self.theta = np.random.default_rng(seed).uniform(0.3, 1.2, (layers, wires))
        places = [(layer, wire) for layer in range(layers) for wire in range(wires)]
        gates = tuple(Gate("ry", (wire,), param(number)) for number, (_, wire) in enumerate(places))
        self.circuit = Circuit(wires, gates, tuple(Label(layer, wire, 0) for layer, wire in places))
        self.calls: list[tuple[int, Backend | None]] = []

    def parameters(self):
        return {"theta": self.theta}

    def table(self, theta):
        one = np.sin(theta.reshape(self.theta.shape).sum(axis=0) / 2) ** 2
        bits = index_to_bits(np.arange(2**self.space.width), self.space.width)
        return np.where(bits == 1, one, 1 - one), bits

    def forward(self, output, batch, *, rng):
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        each, bits = self.table(self.theta)

        def pullback(cotangent):
            slope = np.where(bits == 1, 1, -1) * np.sin(self.theta.sum(axis=0)) / 2
            rest = np.array(
                [np.prod(np.delete(each, w, axis=1), axis=1) for w in range(each.shape[1])]
            ).T
            return {"theta": np.tile(cotangent[0] @ (slope * rest), (len(self.theta), 1))}

        return self.measured(each.prod(axis=1), rng)[None], pullback

    def measured(self, p, rng):
        return p if self.shots is None else rng.multinomial(self.shots, p / p.sum()) / self.shots

    def outputs_at(self, output, thetas, batch, *, rng, backend=None):
        self.calls.append((len(thetas), backend))
        tables = [self.table(theta)[0].prod(axis=1) for theta in thetas]
        return np.array(
            [(p if backend is not None else self.measured(p, rng))[None] for p in tables]
        )

    def sample(self, n, condition=None, *, rng):
        one = np.sin(self.theta.sum(axis=0) / 2) ** 2
        return (rng.random((n, self.space.width)) < one).astype(np.int8)


class SquaredError(Loss):
    """sum (p - P)^2, read from probabilities."""

    reads = "probabilities"

    def __call__(self, output, batch):
        return float(np.sum((output - batch.target) ** 2)), 2 * (output - batch.target)


class Point(Generator):
    """Its objective is half the squared distance from a point to each event."""

    outputs = frozenset({"samples", "objective"})

    def __init__(self, width: int = 3) -> None:
        self.space = Space("reals", width)
        self.place, self.seen = np.zeros(width), []

    def parameters(self):
        return {"place": self.place}

    def forward(self, output, batch, *, rng):
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        self.seen.append(batch)
        away = self.place - batch.x
        return 0.5 * np.sum(away**2, axis=1), lambda cotangent: {"place": cotangent @ away}

    def sample(self, n, condition=None, *, rng):
        return self.place + rng.normal(size=(n, self.space.width))


class WeightedMean(Loss):
    """The weighted mean of an objective."""

    reads = "objective"

    def __call__(self, output, batch):
        share = (
            np.full(len(output), 1 / len(output))
            if batch.weight is None
            else batch.weight / batch.weight.sum()
        )
        return float(share @ output), share


class Shifter(Generator):
    """Standard normal samples moved by ``place``; they have a gradient."""

    def __init__(self, width: int = 2) -> None:
        self.space, self.place = Space("reals", width), np.full(width, 2.0)

    def parameters(self):
        return {"place": self.place}

    def forward(self, output, batch, *, rng):
        return self.sample(len(batch.x), rng=rng), lambda cotangent: {
            "place": cotangent.sum(axis=0)
        }

    def sample(self, n, condition=None, *, rng):
        return self.place + rng.normal(size=(n, self.space.width))


class Critic(Loss):
    """A linear critic c.x trained to tell events from samples; the loss is minus its mean on
    samples.
    """

    reads = "samples"

    def __init__(self, updates: int = 2, width: int = 2) -> None:
        self.updates, self.c = updates, np.zeros(width)
        self.seen: list[tuple[Any, Any]] = []

    def __call__(self, output, batch):
        return -float(np.mean(output @ self.c)), np.tile(-self.c / len(output), (len(output), 1))

    def update(self, output, batch, *, rng):
        self.seen.append((batch.x.copy(), output.copy()))
        self.c += 0.5 * (batch.x.mean(axis=0) - output.mean(axis=0) - self.c) + 1e-3 * rng.normal(
            size=len(self.c)
        )

    def state(self):
        return {"c": self.c.copy()}

    def load(self, state):
        self.c[...] = state["c"]


class Stuck(Generator):
    """Offers samples without a gradient."""

    space = Space("reals", 1)

    def sample(self, n, condition=None, *, rng):
        raise NoGradient("never asked")


def bits_events(n: int = 400, wires: int = 3, seed: int = 1) -> Events:
    """Biased bits."""
    rng = stream(seed, "toy")
    return Events((rng.random((n, wires)) < np.linspace(0.2, 0.7, wires)).astype(np.int8))


def real_events(n: int = 60, width: int = 3, seed: int = 2) -> Events:
    """Weighted normal events around 1."""
    rng = stream(seed, "toy")
    return Events(1 + rng.normal(size=(n, width)), weight=rng.uniform(0.5, 2.0, n))


class Faults:
    """Counts what a run does to the disk, and its steps, and acts at the ``at``-th of them."""

    def __init__(
        self, act: Callable[[str], None] | None = None, at: int = -1, only: tuple[str, ...] = ()
    ) -> None:
        self.act, self.at, self.only, self.count = act, at, only, 0
        self.kinds: list[str] = []

    def tick(self, kind: str, before: Callable[[], None] = lambda: None) -> None:
        if self.only and kind not in self.only:
            return
        number, self.count = self.count, self.count + 1
        self.kinds.append(kind)
        if self.act is not None and number == self.at:
            before()
            self.act(kind)

    @hookimpl
    def on_step(self) -> None:
        self.tick("step")

    @contextmanager
    def watching(self) -> Iterator[Faults]:
        """Put the counters into the modules that write for a while."""
        fsync, replace = os.fsync, os.replace

        def counted_fsync(number: int) -> None:
            self.tick("fsync")
            fsync(number)

        def counted_replace(source: Any, target: Any) -> None:
            self.tick("before replace")
            replace(source, target)
            self.tick("after replace")

        def counted_open(path: Any, mode: str = "r", **options: Any) -> Any:
            if mode in ("x+b", "ab"):
                self.tick("open")
                return _File(builtins.open(path, mode, **options), self)
            return builtins.open(path, mode, **options)

        os.fsync, os.replace = counted_fsync, counted_replace
        for module in (checkpoint, files):
            module.open = counted_open  # type: ignore[attr-defined]
        try:
            yield self
        finally:
            os.fsync, os.replace = fsync, replace
            for module in (checkpoint, files):
                del module.open  # type: ignore[attr-defined]


class _File:
    """A file whose fault comes when half of what is written has reached the disk."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self.file, self.faults = file, faults

    def write(self, data: Any) -> int:
        def half() -> None:
            self.file.write(data[: len(data) // 2])
            self.file.flush()

        self.faults.tick("write", half)
        return self.file.write(data)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
