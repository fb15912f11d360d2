"""Energies with a transverse field by dense diagonalisation: exact, for a few spins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import Unsupported
from qgen_core.events import index_to_bits
from qgen_core.ising import Ising
from qgen_core.simulators.outcomes import sample_indices
from qgen_core.typing import Floats, Rng

#: The most spins: the Hamiltonian of 12 takes 128 MiB, and its eigenvectors as much.
MOST_SPINS = 12


class Diagonalisation:
    """exp(-beta H) / Z for ``H = E(s^z) - Gamma sum_i s^x_i``, and its diagonal in the z basis.

    The energy has no rows and no clamped spins. Raises Unsupported for more than 12 spins.

    >>> free = Ising(h=[0.0], J=[], graph=np.empty((0, 2)), transverse=1.0)
    >>> exact = Diagonalisation(free)
    >>> bool(np.isclose(exact.log_z, np.log(2 * np.cosh(1.0)))), exact.probabilities.round(6)
    (True, array([0.5, 0.5]))
    """

    def __init__(self, ising: Ising, *, beta: float = 1.0) -> None:
        count = ising.num_spins
        if count > MOST_SPINS:
            raise Unsupported(
                f"a transverse field is diagonalised for up to {MOST_SPINS} spins, not {count}"
            )
        self.ising = ising
        #: The spins of each basis state (2^S, S).
        self.states = (2 * index_to_bits(np.arange(2**count), count) - 1).astype(np.int8)
        hamiltonian = np.diag(ising.energy(self.states))
        numbers = np.arange(2**count)
        for spin in range(count):
            hamiltonian[numbers, numbers ^ (1 << spin)] -= ising.transverse
        levels, self._vectors = np.linalg.eigh(hamiltonian)
        self._exponents = beta * (levels - levels[0])
        self._beta = beta
        weights = np.exp(-self._exponents)
        #: log Tr exp(-beta H).
        self.log_z = float(np.log(weights.sum()) - beta * levels[0])
        self._weights = weights / weights.sum()
        #: The probability of each basis state (2^S,); bit 1 is spin +1.
        self.probabilities: Floats = self._vectors**2 @ self._weights

    def sample(self, n: int, *, rng: Rng) -> NDArray[np.int8]:
        """Independent samples (n, S) of the diagonal."""
        drawn: NDArray[np.int8] = self.states[sample_indices(self.probabilities, n, rng)]
        return drawn

    def pullback(self, cotangent: Floats) -> Floats:
        """From derivatives by the probabilities (2^S,) to those by the energies of basis states.

        The derivative of exp(-H) in the direction D is, between eigenvectors k and l, D_kl times
        the divided difference ``(exp(-e_k) - exp(-e_l)) / (e_l - e_k)``, with a minus sign.

        >>> spin = Ising(h=[0.2], J=[], graph=np.empty((0, 2)), transverse=0.5)
        >>> more = Ising(h=[0.2 + 1e-6], J=[], graph=np.empty((0, 2)), transverse=0.5)
        >>> change = Diagonalisation(more).probabilities - Diagonalisation(spin).probabilities
        >>> of_energies = Diagonalisation(spin).pullback(np.array([0.0, 1.0]))
        >>> bool(np.isclose(of_energies @ [-1.0, 1.0], change[1] / 1e-6, rtol=1e-4))
        True
        """
        gaps = self._exponents[:, None] - self._exponents
        larger = np.maximum(self._weights[:, None], self._weights)
        # (1 - exp(-|gap|)) / |gap|, which is 1 at gap 0, times the larger of the two weights.
        size = np.abs(gaps)
        shares = np.divide(-np.expm1(-size), size, out=np.ones_like(size), where=size > 0)
        between = self._vectors.T @ (cotangent[:, None] * self._vectors)
        turned = self._vectors @ (between * larger * shares)
        of_weights = np.sum(turned * self._vectors, axis=1)
        mean = float(cotangent @ self.probabilities)
        by_energies: Floats = self._beta * (mean * self.probabilities - of_weights)
        return by_energies

    def moments(self) -> tuple[Floats, Floats]:
        """Means of s^z (S,), and of the products (E,) of the coupled ones."""
        states = self.states.astype(np.float64)
        first = self.ising.edges[:, 0]
        second = self.ising.edges[:, 1]
        weighted = self.probabilities[:, None] * states
        return weighted.sum(axis=0), (weighted.T @ states)[first, second]
