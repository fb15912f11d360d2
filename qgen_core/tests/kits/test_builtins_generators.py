"""The built-in models pass the generator kit, with and without conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kits_offers import cases

from qgen_core.discovery import registry
from qgen_core.events import Events, Space
from qgen_core.generators.chow_liu_tree import ChowLiuTree
from qgen_core.generators.gaussian import Gaussian
from qgen_core.generators.iqp import InstantaneousQuantumPolynomial
from qgen_core.generators.nade import NeuralAutoregressive
from qgen_core.generators.noise_mlp import NoiseMlp
from qgen_core.generators.pairwise_ising import PairwiseIsing
from qgen_core.generators.phase_qft import PhaseQft
from qgen_core.generators.qag import QuantumAngleGenerator
from qgen_core.generators.qcbm import CircuitBornMachine
from qgen_core.generators.reversible import ReversibleCircuit
from qgen_core.interfaces import Generator
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import GeneratorKit


def born_machine(ansatz: str, width: int, inputs: int = 0, **options: object) -> CircuitBornMachine:
    condition = Space("angles", inputs) if inputs else None
    return CircuitBornMachine(
        ansatz=registry.build("ansatz", ansatz, **options),
        backend=StatevectorBackend(),
        space=Space("bits", width),
        condition=condition,
        seed=5,
    )


def reversible(width: int, inputs: int = 0, **options: Any) -> ReversibleCircuit:
    return ReversibleCircuit(
        ansatz=registry.build("ansatz", "brick", layers=2),
        backend=StatevectorBackend(),
        space=Space("bits", width),
        condition=Space("angles", inputs) if inputs else None,
        seed=5,
        **options,
    )


def phase_qft(space: Space, inputs: int = 0, **options: Any) -> PhaseQft:
    return PhaseQft(
        ansatz=registry.build("ansatz", "hardware-efficient", layers=2),
        backend=StatevectorBackend(),
        space=space,
        condition=Space("angles", inputs) if inputs else None,
        scale=1.0,
        seed=5,
        **options,
    )


def angle_generator(inputs: int = 0, **options: Any) -> QuantumAngleGenerator:
    condition = Space("angles", inputs) if inputs else None
    return QuantumAngleGenerator(
        backend=StatevectorBackend(),
        space=Space("reals", 3),
        condition=condition,
        seed=5,
        **options,
    )


def noise_mlp(inputs: int = 0, **options: Any) -> NoiseMlp:
    condition = Space("angles", inputs) if inputs else None
    return NoiseMlp(space=Space("reals", 4), condition=condition, seed=5, **options)


def gaussian(inputs: int = 0, **options: Any) -> Gaussian:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 2)) @ np.array([[1.0, 0.5], [0.0, 0.3]])
    condition = rng.normal(size=(40, inputs)) if inputs else None
    space = Space("reals", inputs) if inputs else None
    return Gaussian(space=Space("reals", 2), condition=space, data=Events(x, condition), **options)


def diagonal(width: int, inputs: int = 0, **options: Any) -> InstantaneousQuantumPolynomial:
    model = InstantaneousQuantumPolynomial(
        backend=StatevectorBackend(),
        space=Space("bits", width),
        condition=Space("reals", inputs) if inputs else None,
        start="random",
        scale=0.5,
        samples=20,
        seed=5,
        **options,
    )
    model.slopes[:] = np.linspace(-0.3, 0.4, model.slopes.size).reshape(model.slopes.shape)
    return model


def neural(width: int, inputs: int = 0) -> NeuralAutoregressive:
    condition = Space("angles", inputs) if inputs else None
    return NeuralAutoregressive(space=Space("bits", width), condition=condition, hidden=4, seed=5)


def boltzmann_machine(name: str, kind: str, width: int, **options: Any) -> Generator:
    machine: Generator = registry.build(
        "generator", name, space=Space(kind, width), scale=0.5, seed=3, **options
    )
    return machine


def pairwise_ising(kind: Any, width: int, inputs: int = 0, **options: Any) -> PairwiseIsing:
    options.setdefault("sampler", registry.build("sampler", "exact"))
    condition = Space("reals", inputs) if inputs else None
    model = PairwiseIsing(space=Space(kind, width), condition=condition, **options)
    rng = np.random.default_rng(5)
    for value in model.parameters().values():
        value[...] = rng.normal(scale=0.5, size=value.shape)
    return model


def chow_liu_tree(space: Space, inputs: int = 0, **options: Any) -> ChowLiuTree:
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=(400, 1))
    x = (hidden + rng.normal(size=(400, space.width)) > 0).astype(np.int8)
    if space.kind == "spins":
        x = 2 * x - 1
    condition = hidden if inputs else None
    condition_space = Space("reals", inputs) if inputs else None
    return ChowLiuTree(space=space, condition=condition_space, data=Events(x, condition), **options)


FEW_SWEEPS = {"name": "gibbs", "sweeps": 5}
CASES = cases(
    "generator",
    {
        "gaussian": gaussian,
        "gaussian, conditional": lambda: gaussian(inputs=2),
        "gaussian, clipped": lambda: gaussian(clip=(-1.0, 1.0)),
        "noise-mlp": noise_mlp,
        "noise-mlp, hidden": lambda: noise_mlp(layer="hidden", size=3),
        "noise-mlp, conditional": lambda: noise_mlp(inputs=2),
        "qag": angle_generator,
        "qag, conditional": lambda: angle_generator(inputs=2),
        "qag, head": lambda: angle_generator(head="tanh"),
        "qag, frozen": lambda: angle_generator(frozen=True),
        "qag, frozen with a head": lambda: angle_generator(frozen=True, head="affine", axis="x"),
        "phase-qft, of two features": lambda: phase_qft(Space("angles", 2), wires=[3, 2]),
        "phase-qft, of bits": lambda: phase_qft(Space("bits", 4, (2, 2))),
        "phase-qft, conditional": lambda: phase_qft(Space("angles", 1), inputs=2, wires=3),
        "reversible-circuit": lambda: reversible(3),
        "reversible-circuit, zero": lambda: reversible(3, latent="zero"),
        "reversible-circuit, ancilla": lambda: reversible(4, latent="ancilla", latent_wires=2),
        "reversible-circuit, angles": lambda: reversible(3, latent="angles", variance=0.5),
        "reversible-circuit, conditional": lambda: reversible(3, inputs=2, p_one="drawn"),
        "iqp": lambda: diagonal(4),
        "iqp, conditional": lambda: diagonal(3, inputs=2),
        "iqp, neighbours": lambda: diagonal(4, lattice=((2, 2),)),
        "iqp, further bodies": lambda: diagonal(4, edges=((0, 2),), bodies=((0, 1, 3),)),
        "iqp, random signs": lambda: diagonal(4, exact_wires=1),
        "iqp, conditional, random signs": lambda: diagonal(3, inputs=2, exact_wires=1),
        "iqp, frozen couplings": lambda: diagonal(3, frozen_couplings=True),
        "nade": lambda: neural(4),
        "nade, conditional": lambda: neural(3, inputs=2),
        "qcbm": lambda: born_machine("brick", 4, layers=2),
        "qcbm, tree": lambda: born_machine("tree", 4, layers=2),
        "qcbm, conditional": lambda: born_machine("brick", 3, inputs=2, layers=2),
        "chow-liu-tree": lambda: chow_liu_tree(Space("bits", 4)),
        "chow-liu-tree, of spins": lambda: chow_liu_tree(Space("spins", 3)),
        "chow-liu-tree, registers": lambda: chow_liu_tree(
            Space("bits", 6, (2, 1, 3)), columns="registers"
        ),
        "chow-liu-tree, conditional": lambda: chow_liu_tree(Space("bits", 4), inputs=1, strata=3),
        "pairwise-ising": lambda: pairwise_ising("bits", 4),
        "pairwise-ising, some pairs": lambda: pairwise_ising("spins", 4, edges=((0, 1), (3, 1))),
        "pairwise-ising, conditional": lambda: pairwise_ising("bits", 3, inputs=2),
        "pairwise-ising, by chains": lambda: pairwise_ising("bits", 4, method="pcd", chains=50),
        "pairwise-ising, by chains, conditional": lambda: pairwise_ising(
            "spins", 3, inputs=2, method="pcd", chains=50
        ),
        "pairwise-ising, not enumerated": lambda: pairwise_ising(
            "bits", 18, sampler=registry.build("sampler", FEW_SWEEPS)
        ),
        "rbm": lambda: boltzmann_machine("rbm", "bits", 3, sampler="exact", hidden=2),
        "rbm, of spins": lambda: boltzmann_machine(
            "rbm", "spins", 4, sampler="exact", hidden=3, centred=False
        ),
        "rbm, conditional": lambda: boltzmann_machine(
            "rbm", "bits", 3, sampler="exact", hidden=2, condition=Space("bits", 2)
        ),
        "rbm, some couplings": lambda: boltzmann_machine(
            "rbm",
            "bits",
            3,
            sampler="exact",
            hidden=3,
            couplings=lambda *_: [(0, 0), (0, 2), (2, 1)],
        ),
        "rbm, not enumerated": lambda: boltzmann_machine(
            "rbm", "bits", 18, sampler=FEW_SWEEPS, hidden=17, method="cd", precision="single"
        ),
        "qbm": lambda: boltzmann_machine("qbm", "bits", 3, transverse=0.8),
        "qbm, with hidden units": lambda: boltzmann_machine("qbm", "spins", 4, hidden=2),
    },
)


class TestBuiltins(GeneratorKit):
    @pytest.fixture(autouse=True, params=list(CASES))
    def _case(self, request: pytest.FixtureRequest) -> None:
        self.case = request.param

    def make(self) -> Generator:
        return CASES[self.case]()
