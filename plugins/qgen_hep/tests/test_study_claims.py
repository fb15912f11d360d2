"""The study ``claims``: its grid, measurements, verdicts, tables and figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption
from qgen_core.studies import Cell, Result, Results, Trial
from qgen_hep.studies.claims import ClaimsStudy, grid
from qgen_hep.studies.claims.figures import FIGURES
from qgen_hep.studies.claims.measurements import changed, compared, mean_effect, truth
from qgen_hep.studies.claims.tables import tables
from qgen_hep.studies.claims.verdicts import comparisons, differences, verdict

#: A setting that takes seconds.
TINY = grid.Setting(
    seeds=1,
    capacities={"angle": (1, 2), "style": (2, 4), "latent": (2, 3)},
    strengths=(1.0, 4.0),
    jets=400,
    steps={"angle": 3, "style": 3, "latent": 3},
    epochs=1,
)


# ------------------------------------------------------------------ the grid


def test_each_cell_is_one_model_of_one_seed() -> None:
    cells = ClaimsStudy().cells(quick=False)
    assert len(cells) == 5 * (3 * 5 * 3 + 2 * (1 + 1 + 5))
    assert len({json.dumps(dict(cell.tags), sort_keys=True) for cell in cells}) == len(cells)
    assert len({json.dumps(cell.content, sort_keys=True) for cell in cells}) == len(cells)
    parts = {cell.tags["part"] for cell in ClaimsStudy(parts=("latent",)).cells(quick=True)}
    assert parts == {"latent"}
    with pytest.raises(BadOption, match="seeds must be at least 1"):
        ClaimsStudy(seeds=0)


def test_a_frozen_circuit_is_the_circuit_itself() -> None:
    for part in grid.PARTS:
        plain = grid.recipe(part, 2, grid.CIRCUIT, 1, TINY)
        assert grid.recipe(part, 2, grid.FROZEN, 1, TINY) == plain


def sizes(part: grid.Part, capacity: int, columns: int) -> list[int]:
    """The numbers of parameters of a circuit and of its twin."""
    found = []
    for model in (grid.CIRCUIT, grid.TWIN):
        table = grid.generator(part, capacity, model)
        options: dict[str, Any] = {"space": qgen.Space("reals", columns), "seed": 1}
        if model == grid.CIRCUIT:
            options["backend"] = qgen.backend("statevector", threads=1)
        generator = qgen.generator(table.pop("name"), **table, **options)
        found.append(sum(value.size for value in generator.parameters().values()))
    return found


def test_networks_have_the_size_of_their_circuits() -> None:
    """Exactly for angle generators, else to 3 % of it: one or two of the parameters."""
    for capacity in grid.FULL.capacities["angle"]:
        circuit, twin = sizes("angle", capacity, 8)
        assert circuit == twin == 8 * (capacity + 1)
    pytest.importorskip("qgen_torch")
    for part in ("style", "latent"):
        for capacity in grid.FULL.capacities[part]:
            layers, wires = grid.style_size(part, capacity)
            circuit, twin = sizes(part, capacity, wires)
            assert circuit == grid.style_parameters(layers, wires)
            assert abs(twin - circuit) <= min(2, 0.03 * circuit)


# ------------------------------------------------------------------ the measurements


def test_a_changed_encoder_decodes_changed_numbers() -> None:
    """Numbers y in the changed recipe are the energies of a y + b in the usual one."""
    usual = grid.recipe("angle", 1, grid.TWIN, 1, TINY)
    effect = (0.8, 0.05, 1.0)
    energies = np.random.default_rng(1).gamma(2.0, 50.0, (100, 8))
    y = np.random.default_rng(2).uniform(-1, 1, (50, 8))
    decoded = []
    for recipe, numbers in ((usual, 0.8 * y + 0.05), (changed(usual, effect), y)):
        table = dict(recipe["encoder"])
        encoder = qgen.encoder(table.pop("name"), **table).fit(energies)
        decoded.append(encoder.decode(numbers, rng=np.random.default_rng(0)))
    np.testing.assert_allclose(decoded[1], decoded[0], rtol=1e-12)


def test_the_mean_effect_of_readout_errors_is_exact(tmp_path: Path) -> None:
    """They turn z into (1 - p01 - p10) z + p10 - p01, whatever the circuit."""
    circuit = grid.recipe("angle", 2, grid.CIRCUIT, 1, TINY)
    noise = {"name": "readout", "p01": 0.03, "p10": 0.1}
    found = mean_effect(circuit, noise, tmp_path)
    assert found == pytest.approx((0.87, 0.07, 1.0), abs=1e-9)
    assert mean_effect(circuit, None, tmp_path) == pytest.approx((1.0, 0.0, 1.0), abs=1e-12)


def test_true_events_are_nearer_than_a_circuit_as_drawn(tmp_path: Path) -> None:
    recipe = grid.recipe("angle", 1, grid.CIRCUIT, 1, TINY)
    drawn = compared(Trial(recipe, tmp_path), trained=False)
    floor = truth(Trial(recipe, tmp_path), draws=3)
    assert drawn["parameters"] == 16
    for name in ("mmd2", "W1"):
        mean, deviation = floor[name]
        assert abs(mean) + 5 * deviation < 0.5 * drawn[name]


def test_decoded_events_are_worse_than_true_ones(tmp_path: Path) -> None:
    pytest.importorskip("qgen_torch")
    recipe = grid.recipe("latent", 2, grid.TRUTH, 1, TINY)
    found = truth(Trial(recipe, tmp_path), draws=2, codes=True)
    assert found["decoded"]["mmd2"] > 5 * abs(found["mmd2"][0])
    assert 0.3 < found["unexplained"] < 1.1


# ------------------------------------------------------------------ verdicts, tables, figures


def value_of(cell: Cell, better: float) -> dict[str, Any]:
    """What a cell might have measured: the circuit is better by this than its twin."""
    model = cell.tags["model"]
    seed = int(str(cell.tags["seed"]))
    level = {"circuit": 1.0, "twin": 1.0 + better, "frozen": 5.0}.get(str(model), 0.0)
    level += 0.001 * ((7 * seed) % 5)
    distances = {"mmd2": level, "W1": level}
    ((name, options),) = cell.measurements.items()
    if name == "truth":
        floor = {"mmd2": [0.001, 0.002], "W1": [0.05, 0.01]}
        decoded = {"codes": floor, "decoded": distances, "unexplained": 0.3}
        return {name: {**floor, **decoded}}
    if name == "compared":
        parameters = 10 + int(str(cell.tags["capacity"]))
        return {name: {"parameters": parameters, **distances, "codes": distances}}
    told = {"exposed": {"mmd2": level + 0.2}, "effect": [0.9, 0.0, 0.99]}
    if options["trained"]:
        told["trained"] = {"mmd2": level + 0.1}
    noisy = {f"{strength:g}": told for strength in options["strengths"]}
    return {name: {"parameters": 16, "clean": distances, "strengths": noisy}}


def made_up(seeds: int, better: float) -> Results:
    cells = grid.cells(TINY, seeds, grid.PARTS)
    found = []
    for cell in cells:
        # a little that differs from seed to seed, so that differences have an error
        shift = better + 0.0001 * int(str(cell.tags["seed"]))
        found.append(Result(cell, "", value_of(cell, shift)))
    return Results(found)


def verdicts_of(results: Results) -> dict[tuple[str, str, str], str]:
    found = {}
    for one in comparisons(results):
        place = (one.part, one.quantity, one.against)
        found[place] = verdict(differences(results, one))
    return found


@pytest.mark.parametrize(
    ("better", "words"),
    [
        (0.5, "the circuit is better at 2 of 2 capacities"),
        (-0.5, "no advantage: the circuit is worse at 2 of 2 capacities"),
    ],
)
def test_a_difference_that_all_seeds_have_is_a_verdict(better: float, words: str) -> None:
    found = verdicts_of(made_up(5, better))
    for place in (("style", "MMD²"), ("latent", "MMD²"), ("latent", "MMD² of latents")):
        assert found[(*place, "network of equal size")] == words
    assert found["angle", "MMD² under noise x = 4", "network of equal size"] == words
    assert found["angle", "MMD² under noise x = 4", "circuit trained without noise"] == (
        "the circuit is better at 2 of 2 capacities"
    )


def test_what_is_the_same_is_no_advantage_and_few_seeds_say_nothing() -> None:
    found = verdicts_of(made_up(5, 0.5))
    # noise adds the same to both
    place = ("angle", "what noise x = 4 adds to MMD²", "network of equal size")
    assert found[place] == "no advantage: no difference seen at 2 of 2 capacities"
    few = verdicts_of(made_up(4, 0.5))
    assert set(few.values()) == {"no verdict: 4 of 5 seeds"}


def test_tables_have_the_numbers_of_the_results() -> None:
    found = {table.title: table for table in tables(made_up(5, 0.5))}
    style = [row for row in found["style-qGAN"].rows if row[:2] == ("2", "network (twin)")]
    assert style[0][2] == "12" and style[0][3].startswith("1.5")
    angle = found["Angle generator under noise"]
    assert any("0.990 of their variance" in note for note in angle.notes)
    (row,) = [row for row in angle.rows if row[:2] == ("2", "circuit") and row[3] == "4"]
    assert [text.split("\u00a0")[0] for text in row[4:7]] == ["1", "1.2", "1.1"]
    for row in found["Differences"].rows:
        assert row[-1] in ("better", "worse", "no difference seen")
    for table in found.values():
        table.markdown()


def test_what_has_not_been_run_is_missing() -> None:
    results = Results(replace(result, value=None) for result in made_up(2, 0.5))
    texts = json.dumps([table.rows for table in tables(results)])
    assert "missing" in texts and "no verdict: 0 of 5 seeds" in texts
    for table in tables(Results()):
        table.markdown()


def test_figures_are_drawn_of_some_and_of_no_results() -> None:
    pytest.importorskip("matplotlib")
    for make in FIGURES.values():
        assert make(made_up(2, 0.5)).axes
        assert make(Results()).axes
