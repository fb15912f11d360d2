"""The study ``mfc``: what it measures against plain sums, the trap of the encoding, tables and
figures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import studies
from qgen_core.errors import BadOption, DataError
from qgen_core.events import Batch, Events, Space
from qgen_core.interfaces import Generator
from qgen_core.studies import Cell, Result, Results, Trial, key_of
from qgen_core.studies.cells import canonical
from qgen_hep.datasets.mfc import mfc
from qgen_hep.studies.mfc import MfcStudy, grid, measurements, published, reference
from qgen_hep.studies.mfc.figures import FIGURES
from qgen_hep.studies.mfc.grid import FULL, QUICK, Case, Sizes
from qgen_hep.studies.mfc.tables import tables
from qgen_hep.studies.mfc.texts import Texts
from qgen_hep.studies.shared.style import draw

TINY = Sizes(steps=3, wasserstein_steps=2, binned_steps=3, born_steps=3, events=1800)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small samples of the truth; what other tests know of it is forgotten."""
    qgen.register("study", "mfc", MfcStudy)
    qgen.register("dataset", "mfc", mfc)
    monkeypatch.setattr(reference, "EVENTS", 3000)
    reference._samples.cache_clear()
    yield
    reference._samples.cache_clear()


def case(name: str, sizes: Sizes = TINY) -> Case:
    return next(c for c in grid.all_cases(sizes, {"sha256": "0" * 64}) if c.name == name)


def run(cell: Cell, folder: Path) -> dict[str, Any]:
    ((name, options),) = cell.measurements.items()
    found = MfcStudy.measurements[name](Trial(cell.recipe, folder), **options)
    canonical(found)  # plain data, or it could not be kept
    return found


def test_published_numbers_are_those_of_the_document() -> None:
    assert published.TV == {"cgan": 0.032, "gan-125": 0.09, "born-125": 0.03}
    assert [published.CONDITIONAL[e] for e in (150, 200, 175)] == [0.03, 0.02, 0.07]
    assert [published.NOISY[e] for e in (150, 200, 175)] == [0.12, 0.15, 0.14]


def test_variation_is_the_formula_of_the_document() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(400, 2)), rng.normal(0.4, 1.2, size=(300, 2))
    edges = [np.linspace(-1, 1, 6), np.array([-2.0, 0.0, 0.5])]
    found = reference.variation(Events(a), Events(b), edges)
    for i, e in enumerate(edges):
        bins = [-math.inf, *e, math.inf]
        total = 0.0
        for low, high in itertools.pairwise(bins):
            p, q = (np.mean((x[:, i] >= low) & (x[:, i] < high)) for x in (a, b))
            total += abs(p - q) / 2
        assert found[i] == pytest.approx(total, abs=1e-12)


def test_the_floor_is_that_of_the_formula() -> None:
    """Two samples of n events in K flat bins are sqrt(K / (pi n)) apart."""
    rng = np.random.default_rng(1)
    samples = [Events(rng.random((20_000, 1))) for _ in range(40)]
    found = reference.floor(samples, [np.linspace(0, 1, 33)])
    assert found[0] == pytest.approx(math.sqrt(32 / (math.pi * 20_000)), rel=0.1)


def test_truths_are_independent_of_trainings_and_of_each_other() -> None:
    dataset = {
        "name": "mfc",
        "energies": [125.0],
        "columns": ["muon_pt"],
        "condition_columns": [],
        "events": 10,
    }
    first, *others = reference.reference_samples(dataset)
    assert len(first) == 3000 and first.columns == ("muon_pt",) and first.condition is None
    trained = mfc(
        energies=(125.0,), columns=("muon_pt",), condition_columns=(), events=3000, seed=1
    )
    assert not any(np.isin(other.x, first.x).any() for other in (*others, trained))
    (at_150,) = {
        float(e)
        for e in reference.reference_samples(
            {**dataset, "condition_columns": ["incoming_energy"]}, [150]
        )[0].condition[:, 0]
    }
    assert at_150 == 150


@pytest.mark.parametrize(
    ("encoding", "same"), [("paper", True), ("inner", False), ("wide", False), ("narrow", False)]
)
def test_the_range_of_the_paper_makes_one_condition_of_two(encoding: str, same: bool) -> None:
    """A rotation by -pi and one by pi differ in a sign that nothing can see, whatever the
    parameters.
    """
    recipe = case(f"conditional-{encoding}").recipe
    encoder = qgen.build("encoder", recipe["condition_encoder"]).fit(np.array([[150.0], [200.0]]))
    circuit = qgen.build("ansatz", recipe["generator"]["ansatz"])(4, inputs=1)
    theta = np.random.default_rng(2).uniform(-3, 3, circuit.num_params)
    backend = qgen.backend("statevector")
    p, q = (
        backend.probabilities(circuit, theta, encoder.encode(np.array([[e]]))[0])
        for e in (150.0, 200.0)
    )
    assert (measurements.distance(p, q) < 1e-12) == same


def test_a_trapped_machine_learns_the_mixture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reference, "EVENTS", 30_000)
    sizes = Sizes(steps=1, wasserstein_steps=1, binned_steps=1, born_steps=300, events=30_000)
    trapped, free = (
        run(case(f"conditional-{name}", sizes).cell(1), tmp_path / name)
        for name in ("paper", "narrow")
    )
    made = [np.array(trapped["energies"][e]["made"]) for e in ("150", "200")]
    assert np.abs(made[0] - made[1]).max() < 1e-5
    assert max(free["energies"][e]["exact"] for e in ("150", "200")) < 0.03
    assert free["energies"]["175"]["exact"] < 0.15 < trapped["energies"]["175"]["exact"]


def test_a_conditional_machine_is_measured_by_its_probabilities(tmp_path: Path) -> None:
    cell = case("conditional-narrow").cell(1)
    trial = Trial(cell.recipe, tmp_path)
    found = measurements.tabulated(trial, "c", [150.0, 175.0, 200.0], "")
    assembly = trial.run.assembly
    angles = assembly.condition_encoder.encode(np.array([[175.0]]))
    p = assembly.backend.probabilities(
        assembly.generator.circuit, assembly.generator.theta, angles[0]
    )
    assert found["energies"]["175"]["made"] == pytest.approx(p, abs=1e-5)
    true = mfc(energies=(175.0,), columns=("muon_energy",), events=3000, seed=reference.SEEDS[0]).x[
        :, 0
    ]
    shares = [np.mean((true >= low) & (true < low + 12.5)) for low in np.arange(0, 200, 12.5)]
    assert found["energies"]["175"]["truth"] == pytest.approx(shares, abs=1e-6)
    assert found["energies"]["175"]["exact"] == pytest.approx(
        np.abs(p - shares).sum() / 2, rel=1e-5
    )
    assert found["energies"]["175"]["true mean"] == pytest.approx(true.mean(), rel=1e-5)
    # 3000 shots of p are about sqrt(16 / (2 pi 3000)) from it
    assert abs(found["energies"]["175"]["tv"] - found["energies"]["175"]["exact"]) < 0.06
    assert found["scan"]["mean"][25] == pytest.approx(p @ np.arange(6.25, 200, 12.5), rel=1e-4)
    without = found["without"]
    assert 0 < without["mixture"] < without["nearest"] < 0.2
    assert len(found["curves"]["loss"]) == 3


def test_noise_is_in_the_circuit_that_is_measured(tmp_path: Path) -> None:
    depolarizing = qgen.noise("depolarizing", two_wire=0.05)
    qgen.register(
        "noise", "test-depolarizing", lambda circuit, measure: depolarizing(circuit, measure)
    )
    recipe = case("conditional-narrow").cell(1).recipe
    trial = Trial(recipe, tmp_path)
    exact, noisy = (
        measurements.tabulated(trial, "c", [150.0, 175.0, 200.0], n)
        for n in ("", "test-depolarizing")
    )
    p, q = (np.array(found["energies"]["150"]["made"]) for found in (exact, noisy))
    # towards flat: the entropy grows
    assert np.sum(-q * np.log(q)) > np.sum(-p * np.log(p)) + 0.05
    assert exact["energies"]["150"]["truth"] == noisy["energies"]["150"]["truth"]


def test_bins_at_125_are_those_of_all_features_together(tmp_path: Path) -> None:
    cell = case("born-125").cell(2)
    found = run(cell, tmp_path)
    every = reference.reference_samples(cell.recipe["dataset"])
    window = np.array(grid.WINDOW_125)
    inside = [e.x[np.all((e.x >= window[:, 0]) & (e.x <= window[:, 1]), axis=1)] for e in every]
    assert found["inside"] == pytest.approx(len(inside[0]) / 3000) and 0.9 < found["inside"] < 0.97
    bins = [np.linspace(*w, 17) for w in window]
    p, q = (np.histogramdd(x, bins)[0] / len(x) for x in inside[:2])
    assert found["joint floor"] == pytest.approx(np.abs(p - q).sum() / 2, rel=1e-5)
    assert found["truth"][1] == pytest.approx(p.sum(axis=(0, 2)), abs=1e-6)
    assert found["tv"][1] == pytest.approx(
        np.abs(p.sum(axis=(0, 2)) - found["made"][1]).sum() / 2, abs=1e-5
    )
    product = np.einsum("i,j,k->ijk", q.sum(axis=(1, 2)), q.sum(axis=(0, 2)), q.sum(axis=(0, 1)))
    assert found["joint of the product"] == pytest.approx(np.abs(p - product).sum() / 2, abs=0.12)
    assert found["joint of the product"] > found["joint floor"] + 0.2
    assert found["beyond"] == 0 and found["parameters"] == 252


class Wide(Generator):
    """Makes normal events in the encoder's space; its one parameter moves nothing that matters
    here.
    """

    outputs = frozenset({"samples"})

    def __init__(self, *, space: Space, condition: Space | None = None) -> None:
        self.space, self.condition, self.theta = space, condition, np.zeros(1)

    def parameters(self) -> dict[str, Any]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        return rng.normal(size=(n, self.space.width))

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        return super().forward(output, batch, rng=rng)


def with_wide(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with a model that needs no plugin."""
    qgen.register("generator", "test-wide", Wide)
    rest = {
        "loss": {"name": "mmd", "reads": "samples"},
        "trainer": {"name": "spsa", "steps": 1, "batch_size": 50},
    }
    return {**recipe, "generator": {"name": "test-wide"}, **rest}


def test_a_gan_is_measured_at_its_beams_and_at_the_one_held_out(tmp_path: Path) -> None:
    cell = case("cgan").cell(1)
    trial = Trial(with_wide(cell.recipe), tmp_path)
    found = measurements.samples(trial, "cgan", [*grid.BEAMS], grid.HELD_OUT)
    assert set(found["groups"]) == {"trained", "held out"} and len(found["edges"]) == 6
    for name, energies in (("trained", grid.BEAMS), ("held out", (125.0,))):
        group = found["groups"][name]
        true = mfc(energies=energies, events=3000, seed=reference.SEEDS[0])
        made = np.concatenate([e.x for e in trial.run.generate(3000, condition=true.condition)])
        for i, edges in enumerate(found["edges"]):
            bins = [-np.inf, *edges, np.inf]
            p, q = (np.histogram(x[:, i], bins)[0] / 3000 for x in (true.x, made))
            assert group["tv"][i] == pytest.approx(np.abs(p - q).sum() / 2, abs=1e-5)
            assert group["made"][i] == pytest.approx(q[1:-1], abs=1e-6)
        balance = np.abs((made[:, 0] + made[:, 3]) / true.condition[:, 0] - 1).mean()
        assert group["energy balance"] == pytest.approx(balance, rel=1e-4)
        assert np.mean(group["floor"]) < np.mean(group["tv"]), "normal events are no force carriers"
    assert grid.HELD_OUT not in grid.BEAMS and grid.TESTED not in (*grid.TAUGHT, *grid.MORE)


def test_events_beyond_the_bins_go_into_the_last_ones(tmp_path: Path) -> None:
    cell = case("gan-125").cell(1)
    found = run(Cell(with_wide(cell.recipe), cell.measurements), tmp_path)
    assert found["beyond"] > 0.5
    assert [sum(shares) for shares in found["made"]] == pytest.approx([1, 1, 1], abs=1e-5)


def test_the_gan_at_125_sees_the_centres_of_the_same_bins() -> None:
    born, gan = case("born-125").recipe, case("gan-125").recipe
    assert born["dataset"] == gan["dataset"]
    data = mfc(events=3000, energies=(125.0,), columns=grid.MUON, condition_columns=(), seed=3)
    bits, centres = (qgen.build("encoder", recipe["encoder"]).fit(data.x) for recipe in (born, gan))
    inside = bits.accepts(data.x)
    np.testing.assert_array_equal(inside, centres.accepts(data.x))
    z = centres.encode(data.x[inside])
    number = np.rint((z + 1) * 8 - 0.5)
    assert (z + 1) * 8 - 0.5 == pytest.approx(number, abs=1e-9)
    registers = bits.encode(data.x[inside]).reshape(-1, 3, 4) @ [8, 4, 2, 1]
    np.testing.assert_array_equal(number, registers)


def test_what_is_not_installed_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(grid, "offered", lambda kind, name: False)
    study = MfcStudy()
    alone = study.cells(quick=True)
    assert {next(iter(c.measurements.values()))["case"] for c in alone} == {
        "born-125",
        *(f"conditional-{name}" for name in (*grid.RANGES, "more", "twin", "frozen")),
    }
    text = "\n".join(
        t.markdown() for t in study.tables(Results(Result(cell, "none") for cell in alone))
    )
    assert (
        text.count("not run: `pip install qgen-torch`") >= 10
        and "not run: `pip install qgen-qiskit`" in text
    )
    assert "missing" in text
    monkeypatch.setattr(grid, "offered", lambda kind, name: kind == "noise")
    assert len(study.cells(quick=True)) == len(alone) + 3 * 3
    monkeypatch.setattr(grid, "offered", lambda kind, name: True)
    every = study.cells(quick=True)
    assert len(every) == len(alone) + 3 * 3 + 6
    assert len(study.cells(quick=False)) == 5 * 11 + 3 * 6
    assert "pip install" not in "".join(t.markdown() for t in study.tables(Results()))


def test_the_twin_of_the_conditional_born_machine_is_trained_alike(tmp_path: Path) -> None:
    born = case("conditional-narrow")
    twin = case("conditional-twin")
    for key, table in born.recipe.items():
        if key not in ("generator", "backend"):
            assert twin.recipe[key] == table, key
    found = run(twin.cell(1), tmp_path / "twin")
    of_born = run(born.cell(1), tmp_path / "born")
    assert (found["parameters"], of_born["parameters"]) == (24, 28)
    for at in found["energies"].values():
        assert sum(at["made"]) == pytest.approx(1, abs=1e-5)
    assert found["energies"]["150"]["truth"] == of_born["energies"]["150"]["truth"]


def test_frozen_parameters_are_not_trained(tmp_path: Path) -> None:
    frozen = case("conditional-frozen")
    found = run(frozen.cell(2), tmp_path)
    trial = Trial(frozen.cell(2).recipe, tmp_path / "other")
    born = trial.assembly
    encoder = born.condition_encoder
    assert encoder is not None
    batch = Batch(condition=encoder.encode(np.array([[175.0]])))
    table, _ = born.generator.forward("probabilities", batch, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found["energies"]["175"]["made"], table[0], rtol=1e-5)
    assert "curves" not in found
    assert not (tmp_path / "checkpoint-a.json").exists()


def test_a_spectrum_is_named_by_its_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(grid, "offered", lambda kind, name: True)
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path in paths:
        with h5py.File(path, "w", track_order=True) as file:
            file["mu1_energy"] = file["mu2_energy"] = np.linspace(20, 90, 30)
    one, other = (MfcStudy(spectrum=str(path)) for path in paths)
    cell, same = (study.cells(quick=True)[-1] for study in (one, other))
    assert cell == same and "spectrum" in str(cell.measurements) and str(tmp_path) not in str(cell)
    assert key_of_recipe(cell) == key_of_recipe(same)
    assert one.local(cell.recipe)["dataset"]["spectrum"] == str(paths[0])
    assert one.local(one.cells(quick=True)[0].recipe) == one.cells(quick=True)[0].recipe
    trial = Trial(with_wide(one.local(cell.recipe)), tmp_path / "run")
    found = measurements.samples(trial, "spectrum")
    assert set(found["groups"]) == {"trained"} and sum(
        found["groups"]["trained"]["truth"][0]
    ) == pytest.approx(1, abs=1e-4)
    said = one.tables(Results([Result(cell, "k", {"samples": found})]))[-1].markdown()
    assert f"{np.mean(found['groups']['trained']['tv']):.3g}" in said
    assert "give spectrum=PATH" in MfcStudy().tables(Results())[-1].markdown()
    with pytest.raises(DataError, match="cannot be read.*; give the study another spectrum"):
        MfcStudy(spectrum=str(tmp_path / "none.h5")).cells(quick=True)
    with pytest.raises(BadOption, match="at least 1"):
        MfcStudy(seeds=0)


def key_of_recipe(cell: Cell) -> str:
    """The key of a cell with a generator, loss and trainer that are here."""
    return key_of("mfc", Cell(with_wide(cell.recipe), cell.measurements))


def made_up_value(cell: Cell) -> dict[str, Any]:
    """A value of a cell, its numbers known: the seed in hundredths."""
    ((name, options),) = cell.measurements.items()
    tv, steps = cell.recipe["seed"] / 100, list(range(10))
    flat = [0.1] * 10
    curve = {"step": steps, "loss": [2.0 - 0.1 * s for s in steps], "critic": [1.0] * 10}
    shared = {"case": options["case"], "parameters": 7, "steps": 10, "curves": curve}
    if name in ("tabulated", "frozen"):
        at = {"tv": tv, "exact": tv, "floor": 0.004, "truth": flat, "made": flat, "true mean": 40.0}
        energies = {f"{e:g}": at for e in options["energies"]}
        scan = {"energy": [150.0, 200.0], "mean": [40.0, 50.0]}
        without = {"nearest": 0.037, "mixture": 0.0098}
        edges = np.linspace(0, 200, 11).tolist()
        return {**shared, "energies": energies, "scan": scan, "without": without, "edges": edges}
    count = 3 if name == "binned" else 6
    spectra = {
        "tv": [tv] * count,
        "floor": [0.005] * count,
        "truth": [flat] * count,
        "made": [flat] * count,
    }
    edges = [np.linspace(0, 1, 11).tolist()] * count
    if name == "binned":
        joint = {
            "joint": 0.5,
            "joint floor": 0.03,
            "joint of the product": 0.7,
            "inside": 0.94,
            "beyond": 0.0,
        }
        return {**shared, **spectra, **joint, "edges": edges}
    group = {**spectra, "energy balance": 0.002}
    columns = list(mfc(events=1).columns)
    return {
        **shared,
        "columns": columns,
        "edges": edges,
        "groups": {"trained": group, "held out": group},
    }


def made_up(monkeypatch: pytest.MonkeyPatch, there: float = 1.0) -> Results:
    """Made-up results of the study, of which the first ``there`` have been run."""
    monkeypatch.setattr(grid, "offered", lambda kind, name: True)
    cells = MfcStudy().cells(quick=False)
    run = round(there * len(cells))
    found = []
    for i, cell in enumerate(cells[:run]):
        (measurement,) = cell.measurements
        found.append(Result(cell, str(i), {measurement: made_up_value(cell)}))
    return Results([*found, *(Result(cell, "none") for cell in cells[run:])])


def test_tables_show_ours_beside_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = MfcStudy().tables(made_up(monkeypatch))
    rows = {row[0]: tuple(text.replace("\u00a0", " ") for text in row[1:]) for row in found[0].rows}
    # seeds 1 to 3 of GANs have 0.01, 0.02, 0.03, seeds 1 to 5 of Born machines to 0.05
    assert rows["C-GAN, six features, all beams"] == ("0.032", "0.02 ± 0.01", "0.005")
    assert rows["C-GAN at 125 GeV, held out"] == ("–", "0.02 ± 0.01", "0.005")
    assert rows["GAN at 125 GeV, discretised"][0] == "0.09"
    assert rows["Born machine at 125 GeV, discretised"] == ("0.03", "0.03 ± 0.02", "0.005")
    assert rows["conditional Born machine, tested at 175 GeV"] == ("0.07", "0.03 ± 0.02", "0.004")
    assert rows["conditional Born machine, trained at 200 GeV, with noise"][0] == "0.15"
    text = "".join(table.markdown() for table in found)
    assert (
        "missing" not in text
        and "pip install" not in text
        and "stand-in" in text
        and "emulated" in text
    )
    assert {"0.037", "0.0098"} <= {row[4] for row in found[4].rows}


@pytest.mark.parametrize("there", [0.0, 0.7])
def test_figures_are_drawn_of_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: float
) -> None:
    results = made_up(monkeypatch, there)
    files = draw(FIGURES, results, tmp_path)
    assert [file.name for file in files] == [f"figure-{n:02d}.png" for n in FIGURES]
    for file in files:
        data = file.read_bytes()
        assert data.startswith(b"\x89PNG") and 3000 < len(data) < 400_000, file
    assert (there == 1.0) or "missing" in "".join(t.markdown() for t in tables(Texts(results, [])))


def test_the_quick_setting_has_every_case_of_the_full_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "offered", lambda kind, name: True)
    quick, full = (
        {next(iter(c.measurements.values()))["case"] for c in MfcStudy().cells(quick=q)}
        for q in (True, False)
    )
    assert quick == full
    assert QUICK.steps < FULL.steps


def test_the_whole_study_in_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All that is installed, from the command's function to its files."""
    import qgen_hep.studies.mfc as study

    monkeypatch.setattr(study, "QUICK", TINY)
    done = studies.reproduce({"name": "mfc", "born_seeds": 1}, tmp_path, quick=True)
    assert done.done == len(done.results) >= 6
    assert (tmp_path / "result" / "tables.md").read_text().count("###") == 7
    assert len(done.figures) == len(FIGURES)
