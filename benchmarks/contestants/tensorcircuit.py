"""TensorCircuit-NG on jax: jit, a scan over the layers, and reverse-mode gradients.

The scan keeps compiling to seconds (unrolled it takes minutes). Where it is faster, a CNOT and the
Rots before it are applied as one two-wire unitary, and layers are recomputed on the way back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.batch_task import BatchStep, BatchTask
from benchmarks.contestants.jax_js import compiled, jax_js, keep_x64
from benchmarks.task import Floats, Op, Step, Task, fuse

#: From here on layers are recomputed on the way back (jax.checkpoint): faster, and less memory.
CHECKPOINTED = 16
#: From here on complex128 is faster gate by gate; complex64 never is.
GATE_BY_GATE = 12


def _rots(angles: Any, dtype: Any) -> Any:
    """Unitaries (R, 2, 2) of angles (R, 3)."""
    import jax.numpy as jnp

    phi, theta, omega = angles.T
    c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
    same, other = jnp.exp(-0.5j * (phi + omega)), jnp.exp(0.5j * (phi - omega))
    rows = jnp.stack([same * c, -other * s, jnp.conj(other) * s, jnp.conj(same) * c], axis=-1)
    return rows.reshape(-1, 2, 2).astype(dtype)


def _apply(circuit: Any, ops: tuple[Op, ...], angles: Any, dtype: Any, paired: bool) -> Any:
    """Run ``ops``; if ``paired``, a Rot waits for the CNOT that follows it on its wire."""
    import jax.numpy as jnp

    cx = jnp.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=dtype)
    matrices = iter(_rots(angles[jnp.array([op.params for op in ops if op.name == "rot"])], dtype))
    waiting: dict[int, Any] = {}
    for op in ops:
        if op.name == "rot" and paired:
            waiting[op.wires[0]] = next(matrices)
        elif op.name == "rot":
            circuit.any(op.wires[0], unitary=next(matrices))
        elif waiting.keys() & set(op.wires):
            first, second = (waiting.pop(w, jnp.eye(2, dtype=dtype)) for w in op.wires)
            circuit.any(*op.wires, unitary=cx @ jnp.kron(first, second))
        else:
            circuit.cx(*op.wires)
    for wire, matrix in waiting.items():
        circuit.any(wire, unitary=matrix)
    return circuit.state()


def build(task: Task, precision: str) -> Step:
    """The carry of the scan is the state vector."""
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc

    tc.set_backend("jax")
    tc.set_dtype("complex64" if precision == "single" else "complex128")
    real, cplx = (
        (jnp.float32, jnp.complex64) if precision == "single" else (jnp.float64, jnp.complex128)
    )
    layer, cut = fuse(task.layer), task.layers * task.per_layer
    last = tuple(op._replace(params=tuple(p - cut for p in op.params)) for op in fuse(task.last))
    target = jnp.asarray(task.target, dtype=real)
    paired = precision == "single" or task.wires < GATE_BY_GATE

    def one_layer(psi: Any, angles: Any) -> tuple[Any, None]:
        return _apply(tc.Circuit(task.wires, inputs=psi), layer, angles, cplx, paired), None

    body = jax.checkpoint(one_layer) if task.wires >= CHECKPOINTED else one_layer

    def loss(theta: Any) -> Any:
        psi = tc.Circuit(task.wires).state()
        psi, _ = jax.lax.scan(body, psi, theta[:cut].reshape(task.layers, -1))
        psi = _apply(tc.Circuit(task.wires, inputs=psi), last, theta[cut:], cplx, paired)
        return jax_js(psi.real**2 + psi.imag**2, target)

    return compiled(loss, task.params, real)


def build_batch(
    task: BatchTask, precision: str, *, backward: bool, in_torch: bool = False
) -> BatchStep:
    """vmap over the inputs of one jitted circuit, gate by gate; these circuits are short.

    ``in_torch`` takes and gives torch tensors by its own interface, whose way back runs the circuit
    again.
    """
    import jax
    import jax.numpy as jnp

    all_rows, real = _all_rows(task, precision)
    if in_torch:
        assert backward
        return _in_torch(task, precision, all_rows)
    cotangent = jnp.asarray(task.cotangent, dtype=real)

    def weighted(theta: Any, x: Any) -> Any:
        outputs = all_rows(theta, x)
        return (outputs * cotangent).sum(), outputs

    function = jax.value_and_grad(weighted, argnums=(0, 1), has_aux=True) if backward else all_rows
    arguments = jnp.asarray(task.params, dtype=real), jnp.asarray(task.inputs, dtype=real)
    run = jax.jit(function).lower(*arguments).compile()
    keep_x64()

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        result = run(jnp.asarray(params, dtype=real), jnp.asarray(inputs, dtype=real))
        if not backward:
            return (np.asarray(result, dtype=np.float64),)
        (_, outputs), gradients = result
        return tuple(np.asarray(a, dtype=np.float64) for a in (outputs, *gradients))

    return step


def _all_rows(task: BatchTask, precision: str) -> tuple[Any, Any]:
    """<Z> of all wires as a function of parameters and inputs (B, I), and its number type."""
    import jax.numpy as jnp
    import tensorcircuit as tc

    backend = tc.set_backend("jax")
    tc.set_dtype("complex64" if precision == "single" else "complex128")
    real, cplx = (
        (jnp.float32, jnp.complex64) if precision == "single" else (jnp.float64, jnp.complex128)
    )
    ops = fuse(task.ops)

    def one(theta: Any, x: Any) -> Any:
        circuit = tc.Circuit(task.wires)
        rots = [op for op in ops if op.name == "rot"]
        matrices = iter(_rots(theta[jnp.array([op.params for op in rots])], cplx) if rots else ())
        for op in ops:
            if op.name == "cx":
                circuit.cx(*op.wires)
            elif op.name == "rot":
                circuit.any(op.wires[0], unitary=next(matrices))
            else:
                angle = theta[op.params[0]] if op.params else x[op.inputs[0]]
                getattr(circuit, op.name)(op.wires[0], theta=angle)
        state = circuit.state().reshape((2,) * task.wires)
        p = state.real**2 + state.imag**2
        sums = [
            p.sum(axis=tuple(k for k in range(task.wires) if k != w)) for w in range(task.wires)
        ]
        return jnp.stack([s[0] - s[1] for s in sums])

    def all_rows(theta: Any, x: Any) -> Any:
        return backend.vmap(one, vectorized_argnums=1)(theta, x)

    return all_rows, real


def _in_torch(task: BatchTask, precision: str, all_rows: Any) -> BatchStep:
    import tensorcircuit as tc
    import torch

    torch.set_num_threads(1)
    real = torch.float32 if precision == "single" else torch.float64
    layer = tc.interfaces.torch_interface(all_rows, jit=True, enable_dlpack=True)
    cotangent = torch.as_tensor(task.cotangent, dtype=real)

    def step(params: Floats, inputs: Floats) -> tuple[Floats, ...]:
        theta = torch.tensor(params, dtype=real, requires_grad=True)
        x = torch.tensor(inputs, dtype=real, requires_grad=True)
        outputs = layer(theta, x)
        outputs.backward(cotangent)
        return tuple(
            np.asarray(a.detach(), dtype=np.float64) for a in (outputs, theta.grad, x.grad)
        )

    keep_x64()
    return step
