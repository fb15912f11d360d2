"""Broken metrics, ansaetze and datasets, made of correct ones of a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, given, param
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events


def shift(reference: Events, generated: Events) -> dict[str, Any]:
    """The distance between the weighted means of each column."""
    if reference.columns != generated.columns:
        raise DataError("other columns")
    means = []
    for events in (reference, generated):
        means.append(np.average(events.x, axis=0, weights=events.weights))
    distance = np.abs(means[0] - means[1])
    return dict(zip(reference.columns, distance.tolist(), strict=True))


def a_list(reference: Events, generated: Events) -> Any:
    return list(shift(reference, generated).values())


def not_finite(reference: Events, generated: Events) -> Any:
    return {"shift": float("nan")}


def sorts_the_events(reference: Events, generated: Events) -> Any:
    generated.x.sort(axis=0)
    return shift(reference, generated)


def draws_afresh(reference: Events, generated: Events) -> Any:
    return {"shift": np.random.default_rng().random()}


def first_half(reference: Events, generated: Events) -> Any:
    half = len(generated) // 2
    return shift(
        reference, generated.replace(x=generated.x[:half], weight=generated.weights[:half])
    )


def sum_of_weights(reference: Events, generated: Events) -> Any:
    return {"shift": float(generated.weights @ generated.x[:, 0])}


def without_weights(reference: Events, generated: Events) -> Any:
    return shift(reference.replace(weight=None), generated.replace(weight=None))


def closeness(reference: Events, generated: Events) -> Any:
    return {name: -value for name, value in shift(reference, generated).items()}


def any_columns(reference: Events, generated: Events) -> Any:
    return {"shift": float(abs(np.average(generated.x[:, 0], weights=generated.weights)))}


def rows(wires: int, *, inputs: int = 0) -> Circuit:
    """RY on every wire, by an input as well where there are inputs, and CNOTs in a row."""
    if wires < 1 or inputs > wires:
        raise BadOption("no such circuit")
    gates = [Gate("ry", (wire,), param(wire)) for wire in range(wires)]
    gates += [Gate("ry", (wire,), given(wire)) for wire in range(inputs)]
    gates += [Gate("cx", (wire, wire + 1)) for wire in range(wires - 1)]
    return Circuit(wires, tuple(gates))


def a_wire_too_many(wires: int) -> Circuit:
    return rows(wires + 1)


def leaves_out_a_wire(wires: int) -> Circuit:
    return Circuit(wires, (Gate("ry", (0,), param(0)),))


def always_inputs(wires: int) -> Circuit:
    return rows(wires, inputs=1)


def random_circuit(wires: int) -> Circuit:
    offset = np.random.default_rng().random()
    return Circuit(wires, tuple(Gate("ry", (w,), param(w, 1.0, offset)) for w in range(wires)))


def no_parameters(wires: int) -> Circuit:
    return Circuit(wires, tuple(Gate("h", (wire,)) for wire in range(wires)))


def numbers_with_gaps(wires: int) -> Circuit:
    return Circuit(wires, tuple(Gate("ry", (w,), param(2 * w)) for w in range(wires)))


def only_phases(wires: int) -> Circuit:
    return Circuit(wires, tuple(Gate("rz", (wire,), param(wire)) for wire in range(wires)))


def one_input(wires: int, *, inputs: int = 0) -> Circuit:
    return rows(wires, inputs=min(inputs, 1))


def input_is_a_phase(wires: int, *, inputs: int = 0) -> Circuit:
    gates = tuple(Gate("rz", (wire,), given(wire)) for wire in range(inputs))
    return Circuit(wires, rows(wires).instructions + gates)


def no_wires(wires: int) -> Circuit:
    return rows(max(wires, 1))


X = np.random.default_rng(2).normal(size=(20, 2))
KIND = {"kind": "simulated"}


def fine() -> Events:
    return Events(X.copy(), columns=("a", "b"), provenance=KIND)


def an_array() -> Any:
    return X


def no_events() -> Events:
    return fine().replace(x=np.zeros((0, 2)))


def same_name_twice() -> Events:
    conditions = {"condition": X[:, :1].copy(), "condition_columns": ("a",)}
    return Events(X.copy(), columns=("a", "b"), provenance=KIND, **conditions)


def other_events() -> Events:
    return fine().replace(x=np.random.default_rng().normal(size=(20, 2)))


CACHED = fine()


def shared_events() -> Events:
    return CACHED


def kind_unknown() -> Events:
    return fine().replace(provenance={"kind": "real"})


def numbers_in_provenance() -> Events:
    return fine().replace(provenance={"kind": "simulated", "year": 2018})
