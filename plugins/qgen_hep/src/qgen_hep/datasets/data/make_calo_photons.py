"""Make the file of photon showers that this package ships from that of the full simulation.

Usage: python make_calo_photons.py FOLDER, with FOLDER/atlas_gamma_65GeV_geant4.h5. All showers are
kept, with the attributes that say how they were made. Energies are rounded to 16 bits of mantissa,
by at most 1.6e-5 of each, so that they compress.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py

from qgen_core.support.files import write_durably
from qgen_hep.generate.hdf5 import hdf5_bytes, plain_attributes, rounded
from qgen_hep.readers.reading import file_hash

UNITS = {"showers": "MeV", "incident_energies": "MeV"}


def reduce(source: Path, target: Path) -> Path:
    """Write the showers and all attributes of ``source`` to ``target``."""
    with h5py.File(source, "r") as file:
        columns = {"showers": rounded(file["showers"][:])}
        columns["incident_energies"] = file["incident_energies"][:]
        attributes = plain_attributes(file)
    attributes["kind"] = "simulated"
    attributes["reduced_by"] = "make_calo_photons.py of qgen-hep: energies rounded to 16 bits"
    attributes["reduced_from_sha256"] = file_hash(source)
    write_durably(target, hdf5_bytes(columns, UNITS, attributes))
    return target


if __name__ == "__main__":
    found = Path(sys.argv[1]) / "atlas_gamma_65GeV_geant4.h5"
    written = reduce(found, Path(__file__).with_name("calo_photons_geant4.h5"))
    print(written.name, file_hash(written), written.stat().st_size)
