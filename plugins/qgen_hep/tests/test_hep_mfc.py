"""The dataset ``mfc``: its cross section and its samples against direct integration."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import chi2

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, DataError, QgenError
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_hep.datasets.mfc import mfc
from qgen_hep.generate.mfc import events as sampling
from qgen_hep.generate.mfc import process as physics
from qgen_hep.generate.mfc.envelope import Envelope
from qgen_hep.generate.mfc.events import COLUMNS, ENERGIES, sample, sample_carrier
from qgen_hep.generate.mfc.process import LARGEST_ANGLE, MUON, Process
from qgen_hep.readers import read

PROCESSES = [
    Process(m, spin) for m, spin in itertools.product((0.02, 0.5, 2.0), ("vector", "scalar"))
]


def literal(p: Process, e0: float, x: Any, theta: Any) -> Any:
    """d2 sigma / dx (theta dtheta) without epsilon^2, chi and millibarn, as the papers print it."""
    m2, lepton2 = p.mass**2, physics.MUON**2
    u = -x * e0**2 * theta**2 - m2 * (1 - x) / x - lepton2 * x
    w = u * x + m2 * (1 - x) + lepton2 * x**2
    if p.spin == "vector":
        a = 2 * (2 - 2 * x + x**2) / (1 - x) + 4 * (m2 + 2 * lepton2) * w / u**2
    else:
        a = x**2 / (1 - x) + 2 * (m2 - 4 * lepton2) * w / u**2
    beta = np.sqrt(np.maximum(0.0, 1 - m2 / (x * e0) ** 2))
    return 2 * physics.ALPHA**3 * beta * e0**2 * x * (1 - x) * a / u**2


def widest(p: Process, e0: float, x: float) -> float:
    """The angle at which the outgoing muon has only transverse momentum, or 0.5."""
    muon, carrier = np.sqrt((e0 * (1 - x)) ** 2 - MUON**2), np.sqrt((e0 * x) ** 2 - p.mass**2)
    return min(LARGEST_ANGLE, float(np.arcsin(min(1.0, muon / carrier))))


def plain_flux(p: Process, e0: float) -> float:
    z, a = physics.NUCLEI[p.target]
    low, high = (p.mass**2 / 2 / e0) ** 2, p.mass**2 + MUON**2

    def integrand(log_t: float) -> float:
        t = np.exp(log_t)
        a2t = (111 / z ** (1 / 3) / physics.ELECTRON) ** 2 * t
        return (t - low) / t * (z * a2t / (1 + a2t) / (1 + t / (0.164 * a ** (-2 / 3)))) ** 2

    return quad(integrand, np.log(low), np.log(high), limit=400)[0]


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """p-value, bins of fewer than five merged into one."""
    few = expected < 5
    seen, wanted = (
        np.append(counts[~few], counts[few].sum()),
        np.append(expected[~few], expected[few].sum()),
    )
    seen, wanted = seen[wanted > 0], wanted[wanted > 0]
    return float(chi2.sf(((seen - wanted) ** 2 / wanted).sum(), len(wanted) - 1))


@pytest.mark.parametrize("process", PROCESSES, ids=str)
def test_the_spectrum_is_the_printed_formula_integrated(process: Process) -> None:
    e0 = 80.0
    low, high = process.limits(np.array(e0))
    for share in (0.1, 0.6, 0.95, 0.99):
        x = float(low + share * (high - low))
        limit = widest(process, e0, x)
        found = process.spectrum(np.array([e0]), np.array([x]))[0] * physics.ALPHA**3
        narrow = np.sqrt(process.mass**2 * (1 - x) / x + MUON**2 * x) / e0 / np.sqrt(x)
        points = [v for v in (narrow, 10 * narrow) if v < limit]
        direct = quad(
            lambda t, x=x: literal(process, e0, x, t) * t,
            0,
            limit,
            points=points or None,
            limit=400,
        )[0]
        assert found == pytest.approx(direct, rel=1e-6)


@pytest.mark.parametrize("process", [Process(), Process(0.3, "scalar", "iron")], ids=str)
def test_the_rate_is_that_of_direct_integration(process: Process) -> None:
    e0 = 60.0
    low, high = process.limits(np.array(e0))
    # in v with theta = tan(v) / e0 the peak is as wide as the range

    def integrand(v: float, x: float) -> float:
        theta = np.tan(v) / e0
        return literal(process, e0, x, theta) * theta / np.cos(v) ** 2 / e0

    def top(x: float) -> float:
        return float(np.arctan(widest(process, e0, x) * e0))

    inner = 0.9 * high
    direct = sum(
        dblquad(integrand, a, b, 0, top, epsrel=1e-6)[0] for a, b in ((low, inner), (inner, high))
    )
    flux = plain_flux(process, e0)
    assert process.flux(np.array([e0]))[0] == pytest.approx(flux, rel=1e-6)
    assert process.cross_section(np.array([e0, 2 * e0]))[0] == pytest.approx(
        direct * flux * physics.MILLIBARN, rel=1e-5
    )


def test_of_a_light_lepton_it_is_the_dark_photon_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bjorken et al., arXiv:0906.0580.

    8 alpha^3 x E0^2 / U^2 [1 - x + x^2/2 - x (1 - x) m^2 E0^2 x theta^2 / U^2]
    """
    monkeypatch.setattr(physics, "MUON", 1e-7)
    p, e0 = Process(0.4), 30.0
    for x, theta in itertools.product((0.1, 0.5, 0.9), (0.0, 0.005, 0.02, 0.1)):
        u = e0**2 * x * theta**2 + p.mass**2 * (1 - x) / x
        bracket = 1 - x + x**2 / 2 - x * (1 - x) * p.mass**2 * e0**2 * x * theta**2 / u**2
        beta = np.sqrt(1 - (p.mass / x / e0) ** 2)
        expected = 8 * physics.ALPHA**3 * e0**2 * x / u**2 * bracket * beta
        tau = np.array([p.mass**2 * (1 - x) / x / u])
        xs = np.array([x])
        # per x and tau; dtau / (theta dtheta) = 2 x E0^2 tau^2 / b
        slope = 2 * x * e0**2 * tau**2 * p.shape(xs)
        found = (
            physics.ALPHA**3
            * p.beta(np.array([e0]), xs)
            * p.shape(xs)
            * p.amplitude(xs, tau)
            * slope
        )
        assert found[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("process", PROCESSES, ids=str)
def test_bounds_are_bounds(process: Process) -> None:
    x, tau = np.meshgrid(np.linspace(1e-4, 1, 3000), np.linspace(0, 1, 101))
    found = process.amplitude(x, tau)
    assert found.min() >= -1e-12 and found.max() <= process.most
    for envelope in (process.carriers, process.photons):
        edges = envelope.edges
        inside = edges[:-1, None] + np.diff(edges)[:, None] * np.linspace(0, 1, 9)
        assert np.all(envelope.function(inside) <= envelope.steps[:, None] * (1 + 1e-12))


def test_a_staircase_is_drawn_as_it_is() -> None:
    envelope = Envelope(
        lambda x: np.minimum(x, 3 - 2 * x), np.array([0.0, 0.5, 0.9, 1.5]), mode=1.0
    )
    assert envelope.steps.tolist() == [0.5, 0.9, 1.0]
    n = 200_000
    points, share = envelope.propose(np.full(n, 0.25), 1.2, np.random.default_rng(1))
    edges = np.array([0.25, 0.5, 0.9, 1.0, 1.2])
    areas = np.array([0.25 * 0.5, 0.4 * 0.9, 0.1, 0.2])
    counts = np.histogram(points, edges)[0]
    assert counts.sum() == n and chi_square(counts, n * areas / areas.sum()) > 1e-6
    np.testing.assert_allclose(
        share * envelope.steps[np.searchsorted(envelope.edges, points, "right") - 1],
        np.minimum(points, 3 - 2 * points),
    )


@pytest.mark.parametrize("process", [Process(), Process(0.05, "scalar"), Process(1.5)], ids=str)
def test_x_and_theta_are_drawn_from_the_cross_section(process: Process) -> None:
    """Chi-square in bins of both together, with another incoming energy for every other event."""
    n, e0 = 200_000, 90.0
    energy = np.resize([e0, 37.0], 2 * n)
    x, theta = (v[::2] for v in sample_carrier(process, energy, np.random.default_rng(5)))
    low, high = (float(v) for v in process.limits(np.array(e0)))
    ends_x = np.quantile(x, np.linspace(0, 1, 13))
    ends_x[[0, -1]] = low, high
    ends_t = np.quantile(theta, np.linspace(0, 1, 9))
    ends_t[[0, -1]] = 0, LARGEST_ANGLE
    counts = np.histogram2d(x, theta, [ends_x, ends_t])[0]
    assert counts.sum() == n
    expected = np.empty(counts.shape)
    for i, (a, b) in enumerate(itertools.pairwise(ends_x)):
        for j, (c, d) in enumerate(itertools.pairwise(ends_t)):
            expected[i, j] = integral(process, e0, (a, b), (c, d))
    assert chi_square(counts.ravel(), n * expected.ravel() / expected.sum()) > 1e-6


def integral(
    process: Process, e0: float, xs: tuple[float, float], thetas: tuple[float, float]
) -> float:
    """The printed formula over a cell, by the midpoint rule on 400 x 100 points."""
    x = xs[0] + (xs[1] - xs[0]) * (np.arange(400) + 0.5) / 400
    limit = np.array([widest(process, e0, float(v)) for v in x])
    low, high = np.minimum(thetas[0], limit), np.minimum(thetas[1], limit)
    # even in arctan(theta e0), where the formula is smooth
    first, last = np.arctan(low * e0 / process.mass), np.arctan(high * e0 / process.mass)
    v = first + (last - first) * (np.arange(100)[:, None] + 0.5) / 100
    theta = np.tan(v) * process.mass / e0
    values = literal(process, e0, x[None], theta) * theta / np.cos(v) ** 2
    return float((values * (last - first)).sum() * (xs[1] - xs[0]))


def test_kicks_are_drawn_from_the_integrand_of_the_flux() -> None:
    process, n, e0 = Process(), 100_000, 50.0
    zero, free = np.zeros(n), np.full(n, np.inf)
    kick = sampling._kicked(process, np.full(n, e0), zero, free, np.random.default_rng(3))
    t_low, t_high = process.transfers(np.array(e0))
    edges = np.quantile(kick, np.linspace(0, 1, 31))
    edges[[0, -1]] = 0, np.sqrt(t_high - t_low)
    counts = np.histogram(kick, edges)[0]

    def integrand(log_t: float) -> float:
        t = np.exp(log_t)
        return float((t - t_low) / t * process.form_factor(np.array(t)))

    ends = np.log(edges**2 + t_low)
    expected = np.array([quad(integrand, a, b, limit=200)[0] for a, b in itertools.pairwise(ends)])
    assert expected.sum() == pytest.approx(plain_flux(process, e0), rel=1e-6)
    assert chi_square(counts, n * expected / expected.sum()) > 1e-6


@pytest.mark.parametrize("process", PROCESSES, ids=str)
def test_events_keep_the_laws(process: Process) -> None:
    energy = np.resize(ENERGIES, 30_000)
    muon, muon_pt, muon_eta, carrier, carrier_pt, carrier_eta = sample(
        process, energy, np.random.default_rng(9)
    ).T
    np.testing.assert_allclose(muon + carrier, energy, rtol=1e-12)
    assert np.all(muon >= MUON) and np.all(carrier >= process.mass)
    for e, pt, eta, mass in (
        (muon, muon_pt, muon_eta, MUON),
        (carrier, carrier_pt, carrier_eta, process.mass),
    ):
        np.testing.assert_allclose((pt * np.cosh(eta)) ** 2 + mass**2, e**2, rtol=1e-6)
    theta = np.arctan2(carrier_pt, carrier_pt * np.sinh(carrier_eta))
    assert theta.max() <= LARGEST_ANGLE + 1e-9
    kick = np.abs(muon_pt - carrier_pt)
    assert kick.max() <= np.sqrt(process.transfers(energy)[1]) and np.median(kick) > 0


def test_the_dataset_says_that_it_stands_in() -> None:
    data = mfc(events=700)
    assert data.x.shape == (700, 6) and data.columns == COLUMNS
    assert data.units == ("GeV", "GeV", "1", "GeV", "GeV", "1")
    assert data.condition_columns == ("incoming_energy",)
    assert np.unique(data.condition, return_counts=True)[1].tolist() == [100] * 7
    assert data.provenance["kind"] == "stand-in" and data.provenance["stand_in"] == "yes"
    assert "0.1139 mb at 125 GeV" in data.provenance["cross section / epsilon^2"]
    assert mfc.generate is not None and mfc.__doc__.startswith("STAND-IN")


def test_columns_are_chosen_and_the_condition_may_be_left_out() -> None:
    every = mfc(events=50, seed=4)
    some = mfc(events=50, seed=4, columns=("carrier_eta", "muon_energy"), condition_columns=())
    np.testing.assert_array_equal(some.x, every.x[:, [5, 0]])
    assert some.condition is None and some.units == ("1", "GeV")


def test_a_seed_gives_its_events_and_a_run_gives_the_seed() -> None:
    one, same, other = mfc(events=60, seed=1), mfc(events=60, seed=1), mfc(events=60, seed=2)
    np.testing.assert_array_equal(one.x, same.x)
    assert not np.any(np.all(one.x == other.x, axis=1))
    tables = {
        "dataset": {"name": "mfc", "events": 60},
        "encoder": "standard",
        "condition_encoder": "standard",
    }
    rest = {"generator": "none", "loss": "none", "trainer": "none"}
    qgen.register("dataset", "mfc", mfc)
    np.testing.assert_array_equal(
        Assembly(Recipe.from_dict({"seed": 1, **tables, **rest})).events.x, one.x
    )
    with pytest.raises(BadOption, match="not 'seed'"):
        registry.build("dataset", {"name": "mfc", "seed": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ("muon_energy", "mass")}, "no column 'mass'"),
        ({"columns": ()}, "no events without columns"),
        ({"columns": ("muon_pt", "muon_pt")}, "must be different columns"),
        ({"condition_columns": ("muon_pt",)}, "the condition of mfc is incoming_energy"),
        ({"mass": 0.0}, "above 0 GeV"),
        ({"mass": float("nan")}, "above 0 GeV"),
        ({"spin": "tensor"}, "spin is one of vector, scalar"),
        ({"target": "wood"}, "target is one of lead"),
        ({"events": 0}, "events must be at least 1"),
        ({"energies": ()}, "one or more numbers"),
        ({"energies": (1.0, 100.0)}, r"muons of 1 GeV are too slow .* needs 1.21 GeV"),
        ({"energies": (float("inf"),)}, "one or more numbers"),
        ({"sha256": "0" * 64}, "give its path as spectrum"),
        ({"spectrum": "x.h5", "energies": (100.0,)}, "not both"),
    ],
)
def test_options_that_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        mfc(**options)


def muons(path: Path, energies: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for column, part in zip(("mu1_energy", "mu2_energy"), np.split(energies, 2), strict=True):
            file[column] = part.astype(np.float32)
    return path


def test_incoming_muons_are_those_of_the_file_by_cross_section(tmp_path: Path) -> None:
    energies = np.array([1.0, 2.0, 5.0, 20.0, 60.0, 60.0, 150.0, 400.0])
    path = muons(tmp_path / "muons.h5", energies)
    data = mfc(spectrum=str(path), events=100_000, seed=2)
    fast = energies[energies > 1.3]
    values, counts = np.unique(data.condition[:, 0], return_counts=True)
    assert values.tolist() == sorted(set(fast))
    sigma = Process().cross_section(fast)
    expected = np.array([sigma[fast == v].sum() for v in values]) / sigma.sum()
    assert chi_square(counts, 100_000 * expected) > 1e-6
    # the same test sees a spectrum taken as it is
    flat = np.array([(fast == v).sum() for v in values]) / len(fast)
    assert chi_square(counts, 100_000 * flat) < 1e-6
    np.testing.assert_allclose(data.x[:, 0] + data.x[:, 3], data.condition[:, 0])
    said = data.provenance
    assert (
        said["kind"] == "stand-in"
        and said["incoming muons"] == "drawn from 7 muons of muons.h5; 1 too slow"
    )
    assert said["spectrum sha256"] == read(path, ["mu1_energy"]).sha256
    one = mfc(spectrum=str(path), spectrum_columns=("mu2_energy",), events=100)
    assert set(one.condition[:, 0]) <= {60.0, 150.0, 400.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sha256": "0" * 64}, "expected the SHA-256"),
        ({"mass": 500.0}, "none of 4 muons has"),
        ({"spectrum_columns": ("mu3_energy",)}, "mu3_energy"),
    ],
)
def test_files_that_are_not_what_they_should_be(
    tmp_path: Path, options: dict, message: str
) -> None:
    path = muons(tmp_path / "muons.h5", np.array([20.0, 30.0, 40.0, 50.0]))
    with pytest.raises(DataError, match=message):
        mfc(spectrum=str(path), **options)
    with pytest.raises(QgenError, match="none.h5"):
        mfc(spectrum=str(tmp_path / "none.h5"))


def test_a_file_holds_the_events_of_the_dataset(tmp_path: Path) -> None:
    told: list[int] = []
    path = mfc.generate(500, seed=3, progress=lambda done, note: told.append(done), cache=tmp_path)
    table = read(path, [*COLUMNS, "incoming_energy"])
    data = mfc(events=500, seed=3)
    np.testing.assert_array_equal(
        table.values, np.hstack([data.x, data.condition]).astype(np.float32)
    )
    assert table.attributes["stand_in"] == "True" and table.units == (
        "GeV",
        "GeV",
        "1",
        "GeV",
        "GeV",
        "1",
        "GeV",
    )
    assert told == [500] and mfc.generate(500, seed=3, cache=tmp_path) == path
    assert mfc.generate(500, seed=4, cache=tmp_path) != path
    with pytest.raises(BadOption, match="at least 1"):
        mfc.generate(0, cache=tmp_path)


def test_the_preprocessing_of_the_conditional_gan_is_undone_by_decoding() -> None:
    data = mfc(events=5000)
    chain = qgen.encoder(
        "chain",
        encoders=[
            {"name": "ratio", "columns": [0, 3]},
            {"name": "power", "exponent": 0.2, "columns": [1, 4]},
            {"name": "standard"},
        ],
    )
    z = chain.fit(data.x, data.condition).encode(data.x, data.condition)
    assert z.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-9) and z.std(
        axis=0
    ) == pytest.approx(np.ones(6))
    share = data.x[:, 0] / data.condition[:, 0]
    np.testing.assert_allclose(z[:, 0], (share - share.mean()) / share.std(), rtol=1e-9)
    fifth = data.x[:, 4] ** 0.2
    np.testing.assert_allclose(z[:, 4], (fifth - fifth.mean()) / fifth.std(), rtol=1e-9)
    back = chain.decode(z, data.condition, rng=np.random.default_rng(0))
    np.testing.assert_allclose(back, data.x, rtol=1e-9)
