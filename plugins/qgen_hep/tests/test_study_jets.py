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
from qgen_core.studies import Cell, Result, Table, Trial, key_of
from qgen_hep.studies.jets import JetsStudy, measure, points, published, statistics
from qgen_hep.studies.jets.book import Book, measured
from qgen_hep.studies.jets.figures import FIGURES, draw
from qgen_hep.studies.jets.points import Point
from qgen_hep.studies.jets.tables import settled, tables
from qgen_hep.studies.seeds import over_seeds

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
    full = set(points.full(3, 1))
    for seed in (1, 2, 3):
        for shots in (None, 8192):
            assert {Point(2, 1, d, shots=shots, seed=seed) for d in (1, 3, 6, 9)} <= full
            assert {Point(2, 2, d, shots=shots, seed=seed) for d in (2, 6, 12, 18)} <= full
            assert {
                Point(2, a, d, "bell", shots=shots, seed=seed) for a, d in ((1, 6), (2, 12))
            } <= full
        assert {
            Point(3, a, d, s, seed=seed)
            for a, d in ((1, 6), (2, 12))
            for s in ("zero", "bell", "ghz", "plus")
        } <= full
    assert {Point(3, a, d, shots=8192) for a, d in ((1, 6), (2, 12))} <= full
    assert {
        Point(3, a, d, s, 20000)
        for a, d in ((1, 6), (2, 12))
        for s in ("zero", "bell", "ghz", "plus")
    } <= full
    assert {p.fraction for p in full if p.shots is None} == {*points.FRACTIONS, 1.0}
    assert all(p.steps == 300 for p in full)
    assert {Point(3, 2, 12, "ghz", 20000, seed=s) for s in (1, 2, 3)} <= set(points.full(3, 3))


def test_a_point_and_its_cell_say_the_same() -> None:
    for point in {*points.full(2, 2), *points.quick()}:
        assert Point.of(point.cell({"name": "jets"})) == point


@pytest.mark.parametrize(
    ("point", "count"),
    [
        *((Point(2, 1, d), n) for d, n in ((1, 66), (3, 150), (6, 276), (9, 402))),
        *((Point(2, 2, d), n) for d, n in ((2, 72), (6, 168), (12, 312), (18, 456))),
        (Point(3, 1, 6, "ghz"), 432),
        (Point(3, 2, 12, "bell"), 468),
    ],
)
def test_recipes_have_the_parameters_of_the_paper(point: Point, count: int) -> None:
    ansatz = qgen.build("ansatz", point.recipe({"name": "jets"})["generator"]["ansatz"])
    assert ansatz(4 * point.features).num_params == count


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
    with pytest.raises(DataError, match="cannot read"):
        JetsStudy(path=str(tmp_path / "none.h5")).cells(quick=True)
    with pytest.raises(BadOption, match="at least 1"):
        JetsStudy(seeds=0)


def trial_of(point: Point, folder: Path) -> Trial:
    return Trial(point.recipe({"name": "jets"}), folder)


def test_the_target_is_the_histogram_of_all_events(tmp_path: Path) -> None:
    trial = trial_of(Point(2, 1, 6, fraction=0.1), tmp_path)
    found = measure.target(trial, [8192], 50, 0.5)
    x = qgen.dataset("jets")().x.astype(np.float64)
    counts, _ = np.histogramdd(x, [np.linspace(250, 600, 17), np.linspace(0, 200, 17)])
    assert found["events"] == len(x) == 70580 and found["occupied"] == np.count_nonzero(counts)
    assert measure.truth_of(trial).table == pytest.approx(
        counts.ravel() / len(x), abs=1e-4 / len(x) + 2e-5
    )
    assert found["marginals"][0] == pytest.approx(counts.sum(axis=1) / len(x), abs=2e-5)
    assert found["correlation"][0][1] == pytest.approx(np.corrcoef(x, rowvar=False)[0, 1], abs=1e-5)
    assert found["binned_correlation"][0][1] == pytest.approx(found["correlation"][0][1], abs=0.02)
    assert found["floors"]["8192"]["js"][0] == pytest.approx(255 / (8 * 8192), rel=0.15)
    assert not (tmp_path / "recipe.toml").exists(), "looking at the data trains nothing"


def test_ansatz_1_learns_the_correlation_and_ansatz_2_cannot(tmp_path: Path) -> None:
    first, second = (trial_of(Point(2, a, d), tmp_path / str(a)) for a, d in ((1, 6), (2, 12)))
    brick, tree = measure.trained(first, [8192], 100), measure.trained(second, [8192], 100)
    independent = measure.target(first, [8192], 10, 0.5)["independent"]["js"]
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
    part = measure.trained(trial_of(Point(2, 1, 6, fraction=0.003), tmp_path), [8192], 10)
    assert part["events"] == round(0.003 * 70580)
    assert part["exact"]["js"] > 1.5 * part["losses"][-1], (
        "what it knows by heart is not the distribution"
    )


def spectrum(rng: np.random.Generator, features: int) -> list[list[float]]:
    return [list(m / m.sum()) for m in rng.uniform(0.5, 1.5, (features, 16))]


def target_value(features: int) -> dict[str, Any]:
    rng = np.random.default_rng(features)
    matrix = np.full((features, features), 0.3) + 0.7 * np.eye(features)
    pairs = {"js": 30.0, "js_smoothed": 22.0, "d": 10.0}
    floors = {
        str(n): {k: [v / n, 1 / n] for k, v in pairs.items()}
        for n in (*points.SHOTS[features], 1000)
    }
    return {
        "events": 1000,
        "cells": 16**features,
        "occupied": 200,
        "edges": [np.linspace(*points.WINDOW[c], 17).tolist() for c in points.COLUMNS[features]],
        "marginals": spectrum(rng, features),
        "correlation": matrix.tolist(),
        "binned_correlation": matrix.tolist(),
        "independent": {"js": 0.0141},
        "floors": floors,
    }


def trained_value(point: Point) -> dict[str, Any]:
    rng = np.random.default_rng(point.seed)
    pairs = [[0.2, 0.01]] * (point.features * (point.features - 1) // 2)
    shots = {
        str(n): {"js": [0.02, 0.001], "d": [0.004, 0.0002], "correlation": pairs}
        for n in points.SHOTS[point.features]
    }
    matrix = np.full((point.features,) * 2, 0.25) + 0.75 * np.eye(point.features)
    return {
        "parameters": 276,
        "events": 1000,
        "losses": list(np.geomspace(0.3, 0.01, point.steps)),
        "exact": {
            "js": 0.001 * point.seed,
            "d": 0.002 * point.seed,
            "correlation": matrix.tolist(),
            "marginals": spectrum(rng, point.features),
        },
        "shots": shots,
    }


def value_of(cell: Cell) -> dict[str, Any]:
    point = Point.of(cell)
    return (
        {"target": target_value(point.features)}
        if "target" in cell.measurements
        else {"trained": trained_value(point)}
    )


def results(*, quick: bool = False, there: float = 1.0) -> list[Result]:
    """Made-up results of the study, the first ``there`` of them."""
    cells = JetsStudy().cells(quick=quick)
    run = [
        Result(cell, str(i), value_of(cell))
        for i, cell in enumerate(cells[: round(there * len(cells))])
    ]
    return [*run, *(Result(cell, "none") for cell in cells[len(run) :])]


def plain_spaces(table: Table) -> Table:
    rows = tuple(tuple(text.replace("\u00a0", " ") for text in row) for row in table.rows)
    return replace(table, rows=rows)


def test_tables_show_ours_beside_theirs() -> None:
    made = {table.title.partition(":")[0]: plain_spaces(table) for table in tables(Book(results()))}
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
        "0.250 ± 0.000",
    )
    assert "missing" not in "".join(table.markdown() for table in made.values())


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("there", [0.0, 0.02, 0.3])
def test_missing_cells_are_shown_as_missing(tmp_path: Path, quick: bool, there: float) -> None:
    book = Book(results(quick=quick, there=there))
    made = tables(book)
    assert len(made) == 9 and sum(table.markdown().count("missing") for table in made) > 10
    assert len(draw(book, tmp_path)) == len(FIGURES)


def test_figures_3_to_11_are_drawn(tmp_path: Path) -> None:
    files = draw(Book(results()), tmp_path)
    assert [file.name for file in files] == [f"figure-{n:02d}.png" for n in range(3, 12)]
    for file in files:
        data = file.read_bytes()
        assert data.startswith(b"\x89PNG") and 20_000 < len(data) < 400_000, file


def test_numbers_over_seeds_as_text() -> None:
    values = [trained_value(Point(2, 1, 6, seed=seed)) for seed in (1, 3)]

    def js(value: Any) -> float:
        return float(value["exact"]["js"])

    assert over_seeds(values, js) == "0.002\u00a0±\u00a00.001"
    assert over_seeds(values[:1], js) == "0.001"
    assert over_seeds([values[0], None], js) == "0.001 (1 of 2)"
    assert over_seeds([None], js) == "missing" and over_seeds([], js) == "–"
    assert (
        measured(values, 8192, "js") == "0.02\u00a0±\u00a00.001"
        and measured([None], 8192, "js") == "missing"
    )
    assert (
        settled({"losses": [5.0, 1.0, 1.2, 1.05, 1.0]}) == 3
        and settled({"losses": [1.0, 1.0]}) == 0
    )


def test_published_numbers_are_those_of_the_document() -> None:
    """docs/readings.md, copied again."""
    table = {(2, 1): (0.007153, 0.006767), (2, 2): (0.005452, 0.005696)}
    table |= {(3, 1): (0.0226, 0.0138, 0.0187), (3, 2): (0.0108, 0.0090, 0.0106)}
    for (features, ansatz), row in table.items():
        for start, number in zip(("zero", "bell", "ghz"), row, strict=False):
            assert published.D[features, ansatz, start] == number
    assert len(published.D) == 10
    pt_mass = {**{k: float(v[0]) for k, v in published.TABLE_II.items()}}
    assert pt_mass == {
        (1, "zero"): 0.19,
        (1, "bell"): 0.12,
        (2, "zero"): -1.0e-3,
        (2, "bell"): -9.1e-3,
    }
    pt_mass = {k: float(v[0]) for k, v in published.TABLE_IV.items()}
    assert [pt_mass[1, s] for s in ("zero", "bell", "ghz")] == [0.16, 0.16, 0.18]
    assert [pt_mass[2, s] for s in ("zero", "bell", "ghz")] == [-4.1e-3, 4.6e-3, 0.019]
    with_eta = [abs(float(text)) for row in published.TABLE_IV.values() for text in row[1:]]
    assert max(with_eta) == 0.014


def test_seeds_are_told_apart_from_configurations() -> None:
    book = Book(results())
    assert len(book.seeds(2, 1)) == 3 and len(book.seeds(2, 1, shots=8192, empty="raw")) == 3
    assert len(book.seeds(3, 2, "ghz", shots=20000)) == 1 and book.seeds(2, 1, "ghz") == []
    point = Point(2, 1, 6)
    assert book.points[replace(point, seed=2)] == trained_value(replace(point, seed=2))
