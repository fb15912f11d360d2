"""A million samples from the probabilities of 12 wires: counts, outcome numbers, bit columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Floats

THREADS = 1
WIRES, SHOTS = 12, 1_000_000
DISTRIBUTIONS = (
    "numpy",
    "torch",
    "jax",
    "qulacs",
    "pennylane-lightning",
    "qiskit-aer",
    "qiskit",
    "tensorcircuit-ng",
)
Sampler = Callable[[], Any]


def run(context: Context) -> Iterator[Case]:
    """Three kinds of result."""
    rng = np.random.default_rng(4)
    p = rng.exponential(size=2**WIRES)
    p /= p.sum()
    for kind, make in (("counts", _counts), ("indices", _indices), ("bits", _bits)):
        if context.wants(f"sampling/{kind}"):
            context.say(f"sampling/{kind}")
            yield one_case(context, kind, p, make(p, rng))


def one_case(context: Context, kind: str, p: Floats, samplers: dict[str, Sampler]) -> Case:
    """Each sampler's draws are held against p by a chi-square of merged bins before it is timed."""
    contestants: list[tuple[Row, Timed]] = []
    for label, sampler in samplers.items():
        row = Row(label, note="")
        chance = p_value(as_counts(sampler(), kind), p)
        row.note = f"chi-square p = {chance:.2g}"
        if not chance > 1e-6:
            row.error = "its samples do not follow the probabilities"
        contestants.append((row, Local(sampler)))
    measure([c for c in contestants if not c[0].error], context.repeats, context.slow)
    rows = [row.summary() for row, _ in contestants]
    return {
        "id": f"sampling/{kind}",
        "wires": WIRES,
        "shots": SHOTS,
        "rows": rows,
        "versions": {"peers": versions(DISTRIBUTIONS)},
    }


def as_counts(drawn: Any, kind: str) -> NDArray[np.int64]:
    """How often each outcome came (2^Q,)."""
    if kind == "counts":
        if isinstance(drawn, dict):
            counts = np.zeros(2**WIRES, dtype=np.int64)
            for key, value in drawn.items():
                counts[int(key, 16 if key.startswith("0x") else 2)] = value
            return counts
        return np.asarray(drawn, dtype=np.int64)
    numbers = np.asarray(drawn)
    if kind == "bits":
        numbers = numbers.astype(np.int64) @ (1 << np.arange(WIRES)[::-1])
    return np.bincount(numbers.ravel(), minlength=2**WIRES)


def p_value(counts: NDArray[np.int64], p: Floats) -> float:
    """Chi-square against p, neighbouring bins merged to at least 20 expected events."""
    from scipy.stats import chi2

    expected = p * counts.sum()
    group = np.minimum(np.cumsum(expected) // 20, np.cumsum(expected)[-1] // 20 - 1).astype(int)
    seen, wanted = np.bincount(group, counts), np.bincount(group, expected)
    seen, wanted = seen[wanted > 0], wanted[wanted > 0]
    return float(chi2.sf(((seen - wanted) ** 2 / wanted).sum(), len(wanted) - 1))


def _aer(p: Floats) -> Sampler:
    """Counts from the outcome numbers that Aer returns, without formatting them as bit strings."""
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(WIRES, WIRES)
    circuit.set_statevector(np.sqrt(p))
    circuit.measure(range(WIRES), range(WIRES))
    simulator = AerSimulator(method="statevector", max_parallel_threads=1)
    return lambda: simulator.run(circuit, shots=SHOTS).result().data(0)["counts"]


def _qulacs(p: Floats) -> Sampler:
    from qulacs import QuantumState

    state = QuantumState(WIRES)
    state.load(np.sqrt(p))
    return lambda: state.sampling(SHOTS)


def _lightning(p: Floats) -> Sampler:
    import pennylane as qml
    from pennylane_lightning.lightning_qubit import LightningQubit

    device = LightningQubit(wires=WIRES, seed=1)
    state = device.LightningStateVector(num_wires=WIRES)
    state.get_final_state(
        qml.tape.QuantumScript([qml.StatePrep(np.sqrt(p), wires=range(WIRES))], [])
    )
    measurements = device.LightningMeasurements(
        state
    )  # keeps the state, which its C++ half only points to
    return lambda: measurements._measurement_lightning.generate_samples(WIRES, SHOTS)


def _jax(p: Floats, kind: str) -> Sampler:
    import jax
    import jax.numpy as jnp

    table, key = jnp.asarray(p), jax.random.key(1)
    if kind == "counts":
        draw = jax.jit(lambda k: jax.random.multinomial(k, SHOTS, table))
    else:
        draw = jax.jit(lambda k: jax.random.choice(k, 2**WIRES, (SHOTS,), p=table))
    return lambda: draw(key).block_until_ready()


def _tensorcircuit(p: Floats, form: str) -> Sampler:
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc

    tc.set_backend("jax")
    tc.set_dtype("complex128")
    circuit = tc.Circuit(WIRES, inputs=jnp.sqrt(jnp.asarray(p)))
    key = jax.random.key(2)
    return lambda: np.asarray(
        circuit.sample(batch=SHOTS, allow_state=True, format=form, random_generator=key)
    )


def _counts(p: Floats, rng: np.random.Generator) -> dict[str, Sampler]:
    from qgen_core.simulators.outcomes import sample_counts

    return {
        "qgen": lambda: sample_counts(p, SHOTS, rng),
        "numpy multinomial": lambda: rng.multinomial(SHOTS, p),
        "numpy searchsorted, bincount": lambda: np.bincount(
            np.searchsorted(np.cumsum(p), rng.random(SHOTS) * p.sum(), side="right"),
            minlength=len(p),
        ),
        "jax multinomial": _jax(p, "counts"),
        "TensorCircuit-NG": _tensorcircuit(p, "count_vector"),
        "Qiskit Aer": _aer(p),
    }


def _indices(p: Floats, rng: np.random.Generator) -> dict[str, Sampler]:
    import torch

    from qgen_core.simulators.outcomes import sample_indices

    table = torch.as_tensor(p)
    torch.set_num_threads(1)
    return {
        "qgen": lambda: sample_indices(p, SHOTS, rng),
        "numpy choice": lambda: rng.choice(len(p), SHOTS, p=p),
        "numpy searchsorted": lambda: np.searchsorted(
            np.cumsum(p), rng.random(SHOTS) * p.sum(), side="right"
        ),
        "torch multinomial": lambda: torch.multinomial(table, SHOTS, replacement=True),
        "jax choice": _jax(p, "indices"),
        "qulacs": _qulacs(p),
        "TensorCircuit-NG": _tensorcircuit(p, "sample_int"),
    }


def _bits(p: Floats, rng: np.random.Generator) -> dict[str, Sampler]:
    from qgen_core.events import index_to_bits
    from qgen_core.simulators.outcomes import sample_indices

    shifts = np.arange(WIRES)[::-1]
    return {
        "qgen": lambda: index_to_bits(sample_indices(p, SHOTS, rng), WIRES),
        "numpy choice, shifts": lambda: (
            (rng.choice(len(p), SHOTS, p=p)[:, None] >> shifts) & 1
        ).astype(np.int8),
        "PennyLane lightning.qubit": _lightning(p),
    }
