"""Networks that tell generated from reference showers, by the protocol of the CaloChallenge.

torch is the extra ``torch`` of this package, and is imported when a network is trained.

Source: the evaluation of the CaloChallenge, Krause et al., arXiv:2410.21611.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from qgen_core.errors import DataError
from qgen_core.metrics.classifier_auc import area
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats
from qgen_hep.classifier import Sample, Settings, train_classifier

#: The network and its training.
PROTOCOL = Settings(
    widths=(2048, 2048, 2048),
    scaling="none",
    dropout=0.0,
    batch_size=1000,
    epochs=50,
    patience=50,
    learning_rate=2e-4,
    batch_norm=False,
    select="accuracy",
    precision="float64",
)
#: Calibrated probabilities stay so far from 0 and 1.
LEAST_PROBABILITY = 1e-6


class Split(NamedTuple):
    """How many events of each sample train, choose the epoch and the calibration, and are judged.

    >>> sum(Split(80_000, 20_000, 21_000))
    121000
    """

    train: int
    test: int
    validation: int

    def within(self, events: int) -> Split:
        """These numbers, shrunk in proportion if there are fewer events.

        Raises DataError if a part would have less than 2 events.

        >>> Split(60_000, 20_000, 20_000).within(1000)
        Split(train=600, test=200, validation=200)
        """
        share = min(1.0, events / sum(self))
        found = Split(*(int(share * part + 1e-9) for part in self))
        if min(found) < 2:
            raise DataError(f"{events} events are too few for three parts of a classifier")
        return found


#: The splits of the CaloChallenge by the particle of the calorimeter, and that of all others.
SPLITS = {"photon": Split(80_000, 20_000, 21_000), "pion": Split(80_000, 20_000, 20_800)}
OTHER_SPLIT = Split(60_000, 20_000, 20_000)


def shrunk(particle: str, events: int) -> tuple[Split, Settings]:
    """The split and the protocol for samples of so many events, of a particle's showers.

    Where they are fewer than the protocol asks for, the parts and the batch shrink in proportion,
    so that the number of steps stays. Raises DataError for events that are too few.

    >>> split, settings = shrunk("photon", 1210)
    >>> split, settings.batch_size
    (Split(train=800, test=200, validation=210), 10)
    """
    asked = SPLITS.get(particle, OTHER_SPLIT)
    split = asked.within(events)
    batch = max(2, round(PROTOCOL.batch_size * sum(split) / sum(asked)))
    return split, replace(PROTOCOL, batch_size=batch)


@dataclass(frozen=True)
class Told:
    """How well showers are told apart, with the standard errors of the judged events alone.

    ``auc`` is the area under the ROC curve, and ``jsd`` the estimate (ln 2 - BCE) / ln 2 of the
    Jensen-Shannon divergence in bits from the binary cross-entropy, both after calibration; it may
    be negative. What another training would change is not in the errors.

    >>> Told(0.5, 0.01, 0.0, 0.01).auc
    0.5
    """

    auc: float
    auc_error: float
    jsd: float
    jsd_error: float


def tell_apart(
    reference: Floats,
    generated: Floats,
    *,
    split: Split,
    settings: Settings = PROTOCOL,
    build: Callable[[], Any] | None = None,
    seed: int,
) -> Told:
    """Train a network to tell inputs (N, F) from (M, F), calibrate it, and judge it.

    Both samples are put in random order and cut by ``split``. The network is trained on the first
    part; the epoch of highest accuracy on the second part is kept, and its probabilities are
    calibrated there by isotonic regression; both numbers are those of the third part. ``build``
    makes another network than that of the settings, as in
    :func:`~qgen_hep.classifier.train_classifier`.

    Raises BrokenPlugin without torch, and DataError for fewer events than the split needs.

    >>> draw = np.random.default_rng(0)
    >>> small = Settings(widths=(8,), scaling="none", dropout=0.0, epochs=10, learning_rate=0.05)
    >>> samples = draw.normal(0.0, 1.0, (500, 2)), draw.normal(4.0, 1.0, (500, 2))
    >>> found = tell_apart(*samples, split=Split(300, 100, 100), settings=small, seed=1)
    >>> found.auc > 0.99, found.jsd > 0.9
    (True, True)
    """
    # The reference has the label 1.
    samples = [_cut(generated, split, seed, "generated"), _cut(reference, split, seed, "reference")]
    classifier = train_classifier(samples[0], samples[1], settings, seed=seed, build=build)
    scores = [classifier.scores(np.concatenate([one.validation for one in samples]))]
    scores.append(classifier.scores(np.concatenate([one.test for one in samples])))
    chosen_by, judged = (_probability(one) for one in scores)
    calibration = isotonic(chosen_by, np.repeat([0.0, 1.0], split.test))
    return _judged(calibration(judged), np.repeat([False, True], split.validation))


def _cut(inputs: Floats, split: Split, seed: int, name: str) -> Sample:
    """Random events for the three parts."""
    if len(inputs) < sum(split):
        raise DataError(f"{len(inputs)} {name} events are fewer than {sum(split)} of the split")
    order = stream(seed, f"telling-apart {name}").permutation(len(inputs))
    ends = np.cumsum(split)
    train, test, validation = np.split(order[: ends[-1]], ends[:-1])
    return Sample(inputs[train], inputs[test], inputs[validation])


def _probability(scores: Floats) -> Floats:
    """From the logarithm of the odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -700.0, 700.0))))


def _judged(probability: Floats, is_reference: Array) -> Told:
    auc, variance, _ = area(probability, is_reference, np.ones(len(probability)))
    bits = -np.log2(np.where(is_reference, probability, 1 - probability))
    error = float(np.std(bits)) / np.sqrt(len(bits))
    return Told(auc, float(np.sqrt(variance)), 1 - float(np.mean(bits)), error)


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A rising function: linear between its points, constant beyond them.

    >>> Isotonic(np.array([0.0, 1.0]), np.array([0.2, 0.4]))(np.array([0.5, 3.0])).round(9).tolist()
    [0.3, 0.4]
    """

    places: Floats
    values: Floats

    def __call__(self, scores: Floats) -> Floats:
        """The values (N,) at scores (N,)."""
        return np.interp(scores, self.places, self.values)


def isotonic(scores: Floats, labels: Floats) -> Isotonic:
    """The rising function of scores (N,) that is closest to labels (N,) in the sum of squares.

    Neighbouring values that fall are replaced by their mean until none is left (the algorithm of
    pool adjacent violators; Ayer et al., Ann. Math. Stat. 26 (1955) 641). Values stay between 1e-6
    and 1 - 1e-6.

    >>> isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 0.0, 1.0])).values.round(3)
    array([0. , 0.5, 0.5, 1. ])
    """
    places, index = np.unique(scores, return_inverse=True)
    weights = np.bincount(index).astype(np.float64)
    sums = np.bincount(index, weights=labels)
    blocks: list[tuple[float, float, int]] = []
    for total, weight in zip(sums.tolist(), weights.tolist(), strict=True):
        points = 1
        while blocks and blocks[-1][0] * weight >= total * blocks[-1][1]:
            before = blocks.pop()
            total += before[0]
            weight += before[1]
            points += before[2]
        blocks.append((total, weight, points))
    means = [total / weight for total, weight, _ in blocks]
    values = np.repeat(means, [points for _, _, points in blocks])
    return Isotonic(places, np.clip(values, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
