"""CMA-ES: one call a generation, replay instead of pickles, nothing global."""

from __future__ import annotations

import importlib.util
import re
from contextlib import suppress

import numpy as np
import pytest
from training_toys import Point, ProductBorn, SquaredError, WeightedMean, bits_events, real_events

from qgen_core.discovery.install_hints import install_command
from qgen_core.errors import BadOption, BrokenPlugin, CheckpointError, Interrupted
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.trainers.cma import Cma


def test_without_the_package_the_pip_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    command = install_command("qgen-core", extra="cma")
    with pytest.raises(BrokenPlugin, match=re.escape(f"`{command}`")):
        Cma()


@pytest.mark.parametrize("bad", [{"sigma": 0.0}, {"population": 3}])
def test_impossible_options_are_refused(bad: dict) -> None:
    pytest.importorskip("cma")
    with pytest.raises(BadOption, match="cma needs"):
        Cma(**bad)


def test_one_parameter_is_too_few() -> None:
    pytest.importorskip("cma")
    with pytest.raises(BadOption, match="at least 2 parameters, the generator has 1"):
        Cma(steps=2).fit(Point(1), real_events(width=1), WeightedMean(), seed=1)


def test_a_generation_asks_once_and_its_loss_is_that_of_its_mean() -> None:
    pytest.importorskip("cma")
    generator, means = ProductBorn(), []

    class Watch(Cma):
        def step(self, problem):
            means.append(problem.generator.theta.ravel().copy())
            return super().step(problem)

    history = Watch(population=7, steps=5).fit(generator, bits_events(), SquaredError(), seed=1)
    assert generator.calls == [(8, None)] * 5
    target = bits_events().target(generator.space)[1]
    losses = [np.sum((generator.table(mean)[0].prod(axis=1)[None] - target) ** 2) for mean in means]
    assert np.allclose(history.losses, losses, rtol=1e-12)
    assert all(record["sigma"] > 0 and "best" in record for record in history.records)


def test_cma_finds_the_minimum_and_names_the_criterion_that_ended_it() -> None:
    pytest.importorskip("cma")
    data, generator = real_events(), Point()
    history = Cma(steps=1000).fit(generator, data, WeightedMean(), seed=1)
    assert np.allclose(generator.place, np.average(data.x, axis=0, weights=data.weight), atol=1e-4)
    assert (
        history.stopped.startswith("CMA-ES: ")
        and "tol" in history.stopped
        and len(history.records) < 1000
    )


def test_a_resumed_search_replays_instead_of_evaluating(tmp_path) -> None:
    pytest.importorskip("cma")

    def life(limit: float | None) -> ProductBorn:
        generator = ProductBorn(shots=100)
        run = Checkpoints(tmp_path, time_limit=limit)
        with suppress(Interrupted):
            Cma(steps=6, population=5).fit(
                generator, bits_events(), SquaredError(), seed=1, run=run
            )
        return generator

    for _ in range(4):
        assert life(0.0).calls == [(6, None)]
    last = life(None)
    assert last.calls == [(6, None)] * 2
    whole = ProductBorn(shots=100)
    Cma(steps=6, population=5).fit(whole, bits_events(), SquaredError(), seed=1)
    assert np.array_equal(last.theta, whole.theta)


def test_a_run_that_met_its_criterion_stays_finished(tmp_path) -> None:
    pytest.importorskip("cma")
    ends = []
    for _ in range(2):
        generator = Point()
        history = Cma(steps=1000).fit(
            generator, real_events(), WeightedMean(), seed=1, run=tmp_path
        )
        ends.append((generator.place.tolist(), history.stopped, len(history.records)))
    assert ends[0] == ends[1]


def test_no_file_of_the_working_folder_is_obeyed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cma")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cma_signals.in").write_text('{"timeout": 0, "maxiter": 1}')
    history = Cma(steps=9).fit(ProductBorn(), bits_events(), SquaredError(), seed=1)
    assert len(history.records) == 9
    assert [file.name for file in tmp_path.iterdir()] == ["cma_signals.in"]


def test_a_state_of_another_population_is_refused(tmp_path) -> None:
    pytest.importorskip("cma")
    Cma(steps=3, population=5).fit(
        ProductBorn(), bits_events(), SquaredError(), seed=1, run=tmp_path
    )
    with pytest.raises(CheckpointError, match="population of 5, not 8"):
        Cma(steps=6, population=8).fit(
            ProductBorn(), bits_events(), SquaredError(), seed=1, run=tmp_path
        )
