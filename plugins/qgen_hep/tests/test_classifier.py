"""The classifier: against the best that any can do, against chance, and by its seed."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

from qgen_core.errors import BadOption, BrokenPlugin, DataError
from qgen_hep import classifier
from qgen_hep.classifier import Quality, Sample, Settings, train_classifier

pytest.importorskip("torch")
SMALL = Settings(widths=(16,), dropout=0.0, batch_size=256, epochs=12, learning_rate=0.01)


def normal(seed: int, shift: float, count: int = 4000) -> Sample:
    draw = np.random.default_rng(seed)
    return Sample.split(draw.normal(shift, 1.0, (count, 2)), seed)


def quality(first: Sample, second: Sample, seed: int = 1) -> Quality:
    found = train_classifier(first, second, SMALL, seed=seed)
    return found.test(first.test, second.test)


def test_gaussians_are_told_apart_as_well_as_can_be() -> None:
    """Two unit Gaussians at a distance d: accuracy Phi(d / 2) and area Phi(d / sqrt 2)."""
    distance = 1.2 * np.sqrt(2.0)
    found = quality(normal(1, 0.0), normal(2, 1.2))
    accuracy = (1 + erf(distance / 2 / np.sqrt(2))) / 2
    area = (1 + erf(distance / 2)) / 2
    assert found.accuracy == pytest.approx(accuracy, abs=4 * found.accuracy_error)
    assert found.auc == pytest.approx(area, abs=4 * found.auc_error)
    assert 0.005 < found.accuracy_error < 0.012 and 0.005 < found.auc_error < 0.012


def test_equal_distributions_are_not_told_apart() -> None:
    found = quality(normal(1, 0.0), normal(2, 0.0))
    assert found.auc == pytest.approx(0.5, abs=4 * found.auc_error)
    assert found.accuracy == pytest.approx(0.5, abs=4 * found.accuracy_error)


def test_a_class_of_more_events_does_not_win() -> None:
    """Nine times as many events of one class leave the cut where the densities are equal."""
    many, few = normal(1, 0.0, 9000), normal(2, 1.5, 1000)
    found = train_classifier(many, few, SMALL, seed=1)
    other = [normal(3, 0.0, 8000).train, normal(4, 1.5, 8000).train]
    right = [np.mean(found.scores(other[0]) < 0), np.mean(found.scores(other[1]) > 0)]
    assert right[0] == pytest.approx(right[1], abs=0.06)


def test_a_training_follows_from_its_seed_and_moves_no_global_state() -> None:
    import torch

    first, second = normal(1, 0.0, 400), normal(2, 0.5, 400)
    settings = Settings(widths=(8,), epochs=2, batch_size=32)
    state = torch.random.get_rng_state()
    scores = []
    for seed in (1, 1, 2):
        found = train_classifier(first, second, settings, seed=seed)
        scores.append(found.scores(first.test))
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_kept_epoch_is_that_of_least_validation_loss() -> None:
    """With few events the training loss falls on while the validation loss rises."""
    first, second = normal(1, 0.0, 60), normal(2, 0.3, 60)
    settings = Settings(
        widths=(64, 64), dropout=0.0, epochs=30, patience=5, batch_size=64, learning_rate=0.02
    )
    found = train_classifier(first, second, settings, seed=1)
    held_out = [losses[1] for losses in found.losses]
    assert found.kept == int(np.argmin(held_out))
    assert len(held_out) == found.kept + 1 + 5 < 30
    events = np.concatenate([first.validation, second.validation])
    sign = np.where(np.arange(len(events)) < len(first.validation), -1.0, 1.0)
    loss = np.mean(np.logaddexp(0.0, -sign * found.scores(events)))
    assert loss == pytest.approx(held_out[found.kept], rel=1e-5)


def test_events_of_length_1_hide_their_scale() -> None:
    draw = np.random.default_rng(1)
    x = draw.random((200, 3))
    first, second = Sample.split(x, 1), Sample.split(7.0 * x, 1)
    found = train_classifier(first, second, Settings((8,), "events", epochs=2), seed=1)
    np.testing.assert_allclose(found.scores(x), found.scores(7.0 * x), rtol=1e-4, atol=1e-6)
    assert np.isfinite(found.scores(np.zeros((1, 3)))).all()


def test_bad_settings_and_samples_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for bad in ({"widths": ()}, {"epochs": 0}, {"dropout": 1.0}, {"learning_rate": 0.0}):
        with pytest.raises(BadOption):
            Settings(**bad)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="3 events are too few"):
        Sample.split(np.zeros((3, 1)), seed=1)
    first, other = normal(1, 0.0, 40), Sample.split(np.zeros((40, 3)), seed=1)
    with pytest.raises(DataError, match="differ in their columns"):
        train_classifier(first, other, seed=1)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(BrokenPlugin, match=r"pip install qgen-hep\[torch\]"):
        classifier.train_classifier(first, first, seed=1)


def test_the_epoch_may_be_chosen_by_accuracy() -> None:
    """The same training keeps an epoch that assigns at least as many validation events rightly."""
    first, second = normal(4, 0.0, 300), normal(54, 1.0, 300)
    shares = {}
    kept = {}
    for select in ("loss", "accuracy"):
        settings = Settings(
            widths=(32, 32), dropout=0.0, epochs=15, patience=15, batch_size=64,
            learning_rate=0.02, select=select,
        )  # fmt: skip
        found = train_classifier(first, second, settings, seed=1)
        wrong = [found.scores(first.validation) > 0, found.scores(second.validation) <= 0]
        shares[select] = 1 - np.mean(np.concatenate(wrong))
        kept[select] = found.kept
    assert kept["loss"] != kept["accuracy"]
    assert shares["accuracy"] > shares["loss"]


def test_a_network_may_be_plain_and_in_double_precision() -> None:
    """Without scaling and normalisation a linear change of inputs changes the scores."""
    first, second = normal(1, 0.0, 400), normal(2, 1.5, 400)
    scores = {}
    for scaling in ("none", "columns"):
        settings = Settings(
            widths=(8,), scaling=scaling, dropout=0.0, epochs=3, batch_norm=False,
            precision="float64",
        )  # fmt: skip
        for factor in (1.0, 1 + 1e-12):
            parts = []
            for sample in (first, second):
                values = [factor * one for one in (sample.train, sample.validation, sample.test)]
                parts.append(Sample(*values))
            found = train_classifier(*parts, settings, seed=1)
            scores[scaling, factor] = found.scores(parts[0].test)
    plain = np.abs(scores["none", 1.0] - scores["none", 1 + 1e-12]).max()
    assert 1e-15 < plain < 1e-9  # single precision would see no difference
    np.testing.assert_allclose(scores["columns", 1.0], scores["columns", 1 + 1e-12], atol=1e-12)
