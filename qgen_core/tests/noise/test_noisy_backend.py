"""A backend behind a noise model: mapped once, gradients through the map, capabilities after it."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.ansatze.brick import brick
from qgen_core.ansatze.qag_chain import qag_chain
from qgen_core.circuits.circuit import Angle, Circuit, Gate, const
from qgen_core.circuits.measures import Expectations, Probabilities, State, pauli_z
from qgen_core.errors import Unsupported
from qgen_core.interfaces import Capabilities
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.testing import BackendKit, reference


class Counted:
    """A noise model that counts how often it is asked."""

    def __init__(self, noise):
        self.noise, self.calls = noise, 0

    def __call__(self, circuit, measure):
        self.calls += 1
        return self.noise(circuit, measure)


def to_device_basis(circuit, measure):
    """Every ry as two sx between rz, as devices have it: an angle becomes three, two of them
    constant.
    """
    instructions = []
    for gate in circuit.instructions:
        if gate.name != "ry":
            instructions.append(gate)
            continue
        wire, turned = gate.wires, replace(gate.angle, offset=gate.angle.offset + np.pi)
        for name, angle in (("sx", None), ("rz", turned), ("sx", None), ("rz", const(np.pi))):
            instructions.append(Gate(name, wire, angle))
    return Circuit(circuit.num_wires, tuple(instructions)), measure


def test_each_circuit_is_mapped_once():
    noise = Counted(qgen.noise("depolarizing"))
    backend, circuit = NoisyBackend(DensityBackend(), noise), brick(3, layers=1)
    angles = circuit.bind(np.ones(circuit.num_params))
    for _ in range(3):
        backend.run(circuit, angles, Probabilities())
        backend.forward(circuit, angles, Probabilities())
        backend.require(circuit, Probabilities())
        backend.run(circuit, angles, pauli_z(3))
    assert noise.calls == 2
    assert (
        backend.mapping(circuit, Probabilities()).circuit
        is backend.mapping(circuit, Probabilities()).circuit
    )
    backend.run(circuit, angles, Probabilities(np.tile(np.eye(2), (3, 1, 1))))
    assert noise.calls == 3


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_mapped_circuits_are_forgotten_with_their_circuits(scale):
    backend = NoisyBackend(DensityBackend(), qgen.noise("depolarizing", scale=scale))
    circuit = brick(3, layers=1)
    backend.run(circuit, circuit.bind(np.ones(circuit.num_params)), Probabilities())
    gone = [weakref.ref(circuit), weakref.ref(backend.mapping(circuit, Probabilities()).circuit)]
    del circuit
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_few_measures_are_remembered():
    noise = Counted(qgen.noise("readout"))
    backend, circuit = NoisyBackend(StatevectorBackend(), noise), brick(4, layers=1)
    words = ["".join(w) for w in np.random.default_rng(0).choice(list("IXYZ"), (100, 4))]
    for word in words:
        backend.mapping(circuit, Expectations((word,)))
    assert noise.calls <= 100
    assert len(backend.mapping._known.get(circuit, dict)) <= 16


def test_scale_0_is_bit_identical():
    circuit = qag_chain(4, inputs=4)
    rng = np.random.default_rng(1)
    angles = circuit.bind(rng.normal(size=circuit.num_params), rng.normal(size=(5, 4)))
    for noise in ("depolarizing", "readout"):
        backend = NoisyBackend(DensityBackend(), qgen.noise(noise, scale=0.0))
        for measure in (Probabilities(), pauli_z(4)):
            (a, back_a), (b, back_b) = (
                x.forward(circuit, angles, measure) for x in (backend, DensityBackend())
            )
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(back_a(a), back_b(b))
    silent = NoisyBackend(StatevectorBackend(), qgen.noise("depolarizing", scale=0.0))
    silent.run(circuit, angles, State())


@pytest.mark.parametrize("measure", [Probabilities(), pauli_z(4)])
def test_a_map_that_splits_rotations(measure):
    """Values are those of the plain circuit, and gradients find their way back to its angles."""
    circuit = qag_chain(4, inputs=4, layers=1)
    circuit = replace(
        circuit, instructions=(*circuit.instructions, Gate("ry", (0,), Angle("input", 1, 0.5, 0.2)))
    )
    circuit = replace(
        circuit, instructions=(Gate("ry", (2,), const(0.4)), *circuit.instructions), labels=()
    )
    rng = np.random.default_rng(2)
    angles = circuit.bind(rng.normal(size=circuit.num_params), rng.normal(size=(3, 4)))
    plain, split = DensityBackend(), NoisyBackend(DensityBackend(), to_device_basis)
    (a, back_a), (b, back_b) = (x.forward(circuit, angles, measure) for x in (plain, split))
    np.testing.assert_allclose(b, a, atol=1e-13)
    np.testing.assert_allclose(split.run(circuit, angles, measure), a, atol=1e-13)
    cotangent = rng.normal(size=a.shape)
    moving = [angle.source != "const" for angle in circuit.angles]
    for found in (back_b(cotangent), split.forward(circuit, angles, measure)[1](cotangent)):
        assert found.shape == angles.shape
        np.testing.assert_allclose(found[:, moving], back_a(cotangent)[:, moving], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("depolarizing", {"one_wire": 0.02, "two_wire": 0.05, "virtual": False}),
        (
            "thermal-relaxation",
            {"t1": 30.0, "t2": 45.0, "one_wire_time": 1.0, "two_wire_time": 4.0},
        ),
        ("readout", {"p01": 0.05, "p10": 0.1}),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_gradients_of_noisy_circuits(name, options, size):
    """Against the exact gradient of the reference, and each row of a batch alone."""
    circuit = brick(3, layers=1)
    noise = qgen.noise(name, **options)
    backend = NoisyBackend(DensityBackend(), noise)
    rng = np.random.default_rng(3)
    angles = circuit.bind(rng.uniform(-3, 3, (size, circuit.num_params)))
    weights = rng.normal(size=(size, 8))
    found = backend.forward(circuit, angles, Probabilities())[1](weights)
    noisy, read = noise(circuit, Probabilities())
    expected = reference.gradient(noisy, angles[:1], read, weights[:1])
    np.testing.assert_allclose(found[:1], expected, atol=1e-12)
    for k in range(size):
        alone = backend.forward(circuit, angles[k : k + 1], Probabilities())[1](weights[k : k + 1])
        np.testing.assert_allclose(found[k : k + 1], alone, atol=1e-13)


def test_same_seed_same_shots():
    circuit = brick(3, layers=1)
    theta = np.random.default_rng(4).normal(size=circuit.num_params)
    backend = NoisyBackend(DensityBackend(), qgen.noise("depolarizing", two_wire=0.1))
    first, again, other = (backend.sample(circuit, theta, shots=500, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_noise_on_a_backend_without_noise_is_refused():
    circuit = brick(2, layers=1)
    backend = NoisyBackend(StatevectorBackend(), qgen.noise("depolarizing"))
    with pytest.raises(Unsupported, match="channel 'depolarizing'"):
        backend.run(circuit, circuit.bind(np.zeros(circuit.num_params)), Probabilities())


class FewGates(DensityBackend):
    """A backend without ry."""

    capabilities = Capabilities(
        gates=frozenset({"sx", "rz", "cx"}), noise=True, gradients="adjoint"
    )


def test_capabilities_are_those_after_the_map():
    assert NoisyBackend(FewGates(), qgen.noise("depolarizing")).capabilities.gates == {
        "sx",
        "rz",
        "cx",
    }
    assert NoisyBackend(FewGates(), to_device_basis).capabilities.gates == {"sx", "rz", "cx", "ry"}
    assert (
        NoisyBackend(DensityBackend(), to_device_basis).capabilities is DensityBackend.capabilities
    )


class TestNoNoise(BackendKit):
    """Noise of scale 0 passes the whole kit."""

    def make(self):
        return NoisyBackend(DensityBackend(), qgen.noise("thermal-relaxation", **OPTIONS))


class TestDeviceBasis(BackendKit):
    """So does a map that splits rotations, on a backend that lacks them."""

    def make(self):
        return NoisyBackend(FewGates(), to_device_basis)


OPTIONS = {"t1": 1.0, "t2": 1.0, "one_wire_time": 1.0, "two_wire_time": 1.0, "scale": 0.0}


def test_a_recipe_puts_noise_around_its_backend():
    tables = {
        name: {"name": name} for name in ("dataset", "encoder", "generator", "loss", "trainer")
    }
    noise = {"name": "readout", "p01": 0.25, "p10": 0.25}
    recipe = Recipe.from_dict({"seed": 1, **tables, "backend": {"name": "density"}, "noise": noise})
    backend = Assembly(recipe).backend
    assert isinstance(backend, NoisyBackend)
    np.testing.assert_allclose(backend.probabilities(Circuit(1, ()), []), [0.75, 0.25], atol=1e-15)
