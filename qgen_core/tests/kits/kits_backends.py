"""A correct backend of a few lines, with and without exact values, and broken ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, State, ideal
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.errors import BadOption, ResourceRefused, Unsupported
from qgen_core.interfaces import Backend, Capabilities
from qgen_core.simulators.base import Simulator
from qgen_core.testing import reference

Array = np.ndarray[Any, Any]


class Dense(Simulator):
    """The kit's own reference as a backend; it checks nothing."""

    capabilities = Capabilities(noise=True)

    def exact(self, circuit: Circuit, angles: Array, measure: Any) -> Array:
        if isinstance(measure, State):
            if circuit.channels:
                raise Unsupported("a circuit with channels has no state vector")
            return np.stack([reference.state(circuit, row) for row in angles])
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
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        self.check(circuit, shots)
        return _as_if_exact(self, circuit, angles, measure, shots, rng)


def _as_if_exact(
    backend: Good, circuit: Circuit, angles: Array, measure: Any, shots: Any, rng: Any
) -> Array:
    return Good.run(_Exact(backend), circuit, angles, measure, shots=shots, rng=rng)


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
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        found = super().run(circuit, angles, measure, shots=shots, rng=rng)
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
    def run(self, circuit: Circuit, angles: Array, measure: Any, **options: Any) -> Array:
        return super().run(circuit, angles, ideal(measure), **options)


class ReadoutTransposed(Good):
    def run(self, circuit: Circuit, angles: Array, measure: Any, **options: Any) -> Array:
        if isinstance(measure, Probabilities) and measure.confusion is not None:
            table = super().run(circuit, angles, Probabilities(), **options)
            return np.stack([reference.kron(list(measure.confusion)).T @ row for row in table])
        return super().run(circuit, angles, measure, **options)


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
    def exact_vjp(self, *given: Any) -> Array:
        return -super().exact_vjp(*given)


class WrongSignDevice(Device):
    def vjp(self, *given: Any, **options: Any) -> Array:
        return -super().vjp(*given, **options)


class TwoTermsForAll(Good):
    """The two-term rule also for controlled rotations, which need four."""

    def exact_vjp(self, circuit: Circuit, angles: Array, measure: Any, cotangent: Array) -> Array:
        found = np.zeros(angles.shape)
        for column in range(angles.shape[1]):
            for sign in (1, -1):
                moved = angles.copy()
                moved[:, column] += sign * np.pi / 2
                found[:, column] += (
                    sign * 0.5 * np.sum(cotangent * self.exact(circuit, moved, measure), axis=1)
                )
        return found


class BatchSummed(Good):
    def exact_vjp(self, *given: Any) -> Array:
        found = super().exact_vjp(*given)
        return np.repeat(found.sum(axis=0, keepdims=True), len(found), axis=0)


class GradientPastReadout(Good):
    def vjp(
        self, circuit: Circuit, angles: Array, measure: Any, cotangent: Array, **options: Any
    ) -> Array:
        return super().vjp(circuit, angles, ideal(measure), cotangent, **options)


class ForwardOnce(Good):
    """The way back uses its state up and does not say so."""

    def exact_forward(self, circuit: Circuit, angles: Array, measure: Any) -> Any:
        left = [1.0]

        def back(cotangent: Array) -> Array:
            factor = left.pop() if left else 0.0
            return factor * self.exact_vjp(circuit, angles, measure, cotangent)

        return self.exact(circuit, angles, measure), back

    def vjp(self, *given: Any, **options: Any) -> Array:
        return self.exact_vjp(*given)


class WritesCotangent(Good):
    def vjp(
        self, circuit: Circuit, angles: Array, measure: Any, cotangent: Array, **options: Any
    ) -> Array:
        cotangent *= 2
        return super().vjp(circuit, angles, measure, cotangent / 2, **options)


class SortedBits(Good):
    def run(self, circuit: Circuit, angles: Array, measure: Any, **options: Any) -> Array:
        found = super().run(circuit, angles, measure, **options)
        if isinstance(measure, Bits):
            found = np.stack([row[np.lexsort(row.T[::-1])] for row in found])
        return found


class WideBits(Good):
    def run(self, circuit: Circuit, angles: Array, measure: Any, **options: Any) -> Array:
        found = super().run(circuit, angles, measure, **options)
        return found.astype(np.int64) if isinstance(measure, Bits) else found


class BackwardBits(Good):
    def run(self, circuit: Circuit, angles: Array, measure: Any, **options: Any) -> Array:
        found = super().run(circuit, angles, measure, **options)
        return found[:, :, ::-1] if isinstance(measure, Bits) else found


class ShotsIgnored(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        return super().run(circuit, angles, measure)


class ShotsOfAnother(Good):
    """Frequencies of the uniform distribution."""

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        if isinstance(measure, Probabilities) and shots:
            size = 2**circuit.num_wires
            return rng.multinomial(shots, np.full(size, 1 / size), len(angles)) / shots
        return super().run(circuit, angles, measure, shots=shots, rng=rng)


class WordByWord(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        if isinstance(measure, Expectations) and shots:
            columns = [
                super(WordByWord, self).run(
                    circuit, angles, Expectations((w,)), shots=shots, rng=rng
                )
                for w in measure.paulis
            ]
            return np.concatenate(columns, axis=1)
        return super().run(circuit, angles, measure, shots=shots, rng=rng)


class _Reseeded(Good):
    def _rng(self, rng: Any) -> Any:
        return rng

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        return super().run(
            circuit, angles, measure, shots=shots, rng=None if rng is None else self._rng(rng)
        )


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
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        if shots is None:
            return super().run(circuit, angles, measure)
        seed = int(rng.integers(2**31))
        rows = [
            super(SameShotsForAll, self).run(
                circuit, angles[i : i + 1], measure, shots=shots, rng=np.random.default_rng(seed)
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
    def exact_vjp(self, circuit: Circuit, angles: Array, measure: Any, cotangent: Array) -> Array:
        quiet = Circuit(circuit.num_wires, circuit.gates)
        return parameter_shift(
            lambda rows: self.exact(quiet, rows, measure), quiet, angles, cotangent
        )


FEW = Capabilities(gates=frozenset(GATES) - {"crx"}, noise=False, max_wires=5)


class Unchecked(Good):
    """Says that it has no crx, no noise and five wires, and checks none of it."""

    capabilities = FEW

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        return _as_if_exact(self, circuit, angles, measure, shots, rng)


class UnnamedRefusal(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        if any(g.name == "crx" for g in circuit.gates):
            raise Unsupported("this gate is not there")
        return super().run(circuit, angles, measure, shots=shots, rng=rng)


class RefusesByKeyError(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        if any(g.name == "crx" for g in circuit.gates):
            raise KeyError("crx")
        return super().run(circuit, angles, measure, shots=shots, rng=rng)


class ChannelPasses(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        self.check(Circuit(circuit.num_wires, circuit.gates), shots)
        return super().run(circuit, angles, measure, shots=shots, rng=rng)


class WiderThanItSays(Unchecked):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        if circuit.num_wires <= 5:
            self.check(circuit, shots)
        return super().run(circuit, angles, measure, shots=shots, rng=rng)


class NoShotsIsOneShot(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        return super().run(
            circuit, angles, measure, shots=None if shots is None else max(shots, 1), rng=rng
        )


class MakesUpAnRng(Good):
    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        return super().run(
            circuit, angles, measure, shots=shots, rng=rng or np.random.default_rng(0)
        )


class OneRowOnly(Backend):
    """Forgets the batch axis."""

    def run(
        self, circuit: Circuit, angles: Array, measure: Any, *, shots: Any = None, rng: Any = None
    ) -> Array:
        return Good().run(circuit, angles, measure, shots=shots, rng=rng)[0]
