"""Shared by the contestants that run on jax: the loss, and compiling ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.task import Floats, Step


def jax_js(p: Any, target: Any) -> Any:
    """The Jensen-Shannon divergence in jax."""
    import jax.numpy as jnp

    m = 0.5 * (p + target)
    return 0.5 * ((p * jnp.log(p / m)).sum() + (target * jnp.log(target / m)).sum())


def keep_x64() -> None:
    """After compiling: 64-bit arguments stay what they are, also when another contestant switched
    it off.
    """
    import jax

    jax.config.update("jax_enable_x64", True)


def compiled(loss: Callable[[Any], Any], params: Floats, dtype: Any) -> Step:
    """Loss and gradient compiled for parameters of this shape; compiling is not part of a step."""
    import jax
    import jax.numpy as jnp

    run = jax.jit(jax.value_and_grad(loss)).lower(jnp.asarray(params, dtype=dtype)).compile()
    keep_x64()

    def step(theta: Floats) -> tuple[float, Floats]:
        value, gradient = run(jnp.asarray(theta, dtype=dtype))
        return float(value), np.asarray(gradient, dtype=np.float64)

    return step
