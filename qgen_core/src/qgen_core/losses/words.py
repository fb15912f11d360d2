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
    # float32 meets the probabilities to 6e-8, in half of the time
    uniform = rng.random((rule.number, rule.width), dtype=np.float32)
    inside = uniform < chosen.astype(np.float32)[:, None]
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
    word_values(_bytes(bits), (words.starts, words.wires), _work(bits.shape[1]), values)
    return values


def means_of_words(words: Words, bits: Array, share: Floats) -> Floats:
    """The means (W,) of the values of words over events of bits (N, n), whose shares sum to one.

    >>> means_of_words(Words.of([[0], [1]]), np.array([[1, 0], [1, 1]]), np.full(2, 0.5)).tolist()
    [-1.0, 0.0]
    """
    from qgen_core.losses.word_kernels import BLOCK, add_odd_shares

    filled = np.zeros(-(-len(share) // BLOCK) * BLOCK)
    filled[: len(share)] = share
    odd = np.zeros(len(words))
    work = _work(bits.shape[1])
    add_odd_shares(_bytes(bits), (words.starts, words.wires), work, filled, odd)
    means: Floats = share.sum() - 2.0 * odd
    return means


def _work(width: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Working memory of the compiled code for events of so many bits."""
    from qgen_core.losses.word_kernels import BLOCK

    return np.empty((width, BLOCK), dtype=np.int8), np.empty(BLOCK, dtype=np.int8)


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
    of_self = float(rule.unbiased)
    pairs = 1.0 - of_self * float(share @ share)
    if not pairs > 0:
        raise OutputMismatch(
            "the unbiased mmd needs at least two events in a batch; take a larger batch_size"
        )
    if batch.condition is not None:
        weighted = share[:, None] * (values_of_words(words, bits) - output)
        kernel = kernel_matrix(np.asarray(batch.condition, dtype=np.float64), rule.condition_scale)
        sums = kernel @ weighted - of_self * weighted
        scale = 1.0 / (pairs * len(words))
        return scale * float(np.sum(weighted * sums)), -2.0 * scale * share[:, None] * sums
    data = means_of_words(words, bits, share)
    square_of_data = (data**2 - (1.0 - pairs)) / pairs
    model, square_of_model, slope = _model_square(output)
    value = np.mean(square_of_model - 2.0 * data * model + square_of_data)
    return float(value), (slope - 2.0 * data / len(output)) / len(words)


def _model_square(output: Array) -> tuple[Floats, Floats, Floats]:
    """Means (W,) of rows (R, W), their squares, and the derivatives of the squares by the rows.

    The square of several rows is the mean of the product of two different ones.
    """
    rows = len(output)
    total = output.sum(axis=0)
    if rows == 1:
        return total, total**2, 2.0 * output
    pairs = rows * (rows - 1)
    square = (total**2 - np.sum(output**2, axis=0)) / pairs
    return total / rows, square, 2.0 * (total - output) / pairs


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
