"""Results of the study ``jets`` selected by configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgen_core.studies import MISSING, Results, plus_minus
from qgen_hep.studies.jets.grid import ANSATZE, chosen

Data = Mapping[str, Any]


def trainings(results: Results, wires: int, ansatz: str, **tags: Any) -> Results:
    """The seeds of one configuration.

    Unless ``tags`` say otherwise, with the layers that the paper chose and the defaults of
    :class:`Training`.
    """
    return results.where(**chosen(wires, ansatz, **tags).configuration)


def from_shots(results: Results, shots: int, wires: int, ansatz: str, **tags: Any) -> list[Data]:
    """The data of trainings from this number of shots, or of exact ones if there are none."""
    sampled = trainings(results, wires, ansatz, shots=shots, **tags).values()
    return sampled or trainings(results, wires, ansatz, **tags).values()


def how(results: Results, shots: int, wires: int, **tags: Any) -> str:
    """How the trainings were done that :func:`from_shots` finds."""
    for ansatz in ANSATZE:
        if trainings(results, wires, ansatz, shots=shots, **tags).values():
            return f"trained from {shots} shots"
    return "trained exactly"


def target_data(results: Results, wires: int) -> Data | None:
    """The measurement of the events alone, with the features of this number of wires."""
    data: Data | None = results.where(measured="target", wires=wires).first()
    return data


def floor_text(results: Results, wires: int, shots: int, name: str) -> str:
    """JS or D of this number of shots of the target itself, as text."""
    target = target_data(results, wires)
    if target is None:
        return MISSING
    return plus_minus(*target["floors"][str(shots)][name])


def binned_correlation(results: Results, wires: int) -> str:
    """The correlation of pT and mass of a perfect model of the bins, as text."""
    target = target_data(results, wires)
    if target is None:
        return MISSING
    return f"{target['binned_correlation'][0][1]:.3f}"
