"""Events to compare: from files and datasets, in the columns and with the cuts of others.

Files are read by the dataset ``file``, which qgen-hep provides; without it HDF5 files only. A file
that has other columns than those asked for, such as the own file of a dataset with names of its
own, is read by that dataset if it has an option ``path``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from qgen_core.discovery import registry
from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.runs import hdf5_events
from qgen_core.runs.recipes import Table
from qgen_core.support.cuts import Cut
from qgen_core.typing import Floats

log = logging.getLogger("qgen")

#: The dataset that reads files.
READER = "file"
#: A column of this name holds the weights of the events of a file.
WEIGHT = "weight"
#: Options of the dataset ``file`` that hold for the other files of a comparison, too.
POLICIES = ("weight", "invalid", "negative", "tree")
#: Options that hold for one file only.
OF_ONE_FILE = ("sha256", "events")


class Contents(NamedTuple):
    """The columns of a file, and its attributes.

    >>> Contents(("pt",), {"kind": "simulated"}).columns
    ('pt',)
    """

    columns: tuple[str, ...]
    attributes: Mapping[str, str]


def contents(path: Path, wanted: Sequence[str] = (), tree: str | None = None) -> Contents:
    """The columns and attributes of a file, found without reading its events.

    With ``wanted`` the columns are those of these names that the file has, otherwise all at its top
    level. ``tree`` names the tree of a ROOT file. Raises DataError, and UnknownName for a format
    whose reader is not installed.
    """
    if _has_reader(path):
        _, factory = registry.factory_of("dataset", READER)
        found = factory.contents(path, wanted, tree)  # type: ignore[attr-defined]
    else:
        found = hdf5_events.contents(path, wanted)
    return Contents(*found)


def read_columns(path: Path, names: Sequence[str]) -> Floats:
    """Columns of a file of any format, (N, len(names)). Raises DataError."""
    found: Floats = _file_events({"path": str(path), "columns": list(names)}).x
    return found


@dataclass(frozen=True)
class Layout:
    """What events that are compared have in common.

    ``dataset`` is the table of the dataset that one side comes from, which may read files of the
    other side; ``columns``, ``units``, ``condition_columns`` and ``cuts`` are those of the events.

    >>> Layout({"name": "jets"}, ("pt",), ("GeV",)).condition_columns
    ()
    """

    dataset: Table
    columns: tuple[str, ...]
    units: tuple[str, ...]
    condition_columns: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()

    @classmethod
    def of_run(cls, dataset: Table, data: Mapping[str, Any]) -> Layout:
        """From the table of a run's dataset and the facts of run.json about its events."""
        return cls(
            dataset,
            tuple(data["columns"]),
            tuple(data["units"]),
            tuple(data["condition_columns"]),
            tuple(Cut.parse(table) for table in data.get("cuts applied", ())),
        )

    @classmethod
    def of_events(cls, events: Events, dataset: Table) -> Layout:
        """From events that were read, and the table of their dataset."""
        return cls(dataset, events.columns, events.units, events.condition_columns, events.cuts)

    def checked(self, events: Events) -> Events:
        """The events, with the units of the layout where they state none.

        Raises DataError for other columns, conditions or units.
        """
        for what, expected, found in (
            ("columns", self.columns, events.columns),
            ("conditions", self.condition_columns, events.condition_columns),
        ):
            if expected != found:
                raise DataError(
                    f"{events.described} have the {what} {', '.join(found) or 'none'}; they are "
                    f"compared with events that have {', '.join(expected) or 'none'}"
                )
        units = []
        for column, expected_unit, unit in zip(self.columns, self.units, events.units, strict=True):
            if "1" not in (expected_unit, unit) and expected_unit != unit:
                raise DataError(
                    f"{column!r} of {events.described} is in {unit}; it is compared with a column "
                    f"in {expected_unit}"
                )
            units.append(expected_unit if unit == "1" else unit)
        return events.replace(units=tuple(units))


def read_reference(reference: str | Table, layout: Layout, seed: int) -> Events:
    """The events of a reference of a recipe: a dataset or a file, by name or as a table.

    Columns and conditions that the table does not name are those of the layout. Raises what the
    dataset raises, and DataError for events of other columns or units.
    """
    name, options = _parts_of(reference)
    path = _path_of(name, options)
    if path is not None:
        return read_file(path, layout, options)
    accepted = _options_of(name)
    for key in ("columns", "condition_columns"):
        if key in accepted:
            options.setdefault(key, list(getattr(layout, key)))
    return layout.checked(_dataset_events(name, options, seed))


def read_file(path: Path, layout: Layout, options: Mapping[str, Any] | None = None) -> Events:
    """The events of a file in the columns of a layout.

    The cuts of the layout are applied where the file has their columns; a warning names the others,
    unless a model generated the events. A column ``weight``, or of the name that the dataset of the
    layout gives, holds weights. ``options`` are those of the dataset ``file`` besides ``path``.
    Raises DataError.
    """
    given = dict(options or {})
    own = dict(layout.dataset)
    reads_files = own["name"].rpartition(":")[2] == READER
    policies = {}
    if reads_files:
        policies = {key: own[key] for key in POLICIES if key in own}
    if path.suffix.lower() != ".root":
        policies.pop("tree", None)
    columns = tuple(given.pop("columns", layout.columns))
    conditions = tuple(given.pop("condition_columns", layout.condition_columns))
    usual_weight = policies.pop("weight", WEIGHT)
    wanted = [*columns, *conditions, *(cut.column for cut in layout.cuts), usual_weight, WEIGHT]
    tree = given.get("tree", policies.get("tree"))
    there = contents(path, list(dict.fromkeys(wanted)), tree).columns
    weight = given.pop("weight", None)
    if weight is None:
        unused = set(there) - {*columns, *conditions}
        weight = next((name for name in (usual_weight, WEIGHT) if name in unused), None)
    if weight is not None:
        given["weight"] = weight
    if not set(columns) & set(there) and _reads_other_files(own):
        return layout.checked(_read_by_dataset(path, own, given))
    cuts = [cut for cut in layout.cuts if cut.column in there]
    table = {"negative": "keep", **policies, **given, "path": str(path)}
    table |= {"columns": list(columns), "condition_columns": list(conditions)}
    table["cuts"] = [*given.get("cuts", ()), *(cut.as_table() for cut in cuts)]
    events = _file_events(table)
    if events.provenance.get("kind") != "generated":
        for cut in layout.cuts:
            if cut.column not in there:
                log.warning("the cut %s is not applied to %s, which has no such column", cut, path)
    return layout.checked(events)


def read_pair(path: Path, reference: str | Table, seed: int) -> tuple[Events, Events]:
    """Events of a reference and of a file, in the same columns and with the same cuts.

    Of two files these are the columns that both have, unless the reference names its columns.
    Raises DataError when there are none.
    """
    name, options = _parts_of(reference)
    other = _path_of(name, options)
    if other is None:
        dataset = {"name": name, **options}
        expected = _dataset_events(name, options, seed)
    else:
        dataset = {"name": READER, **options}
        columns = tuple(options.get("columns", ())) or _common_columns(path, other, options)
        conditions = tuple(options.get("condition_columns", ()))
        blank = Layout({"name": READER}, columns, ("1",) * len(columns), conditions)
        expected = _read_as_is(other, blank, options)
    return expected, read_file(path, Layout.of_events(expected, dataset))


def _read_as_is(path: Path, layout: Layout, options: Mapping[str, Any]) -> Events:
    """The events of a file whose arrays may become several columns each."""
    there = contents(path, [WEIGHT], options.get("tree")).columns
    table = {"negative": "keep", **options, "path": str(path), "columns": list(layout.columns)}
    if "weight" not in table and WEIGHT in there and WEIGHT not in layout.columns:
        table["weight"] = WEIGHT
    return _file_events(table)


def _common_columns(path: Path, other: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that both files have, besides their weights."""
    tree = options.get("tree")
    there = contents(other, (), tree).columns
    here = contents(path, (), tree if path.suffix.lower() == ".root" else None).columns
    weights = {WEIGHT, options.get("weight")}
    common = tuple(name for name in here if name in there and name not in weights)
    if not common:
        raise DataError(
            f"{path} and {other} have no column in common: {', '.join(here[:12])} and "
            f"{', '.join(there[:12])}"
        )
    return common


def _parts_of(reference: str | Table) -> tuple[str, Table]:
    """The name of a reference, and its options."""
    if isinstance(reference, str):
        return reference, {}
    options = dict(reference)
    return options.pop("name"), options


def _path_of(name: str, options: Table) -> Path | None:
    """The path of a reference that is a file, taken out of its options; None for a dataset.

    A name that no dataset has is a path if there is such a file, or if it looks like one.
    """
    bare_name = name.rpartition(":")[2]
    if bare_name == READER and "path" in options:
        return Path(options.pop("path"))
    if bare_name in registry.names("dataset"):
        return None
    path = Path(name)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    registry.find("dataset", name)  # raises
    return None


def _options_of(name: str) -> set[str]:
    return {option.name for option in registry.describe("dataset", name).options}


def _reads_other_files(dataset: Table) -> bool:
    """Whether the dataset of a layout can be asked for the same events of another file."""
    name = dataset["name"]
    if name.rpartition(":")[2] == READER:
        return "columns" in dataset
    return name in registry.names("dataset") and "path" in _options_of(name)


def _read_by_dataset(path: Path, dataset: Table, given: Mapping[str, Any]) -> Events:
    """The events of a file that has the columns of a dataset by the names of that dataset."""
    options = {key: value for key, value in dataset.items() if key not in ("name", *OF_ONE_FILE)}
    options |= {**given, "path": str(path)}
    accepted = _options_of(dataset["name"])
    if "weight" in options and "weight" not in accepted:
        log.warning("the dataset %s does not read the weights of %s", dataset["name"], path)
        del options["weight"]
    return _dataset_events(dataset["name"], options, 0)


def _dataset_events(name: str, options: Mapping[str, Any], seed: int) -> Events:
    events: Events = registry.build("dataset", {"name": name, **options}, {"seed": seed})()
    return events


def _file_events(options: Mapping[str, Any]) -> Events:
    """The events that the dataset ``file`` reads with these options."""
    if _has_reader(Path(options["path"])):
        return _dataset_events(READER, options, 0)
    return hdf5_events.read_events(
        Path(options["path"]),
        options["columns"],
        options.get("condition_columns", ()),
        options.get("weight"),
        [Cut.parse(table) for table in options.get("cuts", ())],
    )


def _has_reader(path: Path) -> bool:
    """Whether the dataset ``file`` is installed. Raises UnknownName if this file needs it."""
    if READER not in registry.names("dataset") and path.suffix.lower() not in hdf5_events.SUFFIXES:
        registry.find("dataset", READER)  # raises, saying what to install
    return READER in registry.names("dataset")
