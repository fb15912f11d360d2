"""Geometries, observables of showers, and the metric of their distributions."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_hep.metrics.shower_observables import shower_observables
from qgen_hep.showers import CALOGAN, geometry_of, observables, profile


def showers(count: int, seed: int = 1) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.exponential(20.0, (count, CALOGAN.voxels)) * (draw.random((count, 504)) < 0.3)


def events(x: np.ndarray, energy: np.ndarray) -> Events:
    return Events(x, energy[:, None], columns=CALOGAN.column_names, condition_columns=("energy",))


def test_observables_are_what_loops_over_cells_give() -> None:
    x = showers(5)
    x[3, :288] = 0.0  # an empty layer
    incident = np.linspace(1.0, 9.0, 5)
    found = observables(x, incident, CALOGAN, threshold=1.0)
    places = {
        "layer_0": [(column - 47.5) * 5.0 for _ in range(3) for column in range(96)],
        "layer_1": [(column - 5.5) * 40.0 for _ in range(12) for column in range(12)],
        "layer_2": [(row - 5.5) * 40.0 for row in range(12) for _ in range(6)],
    }
    for number in range(5):
        total = x[number].sum()
        depth = 0.0
        start = 0
        for index, (name, place) in enumerate(places.items()):
            cells = x[number, start : start + len(place)]
            start += len(place)
            depth += index * cells.sum() / total
            assert found[f"{name} energy"][number] == pytest.approx(cells.sum() / 1000)
            assert found[f"{name} fraction"][number] == pytest.approx(cells.sum() / total)
            assert found[f"{name} hits"][number] == np.mean(cells > 1.0)
            width = 0.0
            if cells.sum():
                mean = np.average(place, weights=cells)
                width = np.sqrt(np.average((np.array(place) - mean) ** 2, weights=cells))
            assert found[f"{name} width"][number] == pytest.approx(width)
        assert found["total energy"][number] == pytest.approx(total / 1000)
        assert found["response"][number] == pytest.approx(total / 1000 / incident[number])
        assert found["depth"][number] == pytest.approx(depth)


def test_showers_of_another_form_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(N, 504\), not \(2, 503\)"):
        observables(np.zeros((2, 503)), np.ones(2), CALOGAN)
    with pytest.raises(DataError, match="that of shower 1 is not"):
        observables(np.zeros((2, 504)), np.array([1.0, 0.0]), CALOGAN)
    with pytest.raises(DataError, match="2 showers need so many"):
        observables(np.zeros((2, 504)), np.ones(3), CALOGAN)
    with pytest.raises(BadOption, match="no geometry 'cms'; there are calogan"):
        geometry_of("cms", CALOGAN.column_names)
    with pytest.raises(DataError, match=r"layer_0\[0\] to layer_2\[71\] in order"):
        geometry_of("calogan", CALOGAN.column_names[::-1])


def test_a_profile_is_that_of_each_bin() -> None:
    draw = np.random.default_rng(2)
    by, values = draw.uniform(0.0, 10.0, 200), draw.normal(size=200)
    edges = np.array([0.0, 2.0, 10.0, 11.0])
    found = profile(values, by, edges)
    for number, (low, high) in enumerate(((0.0, 2.0), (2.0, 10.0))):
        inside = values[(by >= low) & (by < high)]
        assert found.mean[number] == inside.mean()
        assert found.deviation[number] == inside.std(ddof=1)
    assert np.isnan(found.mean[2])


def test_the_metric_sees_a_change_of_one_observable_only() -> None:
    """Energy moved between strips of one row changes their width, and no energy."""
    draw = np.random.default_rng(3)
    energy = draw.uniform(1.0, 100.0, 600)
    x = showers(600)
    strips = x[300:, :288].reshape(300, 3, 96)
    x[300:, :288] = np.sort(strips, axis=2).reshape(300, 288)
    found = qgen.metric("shower-observables", resamples=20)(
        events(x[:300], energy[:300]), events(x[300:], energy[300:]), rng=draw
    )
    changed = found.pop("W1(layer_0 width)")
    mean = found.pop("W1(mean)")
    assert changed.value > 20 * changed.floor
    for name, one in found.items():
        assert one.value < one.floor + 5 * one.floor_spread, name
    del found["W1(response)"]
    every = [one.value for one in found.values()] + [changed.value]
    assert mean.value == pytest.approx(np.mean(every)) and len(every) == 14


def test_the_distance_of_the_response_is_in_units_of_the_incident_energy() -> None:
    draw = np.random.default_rng(4)
    energy = draw.uniform(1.0, 100.0, 400)
    x = showers(400)
    x *= (1000 * energy / x.sum(axis=1))[:, None]  # all of the energy is in the cells
    found = shower_observables(events(x, energy), events(0.9 * x, energy), rng=draw, resamples=3)
    assert found["W1(response)"].value == pytest.approx(0.1)


def test_the_metric_needs_incident_energies() -> None:
    x = Events(showers(4), columns=CALOGAN.column_names)
    with pytest.raises(DataError, match="the condition 'energy'; these events have none"):
        shower_observables(x, x, rng=np.random.default_rng(1))
