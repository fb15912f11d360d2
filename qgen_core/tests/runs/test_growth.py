"""No part of a job takes much longer than in proportion to what it is given.

The exponent of the growth is measured between two sizes, in processor time, which other work on the
machine hardly changes. Sorting and the levels of the cache add about 0.3 to an exponent of 1; what
grows with the square has 2.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qgen_core.encoders.binning import BinningEncoder
from qgen_core.events import Batch, Events, Space, distinct_rows
from qgen_core.losses.js import JensenShannon
from qgen_core.losses.mean import Mean
from qgen_core.losses.mmd import MaximumMeanDiscrepancy
from qgen_core.metrics.correlation import correlation
from qgen_core.metrics.joint import js
from qgen_core.metrics.reference_edges import reference_edges
from qgen_core.metrics.resample import Source
from qgen_core.metrics.score import scores
from qgen_core.metrics.wasserstein import wasserstein
from qgen_core.simulators.outcomes import sample_counts, sample_indices
from qgen_core.studies.cells import Cell, distinct
from qgen_core.studies.results import Result, Results
from qgen_core.support.checkpoint import read_history
from qgen_core.testing.quadratic import Quadratic
from qgen_core.testing.quadratic import events as quadratic_events
from qgen_core.trainers.adam import Adam

#: The largest exponent that is allowed.
MOST = 1.6
#: Each size is timed so many times, and the least time counts.
REPEATS = 3

Build = Callable[[int, Path], Callable[[], Any]]


def exponent(build: Build, sizes: tuple[int, int], folder: Path) -> float:
    """The power of the size with which the processor time of a call grows."""
    seconds = []
    for size in sizes:
        call = build(size, folder)
        times = []
        for _ in range(REPEATS):
            before = time.process_time()
            call()
            times.append(time.process_time() - before)
        seconds.append(min(times))
    return math.log(seconds[1] / seconds[0]) / math.log(sizes[1] / sizes[0])


def columns(count: int) -> Events:
    """Events of two columns."""
    return Events(np.random.default_rng(1).exponential(1.0, (count, 2)))


def splitting(count: int, folder: Path) -> Callable[[], Any]:
    events = columns(count)
    return lambda: events.split(1)


def encoding(count: int, folder: Path) -> Callable[[], Any]:
    events = columns(count)

    def call() -> None:
        rng = np.random.default_rng(2)
        encoder = BinningEncoder(bits=4).fit(events.x)
        encoded = encoder.encode(events.x)
        Events(encoded).target(encoder.space)
        encoder.decode(encoded, rng=rng)

    return call


def scoring(count: int, folder: Path) -> Callable[[], Any]:
    def call() -> None:
        reference = Source(columns(count))
        generated = Source(columns(count))
        edges = reference_edges(reference)
        rng = np.random.default_rng(3)
        scores([js, wasserstein, correlation], reference, generated, edges=edges, rng=rng)

    return call


def sorting_conditions(count: int, folder: Path) -> Callable[[], Any]:
    conditions = np.random.default_rng(1).normal(size=(count, 2))
    return lambda: distinct_rows(conditions)


def comparing_samples(count: int, folder: Path) -> Callable[[], Any]:
    loss = MaximumMeanDiscrepancy(space=Space("bits", 12, (4, 4, 4)), reads="samples")
    bits = np.random.default_rng(1).integers(0, 2, (2, count, 12)).astype(np.int8)
    return lambda: loss(bits[0], Batch(bits[1]))


def comparing_tables(bins: int, folder: Path) -> Callable[[], Any]:
    wires = bins.bit_length() - 1
    losses = [
        JensenShannon(),
        MaximumMeanDiscrepancy(space=Space("bits", wires, (wires,))),
        MaximumMeanDiscrepancy(space=Space("bits", wires, (wires // 2, wires // 2))),
    ]
    found, target = np.random.default_rng(1).dirichlet(np.ones(bins), (2, 1))
    return lambda: [loss(found, Batch(target=target)) for loss in losses]


def drawing(bins: int, folder: Path) -> Callable[[], Any]:
    probabilities = np.random.default_rng(1).dirichlet(np.ones(bins))

    def call() -> None:
        rng = np.random.default_rng(2)
        sample_counts(probabilities, 8192, rng)
        sample_indices(probabilities, 8192, rng)

    return call


def training(steps: int, folder: Path) -> Callable[[], Any]:
    numbers = iter(range(REPEATS))

    def call() -> None:
        run = folder / f"run-{steps}-{next(numbers)}"
        Adam(steps=steps).fit(Quadratic(), quadratic_events(), Mean(), seed=1, run=run)

    return call


def reading_a_history(steps: int, folder: Path) -> Callable[[], Any]:
    path = folder / f"{steps}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for step in range(1, steps + 1):
            file.write(json.dumps({"step": step, "loss": 1 / step}) + "\n")
    return lambda: read_history(path)


def tabulating(number: int, folder: Path) -> Callable[[], Any]:
    cells = []
    for seed in range(number):
        cells.append(Cell({"loss": "js", "seed": seed}, {"trained": {}}, {"seed": seed}))

    def call() -> None:
        results = Results([Result(cell, "", {"trained": 0.5}) for cell in distinct(cells)])
        results.groups("seed")
        for seed in range(number):
            results.one(seed=seed)

    return call


#: What is measured: how to build it, and the largest size in a short test and in a long one.
CASES: dict[str, tuple[Build, int, int]] = {
    "events are split": (splitting, 10**6, 10**7),
    "events are encoded": (encoding, 10**6, 10**7),
    "events are scored": (scoring, 10**5, 10**6),
    "conditions are sorted": (sorting_conditions, 10**5, 10**6),
    "samples are compared": (comparing_samples, 10**5, 10**6),
    "tables are compared": (comparing_tables, 2**16, 2**20),
    "outcomes are drawn": (drawing, 2**18, 2**20),
    "steps are trained": (training, 4000, 30000),
    "a history is read": (reading_a_history, 10**5, 10**6),
    "cells are tabulated": (tabulating, 2000, 20000),
}


@pytest.mark.parametrize("name", CASES)
def test_a_job_grows_in_proportion(name: str, tmp_path: Path) -> None:
    build, size, _ = CASES[name]
    assert exponent(build, (size // 16, size), tmp_path) < MOST


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_long_job_grows_in_proportion(name: str, tmp_path: Path) -> None:
    build, _, size = CASES[name]
    assert exponent(build, (size // 16, size), tmp_path) < MOST


def test_growth_with_the_square_is_seen(tmp_path: Path) -> None:
    def comparing_pairs(count: int, folder: Path) -> Callable[[], Any]:
        values = list(range(count))
        return lambda: [values.index(value) for value in values]

    assert exponent(comparing_pairs, (250, 4000), tmp_path) > MOST
