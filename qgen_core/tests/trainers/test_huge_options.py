"""Options that ask for something huge are refused by their size, before it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import ResourceRefused
from qgen_core.metrics.binning import columns_of
from qgen_core.metrics.energy_sum import energy_sum
from qgen_core.runs.recipes import Recipe
from qgen_core.support import resources
from qgen_core.testing.quadratic import Quadratic, events

HUGE = 10**12 + 1
TRAINERS: list[tuple[str, Mapping[str, int]]] = [
    ("spsa", {"samples": HUGE}),
    ("spsa", {"calibration": HUGE}),
    ("lcd", {"points": HUGE}),
    ("lcd", {"circuits": HUGE}),
    ("cma", {"population": HUGE}),
]


@pytest.mark.parametrize(("name", "option"), TRAINERS)
def test_of_trainers(name: str, option: Mapping[str, int]) -> None:
    if name == "cma":
        pytest.importorskip("cma")
    with pytest.raises(ResourceRefused, match=r"00 .*too many: at most|01 .*too many: at most|02 "):
        qgen.trainer(name, **option)


@pytest.mark.parametrize("name", ["spsa", "lcd", "cma"])
def test_a_step_that_memory_does_not_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of parameters is known at the first step only."""
    if name == "cma":
        pytest.importorskip("cma")
    trainer = qgen.trainer(name, steps=1)
    monkeypatch.setattr(resources, "available_memory", lambda: 100)
    with pytest.raises(ResourceRefused, match=rf"{name} with .* free; take"):
        trainer.fit(Quadratic(), events(), qgen.loss("mean"), seed=1)


def test_a_sweep_of_too_many_losses() -> None:
    trainer = qgen.trainer("lcd", points=resources.MAX_EVALUATIONS - 1, steps=1)
    with pytest.raises(ResourceRefused, match="losses a step of lcd are too many"):
        trainer.fit(Quadratic(), events(), qgen.loss("mean"), seed=1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda sample: columns_of(sample, sample, None, HUGE),
        lambda sample: energy_sum(sample, sample, bins=HUGE),
        lambda sample: qgen.metric("chi2", bins=HUGE)(sample, sample),
        lambda sample: Recipe.without_run(
            ["evaluation.window=[[0.0, 1.0]]", f"evaluation.bins={HUGE}"]
        ),
    ],
)
def test_of_bins(ask: Callable[[qgen.Events], object]) -> None:
    sample = qgen.Events(np.linspace(0, 1, 9)[:, None])
    with pytest.raises(ResourceRefused, match="bins of a column are too many: at most 65536"):
        ask(sample)
