"""What encoders of energies share: their units, and the base class of codes of energies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import (
    all_in_row,
    matrix,
    not_fitted,
    require_accepted,
    require_keys,
    saved_width,
    training_matrix,
)
from qgen_core.events import Space
from qgen_core.interfaces import Encoder
from qgen_core.typing import Array, Floats, Rng

EnergyUnit = Literal["eV", "keV", "MeV", "GeV", "TeV"]

#: Each unit in eV.
IN_EV = {"eV": 1.0, "keV": 1e3, "MeV": 1e6, "GeV": 1e9, "TeV": 1e12}


def conversion(given: EnergyUnit, wanted: EnergyUnit) -> float:
    """One unit ``given`` in units ``wanted``.

    >>> conversion("GeV", "MeV")
    1000.0
    """
    return IN_EV[given] / IN_EV[wanted]


class EnergyCode(Encoder):
    """Base class of encoders that write each of K energies as ``columns_each`` columns.

    A subclass sets ``name``, ``kind`` and ``columns_each``, and defines :meth:`_inside`,
    :meth:`_allowed`, :meth:`_code` and :meth:`_energies`.

    >>> class Sign(EnergyCode):
    ...     name = "sign"
    ...     kind = "spins"
    ...     columns_each = 1
    ...
    ...     def _inside(self, x):
    ...         return x != 0
    ...
    ...     def _allowed(self):
    ...         return "numbers other than 0"
    ...
    ...     def _code(self, x):
    ...         return np.sign(x).astype(np.int8)
    ...
    ...     def _energies(self, z, rng):
    ...         return z.astype(np.float64)
    >>> Sign().fit(np.array([[2.0, -1.0]])).encode(np.array([[3.0, -4.0]])).tolist()
    [[1, -1]]
    """

    name: str
    kind: Literal["reals", "bits", "spins"]
    columns_each: int

    @abstractmethod
    def _inside(self, x: Array) -> NDArray[np.bool_]:
        """Which energies (N, K) have a code."""

    @abstractmethod
    def _allowed(self) -> str:
        """What :meth:`_inside` accepts, in words."""

    @abstractmethod
    def _code(self, x: Floats) -> Array:
        """The codes (N, columns_each K) of energies (N, K)."""

    @abstractmethod
    def _energies(self, z: Array, rng: Rng) -> Floats:
        """Energies (N, K) of codes (N, columns_each K), also of those that a model made up."""

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn how many energies (N, K) there are. Raises DataError for none or not finite."""
        self._use(training_matrix(self.name, x).shape[1])
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite and have codes."""
        x = matrix(self.name, x, self._count())
        with np.errstate(invalid="ignore"):
            inside = self._inside(x)
        return all_in_row(np.isfinite(x) & inside)

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, K) to (N, columns_each K). Raises DataError for energies that are not accepted."""
        return self._code(self._accepted(x))

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """(N, columns_each K) to energies (N, K) float64."""
        return self._energies(matrix(self.name, z, self.columns_each * self._count()), rng)

    def state(self) -> dict[str, Array]:
        return {"width": np.array([self._count()])}

    def load(self, state: Mapping[str, Array]) -> None:
        require_keys(self.name, state, {"width"})
        self._use(saved_width(self.name, state["width"]))

    def _accepted(self, x: Array) -> Floats:
        x = matrix(self.name, x, self._count())
        require_accepted(self.name, x, self.accepts(x), self._allowed())
        return x.astype(np.float64)

    def _count(self) -> int:
        """The number K of energies. Raises DataError before fit or load."""
        if not hasattr(self, "space"):
            raise not_fitted(self.name)
        return self.space.width // self.columns_each

    def _use(self, energies: int) -> None:
        registers: tuple[int, ...] = ()
        if self.kind != "reals":
            registers = (self.columns_each,) * energies
        self.space = Space(self.kind, self.columns_each * energies, registers)
