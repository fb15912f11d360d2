"""Measures of calorimeter showers against independent programs, mathematics, and their floors."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from math import erf
from pathlib import Path

import h5py
import numpy as np
import pytest
from calo_numbers import FILE, NEIGHBOURS, SEED, calibration, samples, sizes, small_points

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.runs import evaluation
from qgen_hep.calorimeters import DS1_PHOTONS, distances, neighbours, telling_apart
from qgen_hep.calorimeters.separation import Histograms, separation_power
from qgen_hep.calorimeters.showers import Showers
from qgen_hep.classifier import Settings

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))
PAIRS = ("far", "near")
#: A network that a test can train.
SMALL = Settings(
    widths=(16,), scaling="none", dropout=0.0, batch_size=256, epochs=8, learning_rate=0.01,
    batch_norm=False, select="accuracy", precision="float64",
)  # fmt: skip


def showers(count: int, seed: int, *, scale: float = 1.0) -> Events:
    """Photons of 65,536 MeV as random voxels whose energies fall with r."""
    draw = np.random.default_rng(seed)
    radius = np.concatenate([layer.r for layer in DS1_PHOTONS.layers])
    mean = np.exp(-radius / 40)
    mean *= 65536 / mean.sum()
    voxels = scale * mean * draw.gamma(2.0, 0.5, (count, 368)) * draw.gamma(50.0, 0.02, (count, 1))
    return Events(
        voxels, np.full((count, 1), 65536.0), columns=DS1_PHOTONS.column_names,
        condition_columns=("incident_energies",),
    )  # fmt: skip


# separation power


def test_the_separation_power_of_simple_histograms() -> None:
    assert separation_power([3, 1, 0], [6, 2, 0]).power == 0.0
    assert separation_power([3, 0, 0], [0, 9, 0]).power == 1.0
    # 1/2 [(1/4)^2 / (3/4) + (1/4)^2 / (5/4)]
    found = separation_power([1, 3, 1], [2, 2, 4])
    assert found.power == pytest.approx(1 / 15)
    assert found.outside_reference == pytest.approx(1 / 5)
    assert found.outside_generated == pytest.approx(1 / 2)
    assert separation_power([1, 1, 0], [0, 0, 7]).power == 1.0
    assert separation_power([0, 0, 0], [0, 0, 7]).power == 0.0


def test_the_separation_power_is_that_of_normalised_densities() -> None:
    """As the CaloChallenge writes it: densities in range, times the widths of the bins."""
    draw = np.random.default_rng(1)
    edges = np.logspace(0, 3, 40)
    values = draw.exponential(100.0, 5000), draw.exponential(120.0, 3000)
    first, second = (np.histogram(v, edges, density=True)[0] * np.diff(edges) for v in values)
    expected = 0.5 * np.sum((first - second) ** 2 / (first + second + 1e-16))
    counts = []
    for one in values:
        inside = np.histogram(one, edges)[0]
        counts.append([*inside, len(one) - inside.sum()])
    assert separation_power(*counts).power == pytest.approx(expected, rel=1e-12)


def test_equal_distributions_have_the_separation_power_of_their_sizes() -> None:
    """(K - 1) (1/n + 1/m) / 4 on average, as a chi2 of K - 1 degrees of freedom."""
    draw = np.random.default_rng(2)
    n, m, bins = 4000, 6000, 50
    powers = []
    for _ in range(200):
        counts = [draw.multinomial(size, np.full(bins, 1 / bins)) for size in (n, m)]
        powers.append(separation_power([*counts[0], 0], [*counts[1], 0]).power)
    unit = (1 / n + 1 / m) / 4
    spread = unit * np.sqrt(2 * (bins - 1))
    assert np.mean(powers) == pytest.approx((bins - 1) * unit, abs=4 * spread / np.sqrt(200))
    assert np.std(powers) == pytest.approx(spread, rel=0.2)


def test_the_histograms_are_those_of_the_challenge() -> None:
    events = showers(50, 1)
    sample = Showers(events.x, events.condition[:, 0], DS1_PHOTONS)
    found = Histograms(sample, threshold=1.0)
    edges = {one.name: one.edges for one in found.all}
    layers = DS1_PHOTONS.layer_energies(sample.voxels)
    expected = {
        "E_tot/E_inc": (0.5, 1.5, 101),
        "E_tot/E_inc at 65536 MeV": (0.9, 1.1, 21),
        "E_layer_1": (1.0, layers[:, 1].max(), 40),
        "EC_eta_2": (-100.0, 100.0, 101),
        "width_phi_1": (0.0, 100.0, 101),
        "EC_r_0": (0.0, 500.0, 101),
        "EC_r_12": (0.0, 1500.0, 101),
        "width_r_12": (0.0, 1500.0, 101),
        "sparsity_3": (0.0, 1.0, 21),
    }
    for name, (low, high, number) in expected.items():
        assert edges[name][0] == pytest.approx(low, abs=1e-12), name
        assert edges[name][-1] == pytest.approx(high), name
        assert len(edges[name]) == number, name
    assert len(found.voxels.edges) == 50
    assert found.voxels.edges[-1] == pytest.approx(sample.voxels.max())
    assert len(found.all) == 2 + 5 + 4 * 2 + 3 * 5
    # A photon of 2^11 MeV has the wide histogram, and other energies have none.
    wide = Histograms(Showers(sample.voxels, np.full(50, 2048.0), DS1_PHOTONS), 1.0).all[1]
    assert wide.name == "E_tot/E_inc at 2048 MeV" and wide.edges[0] == 0.4
    other = Histograms(Showers(sample.voxels, np.full(50, 2000.0), DS1_PHOTONS), 1.0)
    assert other.all[1].name == "E_layer_0"


def test_binned_showers_count_what_histograms_of_features_count() -> None:
    events = showers(300, 1)
    voxels = np.where(events.x < 1, 0, events.x)
    sample = Showers(voxels, events.condition[:, 0] * np.repeat([1, 2, 4], 100), DS1_PHOTONS)
    histograms = Histograms(sample, threshold=1.0)
    binned = histograms.binned(sample)
    at_other_energies = histograms.separations(binned, binned[100:])
    assert at_other_energies["E_tot/E_inc at 65536 MeV"].power == 1.0
    found = histograms.separations(binned, binned[:100])
    assert found["E_tot/E_inc at 65536 MeV"].power == 0.0
    response = voxels.sum(axis=1) / sample.incident
    outside = np.mean((response < 0.5) | (response > 1.5))
    assert 0.2 < outside < 0.5
    assert found["E_tot/E_inc"].outside_reference == pytest.approx(outside)
    # The largest energy of the reference belongs to the last bin.
    assert found["voxels"].outside_reference == 0.0
    for number, energies in zip(
        (0, 1, 2, 3, 12), DS1_PHOTONS.layer_energies(voxels).T, strict=True
    ):
        expected = np.mean(energies < 1)
        assert found[f"E_layer_{number}"].outside_reference == pytest.approx(expected)
    counts = []
    for part in (voxels, voxels[:100]):
        counts.append([*np.histogram(part[part > 0], histograms.voxels.edges)[0], 0])
    expected = separation_power(*counts).power
    assert found["voxels"].power == pytest.approx(expected, rel=1e-12)


def test_the_metric_reports_what_lies_outside() -> None:
    reference, generated = showers(400, 1), showers(400, 2, scale=1.6)
    metric = qgen.metric("separation-power", resamples=3)
    found = metric(reference, generated, rng=np.random.default_rng(1))
    response = found["S2(E_tot/E_inc)"]
    assert response.value > 5 * response.floor
    share = np.mean(generated.x.sum(axis=1) > 1.5 * 65536)
    assert share > 0.3
    assert f"{share:.2%} generated" in response.note and "0.00% of the reference" in response.note
    assert set(found) > {"S2(EC_eta)", "S2(width_r)", "S2(sparsity)", "S2(voxels)", "S2(E_layer)"}
    by_layer = qgen.metric("separation-power", resamples=2, by_layer=True)
    single = by_layer(reference, generated, rng=np.random.default_rng(1))
    layers = [single[f"S2(EC_r_{number})"].value for number in (0, 1, 2, 3, 12)]
    assert found["S2(EC_r)"].value == pytest.approx(np.mean(layers))


# distances


@pytest.mark.parametrize("pair", PAIRS)
def test_distances_are_those_of_jetnet(pair: str) -> None:
    """The same draws, because numpy's ``choice`` with replacement draws integers."""
    golden = GOLDEN[pair]
    first, second = samples(pair)
    scaled = distances.normalised(first, second)
    assert distances.frechet_distance(*scaled) == pytest.approx(
        golden["frechet distance"], rel=1e-9
    )
    assert distances.kernel_distance(*scaled) == pytest.approx(golden["kernel distance"], rel=1e-9)
    found = distances.frechet_physics_distance(
        first, second, rng=np.random.default_rng(SEED), sizes=sizes()
    )
    np.testing.assert_allclose(found.points, golden["points"], rtol=1e-9)
    summary = distances.summary(golden["batches"])
    assert summary == pytest.approx(golden["kpd"], rel=1e-12)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_line_is_the_minimum_that_jetnet_stops_before(pair: str) -> None:
    golden = GOLDEN[pair]
    x, y = 1 / sizes(), np.array(golden["points"])
    line = distances.rising_line(x, y)

    def best_misfit(intercept: float) -> float:
        slope = max(0.0, x @ (y - intercept) / (x @ x))
        return float(np.sum((y - intercept - slope * x) ** 2))

    ours = np.sum((y - line.intercept - line.slope * x) ** 2)
    around = line.intercept + np.linspace(-1, 1, 2001) * 0.01
    assert ours <= min(best_misfit(one) for one in around if one >= 0) * (1 + 1e-9)
    assert ours < best_misfit(golden["fpd"])
    assert line.intercept == pytest.approx(golden["fpd"], rel=0.01 if pair == "far" else 1.0)


def test_jetnet_stops_far_before_the_minimum_for_small_distances() -> None:
    x, y = small_points()
    line = distances.rising_line(x, y)
    slope, intercept = np.polyfit(x, y, 1)
    assert line[:2] == pytest.approx((intercept, slope), rel=1e-9)
    assert line.intercept == pytest.approx(1e-4, rel=0.02)
    assert GOLDEN["bounded fit"] > 1.2 * line.intercept


def test_the_line_meets_its_bounds() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert distances.rising_line(x, 2 * x + 1)[:2] == pytest.approx((1.0, 2.0))
    falling = distances.rising_line(x, 4 - x)
    assert (falling.intercept, falling.slope) == (2.0, 0.0)
    steep = distances.rising_line(x, 2 * x - 1)
    assert steep.intercept == 0.0 and steep.free == pytest.approx(-1.0)
    assert steep.slope == pytest.approx(x @ (2 * x - 1) / (x @ x))
    # The error is that of ordinary least squares.
    draw = np.random.default_rng(1)
    places = np.linspace(0.0, 1.0, 10)
    fits = [
        distances.rising_line(places, 5 + 3 * places + draw.normal(size=10)) for _ in range(2000)
    ]
    errors = np.sqrt(np.mean([one.error**2 for one in fits]))
    assert np.std([one.intercept for one in fits]) == pytest.approx(errors, rel=0.1)


def test_the_frechet_distance_of_gaussians_is_known() -> None:
    """|mu|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2); with diagonal covariances the root is elementwise."""
    draw = np.random.default_rng(1)
    deviations = np.array([1.0, 0.5, 2.0]), np.array([1.5, 0.5, 1.8])
    shift = np.array([0.3, -0.2, 0.1])
    turn = np.linalg.qr(draw.normal(size=(3, 3)))[0]
    first = draw.normal(size=(60_000, 3)) * deviations[0] @ turn
    second = (draw.normal(size=(60_000, 3)) * deviations[1] + shift) @ turn
    expected = shift @ shift + np.sum((deviations[0] - deviations[1]) ** 2)
    unit = np.abs(first).max(axis=0)
    bounded = np.array([[1.0, 1.0, 1.0]])
    found = distances.frechet_distance(first, second)
    assert found == pytest.approx(expected, rel=0.03)
    # Normalisation multiplies each feature; with one scale the distance has its square.
    scale = unit.max()
    first = np.concatenate([first, scale * bounded])
    result = distances.frechet_physics_distance(
        first, second, rng=draw, sizes=[200, 300, 600], draws=60
    )
    at_200 = result.points[0]
    assert result.line.intercept == pytest.approx(expected / scale**2, rel=0.05)
    assert at_200 > 1.05 * result.line.intercept  # finite samples lie farther apart


def test_sizes_shrink_in_proportion_to_the_sample() -> None:
    full = distances.sizes_for(50_000)
    assert len(full) == 10 and np.all(np.diff(full) > 0)
    np.testing.assert_allclose(np.diff(1 / full), (1 / 50_000 - 1 / 10_000) / 9, rtol=1e-2)
    np.testing.assert_allclose(distances.sizes_for(5000) / full, 0.1, rtol=1e-3)
    assert distances.batch_for(10**6) == 10_000
    with pytest.raises(DataError, match="at least 2 events"):
        distances.frechet_physics_distance(
            *samples("far"), rng=np.random.default_rng(1), sizes=[1, 5]
        )
    with pytest.raises(DataError, match="samples of 5 and 5 events are too small"):
        distances.kernel_physics_distance(
            *(one[:5] for one in samples("far")), rng=np.random.default_rng(1)
        )


@pytest.mark.parametrize("pair", PAIRS)
def test_neighbours_are_those_of_scikit_learn(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "PAIRS_AT_A_TIME", 10_000)  # several pieces
    found = neighbours.neighbours(*samples(pair), k=NEIGHBOURS).numbers()
    assert found == pytest.approx(GOLDEN[pair]["neighbours"], abs=1e-12)


def test_a_kernel_distance_does_not_depend_on_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    scaled = distances.normalised(*samples("far"))
    whole = distances.kernel_distance(*scaled)
    monkeypatch.setattr(distances, "PAIRS_AT_A_TIME", 5000)
    assert distances.kernel_distance(*scaled) == pytest.approx(whole, rel=1e-9)


def test_equal_events_are_within_no_reach_of_each_other() -> None:
    """Reach and distance are both exactly 0, however the lengths are rounded."""
    same = np.full((20, 7), np.pi * 1e3)
    assert neighbours.neighbours(same, same, k=3).numbers() == dict.fromkeys(
        ("precision", "recall", "density", "coverage"), 0.0
    )


# networks


def test_calibration_is_the_isotonic_regression_of_scikit_learn() -> None:
    scores, labels, places = calibration()
    fitted = telling_apart.isotonic(scores, labels)
    np.testing.assert_allclose(fitted(places), GOLDEN["isotonic"]["values"], atol=1e-12)


def test_gaussians_are_told_apart_as_well_as_can_be() -> None:
    """AUC is Phi(d / sqrt 2), and JSD an integral over the likelihood ratio."""
    pytest.importorskip("torch")
    draw = np.random.default_rng(1)
    distance = 1.5
    first, second = draw.normal(size=(9000, 2)), draw.normal(size=(9000, 2))
    second[:, 0] += distance
    split = telling_apart.Split(4000, 2000, 3000)
    found = telling_apart.tell_apart(first, second, split=split, settings=SMALL, seed=1)
    grid = np.linspace(-8.0, 10.0, 4001)
    p, q = (np.exp(-((grid - mean) ** 2) / 2) / np.sqrt(2 * np.pi) for mean in (0, distance))
    middle = (p + q) / 2
    jsd = np.sum(p * np.log2(p / middle) + q * np.log2(q / middle)) / 2 * (grid[1] - grid[0])
    assert found.auc == pytest.approx((1 + erf(distance / 2)) / 2, abs=4 * found.auc_error)
    assert found.jsd == pytest.approx(jsd, abs=4 * found.jsd_error)
    assert 0.003 < found.auc_error < 0.01 and 0.003 < found.jsd_error < 0.02


def test_parts_of_a_split_are_disjoint_and_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Recorded:
        def scores(self, events: np.ndarray) -> np.ndarray:
            seen.append(np.array(events)[:, 0])
            return np.arange(len(events), dtype=float)

    def train(first, second, settings, *, seed, build):  # noqa: ANN001, ANN202
        seen.append(np.concatenate([first.train, second.train])[:, 0])
        return Recorded()

    monkeypatch.setattr(telling_apart, "train_classifier", train)
    first, second = np.arange(100.0)[:, None], np.arange(1000.0, 1100.0)[:, None]
    split = telling_apart.Split(50, 20, 30)
    for seed in (1, 1, 2):
        telling_apart.tell_apart(first, second, split=split, seed=seed)
    again = len(seen) // 3
    every = np.sort(np.concatenate(seen[:again]))
    np.testing.assert_array_equal(every, np.concatenate([np.arange(100), np.arange(1000, 1100)]))
    assert all(np.array_equal(a, b) for a, b in zip(seen[:3], seen[3:6], strict=True))
    assert not np.array_equal(seen[0], seen[6])
    assert seen[0][0] >= 100 and seen[0][-1] < 100  # the reference comes second, with label 1


# all metrics


OPTIONS = {
    "separation-power": {"resamples": 10},
    "fpd": {"resamples": 4},
    "kpd": {},
    "prdc": {},
    "calo-classifier": {
        "levels": ["high"], "widths": [32], "epochs": 6, "precision": "float32",
    },
}  # fmt: skip
#: What a change for the worse does to a number.
FALLING = ("precision", "recall", "density", "coverage")


@pytest.mark.parametrize("name", OPTIONS)
def test_truth_against_truth_lies_at_its_floor_and_a_change_far_from_it(name: str) -> None:
    if name == "calo-classifier":
        pytest.importorskip("torch")
    metric = qgen.metric(name, **OPTIONS[name])
    reference = showers(600, 1)
    same = metric(reference, showers(600, 2), rng=np.random.default_rng(3))
    for number, one in same.items():
        spread = np.hypot(one.floor_spread, one.uncertainty)
        assert one.value == pytest.approx(one.floor, abs=4 * spread), number
    other = metric(reference, showers(600, 2, scale=0.05), rng=np.random.default_rng(3))
    for number in ("S2(E_tot/E_inc)", "FPD", "KPD", "precision", "coverage", "AUC (high)"):
        if number in other:
            one = other[number]
            sign = -1 if number in FALLING else 1
            assert sign * (one.value - one.floor) > 4 * one.floor_spread, number


@pytest.mark.parametrize("name", ["kpd", "prdc", "separation-power"])
def test_a_number_follows_from_its_seed(name: str) -> None:
    metric = qgen.metric(name)
    found = []
    for seed in (1, 1, 2):
        numbers = metric(showers(100, 1), showers(80, 2), rng=np.random.default_rng(seed))
        found.append({key: (one.value, one.floor) for key, one in numbers.items()})
    assert found[0] == found[1] != found[2]


def test_rows_say_how_far_samples_are_smaller_than_asked() -> None:
    reference, rng = showers(300, 1), np.random.default_rng(1)
    notes = {}
    for name in ("fpd", "kpd", "prdc"):
        options = {"resamples": 2} if name == "fpd" else {}
        for key, one in qgen.metric(name, **options)(reference, showers(200, 2), rng=rng).items():
            notes[key] = one.note
    assert notes["FPD"].startswith("subsets of 40 to 200 events instead of 10000 to 50000")
    assert notes["KPD"] == "10 batches of 20 events instead of 10000"
    assert notes["density"] == "150 events of each"


def test_classifiers_say_what_differs_from_the_protocol() -> None:
    pytest.importorskip("torch")
    metric = qgen.metric("calo-classifier", **OPTIONS["calo-classifier"])
    found = metric(showers(242, 1), showers(500, 2), rng=np.random.default_rng(1))
    assert found["AUC (high)"].note == (
        "80/20/21 events of each to train/test/judge instead of 80000/20000/21000, batches of 2 "
        "instead of 1000, hidden layers 32 instead of 2048-2048-2048, 6 epochs instead of 50, "
        "float32 instead of float64"
    )
    with pytest.raises(DataError, match="4 events are too few"):
        metric(showers(8, 1), showers(500, 2), rng=np.random.default_rng(1))


def test_convolutions_find_what_neighbours_share() -> None:
    """Neighbours are equal in one sample and independent in the other, with equal margins."""
    pytest.importorskip("torch")
    from qgen_hep.calorimeters.resnet import ShowerResNet

    rng = np.random.default_rng(1)
    samples = []
    for equal in (16, 1):
        voxels = rng.exponential(1.0, (200, 128 // equal))
        energy = np.full((200, 1), 3.0)
        samples.append(np.concatenate([energy, np.repeat(voxels, equal, axis=1)], axis=1))
    told = telling_apart.tell_apart(
        *samples,
        split=telling_apart.Split(120, 40, 40),
        settings=replace(
            telling_apart.PROTOCOL,
            batch_size=40,
            epochs=8,
            learning_rate=1e-3,
            precision="float32",
        ),
        build=partial(ShowerResNet, (4, 8, 4)),
        seed=1,
    )
    assert told.auc > 0.8  # 0.94 to 1 for four seeds and two kinds of processors


def test_the_resnet_has_as_many_parameters_as_that_of_the_challenge() -> None:
    """Added up by hand: 2 x 9 kernels of 27, their projections, the first of 343, and norms."""
    pytest.importorskip("torch")
    from qgen_hep.calorimeters.resnet import ShowerResNet

    network = ShowerResNet((45, 16, 9))
    assert sum(one.numel() for one in network.parameters()) == 2_516_644


def test_a_resnet_needs_layers_that_are_alike(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "binning.xml"
    layers = [f'<Layer id="{number}" r_edges="0,5,10" n_bin_alpha="4"/>' for number in (0, 1)]
    path.write_text(f'<Bins><Bin name="electron">{"".join(layers)}</Bin></Bins>')
    rng = np.random.default_rng(1)
    columns = tuple(f"showers[{number}]" for number in range(16))
    reference = Events(
        rng.exponential(10.0, (24, 16)),
        np.full((24, 1), 1000.0),
        columns=columns,
        condition_columns=("energy",),
    )
    options = {"levels": ["resnet"], "epochs": 1}
    calorimeter = {"xml": str(path), "particle": "electron"}
    metric = qgen.metric("calo-classifier", calorimeter=calorimeter, threshold=0.0, **options)
    assert 0 <= metric(reference, reference, rng=rng)["AUC (resnet)"].value <= 1
    with pytest.raises(BadOption, match="the level 'resnet' of calo-classifier needs layers"):
        qgen.metric("calo-classifier", **options)(showers(20, 1), showers(20, 2), rng=rng)


def test_bad_options_of_metrics_are_refused() -> None:
    reference, rng = showers(20, 1), np.random.default_rng(1)
    with pytest.raises(BadOption, match="at least 2 draws"):
        qgen.metric("prdc", draws=1)(reference, reference, rng=rng)
    with pytest.raises(DataError, match="prdc needs 22 reference and 11 generated"):
        qgen.metric("prdc", k=10)(reference, reference, rng=rng)
    with pytest.raises(BadOption, match="no calorimeter 'ds9'"):
        qgen.metric("fpd", calorimeter="ds9")(reference, reference, rng=rng)


@pytest.mark.parametrize("by_path", [False, True])
def test_files_of_the_challenge_are_compared(tmp_path, by_path: bool) -> None:
    """Two HDF5 files in its layout, with the built-in binning or that of a file."""
    for seed, name in ((1, "reference.h5"), (2, "generated.h5")):
        sample = showers(120, seed, scale=seed)
        with h5py.File(tmp_path / name, "w") as file:
            file["incident_energies"] = sample.condition
            file["showers"] = sample.x.astype(np.float32)
    calorimeter = '"ds1-photons"'
    if by_path:
        layers = []
        for layer in DS1_PHOTONS.layers:
            edges = ",".join(map(str, layer.r_edges))
            layers.append(
                f'<Layer id="{layer.number}" r_edges="{edges}" n_bin_alpha="{layer.angles}"/>'
            )
        path = tmp_path / "binning.xml"
        path.write_text(f'<Bins><Bin name="photon">{"".join(layers)}</Bin></Bins>')
        calorimeter = f'{{xml = "{path}", particle = "photon"}}'
    options = f"threshold = 1.0, calorimeter = {calorimeter}"
    metrics = [
        f'{{name = "separation-power", resamples = 2, {options}}}',
        f'{{name = "kpd", {options}}}',
    ]
    settings = [
        f"metrics=[{', '.join(metrics)}]",
        f"evaluation.reference={tmp_path / 'reference.h5'}",
    ]
    result = evaluation.evaluate_file(tmp_path / "generated.h5", settings)
    rows = {row["name"]: row for row in result["metrics"]}
    assert rows["S2(E_tot/E_inc)"]["value"] == pytest.approx(1.0)
    assert "of the reference" in rows["S2(E_tot/E_inc)"]["note"]
    assert rows["KPD"]["value"] > rows["KPD"]["floor"]
