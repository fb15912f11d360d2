"""The cross section of mu N -> mu N X in the improved Weizsaecker-Williams approximation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.typing import Floats
from qgen_hep.generate.mfc.envelope import Envelope

Spin = Literal["vector", "scalar"]
Target = Literal["lead", "tungsten", "copper", "iron", "argon", "carbon"]

#: Fine-structure constant, and masses in GeV (Particle Data Group).
ALPHA = 1 / 137.035999
MUON = 0.1056584
ELECTRON = 0.000510999
#: GeV^-2 in millibarn.
MILLIBARN = 0.3893794
#: Charge and mass number of the targets.
NUCLEI: dict[Target, tuple[int, float]] = {
    "lead": (82, 207.2),
    "tungsten": (74, 183.84),
    "copper": (29, 63.546),
    "iron": (26, 55.845),
    "argon": (18, 39.948),
    "carbon": (6, 12.011),
}
#: Largest angle of the carrier, radians: the formula is one of small angles.
LARGEST_ANGLE = 0.5
#: Gauss-Legendre nodes and weights on [0, 1], for each piece of an integral.
NODES, WEIGHTS = (np.polynomial.legendre.leggauss(4) + np.array([[1.0], [0.0]])) / 2


@dataclass(frozen=True)
class Process:
    """A muon of energy E0 on a nucleus at rest radiates a carrier X of mass m.

    With x = E_X / E0, theta the angle of X to the incoming muon, beta its velocity, M the mass of
    the muon and epsilon the coupling of X in units of the electron's charge::

        d2 sigma / dx dcos(theta) = 2 epsilon^2 alpha^3 chi beta E0^2 x (1 - x) A / u^2
        u  = -x E0^2 theta^2 - m^2 (1 - x)/x - M^2 x
        A  = 2 (2 - 2x + x^2)/(1 - x) + 4 (m^2 + 2 M^2) w / u^2      vector
        A  = x^2/(1 - x)              + 2 (m^2 - 4 M^2) w / u^2      scalar
        w  = u x + m^2 (1 - x) + M^2 x^2

    ``chi`` is the flux of photons of the nucleus, an integral over the momentum transfer t from
    ``(m^2 / 2 E0)^2`` to ``m^2 + M^2`` with the elastic form factor, screened by the electrons::

        chi = int dt (t - tmin) / t^2 F(t)
        F   = [Z a^2 t / (1 + a^2 t) / (1 + t/d)]^2
        a   = 111 Z^(-1/3) / m_e
        d   = 0.164 GeV^2 A^(-2/3)

    In ``tau = u(theta = 0) / u``, which lies between 0 (large angles) and 1 (forwards), the cross
    section is ``epsilon^2 alpha^3 chi beta x/D G`` per x and tau (for small angles dcos(theta) is
    theta dtheta), and the integral over tau is a polynomial::

        D = m^2 (1 - x) + M^2 x^2
        G = (1 - x) A = (1 - x) [A(theta = 0) - k x^2/D tau (1 - tau)]
        k = 4 (m^2 + 2 M^2)     vector
        k = 2 (m^2 - 4 M^2)     scalar

    Two limits are ours, since the formula has none: theta is at most 0.5, and X has no more
    transverse momentum than the outgoing muon can balance.

    Sources: Kim and Tsai, Phys. Rev. D 8 (1973) 3109 (approximation, form factor); Bjorken, Essig,
    Schuster and Toro, arXiv:0906.0580 (vectors, the limit of a light lepton); Liu, McKeen and
    Miller, arXiv:1609.06781 and 1705.01633 (mass of the lepton, scalars); Sieber et al.,
    arXiv:2305.09015 (muons, validity). Muons on the material of a detector: Galon, Kajomovitz and
    Soreq, arXiv:1906.09272.

    >>> light, heavy = Process(mass=0.1), Process(mass=1.0)
    >>> bool(light.cross_section(np.array([100.0])) > heavy.cross_section(np.array([100.0])))
    True
    """

    mass: float = 0.5
    spin: Spin = "vector"
    target: Target = "lead"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mass) and self.mass > 0):
            raise BadOption(f"the mass of the carrier is above 0 GeV, not {self.mass:g}")
        for name, value, allowed in (
            ("spin", self.spin, get_args(Spin)),
            ("target", self.target, tuple(NUCLEI)),
        ):
            if value not in allowed:
                raise BadOption(f"{name} is one of {', '.join(allowed)}, not {value!r}")

    @property
    def least_energy(self) -> float:
        """Muons of less energy (GeV) are refused: the approximation is one of high energies."""
        return 2 * (self.mass + MUON)

    def shape(self, x: Floats) -> Floats:
        """``x / D`` in 1/GeV^2, the factor that makes the distribution of x steep."""
        return x / (self.mass**2 * (1 - x) + (MUON * x) ** 2)

    def amplitude(self, x: Floats, tau: Floats) -> Floats:
        """G, at most :attr:`most`."""
        forward, bend = self._terms(x)
        return forward - bend * tau * (1 - tau)

    @property
    def most(self) -> float:
        """A bound of G: 4 for vectors; for scalars 1, or more if the second term is positive."""
        if self.spin == "vector":
            return 4.0
        return 1.0 + max(0.0, 2.0 - 0.5 * (self.mass / MUON) ** 2)

    def _terms(self, x: Floats) -> tuple[Floats, Floats]:
        """G at theta = 0, and the coefficient of -tau (1 - tau)."""
        share = x * (1 - x) * self.shape(x)
        if self.spin == "vector":
            return 2 * (2 - 2 * x + x * x), 4 * (self.mass**2 + 2 * MUON**2) * share
        return x * x, 2 * (self.mass**2 - 4 * MUON**2) * share

    def beta(self, energy: Floats, x: Floats) -> Floats:
        """The carrier's velocity."""
        return np.asarray(np.sqrt(np.maximum(0.0, 1 - (self.mass / (x * energy)) ** 2)))

    def limits(self, energy: Floats) -> tuple[Floats, Floats]:
        """Least and greatest x: the carrier or the outgoing muon at rest."""
        return self.mass / energy, 1 - MUON / energy

    def angle(self, energy: Floats, x: Floats, tau: Floats) -> Floats:
        """theta in radians."""
        at_zero = 1 / self.shape(x)  # D / x, which is -u at theta = 0
        return np.asarray(np.sqrt(at_zero * (1 / tau - 1) / (x * energy**2)))

    def least_tau(self, energy: Floats, x: Floats) -> Floats:
        """tau at the largest allowed angle."""
        muon = np.maximum(0.0, ((1 - x) * energy) ** 2 - MUON**2)
        carrier = np.maximum((x * energy) ** 2 - self.mass**2, 1e-12)
        angle = np.minimum(LARGEST_ANGLE, np.arcsin(np.sqrt(np.minimum(1.0, muon / carrier))))
        return 1 / (1 + x * (energy * angle) ** 2 * self.shape(x))

    def spectrum(self, energy: Floats, x: Floats) -> Floats:
        """d sigma / dx in 1/GeV^2 and units of epsilon^2 alpha^3 chi, over the allowed angles."""
        forward, bend = self._terms(x)
        low = self.least_tau(energy, x)
        bent = 1 / 6 - low**2 / 2 + low**3 / 3
        return self.beta(energy, x) * self.shape(x) * (forward * (1 - low) - bend * bent)

    @cached_property
    def carriers(self) -> Envelope:
        """A bound of :meth:`shape` in x, to sample from."""
        near = np.geomspace(1e-6, 0.5, 200)
        edges = np.unique(np.concatenate([[0.0, 1.0], near, 1 - near]))
        return Envelope(self.shape, edges, mode=self.mass / MUON)

    def form_factor(self, t: Floats) -> Floats:
        """F(t), t in GeV^2."""
        charge, _ = NUCLEI[self.target]
        screening = (111 * charge ** (-1 / 3) / ELECTRON) ** 2 * t
        return np.asarray((charge * screening / (1 + screening) / (1 + t / self._size)) ** 2)

    @property
    def _size(self) -> float:
        """d, GeV^2."""
        return float(0.164 * NUCLEI[self.target][1] ** (-2 / 3))

    def transfers(self, energy: Floats) -> tuple[Floats, float]:
        """Least and greatest momentum transfer t, GeV^2."""
        return (self.mass**2 / (2 * energy)) ** 2, self.mass**2 + MUON**2

    @cached_property
    def photons(self) -> Envelope:
        """A bound of F in log t, to sample from."""
        charge, _ = NUCLEI[self.target]
        peak = np.log(np.sqrt(self._size) * ELECTRON / 111 * charge ** (1 / 3))
        top = np.log(self.transfers(np.ones(1))[1])
        return Envelope(
            lambda log_t: self.form_factor(np.exp(log_t)),
            np.linspace(top - 60, top, 1201),
            mode=float(peak),
        )

    def flux(self, energy: Floats) -> Floats:
        """chi, by Gauss-Legendre quadrature in log t."""
        low, high = self.transfers(energy)
        width = np.log(high / low)[..., None] / 60
        log_t = np.log(low)[..., None, None] + width[..., None] * (np.arange(60)[:, None] + NODES)
        t = np.exp(log_t)
        values = (1 - low[..., None, None] / t) * self.form_factor(t)
        return np.asarray((values * WEIGHTS).sum(axis=(-2, -1)) * width[..., 0])

    def cross_section(self, energy: Floats) -> Floats:
        """sigma / epsilon^2 in millibarn for each energy (GeV), by Gauss-Legendre quadrature."""
        energy = np.asarray(energy, dtype=np.float64)
        low, high = self.limits(energy)
        edges = np.clip(self.carriers.edges, low[..., None], high[..., None])
        width = np.diff(edges, axis=-1)[..., None]
        x = edges[..., :-1, None] + width * NODES
        total = (self.spectrum(energy[..., None, None], x) * width * WEIGHTS).sum(axis=(-2, -1))
        return np.asarray(ALPHA**3 * self.flux(energy) * total * MILLIBARN)
