"""What a training drops is said once, with the columns and the share."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import toyset

import qgen_core as qgen
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe

N = 1000


def training(name: str, x: np.ndarray, folder: Path, **provenance: str) -> None:
    events = qgen.Events(x, columns=("a", "b"), provenance=provenance)
    qgen.register("dataset", name, lambda: events)
    settings = [f"dataset={name}", "trainer.steps=1", "split=[1.0, 0.0, 0.0]"]
    runs.train(Recipe.parse(toyset.RECIPE).changed(settings), folder)


@pytest.mark.parametrize(("outside", "level"), [(650, "WARNING"), (11, "WARNING"), (10, "INFO")])
def test_events_outside_the_window_are_said_with_column_and_share(
    outside: int, level: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x = np.full((N, 2), 1.5) + np.linspace(0, 1, N)[:, None]
    x[:outside, 1] = -1.0
    x[:3, 0] = 99.0
    with caplog.at_level(logging.INFO, "qgen"):
        training(f"dropping-{outside}", x, tmp_path / "run")
    said = [entry for entry in caplog.records if "dropped" in entry.getMessage()]
    assert [entry.levelname for entry in said] == [level]
    message = said[0].getMessage()
    assert message.startswith(f"{outside} of {N} train events ({100 * outside / N:.2g} percent)")
    assert message.endswith(f"does not accept their a (3), b ({outside})")


def test_without_dropped_events_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "qgen"):
        training("dropping-none", np.full((N, 2), 1.5), tmp_path / "run", dropped="none")
    assert "dropped" not in caplog.text


def test_what_the_dataset_dropped_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "qgen"):
        training("dropping-cuts", np.full((N, 2), 1.5), tmp_path / "run", dropped="not finite: 7")
    assert "the dataset dropped not finite: 7" in caplog.text
