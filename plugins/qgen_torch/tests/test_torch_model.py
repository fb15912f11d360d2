"""Models that are torch modules: outputs as methods, devices, groups of parameters, messages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import qgen_core as qgen
from qgen_core import Batch, Space
from qgen_core.errors import BadOption, NoGradient
from qgen_core.testing import GeneratorKit
from qgen_torch import TorchModel
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.networks.module_arrays import seeded
from qgen_torch.trainer import TorchTrainer


class Affine(TorchModel):
    """x = mean + scale z, element by element: a flow of one step."""

    outputs = frozenset({"samples", "log_prob"})

    def __init__(self, width: int = 2, **options: object) -> None:
        module = nn.ParameterDict(
            {
                "mean": torch.full((width,), 0.3, dtype=torch.float64),
                "log_scale": torch.full((width,), -0.2, dtype=torch.float64),
            }
        )
        super().__init__(module, space=Space("reals", width), **options)

    def samples(self, n, condition, rng):  # type: ignore[no-untyped-def]
        z = self.noise(n, self.space.width, rng)
        return self.module["mean"] + torch.exp(self.module["log_scale"]) * z

    def log_prob(self, x, condition, rng):  # type: ignore[no-untyped-def]
        z = (x - self.module["mean"]) * torch.exp(-self.module["log_scale"])
        terms = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - self.module["log_scale"]
        return terms.sum(dim=1)


class TestFlow(GeneratorKit):
    def make(self) -> TorchModel:
        return Affine()


class Elsewhere(Affine):
    """A model whose parameters are copies, as on a GPU, of a module that is on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self._host = self._copied_parameters()


class TestCopiedParameters(GeneratorKit):
    def make(self) -> TorchModel:
        return Elsewhere()


def test_a_trainer_of_the_core_trains_parameters_on_another_device() -> None:
    data = qgen.Events(np.random.default_rng(1).normal(1.5, 0.5, (400, 2)))
    found = []
    for model in (Affine(), Elsewhere()):
        trainer = qgen.trainer("adam", learning_rate=0.05, steps=60)
        history = trainer.fit(model, data, qgen.loss("nll", reads="log_prob"), seed=1)
        found.append((history.losses, model.state()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    for name, value in found[0][1].items():
        np.testing.assert_array_equal(value, found[1][1][name])
    fresh = Elsewhere()
    fresh.load(found[1][1])
    np.testing.assert_array_equal(fresh.parameters()["mean"], found[1][1]["mean"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
class TestOnGpu(GeneratorKit):
    def make(self) -> TorchModel:
        return Affine(device="cuda")


class TwoParts(TorchModel):
    """Two networks with names of their own, and an objective of both."""

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        parts = {"encoder": nn.Linear(2, 1), "decoder": nn.Linear(1, 2)}
        super().__init__(parts, space=Space("reals", 2))

    def objective(self, x, condition, rng):  # type: ignore[no-untyped-def]
        code = self.module["encoder"](x)
        return ((self.module["decoder"](code) - x) ** 2).sum(dim=1)


def test_parameters_of_several_networks_carry_their_names() -> None:
    model = TwoParts()
    assert sorted(model.parameters()) == [
        "decoder.bias",
        "decoder.weight",
        "encoder.bias",
        "encoder.weight",
    ]
    with pytest.raises(BadOption, match="TwoParts does not generate"):
        model.sample(2, rng=np.random.default_rng(1))


def test_an_output_that_is_not_declared_has_no_forward_pass() -> None:
    with pytest.raises(NoGradient, match="no forward pass for 'log_prob'"):
        TwoParts().forward("log_prob", Batch(np.zeros((1, 2))), rng=np.random.default_rng(1))


def test_methods_that_do_not_fit_are_refused() -> None:
    class Sums(TwoParts):
        def objective(self, x, condition, rng):  # type: ignore[no-untyped-def]
            return super().objective(x, condition, rng).mean()

    class Missing(TwoParts):
        outputs = frozenset({"log_prob"})

    batch = Batch(np.zeros((3, 2)))
    with pytest.raises(BadOption, match=r"shape \(\) for 3 events; it needs one value for each"):
        Sums().forward("objective", batch, rng=np.random.default_rng(1))
    with pytest.raises(BadOption, match="declares the output 'log_prob' and has no such method"):
        Missing().forward("log_prob", batch, rng=np.random.default_rng(1))


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadOption, match="torch cannot use the device 'no-such-device'"):
        Affine(device="no-such-device")


class Normalised(TorchModel):
    """An objective of events that passes through batch normalisation."""

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        with seeded(3):
            network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
        super().__init__(network.double(), space=Space("reals", 2))

    def objective(self, x, condition, rng):  # type: ignore[no-untyped-def]
        return (self.module(x)[:, 0] - x.sum(dim=1)) ** 2


def trained(model: TorchModel, loss: qgen.Loss, shares: int) -> tuple[qgen.History, TorchModel]:
    data = qgen.Events(np.random.default_rng(1).normal(size=(96, 2)))
    trainer = TorchTrainer(learning_rate=0.05, shares=shares, steps=12, batch_size=32)
    return trainer.fit(model, data, loss, seed=5), model


@pytest.mark.parametrize("output", ["objective", "samples"])
def test_batch_normalisation_does_not_depend_on_the_shares(output: str) -> None:
    """The mean and the variance are those of the whole batch, as are the running averages."""

    def parts() -> tuple[TorchModel, qgen.Loss]:
        if output == "objective":
            return Normalised(), qgen.loss("mean")
        model = MlpGenerator(space=Space("reals", 2), widths=(8,), norm="batch", seed=2)
        return model, qgen.loss("mmd", reads="samples", bandwidth=[1.0])

    history, whole = trained(*parts(), shares=1)
    assert history.warnings == []
    for shares in (2, 4):
        again, model = trained(*parts(), shares=shares)
        np.testing.assert_array_equal(again.losses, history.losses)
        for name, value in whole.state().items():
            np.testing.assert_array_equal(model.state()[name], value)
        assert f"not split into {shares} shares" in again.warnings[0]


def test_a_model_that_combines_events_says_so() -> None:
    class Centred(TwoParts):
        needs_whole_batch = True

    assert Centred().needs_whole_batch
    assert Normalised().needs_whole_batch
    assert not TwoParts().needs_whole_batch
    layer = MlpGenerator(space=Space("reals", 2), widths=(8,), norm="layer", seed=2)
    assert not layer.needs_whole_batch
