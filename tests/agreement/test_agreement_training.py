"""The demo recipe trains the same on every backend: its first five losses are those of the embedded
engine.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe

DEMO = Path(__file__).parents[2] / "recipes" / "jets.toml"
#: How far a loss may be off: complex128 and complex64.
TOLERANCE = {"double": 1e-6, "single": 1e-3}
STEPS = 5
#: The demo on 4 wires with one layer: parameter shift of its 276 angles on 8 wires takes minutes.
SMALL = ("encoder.bits=2", "generator.ansatz.layers=1")


@cache
def losses(name: str, settings: tuple[str, ...], folder: Path) -> np.ndarray:
    """The losses of the first steps on a backend."""
    recipe = Recipe.read(DEMO).changed([*settings, f"backend={name}", f"trainer.steps={STEPS}"])
    return runs.train(recipe, folder / name).losses


def check(name: str, backend: qgen.Backend, settings: tuple[str, ...], folder: Path) -> None:
    pytest.importorskip("qgen_hep")
    expected = losses("statevector", settings, folder)
    assert len(expected) == STEPS and np.all(np.diff(expected) < 0)
    found = losses(name, settings, folder)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=TOLERANCE[backend.capabilities.precision]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs go."""
    return tmp_path_factory.mktemp("runs")


def test_the_small_demo(name: str, backend: qgen.Backend, folder: Path) -> None:
    check(name, backend, SMALL, folder / "small")


@pytest.mark.long
def test_the_whole_demo(name: str, backend: qgen.Backend, folder: Path) -> None:
    check(name, backend, (), folder / "whole")
