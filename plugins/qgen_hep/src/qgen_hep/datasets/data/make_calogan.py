"""Make the file of CaloGAN showers that this package ships from that of the full simulation.

Usage: python make_calogan.py FOLDER, with FOLDER/calogan_eplus_geant4.h5. Energies, cells and
overflow are kept, with the attributes that say how the showers were made. Deposits are rounded to
16 bits of mantissa, by at most 1.6e-5 of each, so that they compress.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py

from qgen_core.support.files import write_durably
from qgen_hep.generate.hdf5 import hdf5_bytes, plain_attributes, rounded
from qgen_hep.readers.reading import file_hash

ROUNDED = ("layer_0", "layer_1", "layer_2", "overflow")
UNITS = {**dict.fromkeys(ROUNDED, "MeV"), "energy": "GeV"}


def reduce(source: Path, target: Path) -> Path:
    """Write the kept columns and all attributes of ``source`` to ``target``."""
    with h5py.File(source, "r") as file:
        columns = {name: rounded(file[name][:]) for name in ROUNDED}
        columns["energy"] = file["energy"][:]
        attributes = plain_attributes(file)
    attributes["reduced_by"] = "make_calogan.py of qgen-hep: deposits rounded to 16 bits"
    attributes["reduced_from_sha256"] = file_hash(source)
    write_durably(target, hdf5_bytes(columns, UNITS, attributes))
    return target


if __name__ == "__main__":
    found = Path(sys.argv[1]) / "calogan_eplus_geant4.h5"
    written = reduce(found, Path(__file__).with_name(found.name))
    print(written.name, file_hash(written), written.stat().st_size)
