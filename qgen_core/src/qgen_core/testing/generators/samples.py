"""Generator kit: samples, their form, their distribution, and where their randomness comes from."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import QgenError
from qgen_core.events import Batch, bits_to_index, index_to_bits
from qgen_core.interfaces import Generator
from qgen_core.testing import statistics
from qgen_core.testing.generators.base import CONDITIONS, MAX_WIDTH, GeneratorBase
from qgen_core.testing.kit import check, check_refused, globals_untouched, not_applicable, unchanged
from qgen_core.testing.spaces import check_encoded
from qgen_core.typing import Array, Floats


class SampleTests(GeneratorBase):
    """``sample``, and the distributions that a model says it has."""

    def test_sample_form(self) -> None:
        """1, 7 and 1000 events have the shape, type and values of the space.

        Conditions are not changed.
        """
        model = self.make()
        for n in (1, 7, 1000):
            condition = self._conditions(n)
            with unchanged("sample()", condition=condition), globals_untouched("sample()"):
                found = model.sample(n, condition, rng=np.random.default_rng(1))
            check_encoded(f"sample({n})", found, model.space, n)

    def test_samples_are_reproducible(self) -> None:
        """The same state and rng give the same events, another rng others."""
        model, condition = self.make(), self._conditions(1000)
        first, again, other = (
            self.twin(model).sample(1000, condition, rng=np.random.default_rng(seed))
            for seed in (1, 1, 2)
        )
        check(
            np.array_equal(first, again),
            "sample() gives other events for the same rng; draw from the rng given",
        )
        check(
            not np.array_equal(first, other),
            "sample() gives the same events for another rng; the rng is ignored",
        )

    def test_conditions(self) -> None:
        """Events follow the condition in their row.

        A missing condition or a row too few is refused.
        """
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
        """Rows turned round give values turned round."""
        batch = self.batch(output)
        assert batch.condition is not None
        turned = Batch(
            x=None if batch.x is None else batch.x[::-1],
            condition=batch.condition[::-1],
            target=None if batch.target is None else batch.target[::-1],
        )
        rows, back = (
            model.forward(output, b, rng=np.random.default_rng(1))[0] for b in (batch, turned)
        )
        if np.array_equal(rows, model.forward(output, batch, rng=np.random.default_rng(2))[0]):
            check(
                np.allclose(rows, back[::-1], rtol=1e-6, atol=1e-9),
                f"{output} of conditions in another order are not those of the conditions: rows "
                "are mixed up",
            )

    def test_probabilities(self) -> None:
        """They are normalised, and samples follow them by chi-square, condition by condition."""
        model = self.make()
        self._require_table(model, "probabilities")
        batch = self.batch("probabilities")
        table = np.asarray(model.forward("probabilities", batch, rng=np.random.default_rng(1))[0])
        allowed = 1e-9 if self.precision == "double" else 1e-5
        sums = table.sum(axis=1)
        check(
            np.all(np.abs(sums - 1) <= allowed) and table.min() >= -allowed,
            f"probabilities of a condition sum to {sums[np.argmax(np.abs(sums - 1))]:.9g}, the "
            "least is "
            f"{table.min():.3g}",
        )
        self._check_samples(model, table, batch.condition, "probabilities")

    def test_log_prob(self) -> None:
        """Of bits.

        Exp(log_prob) sums to one over all events, is the probability, and samples follow it.
        """
        model = self.make()
        self._require_table(model, "log_prob")
        everything = index_to_bits(np.arange(2**model.space.width), model.space.width)
        conditions = self.conditions(CONDITIONS, np.random.default_rng(61))
        rows = []
        for given in [None] if conditions is None else conditions:
            many = None if given is None else np.repeat(given[None], len(everything), axis=0)
            rows.append(
                model.forward("log_prob", Batch(everything, many), rng=np.random.default_rng(1))[0]
            )
        table = np.exp(np.stack(rows))
        sums = table.sum(axis=1)
        worst = float(sums[np.argmax(np.abs(sums - 1))])
        check(
            abs(worst - 1) <= 1e-5,
            f"exp(log_prob) of all {len(everything)} events sums to {worst:.9g}, not to 1",
        )
        if "probabilities" in model.outputs:
            direct = model.forward(
                "probabilities", self.batch("probabilities"), rng=np.random.default_rng(1)
            )[0]
            off = float(np.max(np.abs(direct - table)))
            check(off <= 1e-5, f"exp(log_prob) differs from the probabilities by {off:.3g}")
        self._check_samples(model, table, conditions, "log_prob")

    def _require_table(self, model: Generator, output: str) -> None:
        if output not in model.outputs:
            not_applicable(f"the model does not offer {output}")
        if model.space.kind != "bits" or model.space.width > MAX_WIDTH:
            not_applicable(f"{model.space} cannot be written out one by one")

    def _check_samples(
        self, model: Generator, table: Floats, conditions: Array | None, output: str
    ) -> None:
        """Samples of all conditions in turn, drawn at once, follow the rows of the table."""
        n, rows = self.draws, len(table)
        given = None if conditions is None else conditions[np.arange(n) % rows]
        outcomes = bits_to_index(model.sample(n, given, rng=np.random.default_rng(9)))
        for row, truth in enumerate(table):
            own = outcomes[np.arange(n) % rows == row] if conditions is not None else outcomes
            p = statistics.chi_square(statistics.distribution(own, table.shape[1]), truth)
            check(
                p > statistics.LEAST_P,
                f"{len(own)} samples of condition {row} do not follow {output}: p = {p:.2g} by "
                "chi-square; column 0 of "
                "bits is the most significant, row i has condition i",
            )

    def _conditions(self, n: int) -> Array | None:
        """n conditions, a few different ones in turn."""
        few = self.conditions(CONDITIONS, np.random.default_rng(62))
        return None if few is None else few[np.arange(n) % CONDITIONS]
