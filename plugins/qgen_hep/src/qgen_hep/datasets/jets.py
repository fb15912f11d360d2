"""The dataset ``jets``: jets of simulated QCD dijet events, shipped with this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.typing import Floats
from qgen_hep.generate.jets import cached_jets
from qgen_hep.generate.offer import generated_by
from qgen_hep.published import fetched_from
from qgen_hep.published.records import DIJETGAN
from qgen_hep.readers import Cut, Table, read

#: The shipped file: 76597 events of PYTHIA 8.317 at 13 TeV (particle level, no detector).
FILE = "dijets_13TeV_pythia8.h5"
SHA256 = "e0bb95c3cd6c71cb0eab28644a474d87204eb7eb062a5e49ff01d771dcc6e29b"
#: Half-open windows of the chosen jet, in GeV or dimensionless.
WINDOW = {"pt": (250.0, 600.0), "mass": (0.0, 200.0), "eta": (-2.5, 2.5)}
JETS = {"leading": "jet1", "subleading": "jet2"}
OF_THE_JET = ("pt", "mass", "eta", "phi")
OF_THE_EVENT = ("ht", "mjj", "njet", "npu", "pthat")
UNITS = {"pt": "GeV", "mass": "GeV", "ht": "GeV", "mjj": "GeV", "pthat": "GeV"}
#: All columns: those of the chosen jet, of both jets, and of the event.
OF_JET_1 = tuple(f"jet1_{column}" for column in OF_THE_JET)
OF_JET_2 = tuple(f"jet2_{column}" for column in OF_THE_JET)
COLUMNS = (*OF_THE_JET, *OF_JET_1, *OF_JET_2, *OF_THE_EVENT)


@fetched_from(DIJETGAN)
@generated_by(cached_jets)
def jets(
    *,
    columns: tuple[str, ...] = ("pt", "mass"),
    condition_columns: tuple[str, ...] = (),
    jet: Literal["leading", "subleading"] = "leading",
    window: dict[str, tuple[float, float]] | None = None,
    cuts: tuple[dict[str, str | float], ...] = (),
    events: int | None = None,
    path: str | None = None,
    sha256: str | None = None,
    weight: str | None = None,
) -> Events:
    """Jets of QCD dijet events at 13 TeV: PYTHIA 8, anti-kT R = 1.0, particle level.

    ``pt``, ``mass``, ``eta``, ``phi`` are those of the chosen jet (GeV, 1); ``jet1_*``, ``jet2_*``,
    ``ht``, ``mjj``, ``njet``, ``npu``, ``pthat`` have their own names. ``window`` gives or replaces
    half-open ranges ``{pt = [250, 600]}``; pT in [250, 600) GeV, mass in [0, 200) GeV and eta in
    [-2.5, 2.5) of the chosen jet always hold unless replaced. ``cuts`` are tables such as
    ``{column = "jet2_pt", min = 250}`` (the selection of DijetGAN, arXiv:1903.02433). ``events``
    keeps at most this many events, the first ones. ``path`` reads another file with the same
    columns, and ``sha256`` is compared with that file; ``weight`` names a column of weights in it.

    The provenance counts the events that were left out. Raises BadOption for columns that do not
    exist and for impossible windows and cuts, DataError for a damaged or different file.

    >>> data = jets(events=1000)
    >>> data.x.shape, data.columns, data.units
    ((1000, 2), ('pt', 'mass'), ('GeV', 'GeV'))
    """
    if events is not None and events < 1:
        raise BadOption(f"events must be at least 1, not {events}")
    if not columns:
        raise BadOption(f"columns names at least one of {', '.join(COLUMNS)}")
    windows = []
    for column, bounds in {**WINDOW, **(window or {})}.items():
        low, high = _bounds(column, bounds)
        windows.append(Cut(_stored(column, jet), low, high))
    others = [_renamed(Cut.parse(table), jet) for table in cuts]
    x = _distinct(columns, jet)
    condition = _distinct(condition_columns, jet)
    cut_columns = [cut.column for cut in (*windows, *others)]
    needed = dict.fromkeys([*x, *condition, *cut_columns])
    if weight is not None:
        needed[weight] = None
    table = _read(path, sha256, list(needed))
    inside = table.passing(windows)
    chosen = inside.passing(others)
    if not len(chosen):
        raise DataError(
            f"{table.path}: no event of {len(table)} passes {_text([*windows, *others])}"
        )
    found = _events(chosen, x, condition, columns, condition_columns)
    weights: Floats | None = None
    if weight is not None:
        weights = np.array(chosen.column(weight))
    names = _names(jet) | dict(zip([*x, *condition], [*columns, *condition_columns], strict=True))
    found = found.replace(
        weight=weights,
        provenance=_provenance(table, inside, chosen, windows, others, jet),
        cuts=tuple(replace(cut, column=names[cut.column]) for cut in (*windows, *others)),
    )
    if events is None:
        return found
    return found.take(np.arange(min(events, len(found))))


def shipped() -> Path:
    """The path of the file that is part of this package.

    >>> shipped().name
    'dijets_13TeV_pythia8.h5'
    """
    return Path(__file__).with_name("data") / FILE


def _read(path: str | None, sha256: str | None, names: Sequence[str]) -> Table:
    units = {}
    for name in names:
        _, _, quantity = name.rpartition("_")
        units[name] = UNITS.get(quantity, "1")
    if path is None:
        if sha256 is not None:
            raise BadOption("sha256 needs path; the shipped file is always checked")
        return read(shipped(), names, units=units, sha256=SHA256)
    return read(path, names, units=units, sha256=sha256)


def _stored(column: str, jet: str) -> str:
    """A column's name in the file."""
    if column not in COLUMNS:
        raise BadOption(f"jets have no column {column!r}; there are {', '.join(COLUMNS)}")
    if column in OF_THE_JET:
        return f"{JETS[jet]}_{column}"
    return column


def _names(jet: str) -> dict[str, str]:
    """Names of the columns in the file, and those by which they are asked for."""
    names = {column: column for column in COLUMNS}
    return names | {_stored(column, jet): column for column in OF_THE_JET}


def _distinct(columns: Sequence[str], jet: str) -> list[str]:
    stored = [_stored(column, jet) for column in columns]
    if len(set(stored)) < len(stored):
        raise BadOption(f"columns must be different columns, not {', '.join(columns)}")
    return stored


def _bounds(column: str, bounds: Sequence[float]) -> tuple[float, float]:
    if len(bounds) != 2:
        raise BadOption(f"the window of {column!r} is [min, max], not {list(bounds)}")
    return bounds[0], bounds[1]


def _renamed(cut: Cut, jet: str) -> Cut:
    return Cut(_stored(cut.column, jet), cut.min, cut.max)


def _events(
    table: Table,
    x: Sequence[str],
    condition: Sequence[str],
    columns: Sequence[str],
    condition_columns: Sequence[str],
) -> Events:
    values, _, units = table.only(x)
    rows = None
    if condition:
        rows, _, _ = table.only(condition)
    return Events(
        values,
        rows,
        columns=tuple(columns),
        units=units,
        condition_columns=tuple(condition_columns),
    )


def _text(cuts: Sequence[Cut]) -> str:
    return ", ".join(map(str, cuts)) or "none"


def _provenance(
    table: Table,
    inside: Table,
    chosen: Table,
    windows: Sequence[Cut],
    cuts: Sequence[Cut],
    jet: str,
) -> Mapping[str, str]:
    said = table.attributes
    origin = {"kind": "simulated", "stand_in": "no"}
    if said.get("stand_in", "False") == "True":
        origin = {"kind": "stand-in", "stand_in": "yes"}
    return {
        "name": "jets",
        **origin,
        "title": said.get("title", ""),
        "generator": said.get("generator", ""),
        "file": table.path.name,
        "sha256": table.sha256,
        "jet": jet,
        "selection": said.get("selection", ""),
        "window": _text(windows),
        "outside": f"{len(table) - len(inside)} of {len(table)} events",
        "cuts": f"{_text(cuts)}; {len(inside) - len(chosen)} events cut",
    }
