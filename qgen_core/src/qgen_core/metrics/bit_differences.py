"""Expectations of products of bits: how a model differs from data, and what chance makes of it.

All that is compared here is a linear function of expectations of words (products of Z, +1 for the
bit 0 and -1 for 1). A model that offers ``correlators`` gives these without samples; of another
model they are means over its samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np

from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Batch, Events, Words
from qgen_core.interfaces import Estimate, Model, name_of
from qgen_core.losses.words import means_of_words, values_of_words
from qgen_core.metrics.score import estimate_of
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats, Ints, Rng

#: Splits of the data against itself, for uncertainties and floors.
SPLITS = 50
#: Values of words that are computed at once.
AT_ONCE = 2**22

#: From numbers of words (..., W) to numbers of what is compared (..., C), a linear map.
Combine = Callable[[Floats], Floats]
#: From differences (C,) to a number.
Distance = Callable[[Floats], float]


class Differences(NamedTuple):
    """Of expectations of words, data minus model.

    Args:
        mean: the differences (W,).
        chance: differences that chance alone makes (SPLITS, W), see :meth:`BitComparison.of`.
        noise: the variances (W,) of the differences.
    """

    mean: Floats
    chance: Floats
    noise: Floats


class Sample(NamedTuple):
    """Bits (N, n) of events, and the shares (N,) of the events, which sum to one."""

    bits: Array
    share: Floats


class BitComparison:
    """Encoded reference events, and the model or the samples that they are compared with.

    ``encoded`` are the bits of the reference and of the generated events, which may be None for a
    model with correlators. At most ``events`` of either are used, at equal steps of their order.
    Raises Unsupported for events that are no bits, and for a model that offers neither correlators
    nor samples; BadOption for fewer than two events.
    """

    def __init__(
        self,
        sides: tuple[Events, Events | None],
        model: Model,
        encoded: tuple[Array, Array | None],
        rng: Rng,
        events: int,
    ) -> None:
        reference, generated = sides
        self._model = model
        self._rng = rng
        space = model.generator.space
        if space.kind != "bits":
            raise Unsupported(f"products of bits are compared, and the events are {space}")
        self._data = _thinned(reference, encoded[0], events)
        self._samples: Sample | None = None
        self._condition: Array | None = None
        if "correlators" not in model.generator.outputs:
            if generated is None or encoded[1] is None:
                raise Unsupported(
                    f"generator {name_of(model.generator)!r} offers neither correlators nor samples"
                )
            self._samples = _thinned(generated, encoded[1], events)
        elif model.generator.condition is not None:
            used = reference.take(_places(len(reference), events))
            _, self._condition = model.encode(used, rng=rng)

    @property
    def width(self) -> int:
        """The number of bits of an event."""
        return int(self._data.bits.shape[1])

    @property
    def means(self) -> Floats:
        """The mean of Z of each bit of the reference (n,)."""
        single = Words(np.arange(self.width + 1), np.arange(self.width))
        return means_of_words(single, *self._data)

    def of(self, words: Words) -> Differences:
        """The differences for some words.

        A difference that chance makes is half of that between the two halves of a random split of
        the data, each event less what the model expects for its condition: it has the distribution
        of the difference between an exact model and the data. Samples of a model, and estimates of
        its expectations, are split as well.
        """
        parts = [self._of_some(some) for some in _pieces(words, len(self._data.bits))]
        mean, chance, noise = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        return Differences(mean, chance, noise)

    def _of_some(self, words: Words) -> Differences:
        values = values_of_words(words, self._data.bits).astype(np.float64)
        if self._samples is not None:
            rows = values_of_words(words, self._samples.bits).astype(np.float64)
            return _minus(
                _mean_of(values, self._data.share, "data"),
                _mean_of(rows, self._samples.share, "model"),
            )
        batch = Batch(condition=self._condition, words=words)
        rows, _ = self._model.generator.forward("correlators", batch, rng=self._rng)
        if self._condition is not None:
            return _mean_of(values - rows, self._data.share, "data")
        data = _mean_of(values, self._data.share, "data")
        if len(rows) == 1:
            return data._replace(mean=data.mean - rows[0])
        return _minus(data, _mean_of(rows, np.full(len(rows), 1 / len(rows)), "model"))


def _places(number: int, most: int) -> Ints:
    """At most ``most`` of the places of so many events, at equal steps."""
    size = min(most, number)
    if size < 2:
        raise BadOption(f"at least two events are needed, not {size}")
    return np.arange(size) * number // size


def _thinned(events: Events, bits: Array, most: int) -> Sample:
    chosen = _places(len(events), most)
    weight = events.weights[chosen]
    return Sample(bits[chosen], weight / weight.sum())


def _mean_of(values: Floats, share: Floats, which: str) -> Differences:
    """The mean of values (N, W) with shares (N,), its variance, and half differences of halves."""
    mean = share @ values
    squares = share**2
    centred = values - mean
    noise = squares @ centred**2 / (1.0 - squares.sum())
    signs = stream(0, f"splits of the {which}").choice((-1.0, 1.0), (SPLITS, len(share)))
    return Differences(mean, (signs * share) @ centred, noise)


def _minus(data: Differences, model: Differences) -> Differences:
    """The difference of independent means."""
    return Differences(data.mean - model.mean, data.chance + model.chance, data.noise + model.noise)


def number_of(
    distance: Distance, combine: Combine, found: Differences, offset: float = 0.0, note: str = ""
) -> Estimate:
    """The distance of differences minus ``offset``, with its uncertainty and floor by chance.

    >>> chance = np.array([[0.1, -0.1], [0.1, 0.2]])
    >>> found = Differences(np.array([3.0, 4.0]), chance, np.zeros(2))
    >>> number = number_of(root_mean_square, lambda words: words, found)
    >>> round(number.value, 6), round(number.floor, 6)
    (3.535534, 0.129057)
    """
    value = distance(combine(found.mean)) - offset
    bootstrap = [distance(row) - offset for row in combine(found.mean + found.chance)]
    null = [distance(row) - offset for row in combine(found.chance)]
    return replace(estimate_of(value, np.array(bootstrap), np.array(null)), note=note)


def root_mean_square(differences: Floats) -> float:
    """The root of the mean square of differences (C,).

    >>> root_mean_square(np.array([3.0, -3.0]))
    3.0
    """
    return float(np.sqrt(np.mean(differences**2)))


def chosen_sets(width: int, order: int, most: int) -> Ints:
    """All sets of so many of the bits, or ``most`` random ones if there are more: (C, order).

    The same random sets at each call. Raises BadOption for sets of more bits than there are.

    >>> chosen_sets(3, 2, 10).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    if not 1 <= order <= width or most < 1:
        raise BadOption(f"there are no {most} sets of {order} of {width} bits")
    if comb(width, order) <= most:
        return np.array(list(combinations(range(width), order)), dtype=np.int64)
    rng = stream(0, "sets of bits", order)
    found = np.empty((0, order), dtype=np.int64)
    while len(found) < most:
        drawn = np.sort(rng.integers(width, size=(most, order)), axis=1)
        is_set = np.all(np.diff(drawn, axis=1) > 0, axis=1)
        found = np.concatenate([found, drawn[is_set]])
    return found[:most]


def centred_products(sets: Ints, means: Floats) -> tuple[Words, Combine]:
    """The mean of prod_i (Z_i - mean_i) of each set (C, order), from words of all of its subsets.

    >>> words, combine = centred_products(np.array([[0, 1]]), np.array([0.5, 0.0]))
    >>> combine(np.array([[1.0, 0.5, 0.0, 0.25]])).tolist()  # of the words {}, 0, 1 and 01
    [[0.25]]
    """
    count, order = sets.shape
    inside = _subsets(order)
    shape = (count, len(inside), order)
    members = np.broadcast_to(sets[:, None, :], shape)
    is_member = np.broadcast_to(inside, shape)
    sizes = np.tile(inside.sum(axis=1), count)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    factors = np.where(is_member, 1.0, -means[members]).prod(axis=2)

    def combine(values: Floats) -> Floats:
        of_sets = values.reshape(*values.shape[:-1], count, len(inside))
        return np.asarray(np.sum(of_sets * factors, axis=-1))

    return Words(starts.astype(np.int64), members[is_member]), combine


def outcome_probabilities(wires: Ints) -> tuple[Words, Combine]:
    """The probabilities (2^m,) of the outcomes of m bits: the inverse Walsh transform of words.

    The first of the wires is the most significant bit.

    >>> words, combine = outcome_probabilities(np.array([7]))
    >>> combine(np.array([1.0, 0.5])).tolist()
    [0.75, 0.25]
    """
    words, _ = centred_products(wires[None], np.zeros(wires.max() + 1))
    shape = (2,) * len(wires)

    def combine(values: Floats) -> Floats:
        table = values.reshape(-1, *shape)
        for axis in range(1, len(shape) + 1):
            without, inside = np.take(table, 0, axis=axis), np.take(table, 1, axis=axis)
            table = np.stack([without + inside, without - inside], axis=axis)
        return np.asarray(table.reshape(values.shape) / 2 ** len(wires))

    return words, combine


def _subsets(order: int) -> Array:
    """Which of ``order`` members are in each subset (2^order, order); the first counts most."""
    numbers = np.arange(2**order)[:, None]
    return np.asarray((numbers >> np.arange(order - 1, -1, -1)) & 1 == 1)


def _pieces(words: Words, events: int) -> Iterator[Words]:
    """The words, so many at a time that their values of all events fit into little memory."""
    at_once = max(1, AT_ONCE // events)
    number = np.arange(len(words)) // at_once
    for piece in range(number[-1] + 1):
        yield words.take(number == piece)
