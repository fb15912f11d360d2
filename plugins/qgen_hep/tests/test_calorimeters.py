"""Calorimeters of the CaloChallenge: geometry, binning files, high-level features, timing."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import numpy as np
import pytest

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_hep.calorimeters import DS1_PHOTONS, DS1_PIONS, DS2, DS3, Calorimeter, CalorimeterLayer
from qgen_hep.calorimeters.distances import frechet_distance, normalised
from qgen_hep.calorimeters.features import LEVELS, high_level_features, network_inputs
from qgen_hep.calorimeters.grids import CALOGAN
from qgen_hep.calorimeters.showers import (
    CALORIMETERS,
    Showers,
    calorimeter_of,
    incident_energies,
    showers_of,
)
from qgen_hep.calorimeters.timing import time_per_shower

BINNING = """<?xml version="1.0"?>
<!-- in the layout of the CaloChallenge -->
<Bins>
   <Bin pid="22" etaMin="0" etaMax="130" name="photon">
      <Layer id="0" r_edges="0,5,10,30,50,100,200,400,600" n_bin_alpha="1" />
      <Layer id="1" r_edges="0,2,4,6,8,10,12,15,20,30,40,50,70,90,120,150,200" n_bin_alpha="10"/>
      <Layer id="2" r_edges="0,2,5,10,15,20,25,30,40,50,60,80,100,130,160,200,250,300,350,400"
             n_bin_alpha="10"/>
      <Layer id="3" r_edges="0,50,100,200,400,600" n_bin_alpha="1" />
      <Layer id="4" r_edges="0" n_bin_alpha="1" />
      <Layer id="12" r_edges="0,100,200,400,1000,2000" n_bin_alpha="1" />
   </Bin>
   <Bin pid="11" name="electron"><Layer id="0" r_edges="0,1.5" n_bin_alpha="4"/></Bin>
</Bins>
"""


def showers(calorimeter: Calorimeter, count: int = 4, seed: int = 1) -> Showers:
    """Showers with empty voxels, the last of them with an empty first layer."""
    draw = np.random.default_rng(seed)
    shape = (count, calorimeter.voxels)
    voxels = draw.exponential(20.0, shape) * (draw.random(shape) < 0.3)
    rows, columns = calorimeter.layers[0].shape
    voxels[-1, : rows * columns] = 0.0
    return Showers(voxels, draw.uniform(1e3, 1e5, count), calorimeter)


def test_the_calorimeters_have_the_voxels_of_the_data_sets() -> None:
    voxels = {name: one.voxels for name, one in CALORIMETERS.items()}
    assert voxels == {
        "ds1-photons": 368,
        "ds1-pions": 533,
        "ds2": 6480,
        "ds3": 40500,
        "calogan": 504,
        "ds1-photons-layers": 5,
        "ds1-pions-layers": 7,
        "ds2-layers": 45,
        "ds3-layers": 45,
        "calogan-layers": 3,
    }
    shapes = {layer.number: layer.shape for layer in DS1_PIONS.layers}
    # angles and rings
    assert shapes == {
        0: (1, 8), 1: (10, 10), 2: (10, 10), 3: (1, 5), 12: (10, 15), 13: (10, 16), 14: (1, 10)
    }  # fmt: skip
    assert DS2.layers[44].r_edges[-1] == pytest.approx(41.85)
    assert DS3.layers[44].r_edges[-1] == pytest.approx(41.85)


@pytest.mark.parametrize("calorimeter", [DS1_PHOTONS, DS1_PIONS, DS2], ids=lambda one: one.name)
def test_r_runs_fastest_then_the_angle_then_the_layer(calorimeter: Calorimeter) -> None:
    """Places from nested loops over layers, angles and rings."""
    eta, phi, names = [], [], []
    for layer in calorimeter.layers:
        assert isinstance(layer, CalorimeterLayer)
        assert layer.start == len(eta)
        for angle in range(layer.angles):
            alpha = -pi + (angle + 0.5) * 2 * pi / layer.angles
            for low, high in zip(layer.r_edges, layer.r_edges[1:], strict=False):
                names.append(f"showers[{len(eta)}]")
                eta.append((low + high) / 2 * cos(alpha))
                phi.append((low + high) / 2 * sin(alpha))
    np.testing.assert_allclose(calorimeter.eta, eta, atol=1e-9)
    np.testing.assert_allclose(calorimeter.phi, phi, atol=1e-9)
    assert calorimeter.column_names == tuple(names)


def test_layer_energies_are_sums_over_the_layers() -> None:
    voxels = showers(DS1_PHOTONS).voxels.astype(np.float32)
    found = DS1_PHOTONS.layer_energies(voxels)
    assert found.dtype == np.float64
    ends = np.cumsum([0, 8, 160, 190, 5, 5])
    for number in range(5):
        expected = voxels[:, ends[number] : ends[number + 1]].astype(np.float64).sum(axis=1)
        np.testing.assert_allclose(found[:, number], expected, rtol=1e-12)
    with pytest.raises(DataError, match=r"shape \(N, 368\), not \(1, 367\)"):
        DS1_PHOTONS.layer_energies(np.zeros((1, 367)))


def test_a_binning_file_is_the_built_in_calorimeter(tmp_path) -> None:
    path = tmp_path / "binning.xml"
    path.write_text(BINNING)
    assert Calorimeter.from_xml(path, "photon").layers == DS1_PHOTONS.layers
    assert Calorimeter.from_xml(path, "electron").voxels == 4
    chosen = calorimeter_of({"xml": str(path), "particle": "electron"})
    assert chosen.name == "binning" and chosen.threshold == 0.0


LAYER = '<Layer id="1" r_edges="0,2" n_bin_alpha="1"/>'
BROKEN = {
    "is no XML file": "<Bins><Bin",
    "document types and entities are not": '<!DOCTYPE Bins [<!ENTITY a "0,1">]><Bins/>',
    "has 0 particles named 'photon', there must be one; it has pion": (
        '<Bins><Bin name="pion"/></Bins>'
    ),
    "has 2 particles named": '<Bins><Bin name="photon"/><Bin name="photon"/></Bins>',
    "no layer with voxels": '<Bins><Bin name="photon"/></Bins>',
    "the element 'Particle' is not expected in Bins": "<Bins><Particle/></Bins>",
    "the element 'Layer' is not expected in Bins/Bin/Layer": LAYER.replace(
        "/>", f">{LAYER}</Layer>"
    ),
    "layer 1 occurs twice": LAYER + LAYER,
    "has no attribute 'r_edges'": '<Layer id="1" n_bin_alpha="1"/>',
    "is no list of numbers": LAYER.replace("0,2", "0;2"),
    "not finite": LAYER.replace("0,2", "0,nan"),
    "edges that rise from 0 or more": LAYER.replace("0,2", "2,2"),
    "n_bin_alpha='-1' is no whole number": LAYER.replace('n_bin_alpha="1"', 'n_bin_alpha="-1"'),
    "more than 16777216 voxels": LAYER.replace('n_bin_alpha="1"', 'n_bin_alpha="999999999"'),
    "more than 1048576 bytes": " " * 2**20 + "<Bins/>",
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_binning_files_are_refused(tmp_path, message: str) -> None:
    text = BROKEN[message]
    if text.startswith("<Layer"):
        text = f'<Bins><Bin name="photon">{text}</Bin></Bins>'
    path = tmp_path / "binning.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        Calorimeter.from_xml(path, "photon")


def test_calorimeters_that_make_no_sense_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="cannot read the binning file"):
        Calorimeter.from_xml(tmp_path / "missing.xml", "photon")
    with pytest.raises(BadOption, match="no calorimeter 'cms'; there are ds1-photons"):
        calorimeter_of("cms")
    with pytest.raises(BadOption, match="has the keys xml and particle, not xml"):
        calorimeter_of({"xml": "binning.xml"})
    with pytest.raises(DataError, match="layer 3 of the calorimeter x starts at voxel 1"):
        Calorimeter("x", "", (CalorimeterLayer(3, (0, 1), 1, start=1),))
    with pytest.raises(DataError, match="has no layers"):
        Calorimeter("x", "", ())
    for edges, angles in (((0, 1), 0), ((1,), 1), ((0, np.inf), 1), ((-1, 1), 1)):
        with pytest.raises(DataError, match="layer 3"):
            CalorimeterLayer(3, edges, angles, 0)


@pytest.mark.parametrize("calorimeter", [DS1_PHOTONS, CALOGAN], ids=lambda one: one.name)
def test_features_are_what_loops_over_voxels_give(calorimeter: Calorimeter) -> None:
    sample = showers(calorimeter)
    found = high_level_features(sample)
    places = {}
    if calorimeter is CALOGAN:
        shapes = {0: (3, 96), 1: (12, 12), 2: (12, 6)}
        for number, (rows, columns) in shapes.items():
            eta = [
                (c - (columns - 1) / 2) * 480 / columns for _ in range(rows) for c in range(columns)
            ]
            phi = [(r - (rows - 1) / 2) * 480 / rows for r in range(rows) for _ in range(columns)]
            r = [sqrt(x * x + y * y) for x, y in zip(eta, phi, strict=True)]
            places[number] = {"eta": eta, "phi": phi, "r": r}
    else:
        for layer in DS1_PHOTONS.layers:
            assert isinstance(layer, CalorimeterLayer)
            middles = [(a + b) / 2 for a, b in zip(layer.r_edges, layer.r_edges[1:], strict=False)]
            r = middles * layer.angles
            places[layer.number] = {"r": r}
            if layer.angles > 1:
                alpha = [
                    -pi + (2 * (i // len(middles)) + 1) * pi / layer.angles for i in range(len(r))
                ]
                places[layer.number]["eta"] = [a * cos(b) for a, b in zip(r, alpha, strict=True)]
                places[layer.number]["phi"] = [a * sin(b) for a, b in zip(r, alpha, strict=True)]
    expected = 2 + 2 * len(places)
    for event in range(len(sample)):
        start = 0
        for number, by_direction in places.items():
            width = len(by_direction["r"])
            energies = sample.voxels[event, start : start + width]
            start += width
            total = energies.sum()
            assert found[f"E_layer_{number}"][event] == pytest.approx(total, abs=1e-12)
            assert found[f"sparsity_{number}"][event] == pytest.approx(np.mean(energies == 0))
            for direction, place in by_direction.items():
                mean = spread = 0.0
                if total:
                    mean = np.average(place, weights=energies)
                    spread = sqrt(np.average((np.array(place) - mean) ** 2, weights=energies))
                assert found[f"EC_{direction}_{number}"][event] == pytest.approx(mean, abs=1e-9)
                # The difference of two squares has lost half of its digits where it is 0.
                assert found[f"width_{direction}_{number}"][event] == pytest.approx(
                    spread, abs=1e-4
                )
        assert found["E_tot"][event] == pytest.approx(sample.voxels[event].sum())
        response = sample.voxels[event].sum() / sample.incident[event]
        assert found["E_tot/E_inc"][event] == pytest.approx(response)
    expected += sum(2 * len(by_direction) for by_direction in places.values())
    assert len(found) == expected


def test_one_voxel_has_no_width() -> None:
    """Not even that of rounding, which a distance would divide by its largest value."""
    layers = CALORIMETERS["ds1-photons-layers"]
    draw = np.random.default_rng(4)
    energies = draw.exponential(1000.0, (2000, layers.voxels))
    sample = Showers(energies, np.full(2000, 65536.0), layers)
    features = high_level_features(sample)
    of_width = [name for name in features if name.startswith("width")]
    assert len(of_width) >= layers.voxels
    for name in of_width:
        assert not features[name].any(), name
    # the same events in another order of magnitude of rounding errors
    scaled = Showers(
        energies * (1 + 1e-15 * draw.normal(size=energies.shape)), sample.incident, layers
    )
    both = [network_inputs(one, "high") for one in (sample, scaled)]
    found = frechet_distance(*normalised(*both))
    assert found == pytest.approx(0.0, abs=1e-9)


def test_features_do_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = showers(DS1_PHOTONS, 7)
    whole = high_level_features(sample)
    monkeypatch.setattr("qgen_hep.calorimeters.showers.VOXELS_AT_A_TIME", 800)
    for name, values in high_level_features(sample).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_inputs_of_networks_have_the_sizes_of_the_challenge() -> None:
    sizes = {}
    for calorimeter in (DS1_PHOTONS, DS1_PIONS, DS2):
        sample = showers(calorimeter, 2)
        sizes[calorimeter.name] = network_inputs(sample, "high").shape[1]
    assert sizes == {"ds1-photons": 30, "ds1-pions": 46, "ds2": 362}
    assert network_inputs(showers(DS3, 1), "high").shape[1] == 362


def test_inputs_of_networks_are_the_numbers_that_they_are_said_to_be() -> None:
    sample = showers(DS1_PHOTONS)
    features = high_level_features(sample)
    low, normed, high = (network_inputs(sample, level) for level in LEVELS)
    for inputs in (low, normed, high):
        np.testing.assert_allclose(inputs[:, 0], np.log10(sample.incident))
    np.testing.assert_allclose(low[:, 1:].sum(axis=1), features["E_tot/E_inc"])
    shares = normed[:, 1:369]
    np.testing.assert_allclose(shares[:3, :8].sum(axis=1), 1.0)
    np.testing.assert_array_equal(shares[3, :8], 0.0)  # an empty layer
    assert normed[3, 369] == -8.0
    np.testing.assert_allclose(normed[:, 370], np.log10(features["E_layer_1"] + 1e-8))
    order = ["E_layer_0", "E_layer_1", "E_layer_2", "E_layer_3", "E_layer_12", "EC_eta_1"]
    order += ["EC_eta_2", "EC_phi_1", "EC_phi_2", "width_eta_1", "width_eta_2", "width_phi_1"]
    order += ["width_phi_2", "E_tot"]
    for family in ("sparsity", "EC_r", "width_r"):
        order += [f"{family}_{number}" for number in (0, 1, 2, 3, 12)]
    for column, name in enumerate(order, start=1):
        expected = features[name]
        if name.startswith("E_"):
            expected = np.log10(expected + 1e-8)
        elif not name.startswith("sparsity"):
            expected = expected / 100
        np.testing.assert_allclose(high[:, column], expected, err_msg=name)


def events(x: np.ndarray, energy: np.ndarray, **fields: object) -> Events:
    given = {"columns": DS1_PHOTONS.column_names, "condition_columns": ("incident_energies",)}
    return Events(x, energy[:, None], **{**given, **fields})


def test_showers_are_found_among_the_columns_of_events() -> None:
    sample = showers(DS1_PHOTONS)
    from_condition = showers_of(events(sample.voxels, sample.incident), DS1_PHOTONS, threshold=0)
    np.testing.assert_array_equal(from_condition.voxels, sample.voxels)
    # two files are compared in all columns that both have
    columns = ("overflow[0]", "incident_energies", *DS1_PHOTONS.column_names[::-1])
    mixed = np.concatenate(
        [np.ones((4, 1)), sample.incident[:, None], sample.voxels[:, ::-1]], axis=1
    )
    found = showers_of(Events(mixed, columns=columns), DS1_PHOTONS)
    expected = np.where(sample.voxels < 1, 0, sample.voxels)  # the threshold is 1 MeV
    assert (expected == 0).sum() > (sample.voxels == 0).sum()
    np.testing.assert_array_equal(found.voxels, expected)
    np.testing.assert_array_equal(found.incident, sample.incident)
    np.testing.assert_array_equal(sample.voxels > 0, from_condition.voxels > 0)


def test_incident_energies_of_calogan_are_in_gev() -> None:
    x = Events(
        np.ones((1, 504)), np.array([[50.0]]), columns=CALOGAN.column_names,
        condition_columns=("energy",),
    )  # fmt: skip
    assert showers_of(x, CALOGAN).incident.item() == 50_000.0


def test_events_that_are_no_showers_are_refused() -> None:
    voxels, energy = np.ones((2, 368)), np.array([1.0, 2.0])
    with pytest.raises(DataError, match=r"have 367, and lack showers\[367\]"):
        few = DS1_PHOTONS.column_names[:-1]
        showers_of(events(voxels[:, :-1], energy, columns=few), DS1_PHOTONS)
    with pytest.raises(DataError, match="more than the 368 voxels"):
        many = DS1_PIONS.column_names
        showers_of(events(np.ones((2, 533)), energy, columns=many), DS1_PHOTONS)
    with pytest.raises(DataError, match="in MeV, not in GeV"):
        showers_of(events(voxels, energy, units=("GeV",) * 368), DS1_PHOTONS)
    with pytest.raises(DataError, match="have weights"):
        showers_of(events(voxels, energy, weight=np.ones(2)), DS1_PHOTONS)
    with pytest.raises(DataError, match="that of shower 1 is not"):
        showers_of(events(voxels, np.array([1.0, 0.0])), DS1_PHOTONS)
    with pytest.raises(BadOption, match="threshold is an energy of 0 or more, not -1"):
        showers_of(events(voxels, energy), DS1_PHOTONS, threshold=-1)
    with pytest.raises(DataError, match="these events have none"):
        incident_energies(Events(voxels))


class Clock:
    """The module `time` of a process that computes for a quarter of the time it waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds

    def process_time(self) -> float:
        return self.seconds / 4


def test_times_are_those_of_one_shower(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    calls = []

    def generate(count: int) -> None:
        calls.append(count)
        clock.seconds += 0.004 * count + 0.001 * len(calls)

    monkeypatch.setattr("qgen_hep.calorimeters.timing.time", clock)
    found = time_per_shower(generate, (1, 5), repeats=3)
    assert calls == [1] * 4 + [5] * 4  # the first of each size is not timed
    expected = {1: np.array([6.0, 7.0, 8.0]), 5: np.array([26.0, 27.0, 28.0]) / 5}
    for one, size in zip(found, (1, 5), strict=True):
        assert one.batch_size == size
        assert one.milliseconds == pytest.approx(expected[size].mean())
        assert one.deviation == pytest.approx(expected[size].std(ddof=1))
        assert one.processor == pytest.approx(expected[size].mean() / 4)


def test_a_timing_needs_showers_and_repetitions() -> None:
    def generate(count: int) -> None:
        raise AssertionError(f"{count} showers are made before the options are checked")

    for bad in ({"batch_sizes": (0,)}, {"batch_sizes": ()}, {"repeats": 1}):
        with pytest.raises(BadOption):
            time_per_shower(generate, **bad)
