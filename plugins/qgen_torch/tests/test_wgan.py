"""``wgan``: the network of FastCaloGAN, and its training with a selection of checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qgen_core as qgen
from qgen_core.errors import BadOption
from qgen_core.testing import GeneratorKit
from qgen_torch.adversarial_terms import gradient_penalty
from qgen_torch.generators.wgan import Wgan


class TestKit(GeneratorKit):
    def make(self) -> qgen.Generator:
        return Wgan(
            space=qgen.Space("reals", 3),
            condition=qgen.Space("reals", 1),
            latent=2,
            widths=(4, 5),
            precision="double",
            seed=5,
        )


def test_the_network_of_photons() -> None:
    """368 cells and one condition: sizes, activations, and the statistics of its noise."""
    model = Wgan(space=qgen.Space("reals", 368), condition=qgen.Space("reals", 1), seed=1)
    kinds = [type(part) for part in model.module.layers]
    assert kinds == 4 * [nn.Linear, nn.BatchNorm1d, nn.SiLU]
    sizes = [part.weight.shape for part in model.module.layers if isinstance(part, nn.Linear)]
    assert sizes == [(50, 51), (100, 50), (200, 100), (368, 200)]
    seen = []
    handle = model.module.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    drawn = model.sample(2000, np.full((2000, 1), 0.25), rng=np.random.default_rng(1))
    handle.remove()
    noise = seen[0][:, :50]
    assert noise.mean().item() == pytest.approx(0.5, abs=0.01)
    assert noise.std().item() == pytest.approx(0.5, abs=0.01)
    assert torch.equal(seen[0][:, 50], torch.full((2000,), 0.25))
    assert drawn.min() > -0.2785


def test_the_penalty_of_a_critic_of_slope_one_is_nothing() -> None:
    direction = torch.tensor([0.6, 0.8])
    rng = torch.Generator().manual_seed(1)
    real, fake = torch.randn(2, 30, 2, generator=rng)
    mix = torch.rand(30, 1, generator=rng)
    found = [
        gradient_penalty(lambda x, slope=slope: x @ (slope * direction), real, fake, mix, None)
        for slope in (1.0, 3.0)
    ]
    assert found[0].item() == pytest.approx(0, abs=1e-12)
    assert found[1].item() == pytest.approx(4, rel=1e-5)


def test_a_metric_selects_the_checkpoint() -> None:
    """The parameters that a training ends with are those of the least value of the metric."""
    rng = np.random.default_rng(1)
    events = qgen.Events(rng.beta(2.0, 5.0, size=(600, 2)), rng.random((600, 1)))
    spaces: dict[str, Any] = {"space": qgen.Space("reals", 2), "condition": qgen.Space("reals", 1)}
    model = Wgan(**spaces, latent=4, widths=(16,), seed=1)
    adam = {"betas": [0.5, 0.999]}
    loss = qgen.loss(
        "adversarial", **spaces, variant="wgan-gp", penalty=3.0, updates=2, learning_rate=1e-3,
        optimizer_options=adam, seed=1,
        critic={"name": "mlp", "widths": [16, 16], "activation": "relu", "init": "he"},
    )  # fmt: skip
    seen: list[float] = []

    def distance(reference: qgen.Events, generated: qgen.Events) -> dict[str, float]:
        found = abs(float(generated.x.mean() - reference.x.mean()))
        seen.append(found)
        return {"distance": found}

    trainer = qgen.trainer(
        "torch", learning_rate=1e-3, optimizer_options=adam, steps=24, batch_size=100,
        select=distance, validate_every=4,
    )  # fmt: skip
    history = trainer.fit(model, events, loss, seed=2, validation=events)
    assert len(seen) == 6 and len(set(seen)) == 6
    assert history.kept_value == min(seen)
    assert history.kept_step == 4 * int(np.argmin(seen)) + 3


def test_sizes_below_one_are_refused() -> None:
    for options in ({"latent": 0}, {"widths": (8, 0)}):
        with pytest.raises(BadOption, match="at least 1"):
            Wgan(space=qgen.Space("reals", 2), **options)
