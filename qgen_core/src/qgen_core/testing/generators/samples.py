"""Generator kit: the shape, distribution and reproducibility of samples."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import QgenError
from qgen_core.events import Batch, bits_to_index, index_to_bits
from qgen_core.interfaces import Generator
from qgen_core.testing import statistics
from qgen_core.testing.generators.base import CONDITIONS, MAX_WIDTH, GeneratorBase, in_turn
from qgen_core.testing.generators.outputs import forward
from qgen_core.testing.kit import check, check_refused, globals_untouched, not_applicable, unchanged
from qgen_core.testing.spaces import check_encoded
from qgen_core.typing import Array, Floats


class SampleTests(GeneratorBase):
    """``sample``, and its agreement with ``probabilities`` and ``log_prob``."""

    def test_sample_form(self) -> None:
        """1, 7 and 1000 events have the shape, type and values of the space."""
        model = self.make()
        for n in (1, 7, 1000):
            condition = self._conditions(n)
            with unchanged("sample()", condition=condition), globals_untouched("sample()"):
                found = model.sample(n, condition, rng=np.random.default_rng(1))
            check_encoded(f"sample({n})", found, model.space, n)

    def test_samples_are_reproducible(self) -> None:
        """The same state and rng give the same events, another rng different ones."""
        model = self.make()
        condition = self._conditions(1000)
        first = self.twin(model).sample(1000, condition, rng=np.random.default_rng(1))
        again = self.twin(model).sample(1000, condition, rng=np.random.default_rng(1))
        other = self.twin(model).sample(1000, condition, rng=np.random.default_rng(2))
        check(
            np.array_equal(first, again),
            "sample() gives other events for the same rng; draw from the rng given",
        )
        check(
            not np.array_equal(first, other),
            "sample() gives the same events for another rng; the rng is ignored",
        )

    def test_conditions(self) -> None:
        """Outputs follow the condition of their row; missing conditions or rows are refused."""
        model = self.make()
        if model.condition is None:
            not_applicable("the model takes no condition")
        condition = self._conditions(10)
        assert condition is not None
        rng = np.random.default_rng(1)
        check_refused(
            QgenError,
            "sample() of a conditional model without conditions",
            model.sample,
            10,
            rng=rng,
        )
        check_refused(
            QgenError, "sample(10) with 9 conditions", model.sample, 10, condition[:9], rng=rng
        )
        wide = np.repeat(condition, 2, axis=1)
        check_refused(QgenError, "conditions of twice the width", model.sample, 10, wide, rng=rng)
        for output in sorted(model.outputs - {"samples"}):
            self._check_rows(model, output)

    def _check_rows(self, model: Generator, output: str) -> None:
        """Conditions in reversed order give the values in reversed order."""
        batch = self.batch(output)
        reversed_batch = Batch(
            x=_reversed(batch.x),
            condition=_reversed(batch.condition),
            target=_reversed(batch.target),
            words=batch.words,
        )
        values = forward(model, output, batch, 1)
        of_reversed = forward(model, output, reversed_batch, 1)
        is_random = not np.array_equal(values, forward(model, output, batch, 2))
        if is_random:
            return
        check(
            np.allclose(values, of_reversed[::-1], rtol=1e-6, atol=1e-9),
            f"{output} of conditions in reversed order are not the same values in reversed order: "
            "rows are mixed up",
        )

    def test_probabilities(self) -> None:
        """Probabilities are normalised, and samples follow them for each condition (chi-square)."""
        model = self.make()
        self._require_table(model, "probabilities")
        batch = self.batch("probabilities")
        table = np.asarray(forward(model, "probabilities", batch, 1))
        allowed = {"double": 1e-9, "single": 1e-5}[self.precision]
        worst = _worst_sum(table)
        check(
            abs(worst - 1) <= allowed and table.min() >= -allowed,
            f"probabilities of a condition sum to {worst:.9g}, the least is {table.min():.3g}; "
            "they must sum to 1 and be at least 0",
        )
        self._check_samples(model, table, batch.condition, "probabilities")

    def test_log_prob(self) -> None:
        """exp(log_prob) of bits sums to one, is the probability, and samples follow it."""
        model = self.make()
        self._require_table(model, "log_prob")
        everything = index_to_bits(np.arange(2**model.space.width), model.space.width)
        conditions = self.conditions(CONDITIONS, np.random.default_rng(61))
        rows = []
        if conditions is None:
            rows.append(forward(model, "log_prob", Batch(everything), 1))
        else:
            for condition in conditions:
                repeated = np.repeat(condition[None], len(everything), axis=0)
                rows.append(forward(model, "log_prob", Batch(everything, repeated), 1))
        table = np.exp(np.stack(rows))
        worst = _worst_sum(table)
        check(
            abs(worst - 1) <= 1e-5,
            f"exp(log_prob) of all {len(everything)} events sums to {worst:.9g}, not to 1",
        )
        if "probabilities" in model.outputs:
            direct = forward(model, "probabilities", self.batch("probabilities"), 1)
            error = float(np.max(np.abs(direct - table)))
            check(error <= 1e-5, f"exp(log_prob) differs from the probabilities by {error:.3g}")
        self._check_samples(model, table, conditions, "log_prob")

    def _require_table(self, model: Generator, output: str) -> None:
        if output not in model.outputs:
            not_applicable(f"the model does not offer {output}")
        if model.space.kind != "bits" or model.space.width > MAX_WIDTH:
            not_applicable(f"{model.space} have too many outcomes, or none, for a table of all")

    def _check_samples(
        self, model: Generator, table: Floats, conditions: Array | None, output: str
    ) -> None:
        """Samples of all conditions in turn, drawn at once, follow the rows of the table."""
        samples = model.sample(
            self.draws, in_turn(conditions, self.draws), rng=np.random.default_rng(9)
        )
        outcomes = bits_to_index(samples)
        for row, expected in enumerate(table):
            of_row = outcomes[row :: len(table)]
            counts = statistics.distribution(of_row, table.shape[1])
            p = statistics.chi_square(counts, expected)
            check(
                p > statistics.LEAST_P,
                f"{len(of_row)} samples of condition {row} do not follow {output}: p = {p:.2g} by "
                "chi-square; column 0 of bits is the most significant, row i has condition i",
            )

    def _conditions(self, n: int) -> Array | None:
        """The conditions (n, K) of n events, a few different ones in turn."""
        return in_turn(self.conditions(CONDITIONS, np.random.default_rng(62)), n)


def _reversed(array: Array | None) -> Array | None:
    if array is None:
        return None
    return array[::-1]


def _worst_sum(table: Floats) -> float:
    """The sum of a row (C,) that is farthest from 1."""
    sums = table.sum(axis=1)
    return float(sums[np.argmax(np.abs(sums - 1))])
