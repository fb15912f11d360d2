"""Results of the study ``qinn`` selected by row, their numbers, and pairs of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.studies.qinn import grid
from qgen_hep.studies.qinn.grid import Row, StagedRow

Data = Mapping[str, Any]
Number = Callable[[Data], float]
TO_SAMPLE = "to sample"
TO_SIMULATED = "to simulated"
KIND_LABELS = {
    "truth": "true events (floor)",
    "gaussian": "Gaussian (control)",
    "A": "A: GAN, module frozen",
    "B": "B: GAN, end to end",
    "C": "C: flow",
}
VARIANT_LABELS = {
    "ring": "circuit, ring",
    "linear": "circuit, linear",
    "network": "network (twin)",
    "tanh": "tanh",
    "cos": "cosine",
    "frozen": "circuit, frozen",
}
STAGE_LABELS = {
    "truth": "true showers (floor)",
    "energies": "energies by qinn",
    "shapes": "shapes by qinn",
}
#: Families of histograms of showers that are shown, by column.
FAMILIES = {
    "S2 of E_tot": ("E_tot/E_inc",),
    "S2 of layers": ("E_layer",),
    "S2 of centres and widths": ("EC_eta", "EC_phi", "EC_r", "width_eta", "width_phi", "width_r"),
    "S2 of sparsity": ("sparsity",),
}


def label(row: Row | StagedRow) -> str:
    """What a row is called.

    >>> label(Row("C", "ring"))
    'C: flow, circuit, ring'
    """
    names = STAGE_LABELS
    kind = getattr(row, "stage", "")
    if isinstance(row, Row):
        names = KIND_LABELS
        kind = row.kind
    if not row.variant:
        return names[kind]
    return f"{names[kind]}, {VARIANT_LABELS[row.variant]}"


def seeds_of(results: Results, part: str, row: Row) -> Results:
    """The seeds of a row."""
    return _with_tags(results, {"part": part, **row.tags()})


def staged_seeds(results: Results, row: StagedRow) -> Results:
    """The seeds of a row of full showers."""
    return _with_tags(results, {"part": "staged", "kind": row.stage, "variant": row.variant})


def _with_tags(results: Results, wanted: Mapping[str, Any]) -> Results:
    found = []
    for result in results:
        tags = result.cell.tags
        if all(tags.get(name) == value for name, value in wanted.items()):
            found.append(result)
    return Results(found)


def distance(name: str, to: str = TO_SAMPLE) -> Number:
    """A number of :func:`~qgen_hep.studies.qinn.measurements.distances`."""
    return lambda data: float(data[to][name])


def nll(which: int = 0) -> Number:
    """-log p of held-out events, or with 1 of training events."""
    return lambda data: float(data["NLL"][which])


def step_milliseconds(data: Data) -> float:
    """Milliseconds of a step; NaN where it was not measured."""
    return 1000 * float(data.get("seconds of a step", np.nan))


def training_seconds(data: Data) -> float:
    """Seconds of all steps."""
    return float(data["steps"]) * step_milliseconds(data) / 1000


def shower_separation(name: str, to: str = TO_SAMPLE) -> Number:
    """The mean separation power of the families of a column, of all if there is no such one."""

    def number(data: Data) -> float:
        families = data[to]["S2"]
        chosen = [one for one in FAMILIES.get(name, tuple(families)) if one in families]
        return float(np.mean([families[one][0] for one in chosen]))

    return number


def frechet(to: str = TO_SAMPLE) -> Number:
    """FPD times 1000."""
    return lambda data: 1000 * float(data[to]["FPD"])


def shown_of(results: Results, part: str, row: Row, name: str = "shown") -> Data | None:
    """What a result keeps for figures, from the seed that has it."""
    for data in seeds_of(results, part, row).values():
        if name in data:
            found: Data = data[name]
            return found
    return None


#: The measures that verdicts are about; less is better for all. Only a flow has a NLL.
VERDICTS: dict[str, Number] = {
    "S2": distance("S2"),
    "chi2/ndf": distance("chi2/ndf"),
    "W1": distance("W1"),
    "W1 of layers": distance("W1 of layers"),
    "NLL": nll(),
}


def measures_of(kind: str) -> list[str]:
    """The names of the measures that a kind has verdicts about."""
    return [name for name in VERDICTS if name != "NLL" or kind == "C"]


def comparisons() -> list[tuple[str, Row, Row]]:
    """The part, a row with the circuit as run, and what it is compared with."""
    found = []
    for kind in grid.KINDS:
        long = Row(kind, "ring", length="full")
        found.append(("length", long, Row(kind, "network", length="full")))
    for kind, variants in grid.VARIANTS.items():
        for variant in variants[1:]:
            found.append(("controls", Row(kind, "ring"), Row(kind, variant)))
    return found
