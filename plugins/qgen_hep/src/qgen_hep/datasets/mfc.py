"""The dataset ``mfc``: muonic force carriers from muons on a target, a stand-in for MadGraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Floats
from qgen_hep.generate.mfc.events import COLUMNS, CONDITION, ENERGIES, UNITS, events_of
from qgen_hep.generate.mfc.file import cached_mfc
from qgen_hep.generate.mfc.process import Process, Spin, Target
from qgen_hep.generate.offer import generated_by
from qgen_hep.readers import read


@generated_by(cached_mfc)
def mfc(
    *,
    columns: tuple[str, ...] = COLUMNS,
    condition_columns: tuple[str, ...] = (CONDITION,),
    mass: float = 0.5,
    spin: Spin = "vector",
    target: Target = "lead",
    energies: tuple[float, ...] | None = None,
    spectrum: str | None = None,
    spectrum_columns: tuple[str, ...] = ("mu1_energy", "mu2_energy"),
    sha256: str | None = None,
    events: int = 100_000,
    seed: int = 0,
) -> Events:
    """STAND-IN for simulated events of mu N -> mu N X: outgoing muon and force carrier X.

    Neither MadGraph nor a detector simulation: events are drawn from the improved
    Weizsaecker-Williams cross section (formula and sources:
    ``qgen_hep.generate.mfc.process.Process``). The columns are ``muon_energy``, ``muon_pt``,
    ``muon_eta`` and the same of the ``carrier``, in GeV or dimensionless, relative to the direction
    of the incoming muon; ``condition_columns`` is ``incoming_energy``, or empty for events without
    conditions.

    ``mass`` is that of the carrier in GeV. ``energies`` are beam energies in GeV, assigned to the
    events in turn; by default 50, 75, ... 200. With ``spectrum``, a file of measured muons,
    incoming muons are drawn from its ``spectrum_columns`` with the cross section as weight, as in
    a thin target, and muons below the threshold are left out; ``sha256`` is compared with that
    file. The seed is that of the run.

    Raises BadOption for impossible options, DataError for a damaged or different file.

    >>> data = mfc(events=1000, energies=(125.0,))
    >>> data.x.shape, data.provenance["stand_in"]
    ((1000, 6), 'yes')
    """
    chosen = _chosen(columns, condition_columns)
    process = Process(mass, spin, target)
    if events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    require_memory(8 * 40 * events, f"generating {events} events")
    if spectrum is None:
        if sha256 is not None:
            raise BadOption("sha256 is that of a file of muons; give its path as spectrum")
        if energies is None:
            energies = ENERGIES
        beam = _beam(process, energies, events)
    elif energies is not None:
        raise BadOption("give either energies or a spectrum of the incoming muons, not both")
    else:
        beam = _measured(process, spectrum, spectrum_columns, sha256, events, seed)
    rows = events_of(process, beam.energy, seed)
    condition: Floats | None = None
    if condition_columns:
        condition = beam.energy[:, None]
    return Events(
        rows[:, chosen],
        condition,
        columns=tuple(columns),
        units=tuple(UNITS[column] for column in columns),
        condition_columns=tuple(condition_columns),
        provenance={
            "name": "mfc",
            "kind": "stand-in",
            "stand_in": "yes",
            "stands in for": "MadGraph events of muonic force carriers, which are not public",
            "generator": "improved Weizsaecker-Williams cross section, exact rejection",
            "process": f"mu N -> mu N X, {spin} X of {mass:g} GeV, {target}",
            **beam.description,
        },
    )


@dataclass(frozen=True)
class Beam:
    """Incoming energies (N,) in GeV, and their description for the provenance."""

    energy: Floats
    description: dict[str, str]


def _chosen(columns: Sequence[str], condition_columns: Sequence[str]) -> list[int]:
    if not columns:
        raise BadOption(f"mfc has no events without columns; there are {', '.join(COLUMNS)}")
    for column in columns:
        if column not in COLUMNS:
            raise BadOption(f"mfc has no column {column!r}; there are {', '.join(COLUMNS)}")
    if len(set(columns)) < len(columns):
        raise BadOption(f"columns must be different columns, not {', '.join(columns)}")
    if tuple(condition_columns) not in ((), (CONDITION,)):
        raise BadOption(
            f"the condition of mfc is {CONDITION}, or none, not {', '.join(condition_columns)}"
        )
    return [COLUMNS.index(column) for column in columns]


def _beam(process: Process, energies: Sequence[float], events: int) -> Beam:
    values = np.array(energies, dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise BadOption(f"energies are one or more numbers in GeV, not {list(energies)}")
    if values.min() < process.least_energy:
        raise BadOption(
            f"muons of {values.min():g} GeV are too slow for a carrier of {process.mass:g} GeV; "
            f"the approximation needs {process.least_energy:.3g} GeV or more"
        )
    sigma = process.cross_section(values)
    rates = ", ".join(f"{s:.4g} mb at {e:g} GeV" for e, s in zip(values, sigma, strict=True))
    return Beam(np.resize(values, events), {"cross section / epsilon^2": rates})


def _measured(
    process: Process, path: str, columns: Sequence[str], sha256: str | None, events: int, seed: int
) -> Beam:
    table = read(path, columns, units=dict.fromkeys(columns, "GeV"), sha256=sha256)
    muons = table.values.ravel()
    fast = muons[muons >= process.least_energy]
    if not len(fast):
        raise DataError(
            f"{table.path}: none of {len(muons)} muons has the {process.least_energy:.3g} GeV that "
            f"a carrier of {process.mass:g} GeV needs"
        )
    grid = np.geomspace(fast.min(), max(fast.max(), fast.min() * 1.001), 100)
    sigma = np.interp(fast, grid, process.cross_section(grid))
    drawn = stream(seed, "mfc-incoming").choice(fast, size=events, p=sigma / sigma.sum())
    return Beam(
        drawn,
        {
            "incoming muons": f"drawn from {len(fast)} muons of {table.path.name}; "
            f"{len(muons) - len(fast)} too slow",
            "spectrum sha256": table.sha256,
            "cross section / epsilon^2": f"{sigma.mean():.4g} mb, mean over the muons",
        },
    )
