"""ROOT: branches of numbers in a TTree or an RNTuple, read by uproot (extra ``root``).

Branches of arrays, and of vectors that have one length in all events, are several columns.

uproot generates Python code from the class descriptions (streamers) in a file, for classes that
it does not know. Here the streamers are hidden from it, so that nothing in a file becomes code; a
tree that needs a class unknown to uproot cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BrokenPlugin, DataError
from qgen_core.typing import Array
from qgen_hep.readers.source import (
    Declared,
    Pick,
    common_length,
    element,
    listed,
    plain_numbers,
    printable,
    refuse,
    require_length,
)

MAX_TEXT = 4096
#: The classes that hold columns of events.
TREES = ("TTree", "ROOT::RNTuple")


@contextmanager
def open_root(path: Path, tree: str | None) -> Iterator[RootSource]:
    """The tree of a name, or the only one of the file for None; open within the block."""
    try:
        plain_file = _plain_file_class()
    except ImportError as error:
        raise BrokenPlugin(
            f"{path} is a ROOT file; reading it needs `pip install 'qgen-hep[root]'`"
        ) from error
    with open(path, "rb") as raw:
        file = plain_file(raw, object_cache=None, array_cache=None)
        directory = file.root_directory
        yield RootSource(path, _tree(path, directory, tree), _texts(directory))


class RootSource:
    """Branches of one TTree, or fields of one RNTuple."""

    def __init__(self, path: Path, tree: Any, texts: Mapping[str, str]) -> None:
        self.path = path
        self.texts = texts
        self.title = str(getattr(tree, "title", "") or "")
        self.branches = dict(tree.items())

    def names(self) -> Sequence[str]:
        """Names of the branches."""
        return list(self.branches)

    def declared(self, name: str) -> Declared | None:
        """Length, inner shape and type; vectors have the length of that in event 0."""
        if name not in self.branches:
            return None
        branch = self.branches[name]
        events = int(branch.num_entries)
        of_vectors = _numbers_in_vectors(branch)
        if of_vectors is not None:
            plain_numbers(self.path, name, of_vectors)

            def lengths(rows: slice) -> NDArray[np.int64]:
                return _lengths(_vectors(branch, rows))

            return Declared(events, (common_length(self.path, name, events, lengths),), of_vectors)
        numbers = _numbers_of(branch)
        if numbers is None:
            raise refuse(
                self.path,
                name,
                "a branch of numbers, arrays or vectors of them",
                printable(str(branch.typename)),
            )
        plain_numbers(self.path, name, numbers.base)
        return Declared(events, tuple(numbers.shape), numbers.base)

    def load(self, picks: Sequence[Pick], rows: slice) -> Iterator[Array]:
        """Read the branches one after the other."""
        for pick in picks:
            branch = self.branches[pick.name]
            if _numbers_in_vectors(branch) is None:
                found = branch.array(library="np", entry_start=rows.start, entry_stop=rows.stop)
            else:
                found = self._rectangular(branch, pick.name, rows)
            yield element(found, pick.index, slice(None))

    def _rectangular(self, branch: Any, name: str, rows: slice) -> Array:
        """Vectors of one length as an array (N, length)."""
        import awkward  # type: ignore[import-untyped, import-not-found, unused-ignore]

        declared = self.declared(name)
        assert declared is not None
        (length,) = declared.inner
        vectors = _vectors(branch, rows)
        require_length(self.path, name, _lengths(vectors), length, rows.start)
        values: Array = awkward.to_numpy(awkward.flatten(vectors, axis=1))
        return values.reshape(-1, length)

    def attributes(self) -> Mapping[str, str]:
        """The title of the tree, and the texts at the top of the file."""
        found = dict(self.texts)
        if self.title:
            found["title"] = self.title[:MAX_TEXT]
        return found


def _texts(directory: Any) -> dict[str, str]:
    """The objects of text at the top of a file, by name."""
    found = {}
    for key, kind in directory.classnames(recursive=False, cycle=False).items():
        if kind == "TObjString":
            found[key] = printable(str(directory[key]))[:MAX_TEXT]
    return found


def _numbers_of(branch: Any) -> np.dtype[Any] | None:
    """The dtype of an event, with its shape; None unless each has the same count of numbers."""
    import uproot

    if not isinstance(branch, uproot.TBranch):
        return _numbers_of_field(branch)
    how = branch.interpretation
    if type(how) is not uproot.AsDtype or how.to_dtype.fields is not None:
        return None
    dtype: np.dtype[Any] = how.to_dtype
    return dtype


def _numbers_in_vectors(branch: Any) -> np.dtype[Any] | None:
    """The dtype of the numbers of a branch of vectors; None for any other branch."""
    import uproot

    if isinstance(branch, uproot.TBranch):
        how = branch.interpretation
        if type(how) is not uproot.AsJagged or type(how.content) is not uproot.AsDtype:
            return None
        dtype: np.dtype[Any] = how.content.to_dtype
        if dtype.fields is not None or dtype.shape:
            return None
        return dtype
    kind = _type_of_field(branch)
    if type(kind).__name__ != "ListType" or type(kind.content).__name__ != "NumpyType":
        return None
    primitive: np.dtype[Any] = np.dtype(kind.content.primitive)
    return primitive


def _vectors(branch: Any, rows: slice) -> Any:
    """Some events of a branch of vectors, as an awkward array."""
    return branch.array(library="ak", entry_start=rows.start, entry_stop=rows.stop)


def _lengths(vectors: Any) -> NDArray[np.int64]:
    import awkward  # type: ignore[import-untyped, import-not-found, unused-ignore]

    return np.asarray(awkward.num(vectors, axis=1), dtype=np.int64)


def _type_of_field(field: Any) -> Any:
    """The type of an event in a field of an RNTuple, which awkward knows without reading it."""
    return field.array(library="ak", entry_start=0, entry_stop=0).type.content


def _numbers_of_field(field: Any) -> np.dtype[Any] | None:
    """As _numbers_of, for a field of an RNTuple."""
    kind = _type_of_field(field)
    shape = []
    while type(kind).__name__ == "RegularType":
        shape.append(int(kind.size))
        kind = kind.content
    if type(kind).__name__ != "NumpyType":
        return None
    return np.dtype((kind.primitive, tuple(shape)))


@cache
def _plain_file_class() -> Any:
    """uproot's file class with the streamers of the file hidden."""
    import uproot

    class PlainFile(uproot.ReadOnlyFile):  # type: ignore[misc]
        @property
        def streamers(self) -> dict[str, Any]:
            return {}

    return PlainFile


def _tree(path: Path, directory: Any, wanted: str | None) -> Any:
    """The tree of a name, or the only one; ``/Events`` and ``Events;1`` are names, too."""
    trees = set()
    others = set()
    for key, kind in directory.classnames(recursive=True).items():
        name, _, _ = key.partition(";")
        if kind in TREES:
            trees.add(name)
        else:
            others.add(f"{name} ({kind})")
    if not trees:
        raise DataError(
            f"{path}: expected a TTree or an RNTuple of events, found only {listed(sorted(others))}"
        )
    there = listed(sorted(trees))
    if wanted is None:
        if len(trees) != 1:
            raise DataError(f"{path}: expected one tree, found {there}; name one with 'tree'")
        return directory[min(trees)]
    key = wanted.strip("/")
    name, _, cycle = key.partition(";")
    if name not in trees or (cycle and key not in directory.keys(recursive=True)):
        raise DataError(f"{path}: no tree {wanted!r}; there are {there}")
    return directory[key]
