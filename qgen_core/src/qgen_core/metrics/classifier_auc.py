"""How well a classifier tells generated from reference events (extra ``classifier``)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from qgen_core.discovery.install_hints import install_command
from qgen_core.errors import BadOption, BrokenPlugin, DataError
from qgen_core.events import Events
from qgen_core.interfaces import Estimate
from qgen_core.metrics.binning import check_pair
from qgen_core.typing import Array, Floats, Rng


def classifier_auc(
    reference: Events, generated: Events, *, rng: Rng, folds: int = 5, events: int = 20_000
) -> Mapping[str, Estimate]:
    """``classifier AUC``: the area under the ROC curve of boosted trees, on events unseen by them.

    A gradient-boosted classifier (scikit-learn's ``HistGradientBoostingClassifier`` with its
    default options) learns to tell generated from reference events by all columns. Both samples are
    cut into ``folds`` parts; the events of a part are scored by a classifier that was trained on
    the others, and the AUC is the mean over the parts. It is 1/2 if the samples cannot be told
    apart and 1 if they can always be. At most ``events`` of each sample are used, at equal steps of
    their order; weights are used, and both samples count the same in total. Conditions are not
    seen.

    The variance of the AUC of a part is that of DeLong et al., under exchange of both samples
    (1/n + 1/m) / 12 without ties (Hanley and McNeil at AUC = 1/2), with n and m the effective sizes
    (sum w)^2 / sum w^2. The parts are not independent, since each classifier is trained on the
    others: ``dependence`` says by how much that changes the variance of their mean. The floor
    is 1/2 with the spread that follows for a classifier that learned nothing.

    Raises BrokenPlugin without scikit-learn, BadOption for fewer than 2 folds, and DataError for
    negative weights and for fewer than two events a fold.

    Source: Lopez-Paz and Oquab, arXiv:1610.06545 (classifier two-sample tests); DeLong, DeLong and
    Clarke-Pearson, Biometrics 44 (1988) 837; Hanley and McNeil, Radiology 143 (1982) 29.

    >>> draw = np.random.default_rng(0)
    >>> a = Events(draw.normal(size=(200, 1)))
    >>> b = Events(draw.normal(size=(200, 1)) + 5.0)
    >>> found = classifier_auc(a, b, rng=draw, folds=2)["classifier AUC"]
    >>> found.value > 0.95, found.floor, 0.03 < found.floor_spread < 0.05
    (True, 0.5, True)
    """
    check_pair(reference, generated)
    if folds < 2:
        raise BadOption(f"classifier-auc needs at least 2 folds, not {folds}")
    samples = (
        _thinned(reference, "reference", folds, events),
        _thinned(generated, "other", folds, events),
    )
    ensemble, threads = _scikit_learn()
    parts = [rng.permutation(len(sample)) % folds for sample in samples]
    label = np.concatenate([np.zeros(len(samples[0])), np.ones(len(samples[1]))])
    x = np.concatenate([sample.x for sample in samples])
    weight = np.concatenate([sample.weights / sample.weights.sum() for sample in samples])
    part = np.concatenate(parts)
    results = []
    seen = []
    for number in range(folds):
        trained_on = part != number
        classifier = ensemble.HistGradientBoostingClassifier(random_state=int(rng.integers(2**31)))
        balanced = weight[trained_on] / weight[trained_on].mean()
        # Threads save little on so few events, and wait for each other where processors are busy.
        with threads.threadpool_limits(1, user_api="openmp"):
            classifier.fit(x[trained_on], label[trained_on], sample_weight=balanced)
            scores = classifier.decision_function(x)
        results.append(area(scores[~trained_on], label[~trained_on] == 1, weight[~trained_on]))
        of_seen, _, _ = area(scores[trained_on], label[trained_on] == 1, weight[trained_on])
        seen.append(of_seen)
    values, variances, null_variances = np.array(results).T
    value = float(values.mean())
    learned = float(np.mean(seen)) - 0.5
    lasting = 0.0
    if learned > 0:
        lasting = min(1.0, max(0.0, value - 0.5) / learned)
    variance = float(variances.sum()) * dependence(folds, lasting)
    null_variance = float(null_variances.sum()) * dependence(folds, 0.0)
    estimate = Estimate(
        value,
        uncertainty=float(np.sqrt(variance)) / folds,
        floor=0.5,
        floor_spread=float(np.sqrt(null_variance)) / folds,
    )
    return {"classifier AUC": estimate}


def dependence(folds: int, lasting: float) -> float:
    """The variance of a mean over the parts of a cross-validation, over that of independent parts.

    ``lasting`` is the share r of what a classifier learned that events unseen by it confirm: the
    excess of their AUC over 1/2 divided by that of the events it was trained on. It is 0 if nothing
    differs, and near 1 if the difference is well known.

    A classifier along the mean difference is solved here: part i has the mean difference
    delta + e_i, with e_i of variance s^2 in each direction, and is scored along w_i, the sum over
    the other parts, with the result (delta + e_i) . w_i / |w_i|. Independent parts would scatter by
    s^2 each. For K parts and many directions:

    - to first order in e, each e_i along delta counts as scored, as training, and in |w|, by
      sqrt(r) (1 + 1 - r) altogether;
    - to second order, each product e_i . e_j counts in part i and in part j alike, which doubles
      the variance 1 - r of these terms, and in |w| of the other parts, by
      1 - r (K - 2) / (2 (K - 1)).

    So the ratio is r (2 - r)^2 + 2 (1 - r) (1 - r (K - 2) / (2 K - 2))^2: it is 2 for any number of
    parts if nothing differs, and 1 far from that. The correction of Nadeau and Bengio (Machine
    Learning 52 (2003) 239), 1 + K / (K - 1), would be 3 for two parts.

    >>> dependence(2, 0.0), dependence(10, 0.0), dependence(5, 1.0)
    (2.0, 2.0, 1.0)
    """
    along = lasting * (2 - lasting) ** 2
    products = 1 - lasting * (folds - 2) / (2 * folds - 2)
    return along + 2 * (1 - lasting) * products**2


def _scikit_learn() -> tuple[ModuleType, ModuleType]:
    """scikit-learn's ensembles, and the package that limits its threads, which it depends on."""
    if importlib.util.find_spec("sklearn") is None:
        command = install_command("qgen-core", extra="classifier")
        raise BrokenPlugin(f"metric 'classifier-auc' needs scikit-learn; `{command}` brings it")
    return importlib.import_module("sklearn.ensemble"), importlib.import_module("threadpoolctl")


def _thinned(events: Events, what: str, folds: int, most: int) -> Events:
    """At most ``most`` of the events, at equal steps of their order."""
    size = min(most, len(events))
    if size < 2 * folds:
        raise DataError(
            f"classifier-auc with {folds} folds needs at least {2 * folds} {what} events, "
            f"not {size}"
        )
    chosen = events.take(np.arange(size) * len(events) // size)
    if np.any(chosen.weights < 0):
        raise DataError(
            f"classifier-auc cannot learn from negative weights, which the {what} events have; "
            "leave it out of the metrics"
        )
    return chosen


def area(scores: Floats, positive: NDArray[np.bool_], weight: Floats) -> tuple[float, float, float]:
    """The area under the ROC curve, its variance (DeLong), and its variance if nothing differs.

    ``scores`` (N,) are those of all events, with their ``weight`` (N,); equal scores count half.
    The variance if nothing differs is that of the placements of all events among each other.

    >>> scores = np.array([0.1, 0.4, 0.35, 0.8])
    >>> area(scores, np.array([False, False, True, True]), np.ones(4))[0]
    0.75
    """
    low = _Weighted(scores[~positive], weight[~positive])
    high = _Weighted(scores[positive], weight[positive])
    # Half of the weight of all events is that of each sample.
    shares = np.concatenate([low.share, high.share]) / 2
    everything = _Weighted(np.concatenate([low.values, high.values]), shares)
    above = low.placements(high.values)
    variance = high.variance(above) / high.size
    variance += low.variance(high.placements(low.values)) / low.size
    spread = everything.variance(everything.placements(everything.values))
    return float(high.share @ above), variance, spread * (1 / low.size + 1 / high.size)


class _Weighted:
    """Values (N,) with their shares of the total weight (N,)."""

    def __init__(self, values: Array, weight: Floats) -> None:
        self.values = values
        self.share = weight / weight.sum()
        self.size = float(1 / (self.share @ self.share))
        order = np.argsort(values, kind="stable")
        self._sorted = values[order]
        self._cumulative = np.concatenate([[0.0], np.cumsum(self.share[order])])

    def placements(self, others: Array) -> Floats:
        """The share (M,) of the weight below each other value, half of it where they are equal."""
        below = np.searchsorted(self._sorted, others, side="left")
        up_to = np.searchsorted(self._sorted, others, side="right")
        middle: Floats = (self._cumulative[below] + self._cumulative[up_to]) / 2
        return middle

    def variance(self, numbers: Floats) -> float:
        """The weighted variance of numbers (N,) that belong to the values."""
        mean = self.share @ numbers
        return float(self.share @ (numbers - mean) ** 2)
