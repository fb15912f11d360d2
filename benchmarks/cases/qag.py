"""The Quantum Angle Generator of the document: 50 images of 8 pixels, 2048 shots, MMD; one thread.

An evaluation of the loss by each contestant, in the same rounds, and our whole training of 600
evaluations with COBYLA. The search of the peers is left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

import qgen_core as qgen
from benchmarks.batch_task import BatchTask, make_batch_task
from benchmarks.contestants import aer_device, sdks
from benchmarks.contestants.qgen import circuit_of
from benchmarks.context import Case, Context
from benchmarks.machine import versions
from benchmarks.rounds import Local, Row, Timed, measure
from benchmarks.task import Floats
from qgen_core import Batch, Events, Space
from qgen_core.circuits.measures import Probabilities, pauli_z
from qgen_core.generators.qag import QuantumAngleGenerator, drawn
from qgen_core.noise_models.noisy import NoisyBackend

THREADS = 1
IMAGES = 50
SHOTS = 2048
EVALUATIONS = 600
#: Calls of more seconds, the trainings and Aer's evaluations, are repeated a few times only: with
#: all repeats they would take half an hour.
SLOW = 0.3
DISTRIBUTIONS = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime", "pennylane", "tensorcircuit-ng")
#: Expectations (B, Q) of a contestant for the images of the task.
Images = Callable[[], Floats]
SPACE = Space("reals", 8)


def run(context: Context) -> Iterator[Case]:
    """Without noise, and under the stored calibration of ibm_fez."""
    for name, peers in (("qag/noiseless", _peers), ("qag/fez", _noisy_peers)):
        if context.wants(name):
            context.say(name)
            yield _measured(context, name, peers(make_batch_task("chain", IMAGES)))


def _model(name: str, drawing: str) -> QuantumAngleGenerator:
    backend = qgen.backend("statevector", threads=1)
    if name == "qag/fez":
        backend = NoisyBackend(qgen.backend("density", threads=1), qgen.noise("ibm_fez"))
    model: QuantumAngleGenerator = qgen.generator(
        "qag", backend=backend, space=SPACE, shots=SHOTS, drawing=drawing, seed=3
    )
    return model


def _data() -> Events:
    rng = np.random.default_rng(1)
    return Events(np.clip(np.cumsum(rng.normal(0.0, 0.3, (500, 8)), axis=1), -1.0, 1.0))


def _peers(task: BatchTask) -> dict[str, Images]:
    found: dict[str, Images] = {"Qiskit Aer, joint": sdks.aer_expectations(task, SHOTS)}
    found["PennyLane default.qubit, joint"] = sdks.pennylane_expectations(task, SHOTS)
    if importlib.util.find_spec("tensorcircuit") is not None:
        from benchmarks.contestants import tensorcircuit

        step = tensorcircuit.build_batch(task, "double", backward=False)
        rng = np.random.default_rng(2)
        found["TensorCircuit-NG, vmap, binomial"] = lambda: drawn(
            step(task.params, task.inputs)[0], SHOTS, rng
        )
    return found


def _noisy_peers(task: BatchTask) -> dict[str, Images]:
    from qiskit_ibm_runtime.fake_provider import FakeFez

    model = qgen.noise("ibm_fez")
    noisy, _ = model(circuit_of(task.ops, task.wires), Probabilities())
    read = model.describe()["read on"]
    frequencies = aer_device.frequencies(task, noisy, FakeFez(), read, SHOTS)
    signs = sdks.signs_of(task.wires)
    return {"Qiskit Aer, joint": lambda: frequencies() @ signs}


def _measured(context: Context, name: str, peers: dict[str, Images]) -> Case:
    """Peers are first held against exact expectations; readout errors are left out of Aer's."""
    task = make_batch_task("chain", IMAGES)
    circuit = circuit_of(task.ops, task.wires)
    angles = circuit.bind(task.params, task.inputs)
    exact = _model(name, "joint").backend.run(circuit, angles, pauli_z(task.wires))
    data = _data()
    batch = Batch(data.x[:IMAGES])
    loss = qgen.loss("mmd", space=SPACE, reads="samples", bandwidth=[1.0])
    contestants: list[tuple[Row, Timed]] = []
    rows = []
    for drawing in ("binomial", "joint"):
        ours = _model(name, drawing)
        evaluation = _evaluation(ours, loss, batch)
        training = _training(ours, data)
        found = {f"qgen, {drawing}": evaluation}
        found[f"qgen, {drawing}, training of {EVALUATIONS} evaluations"] = training
        for label, call in found.items():
            rows.append(Row(label, "double"))
            contestants.append((rows[-1], Local(call)))
    for label, images in peers.items():
        row = Row(label, "double")
        rows.append(row)
        off = float(np.max(np.abs(images() - exact)))
        if off > 5 / np.sqrt(SHOTS) + 0.05 * (name == "qag/fez"):
            row.error = f"differs by {off:.1e}"
            continue
        contestants.append((row, Local(lambda images=images: loss(images(), batch)[0])))
    measure(contestants, context.repeats, min(context.slow, SLOW))
    return {
        "id": name,
        "batch": IMAGES,
        "rows": [row.summary() for row in rows],
        "versions": {"peers": versions(DISTRIBUTIONS)},
    }


def _evaluation(model: QuantumAngleGenerator, loss: qgen.Loss, batch: Batch) -> Callable[[], float]:
    """A loss with new random angles and shots at each call."""
    theta = model.theta[None]
    numbers = count()

    def call() -> float:
        rng = np.random.default_rng(next(numbers))
        return loss(model.outputs_at("samples", theta, batch, rng=rng)[0], batch)[0]

    return call


def _training(model: QuantumAngleGenerator, data: Events) -> Callable[[], None]:
    """The document's training with its tolerance off, so that all evaluations are made."""
    trainer = qgen.trainer(
        "cobyla",
        rhobeg=5.593,
        tol=1e-300,
        search="own",
        steps=EVALUATIONS,
        batch_size=IMAGES,
    )
    loss = qgen.loss("mmd", space=SPACE, reads="samples", bandwidth=[1.0])

    def call() -> None:
        history = trainer.fit(model, data, loss, seed=1)
        assert len(history.records) == EVALUATIONS

    return call
