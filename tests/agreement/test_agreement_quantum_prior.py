"""``rbm-vae`` with a quantum prior, trained through path integrals, against diagonalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Unsupported
from qgen_core.ising import Ising

pytest.importorskip("qgen_torch")
pytest.importorskip("qgen_dwave")

DRAWS = 6000


def events() -> qgen.Events:
    """Points about two centres, which a mixture of latents can learn."""
    rng = np.random.default_rng(5)
    centres = rng.choice([-1.0, 1.0], size=(400, 1))
    return qgen.Events(centres + 0.2 * rng.normal(size=(400, 3)))


def trained(latents: int, steps: int) -> Any:
    """A model whose chains are drawn by path integrals in each step."""
    model = qgen.generator(
        "rbm-vae",
        space=qgen.Space("reals", 3),
        sampler=qgen.sampler("dwave-sqa", sweeps=30),
        prior="qbm",
        transverse=1.2,
        scale=0.6,
        latents=latents,
        encoder=[16],
        decoder=[16],
        chains=50,
        ramp=0.0,
        precision="double",
        seed=2,
    )
    trainer = qgen.trainer("torch", steps=steps, batch_size=100, learning_rate=0.02)
    trainer.fit(model, events(), "mean", seed=3)
    return model


def test_path_integrals_draw_the_trained_prior_as_diagonalisation_does() -> None:
    model = trained(latents=8, steps=25)
    energy = model.energy()
    assert energy.transverse == 1.2
    moments = []
    for name, options in (("dwave-sqa", {"sweeps": 100}), ("exact", {})):
        rng = np.random.default_rng(4)
        spins, _ = qgen.sampler(name, **options).sample(energy, DRAWS, rng=rng)
        first, second = energy.edges.T
        pairs = spins[:, first] * spins[:, second]
        moments.append(np.concatenate([spins, pairs], axis=1).astype(float))
    difference = moments[0].mean(axis=0) - moments[1].mean(axis=0)
    error = np.sqrt((moments[0].var(axis=0) + moments[1].var(axis=0)) / DRAWS)
    assert np.abs(difference / error).max() < 5
    classical = Ising(energy.h, energy.J, energy.graph)
    spins, _ = qgen.sampler("exact").sample(classical, DRAWS, rng=np.random.default_rng(6))
    pairs = spins[:, first] * spins[:, second]
    of_classical = np.concatenate([spins, pairs], axis=1).mean(axis=0)
    assert (np.abs(of_classical - moments[1].mean(axis=0)) / error).max() > 10


def test_a_prior_beyond_diagonalisation_is_trained_by_path_integrals() -> None:
    model = trained(latents=16, steps=60)
    made = model.sample(400, rng=np.random.default_rng(7))
    about_first = np.mean(made[:, 0] > 0)
    assert 0.1 < about_first < 0.9  # how often each centre is drawn hangs on the chains
    assert np.corrcoef(made.T)[0, 1] > 0.7
    with pytest.raises(Unsupported):
        qgen.sampler("exact").sample(model.energy(), 10, rng=np.random.default_rng(1))
