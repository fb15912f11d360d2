"""Mutations of the text of a recipe, and of its values."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any

from qgen_core.discovery import registry
from qgen_core.errors import QgenError
from qgen_core.runs.recipes import TABLES


def mutate(text: str, rng: random.Random) -> str:
    """The text with some letters changed, removed, inserted or repeated."""
    letters = list(text)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(letters))
        action = rng.randrange(4)
        if action == 0:
            letters[place] = chr(
                rng.choice([rng.randrange(32, 127), rng.randrange(0x110000 - 0x800)]) % 0xD800
            )
        elif action == 1:
            del letters[place]
        elif action == 2:
            letters.insert(place, rng.choice('[]{}="\n.,-0_#') * rng.randint(1, 40))
        else:
            cut = rng.randrange(len(letters))
            letters[place:place] = letters[cut : cut + rng.randint(1, 60)]
        if len(letters) < 2:
            break
    return "".join(letters)


#: Values that an option may be given, of right and wrong types and sizes.
VALUES: tuple[Any, ...] = (
    *(0, 1, 2, 3, -1, 7, 60, 1000, 10**6, 10**9, 10**18, 10**30),
    *(0.0, 0.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf")),
    *(True, False, "", "x", "adam", "x" * 200, "\u2028", "../up", "loss", "float32"),
    *([], [1], [0.5, 0.5], ["a"], [[0.0, 1.0], [0.0, 1.0]], [[]], {}, {"name": "adam"}, {"a": 1}),
)


def mutate_values(recipe: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """The tables of a recipe with some values, components and options exchanged."""
    tables = copy.deepcopy(dict(recipe))
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(list(tables))
        table = tables[key]
        kind = TABLES.get(key)
        if kind is None or not isinstance(table, dict) or not table:
            tables[key] = rng.choice(VALUES)
            continue
        action = rng.randrange(3)
        if action == 0:
            table["name"] = rng.choice(sorted(registry.names(kind)))
        elif action == 1:
            table[rng.choice(sorted(table))] = rng.choice(VALUES)
        else:
            table[_option(kind, table, rng)] = rng.choice(VALUES)
    return tables


def _option(kind: str, table: Mapping[str, Any], rng: random.Random) -> str:
    """The name of an option of a component, or of none where it is unknown."""
    try:
        options = registry.describe(kind, str(table["name"])).options
    except (QgenError, KeyError):
        return "unknown"
    return rng.choice([option.name for option in options] or ["unknown"])
