"""The dataset ``clic``: electron showers in a CLIC-like calorimeter, as a few pixels in depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Floats
from qgen_hep.generate.clic.detector import LAYERS, PixelCount, pixels_of
from qgen_hep.generate.clic.gflash import DEPTH_SCALE, SAMPLING, VISIBLE_FRACTION, showers
from qgen_hep.published import fetched_from
from qgen_hep.published.records import CLIC
from qgen_hep.readers import read
from qgen_hep.readers.columns import Wanted, load_rows, resolve
from qgen_hep.readers.formats import open_source
from qgen_hep.readers.reading import file_hash
from qgen_hep.readers.source import failures, refuse

Energies = Literal["225-275", "45-55"]
Source = Literal["geant4", "gflash"]

#: The shipped files, their SHA-256, and the window of energies in GeV.
FILES: dict[str, tuple[str, str]] = {
    "225-275": (
        "clic_e_225_275GeV_geant4.h5",
        "17b0d459a6ed1939968e2d3c864ca3c3b971f54e9f09f60f2462ae9a81787d0e",
    ),
    "45-55": (
        "clic_e_45_55GeV_geant4.h5",
        "509d0ae48b147c28eeab6de2c596257594b8a634e1232a125e1aef3035d3cd16",
    ),
}
WINDOWS: dict[str, tuple[float, float]] = {"225-275": (225.0, 275.0), "45-55": (45.0, 55.0)}
CONDITION = "energy"
#: Events of the stand-in, if the option ``events`` does not say how many.
STAND_IN_EVENTS = 10_000
#: Cells of an image of the public file: two transverse directions and the depth.
IMAGE = (25, 25, LAYERS)
#: Images of the public file that are read at once: 128 of them take 16 MB.
IMAGES_AT_ONCE = 128


@dataclass(frozen=True)
class Showers:
    """Energies (N,) in GeV and layers (N, 25) in MeV, with where they come from."""

    energy: Floats
    layers: Floats
    provenance: Mapping[str, str]


@fetched_from(CLIC)
def clic(
    *,
    energies: Energies = "225-275",
    source: Source = "geant4",
    pixels: PixelCount = 8,
    condition_columns: tuple[str, ...] = (),
    events: int | None = None,
    path: str | None = None,
    sha256: str | None = None,
    seed: int = 0,
) -> Events:
    """Electron showers in the silicon of a CLIC-like W/Si calorimeter, reduced to 8 or 16 pixels.

    ``energies`` of the electrons in GeV: 2530 showers of 225 to 275, or 1050 of 45 to 55, simulated
    with Geant4 11.4 in a geometry of our own; they are never mixed. A pixel is the mean energy, in
    MeV, of some consecutive layers of 25: for ``pixels = 8`` seven times three and then four, for
    16 nine times two and then seven single ones. ``condition_columns`` is empty, or ``energy``.
    ``events`` keeps at most this many showers, the first ones.

    ``source = "gflash"`` is a STAND-IN of as many ``events`` as asked for (by default 10,000),
    drawn with the seed of the run from the longitudinal profiles of hep-ex/0001020: pixel means
    within 16 % of Geant4's (26 % low in the first pixel), spreads 16 to 28 % low from the maximum
    on, correlations off by up to 0.4. Quote numbers of Geant4.

    ``path`` reads the public file of CLIC images instead: HDF5 with ``ECAL`` (N, 25, 25, 25), depth
    last, read as GeV, and ``target`` with the energy in GeV in column 1. Showers outside
    ``energies`` are left out and counted. ``sha256`` is compared with that file.

    Raises BadOption for options that exclude each other, DataError for a damaged or different file.

    >>> data = clic(events=100, condition_columns=("energy",))
    >>> data.x.shape, data.columns[0], data.units[0], data.provenance["stand_in"]
    ((100, 8), 'pixel_0', 'MeV', 'no')
    >>> clic(source="gflash", events=50, pixels=16).provenance["stand_in"]
    'yes'
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    if condition_columns not in ((), (CONDITION,)):
        raise BadOption(
            f"the condition of clic is {CONDITION}, or none, not {', '.join(condition_columns)}"
        )
    found = _showers(energies, source, events, path, sha256, seed)
    condition: Floats | None = None
    if condition_columns:
        condition = found.energy[:, None]
    return Events(
        pixels_of(found.layers, pixels),
        condition,
        columns=tuple(f"pixel_{number}" for number in range(pixels)),
        units=("MeV",) * pixels,
        condition_columns=condition_columns,
        provenance={
            "name": "clic",
            **found.provenance,
            "energies": f"{energies} GeV",
            "pixels": f"{pixels}, means of consecutive layers of {LAYERS}",
        },
    )


def shipped(energies: Energies) -> Path:
    """The path of the file of these energies that is part of this package.

    >>> shipped("45-55").name
    'clic_e_45_55GeV_geant4.h5'
    """
    return Path(__file__).with_name("data") / FILES[energies][0]


def _showers(
    energies: Energies,
    source: Source,
    events: int | None,
    path: str | None,
    sha256: str | None,
    seed: int,
) -> Showers:
    if path is None and sha256 is not None:
        raise BadOption("sha256 needs path; the shipped files are always checked")
    if path is not None:
        if source == "gflash":
            raise BadOption("path reads simulated showers; leave out source = 'gflash', or path")
        return _public(path, energies, events, sha256)
    if source == "gflash":
        return _stand_in(energies, events or STAND_IN_EVENTS, seed)
    return _shipped(energies, events)


def _shipped(energies: Energies, events: int | None) -> Showers:
    table = read(shipped(energies), ["energy", "layers"], sha256=FILES[energies][1], events=events)
    layers, _, _ = table.only(["layers"])
    said = table.attributes
    return Showers(
        table.column("energy"),
        layers,
        {
            "kind": "simulated",
            "stand_in": "no",
            "title": said["title"],
            "generator": said["generator"],
            "physics": said["physics"],
            "geometry": said["geometry"],
            "file": table.path.name,
            "sha256": table.sha256,
        },
    )


def _stand_in(energies: Energies, events: int, seed: int) -> Showers:
    # Six arrays of layers live at the same time.
    require_memory(8 * 6 * LAYERS * events, f"generating {events} showers")
    rng = stream(seed, "clic-gflash")
    energy = rng.uniform(*WINDOWS[energies], events)
    return Showers(
        energy,
        showers(energy, rng),
        {
            "kind": "stand-in",
            "stand_in": "yes",
            "title": "STAND-IN for simulated electron showers, CLIC-like W/Si calorimeter",
            "stands in for": "Geant4 showers (the dataset's source 'geant4')",
            "generator": "longitudinal profiles of GFlash, hep-ex/0001020, of our own code",
            "calibration": f"visible fraction {VISIBLE_FRACTION:g}, depth scale {DEPTH_SCALE:g}, "
            f"sampling {SAMPLING:g} sqrt(GeV)",
        },
    )


def _public(path: str, energies: Energies, events: int | None, sha256: str | None) -> Showers:
    """The showers of a file of CLIC images in the window of energies."""
    file = Path(path)
    found_hash = _checked_hash(file, sha256)
    low, high = WINDOWS[energies]
    kept_energies: list[Floats] = []
    kept_layers: list[Floats] = []
    outside = 0
    kept = 0
    for energy, layers in _slices(file):
        inside = (energy >= low) & (energy <= high)
        outside += int(len(energy) - inside.sum())
        kept_energies.append(energy[inside])
        kept_layers.append(layers[inside])
        kept += int(inside.sum())
        if events is not None and kept >= events:
            break
    if not kept:
        raise DataError(
            f"{file}: none of its {outside} showers has an energy of {low:g} to {high:g} GeV; "
            "choose other energies"
        )
    return Showers(
        np.concatenate(kept_energies)[:events],
        np.concatenate(kept_layers)[:events],
        {
            "kind": "simulated",
            "stand_in": "no",
            "title": "electron showers of the public CLIC images",
            "units": "ECAL read as GeV, target[1] as GeV",
            "file": file.name,
            "sha256": found_hash,
            "outside": f"{outside} showers outside the energies were left out",
        },
    )


def _checked_hash(file: Path, sha256: str | None) -> str:
    found = file_hash(file)
    if sha256 is not None and found != sha256.lower():
        raise DataError(
            f"{file}: expected the SHA-256 {sha256.lower()}, found {found}; get the file again"
        )
    return found


def _slices(file: Path) -> Iterator[tuple[Floats, Floats]]:
    """Energies (N,) in GeV and layers (N, 25) in MeV of the images, some at a time."""
    with failures(file), open_source(file, None) as source:
        wanted = resolve(file, source, ["ECAL", "target[1]"])
        _require_images(file, wanted)
        rows = wanted[0].declared.rows or 0
        if not rows:
            raise DataError(f"{file} holds no showers")
        for start in range(0, rows, IMAGES_AT_ONCE):
            stop = min(start + IMAGES_AT_ONCE, rows)
            values = load_rows(file, source, wanted, slice(start, stop))
            images = values[:, :-1]
            _require_energies(file, images, start)
            layers = 1000 * images.reshape(-1, *IMAGE).sum(axis=(1, 2))
            yield values[:, -1], layers


def _require_images(file: Path, wanted: Sequence[Wanted]) -> None:
    inner = wanted[0].declared.inner
    if inner != IMAGE:
        raise refuse(file, "ECAL", f"images of {IMAGE} cells", f"{inner}")


def _require_energies(file: Path, images: Floats, start: int) -> None:
    """Raise DataError for cells that are not finite, or negative."""
    bad = np.any(~(np.isfinite(images) & (images >= 0)), axis=1)
    if bad.any():
        raise refuse(
            file,
            "ECAL",
            "energies of at least 0",
            f"others in {int(bad.sum())} images, first in image {start + int(np.argmax(bad))}",
        )
