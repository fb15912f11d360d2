"""``staged``: two models as one, with true energies in training and drawn ones in generation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, CheckpointError, UnknownName
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.testing import GeneratorKit
from qgen_torch.generators.staged import Staged

SMALL: dict[str, Any] = {
    "name": "inn",
    "blocks": 1,
    "bins": 3,
    "widths": [4],
    "activation": "tanh",
    "precision": "double",
}


def chain(**options: Any) -> Staged:
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 3),
        "condition": qgen.Space("reals", 1),
        "energies": SMALL,
        "shapes": SMALL,
        "energy_columns": 2,
        "seed": 5,
    }
    model = qgen.generator("staged", **{**settings, **options})
    assert isinstance(model, Staged)
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += 0.3 * rng.normal(size=value.shape)
    return model


class TestKit(GeneratorKit):
    """Among others: gradients of both outputs, and that samples follow the density."""

    draws = 6000

    def make(self) -> qgen.Generator:
        return chain()


def test_the_density_is_a_product() -> None:
    """Columns 2 and 0 are energies; the shape is given the condition, and then these in order."""
    model = chain(energy_columns=[2, 0])
    rng = np.random.default_rng(1)
    x, condition = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))
    found, _ = model.forward("log_prob", qgen.Batch(x, condition), rng=rng)
    of_energies, _ = model.energies.forward(
        "log_prob", qgen.Batch(x[:, [0, 2]], condition), rng=rng
    )
    given = np.column_stack([condition[:, 0], x[:, 0], x[:, 2]])
    of_shapes, _ = model.shapes.forward("log_prob", qgen.Batch(x[:, [1]], given), rng=rng)
    np.testing.assert_allclose(found, of_energies + of_shapes, rtol=1e-12)
    objective, _ = model.forward("objective", qgen.Batch(x, condition), rng=rng)
    np.testing.assert_allclose(objective, -found, rtol=1e-12)


class Echo(qgen.Generator):
    """Its events are its conditions: the sum of them, or a constant without."""

    outputs = frozenset({"objective", "samples"})

    def __init__(self, *, space: qgen.Space, condition: qgen.Space | None, value: float) -> None:
        self.space = space
        self.condition = condition
        self.value = value
        self.theta = np.zeros(1)

    def parameters(self):  # type: ignore[no-untyped-def]
        return {"theta": self.theta}

    def sample(self, n, condition=None, *, rng):  # type: ignore[no-untyped-def]
        total = np.zeros(n) if condition is None else condition.sum(axis=1)
        return np.repeat(total[:, None] + self.value, self.space.width, axis=1)

    def forward(self, output, batch, *, rng):  # type: ignore[no-untyped-def]
        if output != "objective":
            return super().forward(output, batch, rng=rng)
        values = np.full(len(batch.x), self.value)
        if batch.condition is not None:
            values += 100 * batch.condition.sum(axis=1)
        return values, lambda cotangent: {"theta": np.array([cotangent.sum() * self.value])}


def echo(value: float) -> Any:
    return lambda space, condition, seed: Echo(space=space, condition=condition, value=value)


def test_true_energies_in_training_and_drawn_ones_in_generation() -> None:
    model = Staged(
        space=qgen.Space("reals", 2), energies=echo(7.0), shapes=echo(0.5), energy_columns=1
    )
    rng = np.random.default_rng(1)
    assert model.sample(2, rng=rng).tolist() == [[7.0, 7.5], [7.0, 7.5]]
    batch = qgen.Batch(np.array([[1.0, 0.0], [2.0, 0.0]]))
    objective, pullback = model.forward("objective", batch, rng=rng)
    assert objective.tolist() == [7.0 + 0.5 + 100, 7.0 + 0.5 + 200]
    gradient = pullback(np.ones(2))
    assert {name: part.tolist() for name, part in gradient.items()} == {
        "energies.theta": [14.0],
        "shapes.theta": [1.0],
    }
    assert model.outputs == {"objective", "samples"}


def test_it_trains_each_stage_as_if_it_were_alone() -> None:
    rng = np.random.default_rng(2)
    events = qgen.Events(rng.normal(size=(300, 3)), rng.normal(size=(300, 1)))
    options: dict[str, Any] = {"learning_rate": 0.01, "steps": 5, "batch_size": 100}
    whole = chain()
    alone = chain()
    qgen.trainer("torch", **options).fit(whole, events, "mean", seed=3)
    energies = qgen.Events(events.x[:, :2], events.condition)
    nll = {"name": "nll", "reads": "log_prob"}
    qgen.trainer("torch", **options).fit(alone.energies, energies, nll, seed=3)
    before = chain().energies.parameters()
    for name, value in alone.energies.parameters().items():
        np.testing.assert_allclose(whole.energies.parameters()[name], value, rtol=1e-9, atol=1e-12)
        assert not np.array_equal(value, before[name]), name


def test_the_stages_start_with_different_parameters() -> None:
    model = Staged(
        space=qgen.Space("reals", 4),
        energies=lambda **given: qgen.build("generator", SMALL, given),
        shapes=lambda **given: qgen.build("generator", SMALL, given),
        energy_columns=2,
        seed=1,
    )
    first = model.energies.parameters()["couplings.0.hyper.0.bias"]
    second = model.shapes.parameters()["couplings.0.hyper.0.bias"]
    assert first.shape == second.shape and not np.array_equal(first, second)


@pytest.mark.parametrize("columns", [0, 3, [], [0, 0], [3], [-1], [0, 1, 2]])
def test_columns_that_do_not_fit_are_refused(columns: Any) -> None:
    with pytest.raises(BadOption, match="energy_columns is the number of the first columns"):
        chain(energy_columns=columns)


def test_what_cannot_be_a_stage_is_refused() -> None:
    with pytest.raises(BadOption, match="'mlp-generator' cannot be a stage"):
        chain(shapes="mlp-generator")
    with pytest.raises(UnknownName, match="no generator 'iin'"):
        chain(energies="iin")
    with pytest.raises(CheckpointError, match="has no state 'other'"):
        chain().load({"other": np.zeros(1)})


def test_a_recipe_names_the_stages_and_their_backend(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables within the table of the model; what a run supplies reaches the stages."""
    from qgen_core.discovery import registry

    seen: dict[str, Any] = {}

    def part(
        *,
        space: qgen.Space,
        condition: qgen.Space | None,
        backend: qgen.Backend,
        value: float = 2.0,
    ) -> Echo:
        seen[str(space)] = (condition, backend)
        return Echo(space=space, condition=condition, value=value)

    def events() -> qgen.Events:
        return qgen.Events(np.random.default_rng(1).normal(size=(50, 3)))

    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("dataset", "test-events", events)
    qgen.register("generator", "test-part", part)
    recipe = Recipe.from_dict(
        {
            "dataset": "test-events",
            "encoder": "standard",
            "generator": {
                "name": "staged",
                "energies": {"name": "test-part", "value": 3.0},
                "shapes": "test-part",
                "energy_columns": 1,
            },
            "loss": "mean",
            "trainer": {"name": "torch", "steps": 1},
        }
    )
    runs.train(recipe, tmp_path)
    assert set(seen) == {"1 reals", "2 reals"}
    assert seen["1 reals"][0] is None and str(seen["2 reals"][0]) == "1 reals"
    assert isinstance(seen["2 reals"][1], qgen.Backend)
    assert "generator (name or table)" in str(qgen.describe("generator", "staged").options)
