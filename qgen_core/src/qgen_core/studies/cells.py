"""Cells: what a study trains and measures, and the key under which a result is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from qgen_core.discovery import registry
from qgen_core.runs.recipes import TABLES

Tag = str | int | float | None


@dataclass(frozen=True)
class Cell:
    """One training of a study and what is measured of it, as plain data.

    Args:
        recipe: the nested tables of a recipe.
        measurements: the options of each measurement, by its name.
        tags: names of this cell's place in the grid. Results are selected by them; they are no
            part of the cell's content, so changing them invalidates no result.

    >>> recipe = {"seed": 3, "loss": "js"}
    >>> cell = Cell(recipe, {"trained": {"shots": 100}}, {"loss": "js", "seed": 3})
    >>> cell.tags["loss"]
    'js'
    >>> sorted(cell.content)
    ['measurements', 'recipe']
    """

    recipe: Mapping[str, Any]
    measurements: Mapping[str, Mapping[str, Any]]
    tags: Mapping[str, Tag] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """What determines the result: the recipe and the measurements, without the tags."""
        return {"recipe": self.recipe, "measurements": self.measurements}

    @property
    def place(self) -> str:
        """The tags in brackets, for messages; empty without any.

        >>> Cell({}, {}, {"layers": 3, "seed": 1}).place
        ' (layers = 3, seed = 1)'
        """
        if not self.tags:
            return ""
        return f" ({', '.join(f'{name} = {value}' for name, value in self.tags.items())})"


def key_of(study: str, cell: Cell) -> str:
    """The SHA-256 of a cell's content and of the packages that provide its components.

    The hash covers the recipe, the measurements, and name and version of the package behind the
    study and each component in the recipe's tables. Raises UnknownName for a component that no
    installed package has.

    >>> from qgen_core.discovery import registry
    >>> registry.register("study", "example", dict)
    >>> cell = Cell({"loss": "js"}, {"trained": {}}, {"seed": 1})
    >>> len(key_of("example", cell))
    64
    >>> key_of("example", cell) == key_of("example", Cell({"loss": "js"}, {"trained": {}}))
    True
    >>> key_of("example", cell) == key_of("example", Cell({"loss": "kl"}, {"trained": {}}))
    False
    """
    providers = {}
    for kind, name in [("study", study), *_components(cell.recipe)]:
        offer = registry.find(kind, name)
        providers[f"{kind} {name}"] = f"{offer.distribution} {offer.version}"
    return digest({"cell": cell.content, "providers": providers})


def _components(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of each component in a recipe's tables, without components nested in them."""
    for key, kind in TABLES.items():
        table = recipe.get(key)
        if isinstance(table, str):
            yield kind, table
        elif table is not None:
            yield kind, table["name"]


def distinct(cells: Iterable[Cell]) -> list[Cell]:
    """The cells in order, each only once.

    Cells with the same content and different tags are kept: they share one training.

    >>> len(distinct([Cell({"seed": 1}, {}), Cell({"seed": 1}, {}), Cell({"seed": 2}, {})]))
    2
    """
    found: dict[str, Cell] = {}
    for cell in cells:
        found.setdefault(canonical(asdict(cell)), cell)
    return list(found.values())


def canonical(data: Any) -> str:
    """The unique JSON text of plain data, with sorted keys.

    Raises ValueError for numbers that are not finite, TypeError for what JSON cannot hold.

    >>> canonical({"b": 1, "a": (2.0, None)})
    '{"a":[2.0,null],"b":1}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(data: Any) -> str:
    """The SHA-256 of plain data in hexadecimal digits.

    >>> digest({"a": 1})[:8]
    '015abd7f'
    """
    return hashlib.sha256(canonical(data).encode()).hexdigest()
