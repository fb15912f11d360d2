"""MMD squared of bits at several bandwidths, from words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.interfaces import Estimate, Model
from qgen_core.losses.words import USUAL_WIRES, Rule, drawn_words
from qgen_core.metrics.bit_differences import BitComparison, number_of
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats, Rng


def bit_mmd(
    reference: Events,
    generated: Events | None,
    *,
    model: Model,
    encoded: tuple[Array, Array | None],
    rng: Rng,
    wires: tuple[float, ...] | None = None,
    words: int = 2000,
    events: int = 10_000,
) -> Mapping[str, Estimate]:
    """``mmd2, words of m bits``: MMD squared with Gaussian kernels on the distance of bits.

    The kernel ``exp(-d / D)``, d the number of bits that differ, is a mean over random words whose
    bits have the probability (1 - exp(-1/D)) / 2 each; D is such that they have m of ``wires`` on
    average, by default 1, 2 and 4 as far as that is below half of the bits. The note gives D. The
    number is the mean of ``(<Z_a>_model - <Z_a>_data)^2`` over ``words`` words a, less its noise: 0
    on average for an exact model. With conditions these are means over the conditions of the
    reference. Events, models and floors are those of the metric ``covariance``.

    Raises Unsupported for events that are no bits; BadOption for words of no bit or more than half
    of them, and for fewer than two events.
    """
    sides = BitComparison((reference, generated), model, encoded, rng, events)
    if wires is None:
        wires = _usual(sides.width)
    if words < 1 or not all(0 < size < sides.width / 2 for size in wires):
        raise BadOption(
            f"bit-mmd takes words of more than 0 and less than half of {sides.width} bits on "
            f"average, not {list(wires)}, and at least one word, not {words}"
        )
    found = {}
    for number, size in enumerate(wires):
        scale = -1.0 / np.log(1.0 - 2.0 * size / sides.width)
        rule = Rule(sides.width, np.array([scale]), words, True, 1.0)
        drawn = drawn_words(rule, stream(0, "words of bit-mmd", number))
        differences = sides.of(drawn)
        noise = float(differences.noise.mean())
        name = f"mmd2, words of {size:g} bits"
        note = f"kernel exp(-d / {scale:.4g})"
        found[name] = number_of(mean_square, _themselves, differences, noise, note)
    return found


def _usual(width: int) -> tuple[float, ...]:
    """The usual numbers of wires that are possible; at least one of them."""
    possible = [size for size in USUAL_WIRES if size < width / 2]
    return tuple(possible) or (width / 4,)


def mean_square(differences: Floats) -> float:
    """The mean square of differences (W,).

    >>> mean_square(np.array([1.0, -3.0]))
    5.0
    """
    return float(np.mean(differences**2))


def _themselves(values: Floats) -> Floats:
    return values
