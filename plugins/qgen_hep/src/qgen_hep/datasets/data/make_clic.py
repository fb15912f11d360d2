"""Make the files of showers that this package ships from those of the full simulation.

Usage: python make_clic.py FOLDER, with FOLDER/clic_e_*GeV_geant4.h5. Only energies and layers are
kept, with the attributes that say how the showers were made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py

from qgen_core.support.files import write_durably
from qgen_hep.generate.hdf5 import hdf5_bytes, plain_attributes
from qgen_hep.readers.reading import file_hash

KEPT = ("energy", "layers")
UNITS = {"energy": "GeV", "layers": "MeV"}


def reduce(source: Path, target: Path) -> Path:
    """Write the kept columns and all attributes of ``source`` to ``target``."""
    with h5py.File(source, "r") as file:
        columns = {name: file[name][:] for name in KEPT}
        attributes = plain_attributes(file)
    attributes["reduced_by"] = "make_clic.py of qgen-hep: energy and layers alone"
    attributes["reduced_from_sha256"] = file_hash(source)
    write_durably(target, hdf5_bytes(columns, UNITS, attributes))
    return target


if __name__ == "__main__":
    for found in sorted(Path(sys.argv[1]).glob("clic_e_*GeV_geant4.h5")):
        written = reduce(found, Path(__file__).with_name(found.name))
        print(written.name, file_hash(written), written.stat().st_size)
