"""A training step of diagonal circuits with all pairs: words, value and all gradients, one thread.

200 words of the default bandwidths (1, 2 and 4 wires on average) against 500 events. The closed
form is exact; the other rows draw 500 sign vectors. ``two matrix products`` are those of 500 sign
vectors with the matrix of all pairs in the forward and backward passes: the least that random signs
with all pairs need.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from qgen_core.events import Batch, Space
from qgen_core.generators.iqp import InstantaneousQuantumPolynomial
from qgen_core.losses.mmd import MaximumMeanDiscrepancy
from qgen_core.losses.words import usual_scales
from qgen_core.simulators.statevector.backend import StatevectorBackend

THREADS = 1
WORDS = 200
SAMPLES = 500
SIZES = (64, 256, 1000, 4000)
QUICK_SIZES = (64,)
#: Random signs take seconds above.
MOST_SIGNS = 1000
#: Phox holds dense matrices of all pairs times all wires: 22 GiB at 1000 wires.
MOST_PHOX = 1000
BYTES_OF_PHOX = {1000: 23e9}
LIMIT = "two matrix products"


def run(context: Context) -> Iterator[Case]:
    """One case a number of wires."""
    for width in QUICK_SIZES if context.quick else SIZES:
        name = f"iqp/{width}"
        if context.wants(name):
            context.say(name)
            yield measured(context, name, width)


def measured(context: Context, name: str, width: int) -> Case:
    """The rows of one size."""
    bits = events(width)
    builders: dict[str, Callable[[], Callable[[], Any]]] = {
        "qgen": lambda: ours(bits, exact_wires=12),
        LIMIT: lambda: products(width),
    }
    if width <= MOST_SIGNS:
        builders["qgen, random signs"] = lambda: ours(bits, exact_wires=0)
    if width <= MOST_PHOX and not context.quick:
        if physical_memory() >= BYTES_OF_PHOX.get(width, 0.0):
            builders["Phox"] = lambda: phox(bits)
        else:
            context.say(f"{name}: Phox is left out: it needs more memory than there is")
    contestants: list[tuple[Row, Timed]] = []
    for label, build in builders.items():
        try:
            contestants.append((Row(label), Local(build())))
        except ImportError as error:
            context.say(f"{name}: {label} is left out: {error}")
    measure(contestants, context.repeats, context.slow)
    sizes = drawn_sizes(width)
    return {
        "id": name,
        "wires": width,
        "parameters": width * (width + 1) // 2,
        "words": WORDS,
        "samples": SAMPLES,
        "wires of words": {"mean": float(sizes.mean()), "most": int(sizes.max())},
        "rows": [row.summary() for row, _ in contestants],
        "versions": {"peers": versions(("numpy", "pennylane", "jax"))},
    }


def physical_memory() -> int:
    """The memory of this machine, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def events(width: int) -> NDArray[np.int8]:
    """Bits (500, width) that are equal to their neighbours more often than not."""
    rng = np.random.default_rng(3)
    bits = (rng.random((SAMPLES, width)) < 0.2).astype(np.int8)
    return bits | (np.roll(bits, 1, axis=1) & (rng.random(bits.shape) < 0.5)).astype(np.int8)


def ours(bits: NDArray[np.int8], exact_wires: int) -> Callable[[], Any]:
    """A step of ``iqp`` on ``mmd``: new words, expectations, value and gradients."""
    space = Space("bits", bits.shape[1])
    model = InstantaneousQuantumPolynomial(
        backend=StatevectorBackend(),
        space=space,
        start="random",
        scale=0.02,
        exact_wires=exact_wires,
        samples=SAMPLES,
        seed=1,
    )
    loss = MaximumMeanDiscrepancy(space=space, reads="correlators", words=WORDS)
    batch = Batch(bits)
    rng = np.random.default_rng(1)

    def step() -> Any:
        drawn = replace(batch, words=loss.words(rng=rng))
        output, pullback = model.forward("correlators", drawn, rng=rng)
        value, cotangent = loss(output, drawn)
        return value, pullback(cotangent)

    return step


def phox(bits: NDArray[np.int8]) -> Callable[[], Any]:
    """The same by PennyLane's Phox."""
    from benchmarks.contestants.phox import build

    return build(bits, usual_scales(bits.shape[1]), WORDS, SAMPLES)


def products(width: int) -> Callable[[], Any]:
    """Products of signs (500, n) with a matrix (n, n), and of the transposed signs with slopes."""
    rng = np.random.default_rng(2)
    signs = rng.choice((-1.0, 1.0), (SAMPLES, width))
    matrix = rng.normal(size=(width, width))
    return lambda: signs.T @ (signs @ matrix)


def drawn_sizes(width: int) -> NDArray[np.int64]:
    """The numbers of wires of many words that the loss draws."""
    space = Space("bits", width)
    loss = MaximumMeanDiscrepancy(space=space, reads="correlators", words=5000)
    words = loss.words(rng=np.random.default_rng(1))
    assert words is not None
    return words.sizes
