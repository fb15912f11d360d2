"""PennyLane's Phox: the MMD of a diagonal circuit and its gradient, from random signs, by jax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contestants.jax_js import keep_x64


def build(
    bits: NDArray[np.int8], scales: NDArray[np.float64], words: int, samples: int
) -> Callable[[], Any]:
    """A step on these events (N, n) with all one- and two-body angles, in float32.

    Words and signs are drawn anew at each call. It compiles at the first one.
    """
    import jax
    import jax.numpy as jnp
    from pennylane.labs.phox import CircuitConfig, MMDConfig, create_local_gates, mmd_loss

    jax.config.update("jax_enable_x64", False)
    width = bits.shape[1]
    circuit = CircuitConfig(
        gates=create_local_gates(width, 2),
        observables=[[0] * width],
        n_samples=samples,
        key=jax.random.PRNGKey(1),
        n_qubits=width,
    )
    kernel = MMDConfig(bandwidth=np.sqrt(scales / 2).tolist(), n_ops=words // len(scales))
    data = jnp.asarray(bits)

    def loss(angles: Any, key: Any) -> Any:
        return mmd_loss(angles, circuit, kernel, data, key)

    step = jax.jit(jax.value_and_grad(loss))
    angles = jnp.asarray(np.random.default_rng(1).normal(0, 0.02, width * (width + 1) // 2))
    keys = iter(jax.random.split(jax.random.PRNGKey(2), 10_000))
    jax.block_until_ready(step(angles, next(keys)))
    keep_x64()

    def call() -> Any:
        return jax.block_until_ready(step(angles, next(keys)))

    return call
