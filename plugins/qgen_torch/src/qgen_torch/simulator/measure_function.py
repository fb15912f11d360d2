"""What is read from a batch of states, in torch: probabilities, Pauli words, imperfect readout."""

from __future__ import annotations

from collections.abc import Callable

import torch

from qgen_core.circuits.measures import Expectations, LinearReadout, Measure, Probabilities, State
from qgen_torch.simulator.evolve import gathered
from qgen_torch.simulator.signed_sums import Signs

Tensor = torch.Tensor


class Reading:
    """A measure as a function of states (B, 2^Q); what it needs on a device is made there at the first call."""

    def __init__(self, measure: Measure, wires: int) -> None:
        self._measure, self._wires = measure, wires
        self._made: dict[tuple[torch.device, torch.dtype], Callable[[Tensor], Tensor]] = {}

    def __call__(self, states: Tensor) -> Tensor:
        """The output (B, ...); real numbers have the precision of the states."""
        key = (states.device, states.dtype)
        if key not in self._made:
            like = torch.empty(0, dtype=states.dtype.to_real(), device=states.device)
            self._made[key] = _reader(self._measure, self._wires, like)
        return self._made[key](states)


def _reader(measure: Measure, wires: int, like: Tensor) -> Callable[[Tensor], Tensor]:
    if isinstance(measure, State):
        return lambda states: states
    if isinstance(measure, Expectations):
        readout = LinearReadout.of(measure)
        words = _Words(readout.measure.paulis, wires, like)
        if measure.confusion is None:
            return words
        matrix = torch.from_numpy(readout.matrix.T.copy()).to(like)
        return lambda states: words(states) @ matrix
    assert isinstance(measure, Probabilities)
    if measure.confusion is None:
        return _probabilities
    maps = [torch.from_numpy(one.copy()).to(like) for one in measure.confusion]
    return lambda states: _confused(_probabilities(states), maps)


def _probabilities(states: Tensor) -> Tensor:
    return torch.view_as_real(states).square().sum(dim=-1)


def _confused(table: Tensor, maps: list[Tensor]) -> Tensor:
    for wire, matrix in enumerate(maps):
        table = (
            matrix @ table.reshape(len(table), 1 << wire, 2, table.shape[1] >> (wire + 1))
        ).flatten(1)
    return table


class _Words:
    """Expectations (B, words): words with X and Y on the same wires share one product of amplitudes.

    A word flips the bits under X and Y and signs those under Y and Z:
    ``<P> = sum_x Re(i^y conj(psi[x ^ flips]) psi[x]) (-1)^(signs . x)``, with y letters Y.
    """

    def __init__(self, words: tuple[str, ...], wires: int, like: Tensor) -> None:
        keys = [(_mask(word, "XY"), _mask(word, "YZ")) for word in words]
        groups: dict[tuple[int, bool], list[int]] = {}
        for flips, signs in dict.fromkeys(keys):
            groups.setdefault((flips, bool((flips & signs).bit_count() % 2)), []).append(signs)
        here = torch.arange(1 << wires, device=like.device)
        self._groups = [
            (here ^ flips if flips else None, imaginary, Signs(members, wires, like))
            for (flips, imaginary), members in groups.items()
        ]
        places = {(flips, s): None for (flips, _), members in groups.items() for s in members}
        number = {key: place for place, key in enumerate(places)}
        self._order = torch.tensor([number[key] for key in keys], device=like.device)
        # i^y is 1, i, -1, -i, and the real part of i z is minus the imaginary part of z.
        self._signs = torch.tensor(
            [-1.0 if word.count("Y") % 4 in (1, 2) else 1.0 for word in words]
        ).to(like)
        self._sorted = keys == list(places) and bool((self._signs > 0).all())

    def __call__(self, states: Tensor) -> Tensor:
        parts = []
        for flipped, imaginary, signs in self._groups:
            if flipped is None:
                parts.append(signs.collect(_probabilities(states)))
                continue
            product = gathered(states, flipped, flipped).conj() * states
            parts.append(signs.collect(product.imag if imaginary else product.real))
        found = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return found if self._sorted else found.index_select(1, self._order) * self._signs


def _mask(word: str, letters: str) -> int:
    return int("".join("1" if letter in letters else "0" for letter in word), 2)
