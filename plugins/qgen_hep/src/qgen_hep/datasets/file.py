"""The dataset ``file``: events from a file of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.typing import Floats
from qgen_hep.readers import Cut, Table, read
from qgen_hep.readers.columns import has_column
from qgen_hep.readers.formats import open_source
from qgen_hep.readers.policy import ENERGY_UNITS
from qgen_hep.readers.source import failures, printable

Kind = Literal["measured", "simulated", "stand-in", "generated"]


Factory = TypeVar("Factory", bound=Callable[..., object])


def with_contents(function: Callable[..., object]) -> Callable[[Factory], Factory]:
    """Give a dataset factory the attribute ``contents``, which evaluations use."""

    def mark(factory: Factory) -> Factory:
        vars(factory)["contents"] = function
        return factory

    return mark


def contents(
    path: str | PathLike[str], wanted: Sequence[str] = (), tree: str | None = None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The columns of a file, or those ``wanted`` that it has, and its attributes.

    Raises DataError for a file that cannot be opened.
    """
    path = Path(path)
    with failures(path), open_source(path, tree) as source:
        names = list(source.names())
        if wanted:
            names = [name for name in wanted if has_column(source, name)]
        return tuple(names), dict(source.attributes())


@with_contents(contents)
def file(
    *,
    path: str,
    columns: tuple[str, ...],
    condition_columns: tuple[str, ...] = (),
    weight: str | None = None,
    units: dict[str, str] | None = None,
    cuts: tuple[dict[str, str | float], ...] = (),
    events: int | None = None,
    invalid: Literal["error", "drop"] = "error",
    negative: Literal["error", "drop", "keep"] = "error",
    kind: Kind | None = None,
    sha256: str | None = None,
    tree: str | None = None,
) -> Events:
    r"""Events from an HDF5, npz, CSV, parquet or ROOT file.

    ``columns`` and ``condition_columns`` name arrays; of an array with several numbers per event,
    ``name`` means all of them and ``name[3]`` one element. ``weight`` names a column of weights.
    ``units`` are given by name, ``{energy = "MeV"}``; ``cuts`` are tables such as
    ``{column = "jet2_pt", min = 250}``. ``invalid`` and ``negative`` say whether values that are
    not finite and negative energies are an error, are dropped, or (negative ones) kept. ``events``
    keeps at most this many events, the first ones; the rest of the file is not read. ``sha256`` is
    compared with the file, ``tree`` names a TTree. ``kind`` is that of the events of a file which
    does not state it.

    Raises BadOption for options that contradict each other or the file, and DataError for a file
    that is damaged or has other content than expected.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "muons.csv")
    ...     written = path.write_text("pt,eta\n30.0,0.1\n45.5,-1.2\n")
    ...     muons = file(path=str(path), columns=("pt",), units={"pt": "GeV"})
    >>> muons.x.tolist(), muons.units
    ([[30.0], [45.5]], ('GeV',))
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    if not columns:
        raise BadOption("columns names at least one array of the file")
    wanted = [*columns, *condition_columns]
    if weight is not None:
        wanted.append(weight)
    if len(set(wanted)) < len(wanted):
        raise BadOption(
            "columns, condition_columns and weight must be different columns, "
            f"not {', '.join(wanted)}"
        )
    parsed_cuts = tuple(Cut.parse(cut) for cut in cuts)
    table = read(
        path,
        wanted,
        units=units,
        cuts=parsed_cuts,
        invalid=invalid,
        negative=negative,
        sha256=sha256,
        tree=tree,
        events=events,
    )
    _check_units(units or {}, {*wanted, *table.names})
    x, names, column_units = table.only(columns)
    condition: Floats | None = None
    condition_names: tuple[str, ...] = ()
    if condition_columns:
        condition, condition_names, _ = table.only(condition_columns)
    weights: Floats | None = None
    if weight is not None:
        weights = np.array(table.column(weight))
    return Events(
        x,
        condition,
        weights,
        columns=names,
        units=column_units,
        condition_columns=condition_names,
        provenance=_provenance(table, kind),
        cuts=parsed_cuts,
    )


def _provenance(table: Table, kind: Kind | None) -> dict[str, str]:
    """Name, hash, size and attributes of the file, and the counts of dropped events."""
    attributes = dict(table.attributes)
    stated = attributes.get("kind")
    if attributes.get("stand_in") == "True":
        stated = "stand-in"
    if stated and kind and stated != kind:
        raise BadOption(
            f"{table.path} says that its events are {printable(stated)}, the option kind says "
            f"{kind}; leave that out"
        )
    likely = "unknown"
    if attributes.get("generator"):
        likely = "simulated"
    dropped = "; ".join(f"{reason}: {count}" for reason, count in table.dropped.items())
    found = {
        **attributes,
        "name": "file",
        "kind": kind or stated or likely,
        "file": table.path.name,
        "sha256": table.sha256,
        "events": str(table.rows),
        "dropped": dropped or "none",
    }
    if not table.complete:
        found["read"] = f"the first {table.read} events"
    return found


def _check_units(units: Mapping[str, str], names: set[str]) -> None:
    """Raise BadOption for units of columns that are not read, and for misspelt units of energy."""
    spellings = {unit.lower(): unit for unit in ENERGY_UNITS}
    for name, unit in units.items():
        if name not in names:
            raise BadOption(
                f"units are given for {name!r}, which is not read; there are "
                f"{', '.join(sorted(names))}"
            )
        right = spellings.get(unit.lower(), unit)
        if unit != right:
            raise BadOption(f"the unit of {name!r} is {unit!r}; did you mean {right!r}?")
