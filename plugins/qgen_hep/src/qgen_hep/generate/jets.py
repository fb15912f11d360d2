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
from qgen_core.support.files import write_durably
from qgen_core.typing import Floats
from qgen_hep.generate.cache import cache_folder, cached
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
#: The radius of the jets, the range of their particles, and pT in GeV of jets that are stored and
#: of the leading jet of an accepted event.
RADIUS = 1.0
MAX_ETA = 4.9
MIN_STORED_PT = 50.0
MIN_LEADING_PT = 250.0
#: PYTHIA's limit.
MAX_SEED = 900_000_000
#: Failures of PYTHIA in a row before the generation is given up.
MAX_FAILURES = 100
KINEMATICS = ("pt", "mass", "eta", "phi")
COLUMNS = (
    *(f"{jet}_{name}" for jet in ("jet1", "jet2") for name in KINEMATICS),
    "ht", "mjj", "njet", "npu", "pthat",
)  # fmt: skip
COUNTS = ("njet", "npu")
IN_GEV = [f"{jet}_{name}" for jet in ("jet1", "jet2") for name in ("pt", "mass")]
UNITS = dict.fromkeys([*IN_GEV, "ht", "mjj", "pthat"], "GeV")
PACKAGES = ("pythia8mc", "fastjet")


def generate_jets(events: int, *, seed: int, path: Path, progress: Progress | None = None) -> Path:
    """Write an HDF5 file of ``events`` events whose leading jet has pT above 250 GeV.

    Anti-kT jets, R = 1.0, of visible stable particles with |eta| < 4.9; jets below 50 GeV are not
    counted, and without a second one its columns are 0. The same seed and versions give the same
    file. About 40 events a second. Raises BadOption for impossible numbers of events or seeds,
    BrokenPlugin if PYTHIA or FastJet is not installed.
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
    columns = _columns(np.array(rows))
    write_durably(path, hdf5_bytes(columns, UNITS, _attributes(pythia, events, seed)))
    return path


def cached_jets(
    events: int, *, seed: int = 0, progress: Progress | None = None, cache: Path | None = None
) -> Path:
    """The file of :func:`generate_jets` in the cache, with a hash of its settings and versions."""
    depends_on = {"events": events, "seed": seed, "settings": SETTINGS, "versions": versions()}
    return cached(
        cache or cache_folder() / "jets",
        f"jets-{events}",
        depends_on,
        lambda path: generate_jets(events, seed=seed, path=path, progress=progress),
    )


def versions() -> dict[str, str]:
    """Versions of PYTHIA and FastJet. Raises BrokenPlugin that names what to install."""
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
    # PYTHIA seeds itself from the clock if the seed is 0, so 1 is added.
    for line in (*SETTINGS, "Random:setSeed = on", f"Random:seed = {seed + 1}"):
        if not pythia.readString(line):
            raise DataError(f"PYTHIA refused the setting {line!r}")
    if not pythia.init():
        raise DataError("PYTHIA could not be initialised; see its messages above")
    return pythia


def _selected(pythia: Any) -> Iterator[list[float]]:
    """One row for each accepted event, in the order of COLUMNS, without end."""
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
    """Jets above 50 GeV of an event record, sorted by falling pT."""
    import fastjet

    # The banner would be printed to stdout, which is for data.
    fastjet.ClusterSequenceAreaBase.set_fastjet_banner_stream(None)
    particles = []
    for p in event:
        if p.isFinal() and p.isVisible() and abs(p.eta()) < MAX_ETA:
            particles.append(fastjet.PseudoJet(p.px(), p.py(), p.pz(), p.e()))
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    sequence = fastjet.ClusterSequence(particles, definition)
    return sorted(sequence.inclusive_jets(MIN_STORED_PT), key=lambda jet: -float(jet.pt()))


def _row(jets: list[Any], pthat: float) -> list[float]:
    leading = jets[0]
    second = [0.0] * len(KINEMATICS)
    mjj = 0.0
    if len(jets) > 1:
        second = _kinematics(jets[1])
        mjj = (leading + jets[1]).m()
    ht = sum(jet.pt() for jet in jets)
    return [*_kinematics(leading), *second, ht, mjj, len(jets), 0, pthat]


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
    """One array for each column, with the types of the shipped file."""
    columns: dict[str, NDArray[Any]] = {}
    for position, name in enumerate(COLUMNS):
        if name in COUNTS:
            columns[name] = rows[:, position].astype(np.uint8)
        else:
            columns[name] = rows[:, position].astype(np.float32)
    return columns
