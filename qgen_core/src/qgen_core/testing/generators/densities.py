"""Generator kit: log_prob is the density of the samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qgen_core.errors import NoGradient
from qgen_core.events import Batch
from qgen_core.interfaces import Generator
from qgen_core.support.parameters import flatten
from qgen_core.testing import statistics
from qgen_core.testing.generators.base import CONDITIONS, GeneratorBase, in_turn
from qgen_core.testing.generators.outputs import forward
from qgen_core.testing.generators.regions import Regions
from qgen_core.testing.kit import check, not_applicable
from qgen_core.typing import Array, Floats, Rng

#: The samples are divided into so many batches, whose means tell the error of the whole mean.
BATCHES = 100
#: Number of normal distributions whose mixture is compared with the density.
CENTRES = 256
#: Width of each, in standard deviations of the samples, times CENTRES^(-1 / (width + 4)).
BANDWIDTH = 0.5
#: Width of the single normal distribution, in standard deviations of the samples.
NARROWER = 0.7
#: A comparison is made where the variance of the ratio is below this, or least.
MOST_VARIANCE = 20.0
#: Regions are compared for models of at most so many columns.
MOST_COLUMNS = 8
#: Number of samples that the regions are made from.
POOL = 4096
#: Logarithms of ratios are cut here, so that they can be compared.
LARGEST = 600.0


class DensityTests(GeneratorBase):
    """Two identities that hold only if samples are distributed as exp(log_prob)."""

    def test_score_of_samples(self) -> None:
        """E[d log p / d theta] = 0 over samples, for every parameter."""
        model = self.make()
        self._require_density(model)
        if not model.parameters() or "log_prob" in model.surrogates:
            not_applicable("log_prob has no derivative by a parameter")
        conditions = in_turn(self.conditions(CONDITIONS, np.random.default_rng(61)), self.draws)
        samples = model.sample(self.draws, conditions, rng=np.random.default_rng(10))
        names = _names_of_entries(model)
        scores = []
        for rows in np.array_split(np.arange(self.draws), BATCHES):
            batch = Batch(samples[rows], _rows(conditions, rows))
            _, pullback = model.forward("log_prob", batch, rng=np.random.default_rng(1))
            try:
                gradient = pullback(np.full(len(rows), 1 / len(rows)))
            except NoGradient as reason:
                not_applicable(str(reason))
            scores.append(flatten({name: gradient[name] for name in model.parameters()}))
        mean = np.mean(scores, axis=0)
        error = np.std(scores, axis=0, ddof=1) / np.sqrt(BATCHES)
        rounding = self.TOLERANCE[self.precision] * np.max(np.abs(scores), initial=1.0)
        excess = np.abs(mean) / (statistics.SIGMAS * error + rounding)
        worst = int(np.argmax(excess))
        check(
            excess[worst] <= 1,
            f"the mean of d log_prob / d {names[worst]} over {self.draws} samples is "
            f"{mean[worst]:.4g} +- {error[worst]:.2g}, not 0: samples do not follow log_prob, e.g. "
            "their width is another one",
        )

    def test_density_of_samples(self) -> None:
        """E[q / p] over samples is the probability, under q, of where p is not 0; for reals."""
        model = self.make()
        self._require_density(model)
        if model.space.kind not in ("reals", "angles"):
            not_applicable(f"{model.space} have no density; test_log_prob compares their table")
        rng = np.random.default_rng(11)
        condition = self.conditions(CONDITIONS, np.random.default_rng(61))
        if condition is not None:
            condition = condition[:1]
        samples, log_p = self._drawn(model, condition, self.draws, rng)
        outside = np.count_nonzero(~np.isfinite(log_p))
        check(
            not outside,
            f"log_prob of {outside} of {self.draws} samples is not finite; it is their density",
        )
        comparisons = self._comparisons(model, condition, samples, rng)
        least = min(comparison.variance for comparison in comparisons)
        for comparison in comparisons:
            if comparison.variance <= max(least, MOST_VARIANCE):
                self._check_mean(comparison, samples, log_p)
        self._check_regions(model, condition, samples, log_p)

    def _check_regions(
        self, model: Generator, condition: Array | None, samples: Floats, log_p: Floats
    ) -> None:
        if model.space.width > MOST_COLUMNS:
            return  # normal distributions around single samples cover nothing
        rng = np.random.default_rng(12)
        others = model.sample(POOL, in_turn(condition, POOL), rng=rng)
        regions = Regions(np.asarray(others, dtype=np.float64), rng)
        drawn, drawn_from = regions.draw(self.draws, rng)
        inside = np.all((drawn >= regions.low) & (drawn <= regions.high), axis=1)
        log_p_of_drawn = np.full(self.draws, -np.inf)
        log_p_of_drawn[inside] = self._log_prob(model, condition, drawn[inside])
        log_p_of_drawn = np.nan_to_num(log_p_of_drawn, nan=-np.inf)
        found = regions.differences(
            regions.ratios(samples, log_p), regions.ratios(drawn, log_p_of_drawn), drawn_from
        )
        worst = min(found, key=lambda difference: difference.p_value)
        check(
            worst.p_value >= statistics.LEAST_P / len(found),
            f"where column {worst.column} is from {worst.low:.4g} to {worst.high:.4g}, the mean of "
            f"q / exp(log_prob) over {self.draws} samples is {worst.mean:.4g} for a density q, not "
            f"{worst.expected:.4g} (p-value {worst.p_value:.1g} in all regions): log_prob is not "
            "the logarithm of the density of the samples, which may have another width there",
        )

    def _check_mean(self, comparison: _Comparison, samples: Floats, log_p: Floats) -> None:
        ratios = np.exp(comparison.q.log_density(samples) - log_p)
        mean = float(np.mean(ratios))
        expected = comparison.inside
        # The variance is also predicted from q: rare samples may hold most of it.
        variance = max(float(np.var(ratios)), comparison.variance)
        variance += max(expected * (1 - expected), 1 / self.draws)
        error = float(np.sqrt(variance / self.draws))
        check(
            abs(mean - expected) <= statistics.SIGMAS * error,
            f"the mean of q / exp(log_prob) over {self.draws} samples is {mean:.4g} +- {error:.2g} "
            f"for a density q, not {expected:.4g}: log_prob is not the logarithm of the density of "
            "the samples; it may lack a constant, or the samples have another width",
        )

    def _require_density(self, model: Generator) -> None:
        if not {"log_prob", "samples"} <= model.outputs:
            not_applicable("the model does not offer samples and log_prob")

    def _drawn(
        self, model: Generator, condition: Array | None, n: int, rng: Rng
    ) -> tuple[Floats, Floats]:
        """n samples (n, width) of one condition (1, K), and their log_prob (n,)."""
        samples = model.sample(n, in_turn(condition, n), rng=rng)
        return np.asarray(samples, dtype=np.float64), self._log_prob(model, condition, samples)

    def _log_prob(self, model: Generator, condition: Array | None, x: Array) -> Floats:
        batch = Batch(x, in_turn(condition, len(x)))
        return np.asarray(forward(model, "log_prob", batch), dtype=np.float64)

    def _comparisons(
        self, model: Generator, condition: Array | None, samples: Floats, rng: Rng
    ) -> list[_Comparison]:
        """Two densities q that are small wherever p is.

        One is a mixture around samples of high density, for p of few columns or several peaks, the
        other a single normal distribution narrower than p, for many columns.
        """
        low, below, above, high = np.quantile(samples, [0.0, 0.16, 0.84, 1.0], axis=0)
        widths = np.maximum((above - below) / 2, 1e-12)
        drawn, log_p = self._drawn(model, condition, 2 * CENTRES, rng)
        dense = drawn[np.argsort(-log_p)[:CENTRES]]
        shrunk = BANDWIDTH * CENTRES ** (-1 / (samples.shape[1] + 4))
        mixture = _Mixture(dense, shrunk * widths)
        single = _Mixture(dense.mean(axis=0)[None], NARROWER * widths)
        found = []
        for q in (mixture, single):
            x = q.draw(self.draws, rng)
            x = x[np.all((x >= low) & (x <= high), axis=1)]
            log_p_of_x = self._log_prob(model, condition, x)
            finite = np.isfinite(log_p_of_x)
            log_ratios = q.log_density(x[finite]) - log_p_of_x[finite]
            variance = float(np.exp(np.minimum(log_ratios, LARGEST)).sum() / self.draws)
            found.append(_Comparison(q, variance, np.count_nonzero(finite) / self.draws))
        return found


@dataclass(frozen=True)
class _Comparison:
    """A density q, the variance of q / p, and the probability under q of where p is not 0."""

    q: _Mixture
    variance: float
    inside: float


class _Mixture:
    """Normal distributions (F,) of equal weight and widths (F,) around centres (M, F)."""

    def __init__(self, centres: Floats, widths: Floats) -> None:
        self.centres = centres
        self.widths = widths

    def draw(self, n: int, rng: Rng) -> Floats:
        """n events (n, F)."""
        chosen = self.centres[rng.integers(len(self.centres), size=n)]
        drawn: Floats = chosen + self.widths * rng.normal(size=chosen.shape)
        return drawn

    def log_density(self, x: Floats) -> Floats:
        """The logarithm of the density of events (N, F), (N,)."""
        from scipy.special import logsumexp

        scaled = x / self.widths
        centres = self.centres / self.widths
        distances = np.zeros((len(x), len(centres)))
        for column in range(x.shape[1]):
            distances += (scaled[:, column, None] - centres[:, column]) ** 2
        width = x.shape[1]
        constant = np.log(self.widths).sum() + 0.5 * width * np.log(2 * np.pi)
        found: Floats = logsumexp(-distances / 2, axis=1) - np.log(len(centres)) - constant
        return found


def _names_of_entries(model: Generator) -> list[str]:
    """A name for each entry of the flat parameters."""
    names = []
    for name, value in model.parameters().items():
        names += [f"{name!r}[{entry}]" for entry in range(value.size)]
    return names


def _rows(conditions: Array | None, rows: Array) -> Array | None:
    if conditions is None:
        return None
    return conditions[rows]
