"""A stateful noise model is built from its options, called as a hook, recorded with the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.measures import Measure, Probabilities
from qgen_core.discovery import registry
from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import BadOption
from qgen_core.noise_models.mapping import Mapping
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe


class Worsening:
    """Bits of wire 0 are read wrongly, more often in each step: made up, for tests."""

    #: The steps in which one was asked.
    asked: ClassVar[list[int]] = []

    def __init__(self, *, rate: float = 0.01, seed: int = 0) -> None:
        self.rate, self.seed = rate, seed
        self.problem: Any = None

    @property
    def version(self) -> int:
        return 0 if self.problem is None else self.problem.step

    def __call__(self, circuit: qgen.Circuit, measure: Measure) -> tuple[qgen.Circuit, Measure]:
        self.asked.append(self.version)
        wrong = self.rate * (1 + self.version)
        confusion = np.tile(np.eye(2), (circuit.num_wires, 1, 1))
        confusion[0] = [[1 - wrong, wrong], [wrong, 1 - wrong]]
        return circuit, replace(measure, confusion=confusion)

    def describe(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed}

    @hookimpl
    def on_fit_start(self, problem: Any) -> None:
        self.problem = problem


@pytest.fixture(autouse=True)
def _worsening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("noise", "worsening", Worsening)
    Worsening.asked.clear()


def test_it_is_built_from_its_options() -> None:
    noise = qgen.noise("worsening", rate=0.25)
    assert isinstance(noise, Worsening)
    _, measure = noise(qgen.Circuit(1, ()), Probabilities())
    assert measure.confusion is not None and measure.confusion[0, 1, 0] == 0.25
    with pytest.raises(BadOption, match="noise 'worsening' takes rate, seed; not 'rat'"):
        qgen.noise("worsening", rat=0.25)
    assert [option.name for option in qgen.describe("noise", "worsening").options] == ["rate"]


def test_a_run_tells_it_of_the_steps_and_records_it(recipe: Recipe, tmp_path: Path) -> None:
    """Asked once before the training, and again in each step that changes it."""
    noisy = recipe.changed(["trainer.steps=3", "noise.name=worsening", "noise.rate=0.02"])
    runs.train(noisy, tmp_path / "noisy")
    assert Worsening.asked == [0, 1, 2]
    assert json.loads((tmp_path / "noisy" / "run.json").read_text())["noise"] == {
        "rate": 0.02,
        "seed": recipe.seed,
    }
    runs.train(recipe.changed(["trainer.steps=1", "noise.name=readout"]), tmp_path / "plain")
    assert "noise" not in json.loads((tmp_path / "plain" / "run.json").read_text())


def test_a_mapping_asks_again_when_the_noise_says_that_it_changed() -> None:
    class Step:
        step = 0

    noise, circuit = Worsening(), qgen.Circuit(2, (qgen.Gate("ry", (0,), qgen.param(0)),))
    mapping = Mapping(noise)
    first = mapping(circuit, Probabilities()).measure
    assert mapping(circuit, Probabilities()).measure is first
    assert Worsening.asked == [0]
    noise.on_fit_start(Step())
    assert mapping(circuit, Probabilities()).measure is first, "step 0 is the version it had"
    Step.step = 4
    fifth = mapping(circuit, Probabilities()).measure
    assert fifth.confusion[0, 1, 0] == pytest.approx(0.05)
    assert mapping(circuit, Probabilities()).measure is fifth
    assert Worsening.asked == [0, 4]


def test_a_mapping_shows_the_noise_one_circuit() -> None:
    """Noise that transpiles caches by circuit, so it gets the same circuit for every measure."""
    seen: list[qgen.Circuit] = []

    def noise(circuit: qgen.Circuit, measure: Measure) -> tuple[qgen.Circuit, Measure]:
        seen.append(circuit)
        return circuit, measure

    circuit = qgen.Circuit(2, (qgen.Gate("ry", (0,), qgen.given(1)),))
    mapping = Mapping(noise)
    mapping(circuit, Probabilities())
    mapping(circuit, qgen.pauli_z(2))
    assert len(seen) == 2 and seen[0] is seen[1]
