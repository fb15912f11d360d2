"""Measures of a batch of states in torch: probabilities, expectations, readout errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from qgen_core.circuits.measures import Expectations, LinearReadout, Measure, Probabilities, State
from qgen_torch.simulator.evolve import gathered
from qgen_torch.simulator.signed_sums import SignedSums

Tensor = torch.Tensor


class MeasureFunction:
    """A measure as a function of states (B, 2^Q); constants are put on a device when first needed.

    >>> plus = torch.full((1, 2), 0.5**0.5, dtype=torch.complex128)
    >>> MeasureFunction(Expectations(("X", "Z")), 1)(plus).round(decimals=6)
    tensor([[1., 0.]], dtype=torch.float64)
    """

    def __init__(self, measure: Measure, wires: int) -> None:
        self._measure = measure
        self._wires = wires
        self._cache: dict[tuple[torch.device, torch.dtype], Callable[[Tensor], Tensor]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Constants are made anew where a pickled or copied function is used."""
        return {**self.__dict__, "_cache": {}}

    def __call__(self, states: Tensor) -> Tensor:
        """The output (B, ...), as real numbers in the precision of the states except for State."""
        key = (states.device, states.dtype)
        if key not in self._cache:
            reference = torch.empty(0, dtype=states.dtype.to_real(), device=states.device)
            self._cache[key] = _build(self._measure, self._wires, reference)
        return self._cache[key](states)


def _build(measure: Measure, wires: int, reference: Tensor) -> Callable[[Tensor], Tensor]:
    """The function of a measure, with constants like the reference tensor."""
    if isinstance(measure, State):
        return lambda states: states
    if isinstance(measure, Expectations):
        readout = LinearReadout.of(measure)
        words = _Expectations(readout.measure.paulis, wires, reference)
        if measure.confusion is None:
            return words
        matrix = torch.from_numpy(readout.matrix.T.copy()).to(reference)
        return lambda states: words(states) @ matrix
    assert isinstance(measure, Probabilities)
    if measure.confusion is None:
        return _probabilities
    matrices = [torch.from_numpy(one.copy()).to(reference) for one in measure.confusion]
    return lambda states: _with_readout_errors(_probabilities(states), matrices)


def _probabilities(states: Tensor) -> Tensor:
    return torch.view_as_real(states).square().sum(dim=-1)


def _with_readout_errors(table: Tensor, matrices: list[Tensor]) -> Tensor:
    """Probabilities (B, 2^Q) with the confusion matrix of each wire applied."""
    for wire, matrix in enumerate(matrices):
        split = table.reshape(len(table), 1 << wire, 2, table.shape[1] >> (wire + 1))
        table = (matrix @ split).flatten(1)
    return table


class _Expectations:
    """Expectations (B, words); words with equal X and Y wires share one product of amplitudes.

    A word flips the bits under X and Y and puts signs on those under Y and Z:
    ``<P> = sum_x Re(i^y conj(psi[x ^ flips]) psi[x]) (-1)^(signs . x)``, with y letters Y.
    """

    def __init__(self, words: tuple[str, ...], wires: int, reference: Tensor) -> None:
        keys = [(_mask(word, "XY"), _mask(word, "YZ")) for word in words]
        groups: dict[tuple[int, bool], list[int]] = {}
        for flips, signs in dict.fromkeys(keys):
            imaginary = bool((flips & signs).bit_count() % 2)
            groups.setdefault((flips, imaginary), []).append(signs)
        basis = torch.arange(1 << wires, device=reference.device)
        self._groups: list[tuple[Tensor | None, bool, SignedSums]] = []
        computed: list[tuple[int, int]] = []
        for (flips, imaginary), masks in groups.items():
            flipped: Tensor | None = None
            if flips:
                flipped = basis ^ flips
            self._groups.append((flipped, imaginary, SignedSums(masks, wires, reference)))
            computed += [(flips, mask) for mask in masks]
        place = {key: number for number, key in enumerate(computed)}
        self._order = torch.tensor([place[key] for key in keys], device=reference.device)
        # i^y is 1, i, -1, -i, and the real part of i z is minus the imaginary part of z.
        negative = [word.count("Y") % 4 in (1, 2) for word in words]
        self._factors = torch.tensor(np.where(negative, -1.0, 1.0)).to(reference)
        self._is_sorted = keys == computed and bool((self._factors > 0).all())

    def __call__(self, states: Tensor) -> Tensor:
        parts = []
        for flipped, imaginary, sums in self._groups:
            if flipped is None:
                parts.append(sums.collect(_probabilities(states)))
                continue
            product = gathered(states, flipped, flipped).conj() * states
            part = product.imag if imaginary else product.real
            parts.append(sums.collect(part))
        values = torch.cat(parts, dim=1)
        if self._is_sorted:
            return values
        return values.index_select(1, self._order) * self._factors


def _mask(word: str, letters: str) -> int:
    """The bits of the wires on which a word has one of these letters."""
    mask = 0
    for letter in word:
        mask = 2 * mask + (letter in letters)
    return mask
