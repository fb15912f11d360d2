"""A recipe that validates also trains: what a training would stumble over is found before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import toyset

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import (
    BadOption,
    DataError,
    NoGradient,
    QgenError,
    UnknownName,
)
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe


class Far(qgen.Backend):
    capabilities = qgen.Capabilities(remote=True, exact=False)

    def run(self, circuit, angles, measure, shots=None):
        raise AssertionError("a remote backend was run")


class Shapeless(qgen.Loss):
    reads = "probabilities"

    def __call__(self, output, batch):
        raise DataError("a table of this shape is not for me")


def subtracted() -> qgen.Events:
    """Events whose weights are negative in one bin."""
    events = toyset.toy()
    rare = (events.x[:, 0] > 4.5) & (events.x[:, 1] > 3.75)
    return events.replace(weight=np.where(rare, -1.0, 1.0))


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    before = dict(registry._local)
    toyset.offer()
    qgen.register("dataset", "subtracted", subtracted)
    qgen.register("backend", "far", Far)
    qgen.register("loss", "shapeless", Shapeless)
    yield
    registry._local.clear()
    registry._local.update(before)


def validated(*settings: str) -> None:
    Assembly(Recipe.parse(toyset.RECIPE, settings)).validate()


@pytest.mark.parametrize(
    ("setting", "error", "said"),
    [
        (
            "dataset=subtracted",
            DataError,
            "negative weights leave bin 15 of .* below zero",
        ),
        ("sampler=nobody", UnknownName, "no sampler 'nobody'"),
        ("backend=nobody", UnknownName, "no backend 'nobody'"),
        ("noise=nobody", UnknownName, "no noise 'nobody'"),
        ('metrics=["tv", "nobody"]', UnknownName, "no metric 'nobody'"),
        ('metrics=[{name="tv", bins="x"}]', BadOption, "bins"),
        ("loss=shapeless", DataError, "a table of this shape is not for me"),
        ('loss={name="mmd", reads="samples"}', NoGradient, "samples"),
        ("split=[0.9, 0.0, 0.1]", BadOption, "select = 'loss' needs validation events"),
    ],
)
def test_found(setting: str, error: type[QgenError], said: str) -> None:
    settings = [setting]
    if setting.startswith("split"):
        settings.append("trainer.select=loss")
    with pytest.raises(error, match=said):
        validated(*settings)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("trainer=cobyla",),
        ("backend=far", "generator.shots=100"),
        ("loss=nll",),
        ("trainer.select=loss", "metrics=['tv']"),
    ],
    ids=str,
)
def test_nothing_to_find(settings: tuple[str, ...]) -> None:
    validated(*settings)
