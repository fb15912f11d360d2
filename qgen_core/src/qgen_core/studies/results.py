"""Results of a study, selected by the tags of their cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, overload

from qgen_core.errors import BadOption, DataError
from qgen_core.studies.cells import Cell, Tag
from qgen_core.studies.summary import Summary
from qgen_core.support.notebook import ShownInNotebook


@dataclass(frozen=True)
class Result:
    """What was measured of a cell.

    Args:
        cell: recipe, measurements and tags.
        key: the hash of the cell's content, see :func:`key_of`.
        value: plain data by name of measurement; None: the cell has not been run.
        seconds: elapsed time of the cell.
        cpu_seconds: processor time of the cell.
        versions: the versions of the packages that it was run with.

    >>> cell = Cell({"loss": "js"}, {"trained": {}}, {"seed": 1})
    >>> Result(cell, "3e19", {"trained": {"js": 0.25}}).data()
    {'js': 0.25}
    >>> print(Result(cell, "3e19").data())
    None
    """

    cell: Cell
    key: str
    value: Mapping[str, Any] | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)

    def data(self, measurement: str | None = None) -> Any:
        """The data of a measurement, of the only one by default; None if it has not been run.

        Raises BadOption for a measurement that the cell does not have.
        """
        names = list(self.cell.measurements)
        if measurement is None and len(names) == 1:
            measurement = names[0]
        if measurement not in names:
            raise BadOption(
                f"measurement {measurement!r} is not one of the cell's: {', '.join(names)}; "
                "name one of them"
            )
        if self.value is None:
            return None
        return self.value[measurement]


class Results(ShownInNotebook, Sequence[Result]):
    """The results of a study, of cells that have been run and of those that have not.

    >>> def result(loss, seed, js):
    ...     cell = Cell({"loss": loss, "seed": seed}, {"trained": {}}, {"loss": loss, "seed": seed})
    ...     return Result(cell, "", js and {"trained": {"js": js}})
    >>> results = Results([result("js", 1, 0.25), result("js", 2, 0.5), result("kl", 1, None)])
    >>> len(results.where(loss="js"))
    2
    >>> results.where(loss="js").values()
    [{'js': 0.25}, {'js': 0.5}]
    >>> results.one(loss="js", seed=2).data()
    {'js': 0.5}
    >>> for (loss,), group in results.groups("loss").items():
    ...     print(loss, group.summary(lambda data: data["js"]).mean, group.missing)
    js 0.375 0
    kl nan 1
    """

    def __init__(self, results: Iterable[Result] = ()) -> None:
        self._results = tuple(results)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Results:
        """The results in a ``results.json`` that :func:`reproduce` has written.

        Raises DataError for a file that is none.

        >>> import os, tempfile
        >>> from qgen_core.studies import Outcome
        >>> cell = Cell({"loss": "js"}, {"trained": {}}, {"seed": 1})
        >>> results = Results([Result(cell, "3e19", {"trained": {"js": 0.25}})])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "results.json")
        ...     Outcome("example", folder, False, results, [], [], {}).write(folder)
        ...     print(Results.read(path).one(seed=1).data())
        {'js': 0.25}
        """
        try:
            file = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(_results_of(file))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"{path} is not a results.json of `qgen reproduce`: {error}") from error

    def where(self, **tags: Tag) -> Results:
        """Those whose cells have all of these tags.

        Raises BadOption for a tag that no cell has.
        """
        self._check_names(tags)
        candidates: Sequence[Result] = self._results
        for tag in tags.items():
            with_tag = self._by_tag.get(tag, [])
            candidates = min(candidates, with_tag, key=len)
        return Results(result for result in candidates if _has(result.cell.tags, tags))

    def one(self, **tags: Tag) -> Result:
        """The only result whose cell has these tags. Raises BadOption if it is not exactly one."""
        found = self.where(**tags)
        if len(found) != 1:
            wanted = ", ".join(f"{name}={value!r}" for name, value in tags.items())
            raise BadOption(f"{len(found)} cells, not one, have the tags {wanted}")
        return found[0]

    def values(self, measurement: str | None = None) -> list[Any]:
        """The data of a measurement (of the only one by default) of each cell that has been run."""
        found = [result.data(measurement) for result in self]
        return [data for data in found if data is not None]

    def first(self, measurement: str | None = None) -> Any:
        """The first of :meth:`values`, None if nothing has been run.

        >>> print(Results().first())
        None
        """
        return next(iter(self.values(measurement)), None)

    def summary(self, number: Callable[[Any], float], measurement: str | None = None) -> Summary:
        """Mean and standard deviation over these results of a number of a measurement's data."""
        numbers: list[float | None] = [number(data) for data in self.values(measurement)]
        return Summary.of([*numbers, *[None] * self.missing])

    def groups(self, *names: str) -> dict[tuple[Tag, ...], Results]:
        """The results by the values of these tags, in order of appearance.

        Cells that lack one of the tags are in no group. Raises BadOption for a tag that no cell
        has.
        """
        self._check_names(names)
        found: dict[tuple[Tag, ...], list[Result]] = {}
        for result in self:
            tags = result.cell.tags
            if all(name in tags for name in names):
                values = tuple(tags[name] for name in names)
                found.setdefault(values, []).append(result)
        return {values: Results(group) for values, group in found.items()}

    @property
    def missing(self) -> int:
        """The number of cells that have not been run."""
        return sum(result.value is None for result in self)

    @cached_property
    def _by_tag(self) -> dict[tuple[str, Tag], list[Result]]:
        """The results whose cells have a tag, by its name and value: tables ask for each cell."""
        found: dict[tuple[str, Tag], list[Result]] = {}
        for result in self._results:
            for tag in result.cell.tags.items():
                found.setdefault(tag, []).append(result)
        return found

    @cached_property
    def _tag_names(self) -> set[str]:
        return {name for name, _ in self._by_tag}

    def _check_names(self, names: Iterable[str]) -> None:
        unknown = [name for name in names if name not in self._tag_names]
        if self and unknown:
            known = ", ".join(sorted(self._tag_names))
            raise BadOption(f"no cell has the tag {unknown[0]!r}; there are: {known}")

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> Results: ...

    def __getitem__(self, index: int | slice) -> Result | Results:
        if isinstance(index, slice):
            return Results(self._results[index])
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        return f"Results({len(self) - self.missing} of {len(self)} cells)"


def _has(tags: Mapping[str, Tag], wanted: Mapping[str, Tag]) -> bool:
    """Whether a cell's tags include all that are wanted; None is a value like any other."""
    return all(name in tags and tags[name] == value for name, value in wanted.items())


def _results_of(file: Mapping[str, Any]) -> Iterator[Result]:
    """The results in the content of a results.json; versions are listed once there."""
    for row in file["cells"]:
        versions = {}
        if row["versions"] is not None:
            versions = file["versions"][row["versions"]]
        cell = Cell(**row["cell"])
        yield Result(cell, row["key"], row["value"], row["seconds"], row["cpu_seconds"], versions)
