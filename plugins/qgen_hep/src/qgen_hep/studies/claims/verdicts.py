"""The verdicts of the study ``claims``, from differences over seeds by one rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qgen_core.studies import NONE, Results
from qgen_hep.studies.claims import grid
from qgen_hep.studies.claims.selection import capacities, parameters_of, seeds_of, strengths
from qgen_hep.studies.shared.paired import UNSEEN, Paired, holm

#: A difference is seen if its probability, adjusted for all capacities, is at most this.
LEVEL = 0.05
BETTER = "better"
WORSE = "worse"

Number = Callable[[Any], float]


@dataclass(frozen=True)
class Side:
    """A model and the number by which it is judged, where less is better."""

    model: str
    number: Number


@dataclass(frozen=True)
class Comparison:
    """A circuit against something else in a part of the study.

    Args:
        part: of the study.
        quantity: what is compared, in words.
        against: the other side, in words.
        first: the circuit.
        second: the other side.
    """

    part: grid.Part
    quantity: str
    against: str
    first: Side
    second: Side


@dataclass(frozen=True)
class Difference:
    """A comparison at one capacity.

    Args:
        capacity: layers or wires.
        parameters: of the circuit.
        paired: the circuit minus the other side, seed by seed.
        probability: of chance alone, adjusted for all capacities; NaN with fewer than two seeds.
    """

    capacity: int
    parameters: str
    paired: Paired
    probability: float

    @property
    def verdict(self) -> str:
        """What the difference says of the circuit; a dash with fewer than two seeds.

        >>> Difference(2, "34", Paired(-1.0, 0.1, 5), 0.01).verdict
        'better'
        """
        if self.paired.count < 2:
            return NONE
        if self.probability > LEVEL:
            return UNSEEN
        if self.paired.mean < 0:
            return BETTER
        return WORSE


def comparisons(results: Results) -> list[Comparison]:
    """All of them; those of noise at its largest strength."""
    found = []
    strength = max(strengths(results), default=0.0)
    if strength:
        found = _of_noise(strength)
    return [
        *found,
        *_of_gans("style", "MMD²", quality),
        *_of_gans("latent", "MMD² of latents", of_codes),
        *_of_gans("latent", "MMD²", quality),
    ]


def _of_gans(part: grid.Part, quantity: str, number: Number) -> list[Comparison]:
    found = []
    for model, text in ((grid.TWIN, "network of equal size"), (grid.FROZEN, "frozen circuit")):
        sides = (Side(grid.CIRCUIT, number), Side(model, number))
        found.append(Comparison(part, quantity, text, *sides))
    return found


def _of_noise(strength: float) -> list[Comparison]:
    trained = under_noise(strength, "trained")
    exposed = under_noise(strength, "exposed")

    def cost(data: Any) -> float:
        return trained(data) - without_noise(data)

    under = f"MMD² under noise x = {strength:g}"
    circuit = Side(grid.CIRCUIT, trained)
    return [
        Comparison(
            "angle",
            f"what noise x = {strength:g} adds to MMD²",
            "network of equal size",
            Side(grid.CIRCUIT, cost),
            Side(grid.TWIN, cost),
        ),
        Comparison("angle", under, "network of equal size", circuit, Side(grid.TWIN, trained)),
        Comparison("angle", under, "frozen circuit", circuit, Side(grid.FROZEN, exposed)),
        Comparison(
            "angle", under, "circuit trained without noise", circuit, Side(grid.CIRCUIT, exposed)
        ),
    ]


def quality(data: Any) -> float:
    """The MMD squared of a model of the parts without noise."""
    return float(data["mmd2"])


def of_codes(data: Any) -> float:
    """The same of the latents that a model generates."""
    return float(data["codes"]["mmd2"])


def without_noise(data: Any) -> float:
    """The MMD squared of an angle generator without noise."""
    return float(data["clean"]["mmd2"])


def under_noise(strength: float, how: str) -> Number:
    """The MMD squared of an angle generator under noise, ``trained`` under it or ``exposed``."""
    return lambda data: float(data["strengths"][f"{strength:g}"][how]["mmd2"])


def differences(results: Results, comparison: Comparison) -> list[Difference]:
    """The differences at each capacity, with probabilities adjusted for their number (Holm)."""
    sizes = capacities(results, comparison.part)
    pairs = [_paired(results, comparison, size) for size in sizes]
    adjusted = holm([paired.probability for paired in pairs])
    found = []
    for size, paired, probability in zip(sizes, pairs, adjusted, strict=True):
        circuits = seeds_of(results, comparison.part, size, grid.CIRCUIT)
        found.append(Difference(size, parameters_of(circuits), paired, probability))
    return found


def _paired(results: Results, comparison: Comparison, capacity: int) -> Paired:
    """The differences of seeds that both sides have."""
    values: tuple[list[float], list[float]] = ([], [])
    sides = (comparison.first, comparison.second)
    of_sides = [seeds_of(results, comparison.part, capacity, side.model) for side in sides]
    for first, second in zip(*of_sides, strict=True):
        if first.value is None or second.value is None:
            continue
        values[0].append(comparison.first.number(first.data()))
        values[1].append(comparison.second.number(second.data()))
    return Paired.of(*values)


def verdict(found: Sequence[Difference]) -> str:
    """What all capacities together say of a claim, in plain words.

    >>> few = [Difference(2, "34", Paired(-1.0, 0.1, 3), 0.01)]
    >>> verdict(few)
    'no verdict: 3 of 5 seeds'
    >>> better = Difference(2, "34", Paired(-1.0, 0.1, 5), 0.01)
    >>> unseen = Difference(4, "62", Paired(-0.1, 0.1, 5), 0.4)
    >>> verdict([better, unseen])
    'the circuit is better at 1 of 2 capacities'
    >>> verdict([unseen])
    'no advantage: no difference seen at 1 of 1 capacities'
    """
    fewest = min((one.paired.count for one in found), default=0)
    if fewest < grid.LEAST_SEEDS:
        return f"no verdict: {fewest} of {grid.LEAST_SEEDS} seeds"
    better, worse, unseen = (count(found, word) for word in (BETTER, WORSE, UNSEEN))
    of_all = f"of {len(found)} capacities"
    if better and worse:
        return f"the circuit is better at {better} and worse at {worse} {of_all}"
    if better:
        return f"the circuit is better at {better} {of_all}"
    if worse:
        return f"no advantage: the circuit is worse at {worse} {of_all}"
    return f"no advantage: {UNSEEN} at {unseen} {of_all}"


def count(found: Sequence[Difference], word: str) -> int:
    """At how many capacities the verdict is this."""
    return sum(one.verdict == word for one in found)
