"""ROOT: branches of numbers in a TTree, read by uproot (extra ``root``).

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

from qgen_core.errors import BrokenPlugin, DataError
from qgen_core.typing import Array
from qgen_hep.readers.source import (
    Declared,
    Pick,
    element,
    listed,
    plain_numbers,
    printable,
    refuse,
)

MAX_TEXT = 4096


@contextmanager
def open_root(path: Path, tree: str | None) -> Iterator[RootSource]:
    """The TTree ``tree``, or the only one of the file for None; open within the block."""
    try:
        plain_file = _plain_file_class()
    except ImportError as error:
        raise BrokenPlugin(
            f"{path} is a ROOT file; reading it needs `pip install 'qgen-hep[root]'`"
        ) from error
    with open(path, "rb") as raw:
        file = plain_file(raw, object_cache=None, array_cache=None)
        yield RootSource(path, _tree(path, file.root_directory, tree))


class RootSource:
    """Branches of one TTree."""

    def __init__(self, path: Path, tree: Any) -> None:
        self.path = path
        self.title = str(tree.title or "")
        self.branches = dict(tree.items())

    def names(self) -> Sequence[str]:
        """Names of the branches."""
        return list(self.branches)

    def declared(self, name: str) -> Declared | None:
        """Length, inner shape and type. Raises DataError for branches of varying length."""
        import uproot

        if name not in self.branches:
            return None
        branch = self.branches[name]
        how = branch.interpretation
        if type(how) is not uproot.AsDtype or how.to_dtype.fields is not None:
            raise refuse(
                self.path,
                name,
                "a branch of numbers, as many in each event",
                printable(str(branch.typename)),
            )
        plain_numbers(self.path, name, how.to_dtype.base)
        return Declared(int(branch.num_entries), tuple(how.to_dtype.shape), how.to_dtype.base)

    def load(self, picks: Sequence[Pick], rows: slice) -> list[Array]:
        """Read the branches one after the other."""
        arrays = []
        for pick in picks:
            branch = self.branches[pick.name]
            found = branch.array(library="np", entry_start=rows.start, entry_stop=rows.stop)
            arrays.append(element(found, pick.index, slice(None)))
        return arrays

    def attributes(self) -> Mapping[str, str]:
        """The title of the tree."""
        if not self.title:
            return {}
        return {"title": self.title[:MAX_TEXT]}


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
    """The tree of a name, or the only one."""
    trees = set()
    others = set()
    for key, kind in directory.classnames(recursive=True).items():
        name, _, _ = key.partition(";")
        if kind == "TTree":
            trees.add(name)
        else:
            others.add(f"{name} ({kind})")
    there = listed(sorted(trees or others))
    if wanted is not None and wanted not in trees:
        raise DataError(f"{path}: no TTree {wanted!r}; there are {there}")
    if wanted is None and len(trees) != 1:
        raise DataError(f"{path}: expected one TTree, found {there}; name one with 'tree'")
    return directory[wanted or min(trees)]
