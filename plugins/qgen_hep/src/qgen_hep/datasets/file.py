"""Anybody's own file of events."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_hep.readers import Cut, Table, read

Kind = Literal["measured", "simulated", "stand-in"]


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
    """Events from an HDF5, npz, CSV, parquet or ROOT file.

    ``columns`` and ``condition_columns`` name arrays (``name[3]``: one element of an array with
    several numbers an event, ``name``: all of them), ``weight`` a column of weights. ``units`` are
    by name, e.g. ``{energy = "MeV"}``; ``cuts`` are tables ``{column = "jet2_pt", min = 250}``.
    ``invalid`` and ``negative`` say what becomes of values that are not finite and of negative
    energies. ``events`` takes the first ones, at most so many, ``sha256`` checks the file, ``tree`` names a TTree.
    ``kind`` says where the events come from, for the report, if the file does not.

    Raises DataError, with file, key, what was expected and what was found.
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    if not columns:
        raise BadOption("columns names at least one array of the file")
    wanted = [*columns, *condition_columns, *([] if weight is None else [weight])]
    if len(set(wanted)) < len(wanted):
        raise BadOption(
            f"columns, condition_columns and weight are named once each, not {', '.join(wanted)}"
        )
    table = read(
        path,
        wanted,
        units=units,
        cuts=[Cut.parse(cut) for cut in cuts],
        invalid=invalid,
        negative=negative,
        sha256=sha256,
        tree=tree,
    )
    x, names, of = table.only(columns)
    condition, condition_names, _ = (
        table.only(condition_columns) if condition_columns else (None, (), ())
    )
    found = Events(
        x,
        condition,
        None if weight is None else np.array(table.column(weight)),
        columns=names,
        units=of,
        condition_columns=condition_names,
        provenance=_provenance(table, kind),
    )
    return found if events is None else found.take(np.arange(min(events, len(found))))


def _provenance(table: Table, kind: Kind | None) -> dict[str, str]:
    """What is known of a file; its own attributes under their names."""
    said = dict(table.attributes)
    stand_in = "stand-in" if said.get("stand_in") == "True" else None
    dropped = "; ".join(f"{reason}: {count}" for reason, count in table.dropped.items())
    return {
        **said,
        "name": "file",
        "kind": kind or stand_in or said.get("kind") or "unknown",
        "file": table.path.name,
        "sha256": table.sha256,
        "events": str(table.rows),
        "dropped": dropped or "none",
    }
