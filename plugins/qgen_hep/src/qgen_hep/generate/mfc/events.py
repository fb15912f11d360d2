"""Sampling of muons and carriers, each event with an incoming energy of its own."""

from __future__ import annotations

import numpy as np

from qgen_core.support.random_streams import stream
from qgen_core.typing import Floats, Rng
from qgen_hep.generate.mfc.process import MUON, Process

#: Columns of an event, in GeV or dimensionless, relative to the direction of the incoming muon.
COLUMNS = ("muon_energy", "muon_pt", "muon_eta", "carrier_energy", "carrier_pt", "carrier_eta")
#: The condition of an event, in GeV.
CONDITION = "incoming_energy"
UNITS = {**dict.fromkeys((*COLUMNS, CONDITION), "GeV"), "muon_eta": "1", "carrier_eta": "1"}
#: Beam energies in GeV.
ENERGIES = (50.0, 75.0, 100.0, 125.0, 150.0, 175.0, 200.0)


def events_of(process: Process, energy: Floats, seed: int) -> Floats:
    """The events (N, 6) of a seed for incoming energies (N,)."""
    return sample(process, energy, stream(seed, "mfc-events"))


def sample(process: Process, energy: Floats, rng: Rng) -> Floats:
    """One event (N, 6) for each incoming energy (N,) in GeV.

    x and theta are drawn from the cross section by exact rejection sampling. The nucleus takes no
    energy and gives the outgoing muon a transverse kick q_T with ``q_T^2 = t - tmin``, where t is
    drawn from the integrand of the flux; without the kick the muon balances the transverse momentum
    of the carrier. The kick goes beyond the approximation, in which t matters only through the
    flux; a kick that would give the muon more transverse than total momentum is drawn again.
    """
    x, theta = sample_carrier(process, energy, rng)
    carrier = x * energy
    momentum = np.sqrt(carrier**2 - process.mass**2)
    carrier_pt = momentum * np.sin(theta)
    carrier_pz = momentum * np.cos(theta)
    muon = energy - carrier
    muon_p = np.sqrt(np.maximum(0.0, muon**2 - MUON**2))
    muon_pt = _kicked(process, energy, carrier_pt, muon_p, rng)
    muon_pz = np.sqrt(np.maximum(0.0, muon_p**2 - muon_pt**2))
    muon_eta = _eta(muon_pt, muon_pz)
    carrier_eta = _eta(carrier_pt, carrier_pz)
    return np.column_stack([muon, muon_pt, muon_eta, carrier, carrier_pt, carrier_eta])


def sample_carrier(process: Process, energy: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """x and theta (N,) of a carrier for each incoming energy (N,)."""
    x = np.empty(len(energy))
    tau = np.empty(len(energy))
    left = np.arange(len(energy))
    low, high = process.limits(energy)
    while len(left):
        e = energy[left]
        proposed_x, share = process.carriers.propose(low[left], high[left], rng)
        proposed_tau = rng.random(len(left))
        amplitude = process.amplitude(proposed_x, proposed_tau)
        weight = share * process.beta(e, proposed_x) * amplitude / process.most
        accepted = rng.random(len(left)) < weight
        accepted &= proposed_tau > process.least_tau(e, proposed_x)
        x[left[accepted]] = proposed_x[accepted]
        tau[left[accepted]] = proposed_tau[accepted]
        left = left[~accepted]
    return x, process.angle(energy, x, tau)


def _kicked(
    process: Process, energy: Floats, carrier_pt: Floats, muon_p: Floats, rng: Rng
) -> Floats:
    """The outgoing muon's transverse momentum (N,) in GeV after the kick of the nucleus."""
    muon_pt = np.empty(len(energy))
    left = np.arange(len(energy))
    low, high = process.transfers(energy)
    while len(left):
        log_t, share = process.photons.propose(np.log(low[left]), np.log(high), rng)
        t = np.exp(log_t)
        phi = rng.uniform(0, 2 * np.pi, len(left))
        kick = np.sqrt(np.maximum(0.0, t - low[left]))
        moved = np.hypot(kick * np.cos(phi) - carrier_pt[left], kick * np.sin(phi))
        accepted = rng.random(len(left)) < share * (1 - low[left] / t)
        accepted &= moved <= muon_p[left]
        muon_pt[left[accepted]] = moved[accepted]
        left = left[~accepted]
    return muon_pt


def _eta(pt: Floats, pz: Floats) -> Floats:
    return np.arcsinh(pz / np.maximum(pt, np.finfo(np.float64).tiny))
