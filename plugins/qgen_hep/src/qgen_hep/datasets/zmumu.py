"""The dataset ``zmumu``: the mass of two muons near the Z boson."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Floats
from qgen_hep.readers import read

#: Mass and width of the Z boson in GeV (Particle Data Group).
MASS, WIDTH = 91.188, 2.495
#: The resolution of the stand-in in GeV.
RESOLUTION = 1.2
#: What a file has to hold of each muon.
QUANTITIES = ("energy", "pt", "eta", "phi")


def zmumu(
    *,
    path: str | None = None,
    sha256: str | None = None,
    window: tuple[float, float] = (60.0, 120.0),
    events: int = 10_000,
    seed: int = 0,
) -> Events:
    """The invariant mass of two muons in GeV, the column ``mass``, within ``window``.

    With ``path``, a file of measured or simulated muon pairs with ``mu1_energy``, ``mu1_pt``,
    ``mu1_eta``, ``mu1_phi`` and the same of ``mu2`` (GeV, radians), e.g. those of the CMS open
    data: m^2 = (E_1 + E_2)^2 - |p_1 + p_2|^2. Pairs outside of the window are left out and counted
    in the provenance; ``events`` is the most that are used, the first ones.

    Without, a STAND-IN of so many events: a Breit-Wigner distribution of the mass and the width of
    the Z boson (91.188 and 2.495 GeV) with a Gaussian resolution of 1.2 GeV, without a background
    and without photon exchange. The seed is that of the run.

    Raises BadOption for an impossible window or number, and a hash without a file; DataError for a
    file that is damaged or another one, and if no pair is in the window.

    >>> data = zmumu(events=1000)
    >>> data.x.shape, data.columns, data.provenance["kind"]
    ((1000, 1), ('mass',), 'stand-in')
    """
    low, high = window
    if not 0 <= low < high < np.inf or events < 1:
        raise BadOption(
            "zmumu needs a window [min, max] of at least 0 GeV with min < max and at least one "
            f"event, not {list(window)} and {events}"
        )
    if path is not None:
        return _of_file(path, sha256, window, events)
    if sha256 is not None:
        raise BadOption("sha256 is that of a file of muon pairs; give its path")
    require_memory(8 * 10 * events, f"generating {events} events")
    mass = _stand_in(window, events, seed)
    provenance = {
        "name": "zmumu",
        "kind": "stand-in",
        "stand_in": "yes",
        "stands in for": "measured pairs of muons",
        "generator": f"Breit-Wigner of {MASS} and {WIDTH} GeV, resolution {RESOLUTION} GeV",
    }
    return _events(mass, provenance)


def _of_file(path: str, sha256: str | None, window: tuple[float, float], events: int) -> Events:
    columns = []
    for muon in ("mu1", "mu2"):
        columns += [f"{muon}_{quantity}" for quantity in QUANTITIES]
    units = dict.fromkeys(("mu1_energy", "mu1_pt", "mu2_energy", "mu2_pt"), "GeV")
    table = read(path, columns, units=units, sha256=sha256)
    energy = np.zeros(len(table.values))
    momentum = np.zeros((len(table.values), 3))
    for muon in ("mu1", "mu2"):
        e, pt, eta, phi = (table.column(f"{muon}_{quantity}") for quantity in QUANTITIES)
        energy += e
        momentum += np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    squared = energy**2 - (momentum**2).sum(axis=1)
    mass = np.sqrt(np.maximum(squared, 0.0))
    inside = mass[(mass >= window[0]) & (mass <= window[1])]
    if not len(inside):
        raise DataError(
            f"{table.path}: none of {len(mass)} pairs has a mass of {window[0]:g} to "
            f"{window[1]:g} GeV"
        )
    provenance = {
        **table.attributes,
        "name": "zmumu",
        "kind": _kind(table.attributes),
        "file": table.path.name,
        "sha256": table.sha256,
        "outside of the window": f"{len(mass) - len(inside)} of {len(mass)} pairs",
    }
    return _events(inside[:events], provenance)


def _kind(attributes: Mapping[str, str]) -> str:
    """What a file says of its events."""
    if attributes.get("measured") == "True":
        return "measured"
    return attributes.get("kind", "unknown")


def _stand_in(window: tuple[float, float], events: int, seed: int) -> Floats:
    """Masses (events,) inside of the window, by rejection."""
    rng = stream(seed, "zmumu")
    found: list[Floats] = []
    count = 0
    while count < events:
        drawn = MASS + 0.5 * WIDTH * rng.standard_cauchy(events)
        drawn += RESOLUTION * rng.standard_normal(events)
        inside = drawn[(drawn >= window[0]) & (drawn <= window[1])]
        if not found and len(inside) < events // 1000:
            raise BadOption(
                f"hardly any Z boson has a mass of {window[0]:g} to {window[1]:g} GeV; take a "
                "window around 91 GeV"
            )
        found.append(inside)
        count += len(inside)
    return np.concatenate(found)[:events]


def _events(mass: Floats, provenance: dict[str, str]) -> Events:
    return Events(mass[:, None], columns=("mass",), units=("GeV",), provenance=provenance)
