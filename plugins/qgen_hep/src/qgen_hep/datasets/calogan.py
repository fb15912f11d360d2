"""The dataset ``calogan``: showers in the calorimeter of CaloGAN, 504 cells in three layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.runs.event_formats import written_by
from qgen_core.typing import Floats
from qgen_hep.calorimeters.grids import LAYERS, SHAPES
from qgen_hep.datasets.shower_writers import CaloganWriter
from qgen_hep.generate.calogan.detector import CELLS, COLUMNS
from qgen_hep.generate.calogan.file import ENERGIES, GENERATORS, Species, cached_calogan
from qgen_hep.generate.offer import generated_by
from qgen_hep.published import fetched_from
from qgen_hep.published.records import CALOGAN
from qgen_hep.readers import Table, read
from qgen_hep.readers.formats import open_source
from qgen_hep.readers.source import failures, refuse

Source = Literal["geant4", "gflash", "hadronic"]

#: The shipped file: 7860 positrons of 1 to 100 GeV, Geant4 11.4.
FILE = "calogan_eplus_geant4.h5"
SHA256 = "547cba813e4227516b4cd73aa8841d168857b5d7a27c1d7b153ab31a28df244c"
#: The particles of each source.
SPECIES: dict[str, tuple[str, ...]] = {
    "geant4": ("e+",),
    "gflash": ("e+", "gamma"),
    "hadronic": ("pi+",),
}
CONDITION = "energy"
#: Showers of a stand-in, if the option ``events`` does not say how many.
STAND_IN_EVENTS = 10_000
UNITS = {**dict.fromkeys(LAYERS, "MeV"), CONDITION: "GeV"}
#: Mean part of the energy that showers leave in the cells, in files with the right units.
VISIBLE = (0.02, 1.2)


@fetched_from(CALOGAN)
@written_by(CaloganWriter)
@generated_by(cached_calogan)
def calogan(
    *,
    species: Species = "e+",
    source: Source = "geant4",
    condition_columns: tuple[str, ...] = (CONDITION,),
    events: int | None = None,
    path: str | None = None,
    sha256: str | None = None,
    seed: int = 0,
) -> Events:
    """Showers in 80 x (2 mm lead + 4 mm liquid argon), as energies of 3x96 + 12x12 + 12x6 cells.

    The columns are ``layer_0[0]`` to ``layer_0[287]``, ``layer_1[0]`` to ``layer_1[143]`` and
    ``layer_2[0]`` to ``layer_2[71]`` in MeV, in each layer the index along y running fastest; the
    condition is ``energy`` in GeV, uniform from 1 to 100, or none (``condition_columns = []``).

    ``source = "geant4"``: 7860 positrons simulated with Geant4 11.4, shipped with this package;
    ``events`` keeps the first ones. The two others are STAND-INS of as many ``events`` as asked for
    (by default 10,000), generated with the seed of the run, at the first time in some seconds, and
    kept in the user's cache: ``gflash`` for e+ and gamma (longitudinal and radial profiles of
    hep-ex/0001020, calibrated on the Geant4 positrons), ``hadronic`` for pi+ (a parametrisation of
    our own, ``qgen_hep.generate.calogan.hadronic``). How far they are from Geant4 is in
    docs/data.md. A dataset has one source, and ``species`` is one that the source has.

    ``path`` reads a file in the layout of the public ones instead: HDF5 with ``layer_0`` (N, 3,
    96), ``layer_1`` (N, 12, 12), ``layer_2`` (N, 12, 6) in MeV and ``energy`` (N, 1) in GeV. Such a
    file does not say its species: the option does. A file that this package generated says that it
    is a stand-in, and so do its events. ``sha256`` is compared with the file.

    Raises BadOption for options that exclude each other, DataError for a damaged or different file.

    >>> data = calogan(events=100)
    >>> data.x.shape, data.columns[288], data.units[0], data.condition_columns
    ((100, 504), 'layer_1[0]', 'MeV', ('energy',))
    >>> data.provenance["stand_in"], data.provenance["species"]
    ('no', 'e+')
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    if condition_columns not in ((), (CONDITION,)):
        raise BadOption(
            f"the condition of calogan is {CONDITION}, or none, not {', '.join(condition_columns)}"
        )
    table, said = _source(species, source, events, path, sha256, seed)
    cells, _, _ = table.only(LAYERS)
    energy, _, _ = table.only([CONDITION])
    condition: Floats | None = None
    if condition_columns:
        condition = energy
    return Events(
        cells,
        condition,
        columns=COLUMNS,
        units=("MeV",) * CELLS,
        condition_columns=condition_columns,
        provenance={
            "name": "calogan",
            **said,
            "species": species,
            "file": table.path.name,
            "sha256": table.sha256,
        },
    )


def shipped() -> Path:
    """The path of the file of Geant4 showers that is part of this package.

    >>> shipped().name
    'calogan_eplus_geant4.h5'
    """
    return Path(__file__).with_name("data") / FILE


def _source(
    species: Species,
    source: Source,
    events: int | None,
    path: str | None,
    sha256: str | None,
    seed: int,
) -> tuple[Table, Mapping[str, str]]:
    """The showers, and what the provenance says of them."""
    if path is None and sha256 is not None:
        raise BadOption("sha256 needs path; the shipped file is always checked")
    if path is not None:
        if source != "geant4":
            raise BadOption(f"path reads simulated showers; leave out source = {source!r}, or path")
        return _public(Path(path), events, sha256)
    if species not in SPECIES[source]:
        others = [name for name, offered in SPECIES.items() if species in offered]
        raise BadOption(
            f"there are no showers of {species} of the source {source!r}; its species are "
            f"{', '.join(SPECIES[source])}, and {species} is in the source {' or '.join(others)}"
        )
    if source == "geant4":
        table = read(shipped(), [*LAYERS, CONDITION], sha256=SHA256, events=events)
        kept = ("title", "generator", "physics", "geometry")
        described = {key: table.attributes[key] for key in kept}
        return table, {"kind": "simulated", "stand_in": "no", **described}
    file = cached_calogan(events or STAND_IN_EVENTS, seed=seed, species=species)
    return read(file, [*LAYERS, CONDITION]), {
        "kind": "stand-in",
        "stand_in": "yes",
        "title": f"STAND-IN for simulated showers of {species} in the calorimeter of CaloGAN",
        "stands in for": "Geant4 showers",
        "generator": GENERATORS[species],
        "energies": f"{ENERGIES[0]:g} to {ENERGIES[1]:g} GeV, uniform",
    }


def _public(file: Path, events: int | None, sha256: str | None) -> tuple[Table, Mapping[str, str]]:
    """The showers of a file in the public layout. Raises DataError for another layout."""
    _require_layout(file)
    table = read(file, [*LAYERS, CONDITION], units=UNITS, sha256=sha256, events=events)
    cells, _, _ = table.only(LAYERS)
    energy, _, _ = table.only([CONDITION])
    if energy.min() <= 0:
        raise refuse(file, CONDITION, "energies above 0 GeV", f"{energy.min():g}")
    visible = float(np.mean(cells.sum(axis=1) / (1000 * energy[:, 0])))
    if not VISIBLE[0] <= visible <= VISIBLE[1]:
        raise DataError(
            f"{file}: the cells hold {visible:.3g} times the energy of the particles on average, "
            f"if {', '.join(LAYERS)} are in MeV and {CONDITION} in GeV; correct the units"
        )
    origin = {"kind": "simulated", "stand_in": "no"}
    if table.attributes.get("stand_in", "False") == "True":
        origin = {"kind": "stand-in", "stand_in": "yes"}
    return table, {
        **origin,
        "title": "showers of a file in the layout of the public CaloGAN files",
        "units": "layers read as MeV, energy as GeV; the species is that of the option",
    }


def _require_layout(file: Path) -> None:
    """Raise DataError for layers of another shape, and for units that the file itself denies."""
    with failures(file), open_source(file, None) as source:
        for name, unit in UNITS.items():
            declared = source.declared(name)
            if declared is None:
                raise DataError(f"{file}: no array {name!r}; there must be {', '.join(UNITS)}")
            if declared.unit not in ("", "1", unit):
                raise refuse(file, name, f"values in {unit}", f"the unit {declared.unit}")
        for name, shape in zip(LAYERS, SHAPES, strict=True):
            declared = source.declared(name)
            if declared is not None and declared.inner != shape:
                raise refuse(file, name, f"layers of {shape} cells", f"{declared.inner}")
