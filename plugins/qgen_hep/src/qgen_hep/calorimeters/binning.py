"""The binning files of the CaloChallenge, which may come from anywhere.

A file is ``<Bins><Bin name="photon" ...><Layer id="1" r_edges="0,2,4" n_bin_alpha="10"/>...``. It
is read by the parser of the standard library, which reads no other files; document types, and so
entities, are refused, and sizes are bounded before memory is asked for.
"""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

import numpy as np

from qgen_core.errors import DataError

#: The largest binning file in bytes; those of the CaloChallenge have up to 10,000.
MOST_BYTES = 2**20
#: The most voxels of a calorimeter; data set 3 has 40,500.
MOST_VOXELS = 2**24

#: Radial edges in mm and the number of angles, by the number of the layer.
Rings = dict[int, tuple[tuple[float, ...], int]]


def read_binning(path: Path, particle: str) -> Rings:
    """The layers with voxels of the ``Bin`` whose name is ``particle``, in the order of the file.

    Raises DataError for a file that cannot be read or parsed, that has a document type, a layer
    that makes no sense, more than 2^24 voxels, or not exactly one such particle.

    >>> import tempfile
    >>> layer = '<Layer id="1" r_edges="0,2,4" n_bin_alpha="10"/>'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "binning.xml"
    ...     _ = path.write_text(f'<Bins><Bin name="photon">{layer}</Bin></Bins>')
    ...     print(read_binning(path, "photon"))
    {1: ((0.0, 2.0, 4.0), 10)}
    """
    reader = _Reader(path, particle)
    reader.read(_bytes_of(path))
    return reader.result()


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read the binning file {path}: {error.strerror}") from error
    if len(found) > MOST_BYTES:
        raise DataError(f"{path} has more than {MOST_BYTES} bytes, it is no binning file")
    return found


class _Reader:
    """Collects the layers of one particle while a file is parsed."""

    def __init__(self, path: Path, particle: str) -> None:
        self._path = path
        self._particle = particle
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_document_type
        self._open: list[str] = []
        self._inside = False
        self._names: list[str] = []
        self._numbers: set[int] = set()
        self._rings: Rings = {}
        self._voxels = 0

    def read(self, text: bytes) -> None:
        """Parse the whole text. Raises DataError."""
        try:
            self._parser.Parse(text, True)
        except expat.ExpatError as error:
            raise DataError(f"{self._path} is no XML file: {error}") from error

    def result(self) -> Rings:
        """The layers. Raises DataError unless there is exactly one particle of the name."""
        number = self._names.count(self._particle)
        if number != 1:
            there = ", ".join(self._names) or "none"
            raise DataError(
                f"{self._path} has {number} particles named {self._particle!r}, there must be one; "
                f"it has {there}"
            )
        if not self._rings:
            raise self._error(f"the particle {self._particle!r} has no layer with voxels")
        return self._rings

    def _refuse_document_type(self, *_: object) -> None:
        raise self._error("document types and entities are not accepted")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        parent = "/".join(self._open)
        self._open.append(tag)
        place = "/".join(self._open)
        if place == "Bins/Bin":
            name = self._attribute(tag, attributes, "name")
            self._names.append(name)
            self._inside = name == self._particle
        elif place == "Bins/Bin/Layer":
            if self._inside:
                self._add(attributes)
        elif place != "Bins":
            raise self._error(
                f"the element {tag!r} is not expected in {parent or 'the file'}; a binning file of "
                "the CaloChallenge has Bins, in them Bin, and in them Layer"
            )

    def _end(self, tag: str) -> None:
        self._open.pop()

    def _add(self, attributes: dict[str, str]) -> None:
        number = self._whole(attributes, "id")
        angles = self._whole(attributes, "n_bin_alpha")
        edges = self._edges(attributes)
        if number in self._numbers:
            raise self._error(f"the layer {number} occurs twice")
        self._numbers.add(number)
        if len(edges) == 1:
            return
        self._voxels += angles * (len(edges) - 1)
        if self._voxels > MOST_VOXELS:
            raise self._error(f"there are more than {MOST_VOXELS} voxels")
        if angles < 1 or edges[0] < 0 or np.any(np.diff(edges) <= 0):
            raise self._error(
                f"layer {number} needs radial edges that rise from 0 or more, and at least one "
                "angular bin"
            )
        self._rings[number] = (edges, angles)

    def _edges(self, attributes: dict[str, str]) -> tuple[float, ...]:
        text = self._attribute("Layer", attributes, "r_edges")
        try:
            edges = tuple(float(part) for part in text.split(","))
        except ValueError as error:
            raise self._error(f"r_edges={text[:80]!r} is no list of numbers") from error
        if not np.all(np.isfinite(edges)):
            raise self._error(f"r_edges={text[:80]!r} has numbers that are not finite")
        return edges

    def _whole(self, attributes: dict[str, str], name: str) -> int:
        text = self._attribute("Layer", attributes, name)
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise self._error(f"{name}={text[:80]!r} is no whole number of 0 or more")
        return int(text)

    def _attribute(self, tag: str, attributes: dict[str, str], name: str) -> str:
        if name not in attributes:
            raise self._error(f"the element {tag!r} has no attribute {name!r}")
        return attributes[name]

    def _error(self, text: str) -> DataError:
        return DataError(f"{self._path}, line {self._parser.CurrentLineNumber}: {text}")
