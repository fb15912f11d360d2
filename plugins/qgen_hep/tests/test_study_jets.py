"""The study ``jets``: statistics against plain loops, the paper's configurations, tables and
figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError
from qgen_core.studies import Cell, Result, Results, Table, Trial, key_of
from qgen_hep.studies.jets import JetsStudy, grid, measurements, published, statistics
from qgen_hep.studies.jets.figures import FIGURES
from qgen_hep.studies.jets.grid import Training, chosen
from qgen_hep.studies.jets.selection import trainings
from qgen_hep.studies.jets.tables import exact_js, sampled, settled, tables
from qgen_hep.studies.shared.style import draw

EDGES = [np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.0, 0.5, 4.0]), np.array([2.0, 3.0, 4.0])]
RNG = np.random.default_rng(8)
P, Q = (v / v.sum() for v in RNG.exponential(size=(2, 12)) * (RNG.random((2, 12)) > 0.2))


@pytest.fixture(autouse=True)
def _offered() -> None:
    qgen.register("study", "jets", JetsStudy)


def plain_js(p: Sequence[float], q: Sequence[float]) -> float:
    total = 0.0
    for a, b in zip(p, q, strict=True):
        m = (a + b) / 2
        total += (a * math.log(a / m) if a else 0.0) + (b * math.log(b / m) if b else 0.0)
    return total / 2


def test_js_is_the_formula_and_the_loss() -> None:
    assert 0 in P and 0 in Q
    assert statistics.js(P, Q) == pytest.approx(plain_js(list(P), list(Q)), rel=1e-12)
    assert statistics.js(np.stack([P, Q]), Q).tolist() == pytest.approx(
        [plain_js(list(P), list(Q)), 0.0], abs=1e-15
    )
    value, _ = qgen.loss("js")(P[None], qgen.Batch(target=Q[None]))
    assert statistics.js(P, Q) == pytest.approx(value, rel=1e-9)


def test_distance_of_marginals_is_equation_2_of_the_paper() -> None:
    p, q = P.reshape(2, 3, 2), Q.reshape(2, 3, 2)
    terms: list[float] = []
    for axis, bins in enumerate((2, 3, 2)):
        for i in range(bins):
            terms.append(abs(np.take(p, i, axis).sum() - np.take(q, i, axis).sum()) / bins)
    assert statistics.mean_distance(P, Q, EDGES) == pytest.approx(sum(terms) / 3, rel=1e-12)
    rows = statistics.mean_distance(np.stack([P, Q]), Q, EDGES)
    assert rows.tolist() == pytest.approx([sum(terms) / 3, 0.0])


def test_correlations_are_those_of_decoded_events() -> None:
    rng = np.random.default_rng(3)
    cells = np.stack(np.unravel_index(rng.choice(12, size=400_000, p=P), (2, 3, 2)), axis=1)
    low = np.stack([e[:-1][c] for e, c in zip(EDGES, cells.T, strict=True)], axis=1)
    width = np.stack([np.diff(e)[c] for e, c in zip(EDGES, cells.T, strict=True)], axis=1)
    events = low + width * rng.random(low.shape)
    expected = np.corrcoef(events, rowvar=False)
    found = statistics.correlations(P, EDGES)
    assert np.diag(found) == pytest.approx(np.ones(3), abs=1e-12)
    # the error of a coefficient is at most 1/sqrt(400,000) = 0.0016
    assert np.abs(found - expected).max() < 5 * 0.0016
    assert np.abs(expected[np.triu_indices(3, 1)]).max() > 0.1, "a test of zeros would show nothing"
    both = statistics.correlations(np.stack([Q, P]), EDGES)
    assert both[1] == pytest.approx(found, abs=1e-12)


def test_a_product_of_marginals_has_them_and_no_correlation() -> None:
    product = statistics.independent(P, EDGES)
    for a, b in zip(
        statistics.marginals(product, EDGES), statistics.marginals(P, EDGES), strict=True
    ):
        assert a == pytest.approx(b, abs=1e-14)
    assert statistics.correlations(product, EDGES) == pytest.approx(np.eye(3), abs=1e-12)


def test_samples_of_a_flat_target_lie_at_the_floor_of_the_formula() -> None:
    edges = [np.linspace(0, 1, 17)] * 2
    flat = np.full(256, 1 / 256)
    found = statistics.resampled(flat, flat, edges, 100_000, 400, np.random.default_rng(2))
    expected = 255 / (8 * 100_000)
    # JS is chi-square / (8 N) to leading order: its standard deviation over the floor is sqrt(2 /
    # 255)
    assert found["js"][0] == pytest.approx(expected, rel=5 * math.sqrt(2 / 255 / 400) + 0.01)
    assert found["js"][1] == pytest.approx(expected * math.sqrt(2 / 255), rel=0.25)
    # E|p^ - p| of a normal with the variance p (1 - p) / N of a marginal's bin
    distance = math.sqrt(2 / math.pi * 15 / 256 / 100_000)
    assert found["d"][0] == pytest.approx(distance, rel=0.02)
    assert abs(found["correlation"][0][0]) < 5 / math.sqrt(100_000 * 400)
    assert found["correlation"][0][1] == pytest.approx(1 / math.sqrt(100_000), rel=0.25)


def test_pseudo_counts_are_those_of_a_training_from_shots() -> None:
    rng = np.random.default_rng(4)
    sure = np.array([1.0] + [0.0] * 11)  # every sample of it is the same
    found = statistics.resampled(sure, P, EDGES, 20, 3, rng, pseudo_counts=0.5)
    smoothed = [(20 * p + 0.5) / (20 + 0.5 * 12) for p in sure]
    assert found["js"] == pytest.approx([plain_js(smoothed, list(P)), 0.0], rel=1e-5)
    space = qgen.Space("bits", 4)
    model = qgen.generator(
        "qcbm", ansatz="brick", backend="statevector", space=space, shots=20, seed=1
    )
    table, _ = model.forward("probabilities", qgen.Batch(target=np.ones((1, 16))), rng=rng)
    assert np.all(np.isin(np.round(table * (20 + 8) - 0.5, 9), np.arange(21)))


def test_resampling_does_not_depend_on_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = statistics.resampled(P, Q, EDGES, 50, 40, np.random.default_rng(1))
    monkeypatch.setattr(statistics, "AT_ONCE", 12 * 7)
    assert statistics.resampled(P, Q, EDGES, 50, 40, np.random.default_rng(1)) == whole
    assert np.shape(whole["correlation"]) == (3, 2)


def test_every_configuration_of_the_paper_is_there() -> None:
    full = set(grid.full(3, 1))
    starts = ("zero", "bell", "ghz", "plus")
    wanted = set()
    for seed in (1, 2, 3):
        for shots in (None, 8192):
            wanted |= {Training(8, "brick", d, shots=shots, seed=seed) for d in (1, 3, 6, 9)}
            wanted |= {Training(8, "tree", d, shots=shots, seed=seed) for d in (2, 6, 12, 18)}
            for ansatz, layers in (("brick", 6), ("tree", 12)):
                wanted.add(Training(8, ansatz, layers, "bell", shots=shots, seed=seed))
        for ansatz, layers in (("brick", 6), ("tree", 12)):
            wanted |= {Training(12, ansatz, layers, start, seed=seed) for start in starts}
    for ansatz, layers in (("brick", 6), ("tree", 12)):
        wanted.add(Training(12, ansatz, layers, shots=8192))
        wanted |= {Training(12, ansatz, layers, start, 20000) for start in starts}
    assert wanted <= full
    exact = [training for training in full if training.shots is None]
    assert {training.fraction for training in exact} == {*grid.FRACTIONS, 1.0}
    assert all(training.steps == 300 for training in full)
    ghz = {Training(12, "tree", 12, "ghz", 20000, seed=seed) for seed in (1, 2, 3)}
    assert ghz <= set(grid.full(3, 3))


@pytest.mark.parametrize("trainings", [grid.full(2, 2), grid.quick()])
def test_each_training_is_in_the_grid_once_and_its_cell_has_its_tags(
    trainings: list[Training],
) -> None:
    assert len(set(trainings)) == len(trainings)
    for training in trainings:
        cell = training.cell({"name": "jets"})
        assert cell.tags == {"measured": "trained", **vars(training)}
        assert "trained" in cell.measurements
        assert cell.recipe["seed"] == training.seed
        assert cell.recipe["generator"]["ansatz"]["name"] == training.ansatz


@pytest.mark.parametrize(
    ("training", "count"),
    [
        *((Training(8, "brick", d), n) for d, n in ((1, 66), (3, 150), (6, 276), (9, 402))),
        *((Training(8, "tree", d), n) for d, n in ((2, 72), (6, 168), (12, 312), (18, 456))),
        (Training(12, "brick", 6, "ghz"), 432),
        (Training(12, "tree", 12, "bell"), 468),
    ],
)
def test_recipes_have_the_parameters_of_the_paper(training: Training, count: int) -> None:
    ansatz = qgen.build("ansatz", training.recipe({"name": "jets"})["generator"]["ansatz"])
    assert ansatz(training.wires).num_params == count


def test_a_file_is_named_by_its_content(tmp_path: Path) -> None:
    file, copy = tmp_path / "a.h5", tmp_path / "b.h5"
    file.write_bytes(b"events")
    copy.write_bytes(b"events")
    one, other = (JetsStudy(path=str(path)) for path in (file, copy))
    cell, same = one.cells(quick=True)[3], other.cells(quick=True)[3]
    assert (
        key_of("jets", cell)
        == key_of("jets", same)
        != key_of("jets", JetsStudy().cells(quick=True)[3])
    )
    assert str(tmp_path) not in str(cell)
    assert one.local(cell.recipe)["dataset"] == {**cell.recipe["dataset"], "path": str(file)}
    copy.write_bytes(b"other events")
    assert key_of("jets", other.cells(quick=True)[3]) != key_of("jets", cell)
    with pytest.raises(DataError, match="cannot be read.*; give the study another path"):
        JetsStudy(path=str(tmp_path / "none.h5")).cells(quick=True)
    with pytest.raises(BadOption, match="at least 1"):
        JetsStudy(seeds=0)


def trial_of(training: Training, folder: Path) -> Trial:
    return Trial(training.recipe({"name": "jets"}), folder)


def test_the_target_is_the_histogram_of_all_events(tmp_path: Path) -> None:
    trial = trial_of(chosen(8, "brick", fraction=0.1), tmp_path)
    found = measurements.target(trial, [8192], 50, 0.5)
    x = qgen.dataset("jets")().x.astype(np.float64)
    counts, _ = np.histogramdd(x, [np.linspace(250, 600, 17), np.linspace(0, 200, 17)])
    assert found["events"] == len(x) == 70580 and found["occupied"] == np.count_nonzero(counts)
    assert measurements.reference_of(trial).table == pytest.approx(
        counts.ravel() / len(x), abs=1e-4 / len(x) + 2e-5
    )
    assert found["marginals"][0] == pytest.approx(counts.sum(axis=1) / len(x), abs=2e-5)
    assert found["correlation"][0][1] == pytest.approx(np.corrcoef(x, rowvar=False)[0, 1], abs=1e-5)
    assert found["binned_correlation"][0][1] == pytest.approx(found["correlation"][0][1], abs=0.02)
    assert found["floors"]["8192"]["js"][0] == pytest.approx(255 / (8 * 8192), rel=0.15)
    assert not (tmp_path / "recipe.toml").exists(), "looking at the data trains nothing"


def test_ansatz_1_learns_the_correlation_and_ansatz_2_cannot(tmp_path: Path) -> None:
    first, second = (trial_of(chosen(8, a), tmp_path / a) for a in ("brick", "tree"))
    brick, tree = (
        measurements.trained(first, [8192], 100),
        measurements.trained(second, [8192], 100),
    )
    independent = measurements.target(first, [8192], 10, 0.5)["independent"]["js"]
    assert (brick["parameters"], tree["parameters"]) == (276, 312)
    assert (
        brick["exact"]["correlation"][0][1] > 0.2 and abs(tree["exact"]["correlation"][0][1]) < 1e-9
    )
    assert brick["exact"]["js"] < 0.6 * independent
    assert 0.9 * independent < tree["exact"]["js"] < 1.02 * independent
    assert settled(tree) < 100 < settled(brick)
    for found in (brick, tree):
        assert len(found["losses"]) == 300 and found["losses"][-1] == pytest.approx(
            found["exact"]["js"], rel=0.02
        )
        assert found["shots"]["8192"]["js"][0] == pytest.approx(
            found["exact"]["js"] + 255 / 65536, rel=0.1
        )
        assert [sum(m) for m in found["exact"]["marginals"]] == pytest.approx([1, 1], abs=1e-5)


def test_a_model_of_part_of_the_events_is_held_against_all(tmp_path: Path) -> None:
    part = measurements.trained(trial_of(chosen(8, "brick", fraction=0.003), tmp_path), [8192], 10)
    assert part["events"] == round(0.003 * 70580)
    assert part["exact"]["js"] > 1.5 * part["losses"][-1], (
        "what it knows by heart is not the distribution"
    )


def spectrum(rng: np.random.Generator, features: int) -> list[list[float]]:
    return [list(m / m.sum()) for m in rng.uniform(0.5, 1.5, (features, 16))]


def target_value(wires: int) -> dict[str, Any]:
    features = wires // 4
    rng = np.random.default_rng(features)
    matrix = np.full((features, features), 0.3) + 0.7 * np.eye(features)
    pairs = {"js": 30.0, "js_smoothed": 22.0, "d": 10.0}
    floors = {
        str(n): {k: [v / n, 1 / n] for k, v in pairs.items()} for n in (*grid.SHOTS[wires], 1000)
    }
    return {
        "events": 1000,
        "cells": 16**features,
        "occupied": 200,
        "edges": [np.linspace(*grid.WINDOW[c], 17).tolist() for c in grid.COLUMNS[wires]],
        "marginals": spectrum(rng, features),
        "correlation": matrix.tolist(),
        "binned_correlation": matrix.tolist(),
        "independent": {"js": 0.0141},
        "floors": floors,
    }


def trained_value(wires: int, seed: int, steps: int = 300) -> dict[str, Any]:
    features = wires // 4
    rng = np.random.default_rng(seed)
    pairs = [[0.2, 0.01]] * (features * (features - 1) // 2)
    measured = {"js": [0.02, 0.001], "d": [0.004, 0.0002], "correlation": pairs}
    matrix = np.full((features, features), 0.25) + 0.75 * np.eye(features)
    return {
        "parameters": 276,
        "events": 1000,
        "losses": list(np.geomspace(0.3, 0.01, steps)),
        "exact": {
            "js": 0.001 * seed,
            "d": 0.002 * seed,
            "correlation": matrix.tolist(),
            "marginals": spectrum(rng, features),
        },
        "shots": {str(n): measured for n in grid.SHOTS[wires]},
    }


def value_of(cell: Cell) -> dict[str, Any]:
    tags: Any = cell.tags
    if tags["measured"] == "target":
        return {"target": target_value(tags["wires"])}
    return {"trained": trained_value(tags["wires"], tags["seed"], tags["steps"])}


def made_up(*, quick: bool = False, there: float = 1.0) -> Results:
    """Made-up results of the study, of which the first ``there`` have been run."""
    cells = JetsStudy().cells(quick=quick)
    run = round(there * len(cells))
    found = [Result(cell, str(i), value_of(cell)) for i, cell in enumerate(cells[:run])]
    return Results([*found, *(Result(cell, "none") for cell in cells[run:])])


def plain_spaces(table: Table) -> Table:
    rows = tuple(tuple(text.replace("\u00a0", " ") for text in row) for row in table.rows)
    return replace(table, rows=rows)


def test_tables_show_ours_beside_theirs() -> None:
    made = {table.title.partition(":")[0]: plain_spaces(table) for table in tables(made_up())}
    table = made["Table I"]
    row = next(row for row in table.rows if row[:3] == ("1", "276", "zero"))
    # seeds 1, 2, 3 have D = 0.002, 0.004, 0.006
    assert row[3:] == ("0.007153", "0.004 ± 0.002", "0.004 ± 0.002", "0.004 ± 0.0002")
    assert [row[3] for row in made["Table III"].rows] == [
        "0.0226",
        "0.0138",
        "0.0187",
        "–",
        "0.0108",
        "0.009",
        "0.0106",
        "–",
    ]
    assert made["Table II"].rows[0] == ("events", "–", "pt, mass", "0.2", "0.300", "–")
    assert len(made["Table IV"].rows) == 27 and made["Table IV"].rows[3][3:5] == (
        "0.18",
        "0.250",
    )
    assert "missing" not in "".join(table.markdown() for table in made.values())


@pytest.mark.parametrize(
    ("there", "quick"),
    [
        (0.0, True),
        (0.02, False),
        (0.3, True),
        pytest.param(0.0, False, marks=pytest.mark.long),
        pytest.param(0.02, True, marks=pytest.mark.long),
        pytest.param(0.3, False, marks=pytest.mark.long),
    ],
)
def test_missing_cells_are_shown_as_missing(tmp_path: Path, quick: bool, there: float) -> None:
    results = made_up(quick=quick, there=there)
    made = tables(results)
    assert len(made) == 9 and sum(table.markdown().count("missing") for table in made) > 10
    assert len(draw(FIGURES, results, tmp_path)) == len(FIGURES)


def test_figures_3_to_11_are_drawn(tmp_path: Path) -> None:
    files = draw(FIGURES, made_up(), tmp_path)
    assert [file.name for file in files] == [f"figure-{n:02d}.png" for n in range(3, 12)]
    for file in files:
        data = file.read_bytes()
        assert data.startswith(b"\x89PNG") and 20_000 < len(data) < 400_000, file


def of_seeds(*seeds: int, missing: int = 0) -> Results:
    """Results of so many seeds of one configuration."""
    cell = chosen(8, "brick").cell({"name": "jets"})
    found = [Result(cell, "", {"trained": trained_value(8, seed)}) for seed in seeds]
    return Results([*found, *[Result(cell, "")] * missing])


def test_numbers_over_seeds_as_text() -> None:
    assert of_seeds(1, 3).summary(exact_js).text() == "0.002\u00a0±\u00a00.001"
    assert of_seeds(1, missing=1).summary(exact_js).text() == "0.001 (1 of 2)"
    assert sampled(of_seeds(1, 3), 8192, "js") == "0.02\u00a0±\u00a00.001"
    assert sampled(of_seeds(missing=1), 8192, "js") == "missing"
    assert sampled(of_seeds(), 8192, "js") == "–"
    assert settled({"losses": [5.0, 1.0, 1.2, 1.05, 1.0]}) == 3
    assert settled({"losses": [1.0, 1.0]}) == 0


def test_published_numbers_are_those_of_the_document() -> None:
    """docs/readings.md, copied again."""
    table = {(8, "brick"): (0.007153, 0.006767), (8, "tree"): (0.005452, 0.005696)}
    table |= {(12, "brick"): (0.0226, 0.0138, 0.0187), (12, "tree"): (0.0108, 0.0090, 0.0106)}
    for (wires, ansatz), row in table.items():
        for start, number in zip(("zero", "bell", "ghz"), row, strict=False):
            assert published.D[wires, ansatz, start] == number
    assert len(published.D) == 10
    pt_mass = {**{k: float(v[0]) for k, v in published.TABLE_II.items()}}
    assert pt_mass == {
        ("brick", "zero"): 0.19,
        ("brick", "bell"): 0.12,
        ("tree", "zero"): -1.0e-3,
        ("tree", "bell"): -9.1e-3,
    }
    pt_mass = {k: float(v[0]) for k, v in published.TABLE_IV.items()}
    assert [pt_mass["brick", s] for s in ("zero", "bell", "ghz")] == [0.16, 0.16, 0.18]
    assert [pt_mass["tree", s] for s in ("zero", "bell", "ghz")] == [-4.1e-3, 4.6e-3, 0.019]
    with_eta = [abs(float(text)) for row in published.TABLE_IV.values() for text in row[1:]]
    assert max(with_eta) == 0.014


def test_seeds_are_told_apart_from_configurations() -> None:
    results = made_up()
    assert len(trainings(results, 8, "brick")) == 3
    assert len(trainings(results, 8, "brick", shots=8192, empty_bins="raw")) == 3
    assert len(trainings(results, 12, "tree", start="ghz", shots=20000)) == 1
    assert not trainings(results, 8, "brick", start="ghz")
    second = results.where(**{**chosen(8, "brick").tags, "seed": 2})
    assert second.values() == [trained_value(8, 2)]
