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

    The uncertainty is that of DeLong et al. for the trained classifiers; what another training
    would change is not in it. The floor is 1/2 with the spread of a rank statistic under
    exchange of both samples, sqrt((1/n + 1/m) / 12) without ties (Hanley and McNeil at AUC = 1/2),
    with n and m the effective sizes (sum w)^2 / sum w^2. That takes the parts for independent,
    which they are not, since each classifier is trained on the others: over 150 pairs of equal
    samples of 500 and 700 events the AUC scattered by 0.023, where this spread is 0.017.

    Raises BrokenPlugin without scikit-learn, BadOption for fewer than 2 folds, and DataError for
    negative weights and for fewer than two events a fold.

    Source: Lopez-Paz and Oquab, arXiv:1610.06545 (classifier two-sample tests); DeLong, DeLong and
    Clarke-Pearson, Biometrics 44 (1988) 837; Hanley and McNeil, Radiology 143 (1982) 29.

    >>> draw = np.random.default_rng(0)
    >>> a = Events(draw.normal(size=(200, 1)))
    >>> b = Events(draw.normal(size=(200, 1)) + 5.0)
    >>> found = classifier_auc(a, b, rng=draw, folds=2)["classifier AUC"]
    >>> found.value > 0.95, found.floor, 0.02 < found.floor_spread < 0.03
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
    for number in range(folds):
        trained_on = part != number
        classifier = ensemble.HistGradientBoostingClassifier(random_state=int(rng.integers(2**31)))
        balanced = weight[trained_on] / weight[trained_on].mean()
        # Threads save little on so few events, and wait for each other where processors are busy.
        with threads.threadpool_limits(1, user_api="openmp"):
            classifier.fit(x[trained_on], label[trained_on], sample_weight=balanced)
            scores = classifier.decision_function(x[~trained_on])
        results.append(area(scores, label[~trained_on] == 1, weight[~trained_on]))
    values, variances, null_variances = np.array(results).T
    estimate = Estimate(
        float(values.mean()),
        uncertainty=float(np.sqrt(variances.sum())) / folds,
        floor=0.5,
        floor_spread=float(np.sqrt(null_variances.sum())) / folds,
    )
    return {"classifier AUC": estimate}


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
