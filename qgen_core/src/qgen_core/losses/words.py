"""The squared maximum mean discrepancy as a mean over random words of Z."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import OutputMismatch
from qgen_core.events import Batch, Words
from qgen_core.losses.kernels import kernel_matrix
from qgen_core.losses.tables import shares
from qgen_core.typing import Array, Floats, Rng

#: Words that a default bandwidth draws have so many wires on average.
USUAL_WIRES = (1.0, 2.0, 4.0)
#: The largest probability of a wire to be in a word of a default bandwidth.
MOST_SHARE = 0.25


def usual_scales(width: int) -> Floats:
    """Denominators D of kernels exp(-d / D) whose words have 1, 2 and 4 wires on average.

    >>> usual_scales(100).round(1).tolist()
    [49.5, 24.5, 12.0]
    """
    share = np.minimum(np.array(USUAL_WIRES) / width, MOST_SHARE)
    scales: Floats = -1.0 / np.log(1.0 - 2.0 * share)
    return scales


class Rule(NamedTuple):
    """How words are drawn, and what is averaged over pairs.

    Args:
        width: the number of wires.
        scales: denominators D of the kernel on bits, the mean over D of exp(-d / D).
        number: how many words a step has.
        unbiased: whether pairs of an event with itself are left out.
        condition_scale: the denominator of the kernel exp(-d2 / D) on conditions.
    """

    width: int
    scales: Floats
    number: int
    unbiased: bool
    condition_scale: float


def drawn_words(rule: Rule, rng: Rng) -> Words:
    """Words whose mean square is the kernel: each wire with the probability (1 - exp(-1/D)) / 2.

    ``exp(-d / D)`` is the mean over these words of the product of their values in two events that
    differ in d bits. For each word one of the denominators is drawn.

    >>> rule = Rule(3, np.array([1e-3]), 2, True, 1.0)
    >>> len(drawn_words(rule, np.random.default_rng(1)))
    2
    """
    probabilities = 0.5 * (1.0 - np.exp(-1.0 / rule.scales))
    chosen = probabilities[rng.integers(len(probabilities), size=rule.number)]
    inside = rng.random((rule.number, rule.width)) < chosen[:, None]
    _, wires = np.nonzero(inside)
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(inside, axis=1))])
    return Words(starts.astype(np.int64), wires.astype(np.int64))


def values_of_words(words: Words, bits: Array) -> NDArray[np.int8]:
    """The product of Z over the wires of each word, for events of bits (N, n): (N, W).

    >>> values_of_words(Words.of([[0, 1], []]), np.array([[1, 0], [1, 1]])).tolist()
    [[-1, 1], [1, 1]]
    """
    from qgen_core.losses.word_kernels import word_values

    values = np.empty((len(bits), len(words)), dtype=np.int8)
    word_values(_bytes(bits), words.starts, words.wires, values)
    return values


def means_of_words(words: Words, bits: Array, share: Floats) -> Floats:
    """The means (W,) of the values of words over events of bits (N, n), whose shares sum to one.

    >>> means_of_words(Words.of([[0], [1]]), np.array([[1, 0], [1, 1]]), np.full(2, 0.5)).tolist()
    [-1.0, 0.0]
    """
    from qgen_core.losses.word_kernels import add_word_values

    sums = np.zeros(len(words))
    add_word_values(_bytes(bits), words.starts, words.wires, share, sums)
    return sums


def _bytes(bits: Array) -> NDArray[np.int8]:
    return np.ascontiguousarray(bits, dtype=np.int8)


def discrepancy(rule: Rule, output: Array, batch: Batch) -> tuple[float, Floats]:
    """The mean over words of the squared difference of expectations, and its cotangent (R, W).

    ``output`` (R, W) are independent estimates of the model's expectations, see
    :class:`~qgen_core.interfaces.Generator`. Squares of means are replaced by means over pairs of
    different rows, and of different events, so that the value is unbiased.

    With conditions c the kernel is that of bits times exp(-|c - c'|^2 / D), and the value is the
    mean over pairs of events of the kernel of their conditions times
    ``(Z_a(x) - <Z_a>(c)) (Z_a(x') - <Z_a>(c'))``, which is 0 on average only if each conditional
    distribution agrees.

    Raises OutputMismatch for outputs that do not fit the batch.
    """
    words, bits = _checked(rule, output, batch)
    share = shares(batch.weight, len(bits))
    of_self = 0.0
    if rule.unbiased:
        of_self = 1.0
    pairs = 1.0 - of_self * float(share @ share)
    if not pairs > 0:
        raise OutputMismatch(
            "the unbiased mmd needs at least two events in a batch; take a larger batch_size"
        )
    if batch.condition is not None:
        difference = values_of_words(words, bits) - output
        kernel = kernel_matrix(np.asarray(batch.condition, dtype=np.float64), rule.condition_scale)
        weighted = share[:, None] * difference
        sums = kernel @ weighted - of_self * weighted
        total = float(np.sum(weighted * sums)) / pairs
        return total / len(words), share[:, None] * sums * (-2.0 / (pairs * len(words)))
    data = means_of_words(words, bits, share)
    square_of_data = (data**2 - of_self * float(share @ share)) / pairs
    rows = len(output)
    total_of_model = output.sum(axis=0)
    if rows == 1:
        square_of_model = total_of_model**2
        slope = 2.0 * output
    else:
        square_of_model = (total_of_model**2 - np.sum(output**2, axis=0)) / (rows * (rows - 1))
        slope = 2.0 * (total_of_model - output) / (rows * (rows - 1))
    value = np.mean(square_of_model - 2.0 * data * total_of_model / rows + square_of_data)
    return float(value), (slope - 2.0 * data / rows) / len(words)


def _checked(rule: Rule, output: Array, batch: Batch) -> tuple[Words, Array]:
    """The words and the events of a batch. Raises OutputMismatch if the output is not of them."""
    if batch.words is None or batch.x is None or batch.x.shape[1] != rule.width:
        raise OutputMismatch(
            f"correlators need words, and events of {rule.width} bits to compare with"
        )
    rows = len(output)
    if batch.condition is not None:
        rows = len(batch.x)
    if output.shape != (rows, len(batch.words)):
        raise OutputMismatch(
            f"correlators of {len(batch.words)} words have the shape ({rows}, "
            f"{len(batch.words)}), not {output.shape}"
        )
    return batch.words, batch.x
