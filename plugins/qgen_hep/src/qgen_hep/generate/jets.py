"""QCD dijet events with PYTHIA 8 and anti-kT jets with FastJet (extra ``pythia``)."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, BrokenPlugin, DataError
from qgen_core.support.checkpoint import write_durably
from qgen_core.typing import Floats
from qgen_hep.generate.hdf5 import hdf5_bytes
from qgen_hep.generate.offer import Progress

#: 2 -> 2 QCD matrix elements above a parton-level HT of 500 GeV, Monash tune (PYTHIA's default):
#: the particle-level sample of DijetGAN, arXiv:1903.02433, without its detector.
SETTINGS = (
    "Beams:eCM = 13000.",
    "HardQCD:all = on",
    "PhaseSpace:pTHatMin = 250.",
    "Print:quiet = on",
)
RADIUS, MAX_ETA, MIN_STORED_PT, MIN_LEADING_PT = 1.0, 4.9, 50.0, 250.0
MAX_SEED = 900_000_000  # PYTHIA takes no larger one
MAX_FAILURES = 100
KINEMATICS = ("pt", "mass", "eta", "phi")
COLUMNS = (
    *(f"{jet}_{name}" for jet in ("jet1", "jet2") for name in KINEMATICS),
    "ht", "mjj", "njet", "npu", "pthat",
)  # fmt: skip
COUNTS = ("njet", "npu")
UNITS = {
    name: "GeV"
    for name in COLUMNS
    if name.rpartition("_")[2] in ("pt", "mass", "ht", "mjj", "pthat")
}
PACKAGES = ("pythia8mc", "fastjet")


def generate_jets(events: int, *, seed: int, path: Path, progress: Progress | None = None) -> Path:
    """Write an HDF5 file of ``events`` events whose leading jet has pT above 250 GeV.

    Anti-kT jets, R = 1.0, of visible stable particles with |eta| < 4.9; jets below 50 GeV are not
    counted, and without a second one its columns are 0. The same seed and versions give the same
    file. About 40 events a second. Raises BadOption for numbers that cannot be, BrokenPlugin when
    PYTHIA or FastJet is not installed.
    """
    if events < 1 or not 0 <= seed < MAX_SEED:
        raise BadOption(
            f"events must be at least 1 and seed in [0, {MAX_SEED}), not {events} and {seed}"
        )
    versions()
    pythia = _pythia(seed)
    rows = []
    for row in _selected(pythia):
        rows.append(row)
        if progress is not None:
            progress(len(rows), "")
        if len(rows) == events:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(
        path, hdf5_bytes(_columns(np.array(rows)), UNITS, _attributes(pythia, events, seed))
    )
    return path


def versions() -> dict[str, str]:
    """Versions of the packages that generate. Raises BrokenPlugin with what to install."""
    try:
        return {name: importlib.metadata.version(name) for name in PACKAGES}
    except importlib.metadata.PackageNotFoundError as error:
        raise BrokenPlugin(
            f"generating jets needs PYTHIA 8 and FastJet, {error.name} is not installed: "
            "`pip install --prefer-binary 'qgen-hep[pythia]'`"
        ) from error


def _pythia(seed: int) -> Any:
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    # PYTHIA takes 0 for "by the clock", so seeds are moved by one
    for line in (*SETTINGS, "Random:setSeed = on", f"Random:seed = {seed + 1}"):
        if not pythia.readString(line):
            raise DataError(f"PYTHIA refused the setting {line!r}")
    if not pythia.init():
        raise DataError("PYTHIA could not be initialised; see its messages above")
    return pythia


def _selected(pythia: Any) -> Iterator[list[float]]:
    """One row an event that passes, in the order of COLUMNS, without end."""
    failures = 0
    while failures < MAX_FAILURES:
        if not pythia.next():
            failures += 1
            continue
        failures = 0
        jets = _jets(pythia.event)
        if jets and jets[0].pt() > MIN_LEADING_PT:
            yield _row(jets, pythia.infoPython().pTHat())
    raise DataError(f"PYTHIA failed {MAX_FAILURES} times in a row")


def _jets(event: Any) -> list[Any]:
    """Jets above 50 GeV of an event record, by falling pT."""
    import fastjet

    fastjet.ClusterSequenceAreaBase.set_fastjet_banner_stream(
        None
    )  # it goes to stdout, which is for data
    particles = [
        fastjet.PseudoJet(p.px(), p.py(), p.pz(), p.e())
        for p in event
        if p.isFinal() and p.isVisible() and abs(p.eta()) < MAX_ETA
    ]
    sequence = fastjet.ClusterSequence(
        particles, fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    )
    return sorted(sequence.inclusive_jets(MIN_STORED_PT), key=lambda jet: -float(jet.pt()))


def _row(jets: list[Any], pthat: float) -> list[float]:
    first, second = jets[0], (jets[1] if len(jets) > 1 else None)
    pair = [0.0] * len(KINEMATICS) if second is None else _kinematics(second)
    mjj = 0.0 if second is None else (first + second).m()
    return [*_kinematics(first), *pair, sum(jet.pt() for jet in jets), mjj, len(jets), 0, pthat]


def _kinematics(jet: Any) -> list[float]:
    return [jet.pt(), jet.m(), jet.eta(), jet.phi_std()]


def _attributes(pythia: Any, events: int, seed: int) -> dict[str, str | int | float | bool]:
    info = pythia.infoPython()
    return {
        "title": "QCD dijet events, leading large-R jets, particle level",
        "generator": f"PYTHIA {pythia.settings.parm('Pythia:versionNumber'):.3f}",
        "settings": json.dumps(SETTINGS),
        "jets": f"anti-kT R={RADIUS} (fastjet {versions()['fastjet']}), visible stable particles, "
        f"|eta|<{MAX_ETA}, pT>{MIN_STORED_PT} GeV stored",
        "selection": f"leading jet pT > {MIN_LEADING_PT} GeV",
        "detector": "none",
        "pileup_mean": 0.0,
        "stand_in": False,
        "seed": seed,
        "events_generated": int(info.nAccepted()),
        "events_accepted": events,
        "cross_section_mb": float(info.sigmaGen()),
        "cross_section_error_mb": float(info.sigmaErr()),
        "created_by": "qgen-hep",
    }


def _columns(rows: Floats) -> dict[str, NDArray[Any]]:
    """One array a column, as in the shipped file."""
    columns: dict[str, NDArray[Any]] = {}
    for position, name in enumerate(COLUMNS):
        kind = np.uint8 if name in COUNTS else np.float32
        columns[name] = rows[:, position].astype(kind)
    return columns
