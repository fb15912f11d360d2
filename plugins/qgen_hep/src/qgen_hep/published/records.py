"""The records of published data sets, and the lists of files that archives give of them.

Names and checksums are those that public repositories quote; where none are quoted, the archive is
asked for the list of the record's files, which has checksums of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qgen_core.errors import DataError

#: The most files of a record; those that are known have up to some hundred.
MOST_FILES = 10_000


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Args:
        name: its name, without folders.
        url: where it is.
        checksum: ``algorithm:hexadecimal`` with md5 or sha256; empty if none is known.
        size: in bytes; None if it is not known before the download.

    Raises DataError for a name with folders, another address than http(s), and for a checksum of
    another kind: a list of files may come from elsewhere.

    >>> RemoteFile("showers.hdf5", "https://example.org/showers.hdf5").checksum
    ''
    """

    name: str
    url: str
    checksum: str = ""
    size: int | None = None

    def __post_init__(self) -> None:
        bad = {"/", "\\", "\0"} & set(self.name)
        if not self.name or self.name.startswith(".") or bad or not self.name.isprintable():
            raise DataError(f"{self.name!r} is no name for a file to download")
        if not self.url.startswith(("https://", "http://")):
            raise DataError(f"{self.name} is to be downloaded from {self.url!r}, no web address")
        kind, _, digest = self.checksum.partition(":")
        lengths = {"md5": 32, "sha256": 64}
        if self.checksum and len(digest) != lengths.get(kind):
            raise DataError(f"{self.checksum!r} is no MD5 or SHA-256 of {self.name}")


Listing = Callable[[bytes], list[RemoteFile]]


@dataclass(frozen=True)
class Record:
    """A published data set: its DOI, its title, and its files or the list of them.

    ``listing`` is the address of the list, ``parsed`` makes files of it.

    >>> CALOCHALLENGE_1_PHOTONS.doi, [file.name for file in CALOCHALLENGE_1_PHOTONS.files]
    ('10.5281/zenodo.8099322', ['dataset_1_photons_1.hdf5', 'dataset_1_photons_2.hdf5'])
    """

    key: str
    doi: str
    title: str
    files: tuple[RemoteFile, ...] = ()
    listing: str = ""
    parsed: Listing | None = None


def zenodo_files(text: bytes) -> list[RemoteFile]:
    """The files of a record of Zenodo (``/api/records/NUMBER``). Raises DataError.

    >>> entry = {"key": "a.h5", "size": 3, "checksum": "md5:" + "0" * 32}
    >>> entry["links"] = {"self": "https://zenodo.org/api/records/1/files/a.h5/content"}
    >>> zenodo_files(json.dumps({"files": [entry]}).encode())[0].name
    'a.h5'
    """

    def file(entry: Any) -> RemoteFile:
        checksum = str(entry.get("checksum", ""))
        return RemoteFile(
            str(entry["key"]), str(entry["links"]["self"]), checksum, int(entry["size"])
        )

    return _listed(text, lambda found: found["files"], file)


def mendeley_files(text: bytes) -> list[RemoteFile]:
    """The files of a data set of Mendeley Data, from its list of files. Raises DataError.

    >>> details = {"sha256_hash": "0" * 64, "download_url": "https://data.mendeley.com/x"}
    >>> entry = {"filename": "gamma.hdf5", "size": 3, "content_details": details}
    >>> mendeley_files(json.dumps([entry]).encode())[0].checksum[:9]
    'sha256:00'
    """

    def file(entry: Any) -> RemoteFile:
        details = entry["content_details"]
        checksum = ""
        if details.get("sha256_hash"):
            checksum = f"sha256:{details['sha256_hash']}"
        return RemoteFile(
            str(entry["filename"]), str(details["download_url"]), checksum, int(entry["size"])
        )

    return _listed(text, lambda found: found, file)


def _listed(
    text: bytes, entries: Callable[[Any], Any], file: Callable[[Any], RemoteFile]
) -> list[RemoteFile]:
    try:
        found = list(entries(json.loads(text)))[:MOST_FILES]
        files = [file(entry) for entry in found]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"the archive's list of files is not as expected: {error!r}") from error
    if not files:
        raise DataError("the archive's list of files is empty")
    return files


def _zenodo(number: int, title: str, *files: tuple[str, str]) -> Record:
    """A record of Zenodo, with the names and MD5 of its files where they are known."""
    known = []
    for name, md5 in files:
        url = f"https://zenodo.org/records/{number}/files/{name}?download=1"
        known.append(RemoteFile(name, url, f"md5:{md5}"))
    return Record(
        f"zenodo-{number}",
        f"10.5281/zenodo.{number}",
        title,
        tuple(known),
        f"https://zenodo.org/api/records/{number}",
        zenodo_files,
    )


def _open_data(number: int, doi: str, title: str, *names: str) -> Record:
    """A record of CERN Open Data."""
    files = []
    for name in names:
        files.append(RemoteFile(name, f"https://opendata.cern.ch/record/{number}/files/{name}"))
    return Record(f"opendata-{number}", doi, title, tuple(files))


CALOCHALLENGE_1_PHOTONS = _zenodo(
    8099322,
    "CaloChallenge data set 1, photons",
    ("dataset_1_photons_1.hdf5", "005d2adeda7db034b388112661265656"),
    ("dataset_1_photons_2.hdf5", "4767715ed56e99565fd9c67340661e70"),
)
CALOCHALLENGE_1_PIONS = _zenodo(
    8099322,
    "CaloChallenge data set 1, charged pions",
    ("dataset_1_pions_1.hdf5", "6a5f52722064a1bcd8a0bc002f16515d"),
    ("dataset_1_pions_2.hdf5", "fee7457b40127bc23c8ab909e2638ca0"),
)
CALOCHALLENGE_2 = _zenodo(6366271, "CaloChallenge data set 2, electrons")
CALOCHALLENGE_3 = _zenodo(6366324, "CaloChallenge data set 3, electrons")
ATLAS_VOXELS = _open_data(
    15012,
    "10.7483/OPENDATA.ATLAS.UXKX.TXBN",
    "ATLAS voxels of photons and pions for FastCaloGAN",
    "photon_samples.tgz",
    "pion_samples.tgz",
    "binning.xml",
)
CALOGAN = Record(
    "mendeley-pvn3xc3wy5",
    "10.17632/pvn3xc3wy5.1",
    "Electromagnetic calorimeter shower images (CaloGAN)",
    listing="https://data.mendeley.com/public-api/datasets/pvn3xc3wy5/files?folder_id=root&version=1",
    parsed=mendeley_files,
)
CLIC = _zenodo(3603086, "CLIC calorimeter images, 25 x 25 x 25 cells")
DIJETGAN = _zenodo(14983912, "DijetGAN: MadGraph5, Pythia8 and Delphes dijets")
