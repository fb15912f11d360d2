"""A correct backend of a few lines, with and without exact values, and broken ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State, ideal
from qgen_core.errors import BadOption, ResourceRefused, Unsupported
from qgen_core.interfaces import Backend, Capabilities
from qgen_core.simulators.base import Simulator
from qgen_core.testing import reference

Array = np.ndarray[Any, Any]


class Dense(Simulator):
    """The kit's own reference as a backend; it checks nothing."""

    capabilities = Capabilities(noise=True)

    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        return reference.values(circuit, angles, measure)


class Good(Dense):
    """The same, careful."""

    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        if circuit.num_wires > 12:
            raise ResourceRefused(
                f"{circuit.num_wires} wires are too many for dense matrices; at most 12"
            )
        if angles.shape[1] != circuit.num_angles:
            raise BadOption(f"{angles.shape[1]} columns of angles for {circuit.num_angles}")
        return super().exact(circuit, angles, measure)


class Device(Good):
    """Without exact values, with few gates and wires, and without noise models, like hardware."""

    capabilities = Capabilities(
        gates=frozenset({"rx", "rz", "cx", "ecr", "cry"}),
        max_wires=4,
        exact=False,
        gradients="parameter-shift",
    )

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        self.check(circuit, shots)
        return _as_if_exact(self, circuit, angles, measure, shots)


def _as_if_exact(
    backend: Good, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None
) -> Array:
    return Good.run(_Exact(backend), circuit, angles, measure, shots)


class _Exact(Good):
    """The exact values behind a device, its faults included."""

    def __init__(self, device: Good) -> None:
        self.device = device

    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        return self.device.exact(circuit, angles, measure)


# ---- broken ones


def _changed(circuit: Circuit, change: Any) -> Circuit:
    return Circuit(
        circuit.num_wires,
        tuple(change(i) if isinstance(i, Gate) else i for i in circuit.instructions),
    )


class ReversedWires(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        last = circuit.num_wires - 1
        turned = _changed(
            circuit, lambda g: Gate(g.name, tuple(last - w for w in g.wires), g.angle)
        )
        return super().exact(turned, angles, measure)


class ReversedDevice(Device, ReversedWires):
    pass


class SwappedControl(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        swapped = _changed(
            circuit, lambda g: Gate(g.name, g.wires[::-1], g.angle) if g.name == "crx" else g
        )
        return super().exact(swapped, angles, measure)


class DoubledRy(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        factors = [2.0 if g.name == "ry" else 1.0 for g in circuit.gates if g.angle is not None]
        return super().exact(circuit, angles * factors, measure)


class RefusesListed(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        if any(g.name == "ecr" for g in circuit.gates):
            raise Unsupported("there is no ecr here")
        return super().exact(circuit, angles, measure)


class WrongY(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        found = super().exact(circuit, angles, measure)
        if isinstance(measure, Expectations):
            found = found * [(-1) ** word.count("Y") for word in measure.paulis]
        return found


class WrongXShots(Good):
    """Turns the X basis the wrong way before it measures."""

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        found = super().run(circuit, angles, measure, shots)
        if isinstance(measure, Expectations) and shots:
            found = found * [(-1) ** word.count("X") for word in measure.paulis]
        return found


class UnnormalisedState(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        found = super().exact(circuit, angles, measure)
        return found * 1.001 if isinstance(measure, State) else found


class ConjugatedState(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        found = super().exact(circuit, angles, measure)
        return found.conj() if isinstance(measure, State) else found


class BatchIgnored(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        return super().exact(circuit, np.repeat(angles[:1], len(angles), axis=0), measure)


class ReadoutIgnored(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        return super().run(circuit, angles, ideal(measure), shots)


class ReadoutTransposed(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if isinstance(measure, Probabilities) and measure.confusion is not None:
            table = super().run(circuit, angles, Probabilities(), shots)
            return np.stack([reference.kron(list(measure.confusion)).T @ row for row in table])
        return super().run(circuit, angles, measure, shots)


class WritesAngles(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        found = super().exact(circuit, angles, measure)
        angles %= 4 * np.pi
        return found


class Leaky(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        found = super().exact(circuit, angles, measure)
        return (
            found * (1 - 1e-9) ** len(circuit.gates)
            if isinstance(measure, Probabilities)
            else found
        )


class Drifting(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        return super().exact(circuit, angles + 1e-3, measure)


class WrongSign(Good):
    def exact_forward(self, *given: Any) -> Any:
        output, pullback = super().exact_forward(*given)
        return output, lambda cotangent: -pullback(cotangent)


class WrongSignDevice(Device):
    def forward(self, *given: Any) -> Any:
        output, pullback = super().forward(*given)
        return output, lambda cotangent: -pullback(cotangent)


class TwoTermsForAll(Good):
    """The two-term rule also for controlled rotations, which need four."""

    def exact_forward(self, circuit: Circuit, angles: Array, measure: Any) -> Any:
        def pullback(cotangent: Array) -> Array:
            found = np.zeros(angles.shape)
            for column in range(angles.shape[1]):
                for sign in (1, -1):
                    moved = angles.copy()
                    moved[:, column] += sign * np.pi / 2
                    shifted = self.exact(circuit, moved, measure)
                    found[:, column] += sign * 0.5 * np.sum(cotangent * shifted, axis=1)
            return found

        return self.exact(circuit, angles, measure), pullback


class BatchSummed(Good):
    def exact_forward(self, *given: Any) -> Any:
        output, pullback = super().exact_forward(*given)

        def summed(cotangent: Array) -> Array:
            found = pullback(cotangent)
            return np.repeat(found.sum(axis=0, keepdims=True), len(found), axis=0)

        return output, summed


class GradientPastReadout(Good):
    def forward(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Any:
        _, pullback = super().forward(circuit, angles, ideal(measure), shots)
        return self.run(circuit, angles, measure, shots), pullback


class ForwardOnce(Good):
    """The pullback is right once, and zero from the second call on."""

    def exact_forward(self, *given: Any) -> Any:
        output, pullback = super().exact_forward(*given)
        factors = [1.0]

        def once(cotangent: Array) -> Array:
            factor = factors.pop() if factors else 0.0
            return factor * pullback(cotangent)

        return output, once


class WritesCotangent(Good):
    def forward(self, *given: Any) -> Any:
        output, pullback = super().forward(*given)

        def writing(cotangent: Array) -> Array:
            cotangent *= 2
            return pullback(cotangent / 2)

        return output, writing


class SortedBits(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        found = super().run(circuit, angles, measure, shots)
        if isinstance(measure, Bits):
            found = np.stack([row[np.lexsort(row.T[::-1])] for row in found])
        return found


class WideBits(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        found = super().run(circuit, angles, measure, shots)
        return found.astype(np.int64) if isinstance(measure, Bits) else found


class BackwardBits(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        found = super().run(circuit, angles, measure, shots)
        return found[:, :, ::-1] if isinstance(measure, Bits) else found


class ShotsIgnored(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        return super().run(circuit, angles, measure)


class ShotsOfAnother(Good):
    """Frequencies of the uniform distribution."""

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if isinstance(measure, Probabilities) and shots:
            size = 2**circuit.num_wires
            uniform = np.full(size, 1 / size)
            return shots.rng.multinomial(shots.number, uniform, len(angles)) / shots.number
        return super().run(circuit, angles, measure, shots)


class WordByWord(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if isinstance(measure, Expectations) and shots:
            columns = [
                super(WordByWord, self).run(circuit, angles, Expectations((w,)), shots)
                for w in measure.paulis
            ]
            return np.concatenate(columns, axis=1)
        return super().run(circuit, angles, measure, shots)


class _Reseeded(Good):
    def _rng(self, rng: Any) -> Any:
        return rng

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if shots is not None:
            shots = Shots(shots.number, self._rng(shots.rng))
        return super().run(circuit, angles, measure, shots)


class SeedIgnored(_Reseeded):
    def _rng(self, rng: Any) -> Any:
        return np.random.default_rng(0)


class Unseeded(_Reseeded):
    def _rng(self, rng: Any) -> Any:
        return np.random.default_rng()


class SeedsGlobally(_Reseeded):
    def _rng(self, rng: Any) -> Any:
        np.random.seed(int(rng.integers(2**31)))
        return np.random.default_rng(np.random.randint(2**31))


class StreamNotAdvanced(_Reseeded):
    def _rng(self, rng: Any) -> Any:
        copy = np.random.Generator(type(rng.bit_generator)())
        copy.bit_generator.state = rng.bit_generator.state
        return copy


class SameShotsForAll(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if shots is None:
            return super().run(circuit, angles, measure)
        seed = int(shots.rng.integers(2**31))
        rows = [
            super(SameShotsForAll, self).run(
                circuit,
                angles[i : i + 1],
                measure,
                Shots(shots.number, np.random.default_rng(seed)),
            )
            for i in range(len(angles))
        ]
        return np.concatenate(rows)


class NoiseIgnored(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        return super().exact(Circuit(circuit.num_wires, circuit.gates), angles, measure)


class StateOfNoise(Good):
    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        if isinstance(measure, State):
            circuit = Circuit(circuit.num_wires, circuit.gates)
        return super().exact(circuit, angles, measure)


class GradientWithoutNoise(Good):
    def exact_forward(self, circuit: Circuit, angles: Array, measure: Any) -> Any:
        quiet = Circuit(circuit.num_wires, circuit.gates)
        _, pullback = super().exact_forward(quiet, angles, measure)
        return self.exact(circuit, angles, measure), pullback


FEW = Capabilities(gates=frozenset(GATES) - {"crx"}, noise=False, max_wires=5)


class Unchecked(Good):
    """Says that it has no crx, no noise and five wires, and checks none of it."""

    capabilities = FEW

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        return _as_if_exact(self, circuit, angles, measure, shots)


class UnnamedRefusal(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if any(g.name == "crx" for g in circuit.gates):
            raise Unsupported("this gate is not there")
        return super().run(circuit, angles, measure, shots)


class RefusesByKeyError(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if any(g.name == "crx" for g in circuit.gates):
            raise KeyError("crx")
        return super().run(circuit, angles, measure, shots)


class ChannelPasses(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        self.check(Circuit(circuit.num_wires, circuit.gates), shots)
        return super().run(circuit, angles, measure, shots)


class WiderThanItSays(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if circuit.num_wires <= 5:
            self.check(circuit, shots)
        return super().run(circuit, angles, measure, shots)


class MakesUpShots(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if isinstance(measure, Bits) and shots is None:
            shots = Shots(1, np.random.default_rng(0))
        return super().run(circuit, angles, measure, shots)


class MakesUpDeviceShots(Device):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        if isinstance(measure, Probabilities) and shots is None:
            shots = Shots(1000, np.random.default_rng(0))
        return super().run(circuit, angles, measure, shots)


class OneRowOnly(Backend):
    """Forgets the batch axis."""

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, shots: Shots | None = None
    ) -> Array:
        return Good().run(circuit, angles, measure, shots)[0]
