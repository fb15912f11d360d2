"""Backend kit: distributions and joint distributions of shots, and their seeds."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities, Shots
from qgen_core.errors import Unsupported
from qgen_core.events import bits_to_index
from qgen_core.interfaces import Backend
from qgen_core.testing import circuits, reference, statistics
from qgen_core.testing.backends.base import BackendBase, expectations_stray, frequencies_stray
from qgen_core.testing.kit import check, equal, globals_untouched, not_applicable
from qgen_core.typing import Array, Floats


class ShotTests(BackendBase):
    """Bits, frequencies and expectations from shots."""

    def test_bits(self) -> None:
        """Bits: their shape and type, their distribution by chi-square, and a random order."""
        backend, circuit, angles = self._sampled_case(4, 31)
        wires = circuit.num_wires
        bits = self._run(backend, circuit, angles, Bits(), seed=6)
        shape = (len(angles), self.shots, wires)
        check(
            bits.shape == shape and bits.dtype == np.int8 and set(np.unique(bits)) <= {0, 1},
            f"Bits() are int8 0 and 1 of the shape {shape} (batch, shots, wires), not {bits.dtype} "
            f"{bits.shape}",
        )
        for row, expected in enumerate(reference.values(circuit, angles, Probabilities())):
            outcomes = bits_to_index(bits[row])
            p = statistics.chi_square(statistics.distribution(outcomes, 2**wires), expected)
            check(
                p > statistics.LEAST_P,
                f"Bits() of row {row} do not follow the probabilities: p = {p:.2g} by chi-square "
                f"with {self.shots} shots; column w is wire w, rows of the batch are independent",
            )
            first_half, second_half = np.array_split(outcomes, 2)
            p = statistics.same_distribution(
                statistics.distribution(first_half, 2**wires),
                statistics.distribution(second_half, 2**wires),
            )
            check(
                p > statistics.LEAST_P,
                f"Bits() come in an order (first against second half: p = {p:.2g}); shuffle",
            )

    def test_frequencies(self) -> None:
        """Probabilities with shots are relative frequencies with the right distribution."""
        backend, circuit, angles = self._sampled_case(3, 32)
        found = self._run(backend, circuit, angles, Probabilities(), seed=7)
        expected = reference.values(circuit, angles, Probabilities())
        fault = frequencies_stray(found, expected, self.shots)
        check(not fault, f"Probabilities() with shots {fault}")

    def test_readout_of_shots(self) -> None:
        """Bits have readout errors with the probabilities of the confusion."""
        backend, circuit, angles = self._sampled_case(2, 33)
        confusion = np.array([[[0.9, 0.3], [0.1, 0.7]], [[0.95, 0.2], [0.05, 0.8]]])
        confusion = confusion[: circuit.num_wires]
        try:
            bits = self._run(backend, circuit, angles, Bits(confusion), seed=8)
        except Unsupported as error:
            not_applicable(f"the backend takes no readout confusion: {error}")
        expected = reference.values(circuit, angles, Probabilities(confusion))
        for row, probabilities in zip(bits, expected, strict=True):
            counts = statistics.distribution(bits_to_index(row), 2**circuit.num_wires)
            p = statistics.chi_square(counts, probabilities)
            check(
                p > statistics.LEAST_P,
                f"Bits() with a readout confusion have p = {p:.2g}; flip each read bit as "
                "confusion[wire, read, true] says, or raise Unsupported",
            )

    def test_expectations_from_shots(self) -> None:
        """Means of +1 and -1; words that agree wire by wire are read from the same shots."""
        backend, circuit, angles = self._sampled_case(2, 34)
        if circuit.num_wires < 2:
            not_applicable("one wire has no joint distribution")
        words = ("ZI", "IZ", "ZZ", "XI", "IX", "XX")
        rng = np.random.default_rng(9)
        found = np.asarray(
            backend.run(circuit, angles, Expectations(words), Shots(self.shots, rng))
        )
        expected = reference.values(circuit, angles, Expectations(words))
        fault = expectations_stray(found, expected, self.shots)
        check(not fault, f"Expectations() with shots {fault}")
        many = np.repeat(angles[:1], 64, axis=0)
        single = np.asarray(backend.run(circuit, many, Expectations(words), Shots(1, rng)))
        check(np.all(np.abs(single) == 1), "Expectations() of a single shot are +1 or -1")
        for first, second, both in ((0, 1, 2), (3, 4, 5)):
            check(
                np.all(single[:, first] * single[:, second] == single[:, both]),
                f"in single shots {words[both]} is not the product of its letters: words that "
                "agree wire by wire must be read from the same shots",
            )

    def test_seeds(self) -> None:
        """The same seed gives the same shots, another seed others.

        A second run with the same generator continues its stream.
        """
        backend, circuit, angles = self._sampled_case(4, 35)
        measures: list[Measure] = [
            Bits(),
            Probabilities(),
            Expectations(circuits.words(circuit.num_wires, 0, _rng())),
        ]
        for measure in measures:
            first = self._run(backend, circuit, angles, measure, seed=1)
            repeated = self._run(backend, circuit, angles, measure, seed=1)
            other = self._run(backend, circuit, angles, measure, seed=2)
            what = f"{type(measure).__name__} with shots"
            check(
                np.array_equal(first, repeated),
                f"{what}: the same rng gives another result; draw from the rng given",
            )
            check(
                not np.array_equal(first, other),
                f"{what}: another seed gives the same result; the seed is ignored",
            )
            shots = Shots(self.shots, np.random.default_rng(1))
            two_runs = [backend.run(circuit, angles, measure, shots) for _ in range(2)]
            check(not equal(two_runs), f"{what}: a second call with the same rng repeats the first")
            equal_rows = np.repeat(angles[:1], 2, axis=0)
            rows = self._run(backend, circuit, equal_rows, measure, seed=1)
            check(
                not np.array_equal(rows[0], rows[1]),
                f"{what}: two equal rows of a batch get the same shots",
            )

    def test_global_random_state(self) -> None:
        """Random numbers are drawn from the given generator only."""
        backend, circuit, angles = self._sampled_case(3, 36)
        with globals_untouched("run()"):
            for measure in (Bits(), Probabilities(), Expectations(("Z" * circuit.num_wires,))):
                self._run(backend, circuit, angles, measure, seed=1)
        if backend.capabilities.gradients != "none":
            cotangent = np.ones((len(angles), 2**circuit.num_wires))
            with globals_untouched("forward()"):
                _, pullback = backend.forward(circuit, angles, Probabilities(), Shots(10, _rng()))
                pullback(cotangent)

    def _sampled_case(self, wires: int, seed: int) -> tuple[Backend, Circuit, Floats]:
        """The backend, a random circuit for it, and two rows of angles."""
        backend = self.make()
        rng = np.random.default_rng(seed)
        if not backend.capabilities.shots:
            not_applicable("the capabilities say that there are no shots")
        circuit = circuits.trained(backend.capabilities.gates, self.width(wires, backend), 6, rng)
        return backend, circuit, circuits.rows(circuit, 2, rng)

    def _run(
        self, backend: Backend, circuit: Circuit, angles: Floats, measure: Measure, seed: int
    ) -> Array:
        shots = Shots(self.shots, np.random.default_rng(seed))
        return np.asarray(backend.run(circuit, angles, measure, shots))


def _rng() -> np.random.Generator:
    return np.random.default_rng(3)
