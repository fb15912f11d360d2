"""A run that torchrun started several times over is written by the first process alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe


def test_the_other_processes_write_nothing(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They need neither --resume nor the lock, which the first process may already hold."""
    few = recipe.changed(["trainer.steps=4"])
    first = runs.train(few, tmp_path / "run")
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "somewhere"}.items():
        monkeypatch.setenv(name, value)
    more = runs.train(recipe.changed(["trainer.steps=7"]), tmp_path / "run")
    assert {
        file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()
    } == before
    assert [record["step"] for record in more.records] == [4, 5, 6]
    fresh = runs.train(few, tmp_path / "fresh")
    assert not list((tmp_path / "fresh").rglob("*"))
    assert np.array_equal(fresh.losses, first.losses)
