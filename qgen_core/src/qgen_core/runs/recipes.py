"""Recipes: TOML files that name components and their options. Nothing in them is executed."""

from __future__ import annotations

import copy
import itertools
import logging
import math
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qgen_core.discovery.registry import KINDS, describe
from qgen_core.errors import RecipeError
from qgen_core.support.resources import MAX_BINS, require_at_most

log = logging.getLogger("qgen")

Table = dict[str, Any]

#: The tables of a recipe, and the kind of component that each one names.
TABLES = {
    "dataset": "dataset",
    "encoder": "encoder",
    "condition_encoder": "encoder",
    "backend": "backend",
    "noise": "noise",
    "sampler": "sampler",
    "generator": "generator",
    "loss": "loss",
    "trainer": "trainer",
}
REQUIRED = ("dataset", "encoder", "generator", "loss", "trainer")
#: The fewest generated events of an evaluation.
LEAST_GENERATED = 2
MAX_BYTES = 2**20
MAX_DEPTH = 8
_SECRET = re.compile(
    r"(^|_)(token|password|passwd|secret|api_?key|credentials?)($|_)", re.IGNORECASE
)


@dataclass(frozen=True)
class Recipe:
    """A training: its components with their options, and a seed.

    ``tables`` holds a table of options with a ``name`` for each component. ``split`` holds the
    fractions of events for training, validation and test. ``metrics`` holds names, or tables of
    options with a ``name``; None stands for the default metrics. ``evaluation`` gives the bins of
    metrics: ``edges`` of each column, or a ``window`` [min, max] of each and a number of ``bins``
    of equal width in it, without which bins follow from the reference; the ``reference``, a file or
    a dataset in the words of the table [dataset], without which it is the test events; and
    ``events``, how many events are generated.

    >>> tables = {"dataset": {"name": "jets"}, "trainer": {"name": "adam", "steps": 100}}
    >>> Recipe(tables, seed=3).flat()["trainer.steps"]
    100
    """

    tables: Mapping[str, Table]
    seed: int = 0
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    metrics: tuple[str | Table, ...] | None = None
    evaluation: Table | None = None
    source: str = field(default="recipe", compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str], settings: Sequence[str] = ()) -> Recipe:
        r"""Read a file and apply ``key.sub=value`` settings.

        Raises RecipeError, saying where, for a file that cannot be read or is not a recipe.

        >>> import tempfile
        >>> lines = [f"{table} = 'some-name'" for table in REQUIRED]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "recipe.toml")
        ...     written = path.write_text("\n".join(lines))
        ...     recipe = Recipe.read(path, ["trainer.steps=20", "seed=3"])
        >>> recipe.seed, recipe.tables["trainer"]
        (3, {'name': 'some-name', 'steps': 20})
        """
        file = Path(path)
        try:
            text = _bytes_of(file).decode("utf-8")
        except OSError as error:
            raise RecipeError(f"cannot read {file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise RecipeError(
                f"{file} is not UTF-8 text: {error.reason} at byte {error.start}"
            ) from error
        return cls.parse(text, settings, source=str(file))

    @classmethod
    def parse(cls, text: str, settings: Sequence[str] = (), *, source: str = "recipe") -> Recipe:
        """A recipe from TOML text; ``source`` names its origin in messages. Raises RecipeError."""
        try:
            document = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RecipeError(f"{source} is not TOML: {error}") from error
        changed = apply_settings(document, settings)
        given = {setting.partition("=")[0].strip() for setting in settings}
        _drop_foreign_options(changed, document, given)
        return cls.from_dict(changed, source=source)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], *, source: str = "recipe") -> Recipe:
        """A recipe from nested tables. Raises RecipeError for tables that are not a recipe.

        A component that is given as text stands for a table with this name.

        >>> names = {"dataset": "jets", "encoder": "bits", "generator": "g", "loss": "kl"}
        >>> Recipe.from_dict(names | {"trainer": "adam"}).tables["loss"]
        {'name': 'kl'}
        >>> Recipe.from_dict(names)  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        RecipeError: recipe lacks the table [trainer]
        """
        _check_values(document, source)
        document = dict(document)
        seed = document.pop("seed", 0)
        split = document.pop("split", (0.8, 0.1, 0.1))
        metrics = document.pop("metrics", None)
        evaluation = document.pop("evaluation", None)
        for key, value in document.items():
            if key not in TABLES:
                allowed = ", ".join([*TABLES, "seed", "split", "metrics", "evaluation"])
                raise RecipeError(f"{source}: no table {key!r} in a recipe; there are {allowed}")
            if isinstance(value, str):  # backend = "aer" is short for [backend] name = "aer"
                value = {"name": value}
                document[key] = value
            if not isinstance(value, dict) or not isinstance(value.get("name"), str):
                raise RecipeError(f'{source}: [{key}] needs a name, e.g. name = "..."')
        missing = [f"[{key}]" for key in REQUIRED if key not in document]
        if missing:
            raise RecipeError(f"{source} lacks the table {', '.join(missing)}")
        return cls(
            tables=document,
            seed=_checked_seed(seed, source),
            split=_checked_split(split, source),
            metrics=_checked_metrics(metrics, source),
            evaluation=_checked_evaluation(evaluation, source),
            source=source,
        )

    @classmethod
    def without_run(cls, settings: Sequence[str]) -> Recipe:
        """What an evaluation of files without a run asks for: seed, metrics, evaluation.

        Raises RecipeError for other settings.

        >>> Recipe.without_run(["evaluation.reference=jets"]).evaluation
        {'reference': 'jets'}
        """
        source = "an evaluation of files without a run"
        document = apply_settings({}, settings)
        _check_values(document, source)
        found = cls(
            tables={},
            seed=_checked_seed(document.pop("seed", 0), source),
            metrics=_checked_metrics(document.pop("metrics", None), source),
            evaluation=_checked_evaluation(document.pop("evaluation", None), source),
        )
        if "events" in (found.evaluation or {}):
            raise RecipeError(f"{source} generates none; leave out events of [evaluation]")
        if document:
            raise RecipeError(
                f"{source} has the settings seed, metrics and evaluation, not {', '.join(document)}"
            )
        return found

    def changed(self, settings: Sequence[str]) -> Recipe:
        """A copy with ``key.sub=value`` settings applied."""
        return Recipe.parse(self.to_toml(), settings, source=self.source)

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """A copy with other values under dotted keys, such as ``trainer.steps``.

        As with settings, text in place of a component exchanges it, and options of the old one
        that the new one does not take are dropped with a warning. Raises RecipeError.

        >>> names = {"dataset": "jets", "encoder": "bits", "generator": "g", "loss": "kl"}
        >>> recipe = Recipe.from_dict(names | {"trainer": "adam"})
        >>> recipe.with_values({"trainer.steps": 5, "seed": 2}).flat()["trainer.steps"]
        5
        """
        document = self.to_dict()
        changed = copy.deepcopy(document)
        for key, value in values.items():
            _put(changed, key, copy.deepcopy(value), f"{self.source}: {key!r}")
        _drop_foreign_options(changed, document, values)
        return Recipe.from_dict(changed, source=self.source)

    def to_dict(self) -> dict[str, Any]:
        """Nested tables, as in the file."""
        document: dict[str, Any] = {"seed": self.seed, "split": list(self.split)}
        if self.metrics is not None:
            document["metrics"] = list(self.metrics)
        for key in TABLES:
            if key in self.tables:
                document[key] = dict(self.tables[key])
        if self.evaluation is not None:
            document["evaluation"] = dict(self.evaluation)
        return document

    def to_toml(self) -> str:
        """TOML text that reads back as this recipe."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def flat(self) -> dict[str, Any]:
        """Values by dotted keys, such as ``trainer.steps``, to compare recipes field by field."""
        return dict(_leaves(self.to_dict()))


def _bytes_of(file: Path) -> bytes:
    """The content of a recipe's file, of which a device or a pipe may give any amount."""
    if file.exists() and not file.is_file():
        raise RecipeError(f"cannot read {file}: it is not a regular file; give that of a recipe")
    with open(file, "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{file} has more than {MAX_BYTES} bytes; it is not a recipe")
    return data


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _checked_seed(seed: Any, source: str) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise RecipeError(f"{source}: seed is a whole number from 0 to 2^63 - 1, not {seed!r}")
    return seed


def _checked_split(split: Any, source: str) -> tuple[float, float, float]:
    numbers = list(split) if isinstance(split, list | tuple) else []
    if len(numbers) != 3 or not all(_is_number(value) for value in numbers):
        raise RecipeError(
            f"{source}: split holds three fractions (train, validation, test), not {split!r}"
        )
    if min(numbers) < 0 or abs(sum(numbers) - 1) > 1e-9:
        raise RecipeError(f"{source}: the fractions of split are >= 0 and sum to 1, not {split!r}")
    return (float(numbers[0]), float(numbers[1]), float(numbers[2]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked_metrics(metrics: Any, source: str) -> tuple[str | Table, ...] | None:
    if metrics is None:
        return None
    if not isinstance(metrics, list) or not all(_names_metric(entry) for entry in metrics):
        raise RecipeError(
            f"{source}: metrics is a list of names, or of tables with a name, not {metrics!r}"
        )
    return tuple(metrics)


def _checked_evaluation(evaluation: Any, source: str) -> Table | None:
    if evaluation is None:
        return None
    expected = (
        f"{source}: [evaluation] holds edges, a list of increasing numbers for each column, or a "
        "window, [min, max] for each column, and bins, the number of bins in it; a reference, a "
        "file or a dataset; and events, the number of generated ones"
    )
    if not isinstance(evaluation, dict):
        raise RecipeError(f"{expected}; not {evaluation!r}")
    checked: Table = dict(evaluation)
    keys = set(checked)
    if "reference" in checked:
        checked["reference"] = _checked_reference(checked["reference"], source)
        keys.remove("reference")
    if "events" in checked:
        _check_generated_events(checked["events"], source)
        keys.remove("events")
    if checked and not keys:
        return checked
    if keys == {"edges"} and _increase(checked["edges"]):
        return checked
    if keys == {"window", "bins"} and _increase(checked["window"], length=2):
        bins = checked["bins"]
        if isinstance(bins, int) and not isinstance(bins, bool) and bins >= 1:
            require_at_most(bins, MAX_BINS, "bins of a column")
            return checked
        raise RecipeError(f"{source}: bins of [evaluation] are 1 to {MAX_BINS}, not {bins!r}")
    raise RecipeError(f"{expected}; not {evaluation!r}")


def _check_generated_events(events: Any, source: str) -> None:
    """Raise RecipeError unless it is a number of events that a metric can be computed of."""
    if isinstance(events, bool) or not isinstance(events, int) or events < LEAST_GENERATED:
        raise RecipeError(
            f"{source}: events of [evaluation] is a whole number of at least {LEAST_GENERATED}, "
            f"not {events!r}"
        )


def _checked_reference(reference: Any, source: str) -> str | Table:
    """A reference: a name, or a table with a name; ``{dataset = ...}`` is one of these, too."""
    found = reference
    if isinstance(found, dict) and set(found) == {"dataset"}:
        found = found["dataset"]
    if not isinstance(found, dict):
        found = {"name": found}
    if not isinstance(found.get("name"), str) or not found["name"]:
        raise RecipeError(
            f"{source}: the reference of [evaluation] is a file or a dataset, by name or as a "
            f'table such as {{ name = "file", path = "..." }}, not {reference!r}'
        )
    if set(found) == {"name"}:
        name: str = found["name"]
        return name
    return found


def _increase(lists: Any, length: int | None = None) -> bool:
    """Whether these are lists of at least two, or of ``length``, increasing numbers."""
    if not isinstance(lists, list) or not lists:
        return False
    for numbers in lists:
        if not isinstance(numbers, list) or not all(_is_number(value) for value in numbers):
            return False
        if len(numbers) < 2 or (length is not None and len(numbers) != length):
            return False
        if any(low >= high for low, high in itertools.pairwise(numbers)):
            return False
    return True


def _names_metric(entry: Any) -> bool:
    if isinstance(entry, dict):
        return isinstance(entry.get("name"), str)
    return isinstance(entry, str)


def _check_values(node: Any, where: str, depth: int = 0) -> None:
    """Refuse secrets, numbers that are not finite, dates and times, and deep nesting."""
    if depth > MAX_DEPTH:
        raise RecipeError(f"{where} nests tables deeper than {MAX_DEPTH}")
    if isinstance(node, dict):
        for key, value in node.items():
            if _SECRET.search(key):
                raise RecipeError(
                    f"{where}: {key!r} looks like a secret; those stay in the vendor's own store, "
                    "a recipe holds a profile name"
                )
            _check_values(value, f"{where}: {key}" if depth == 0 else f"{where}.{key}", depth + 1)
    elif isinstance(node, list):
        for value in node:
            _check_values(value, where, depth + 1)
    elif isinstance(node, float) and not math.isfinite(node):
        raise RecipeError(f"{where} is {node}; numbers in a recipe are finite")
    elif not isinstance(node, str | int | float | bool):
        raise RecipeError(
            f"{where} is a {type(node).__name__}; "
            "a recipe holds text, numbers, truth values and lists"
        )


def apply_settings(document: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A copy of nested tables with ``key.sub=value`` settings applied. Raises RecipeError.

    >>> apply_settings({"trainer": "adam", "seed": 1}, ["trainer.steps=5", "seed=2"])
    {'trainer': {'name': 'adam', 'steps': 5}, 'seed': 2}
    """
    changed = copy.deepcopy(dict(document))
    for setting in settings:
        _apply(changed, setting)
    return changed


def _apply(document: dict[str, Any], setting: str) -> None:
    """Apply one ``key.sub=value``; the value is TOML, or text if it is not valid TOML."""
    key, equals, text = setting.partition("=")
    key = ".".join(part.strip() for part in key.split("."))
    if not equals or not all(key.split(".")):
        raise RecipeError(f"--set takes key.sub=value, not {setting!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    _put(document, key, value, f"--set {setting!r}")


def _put(document: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Set the value under a dotted key, making the tables above it; ``where`` is for messages."""
    parts = key.split(".")
    node = document
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if isinstance(child, str):  # a component given by its name becomes a table
            child = {"name": child}
            node[part] = child
        if not isinstance(child, dict):
            raise RecipeError(f"{where}: {part!r} holds a value, not a table")
        node = child
    old = node.get(parts[-1])
    if isinstance(old, dict) and isinstance(value, str):
        value = {"name": value}
    node[parts[-1]] = value


def _drop_foreign_options(
    document: Table, before: Mapping[str, Any], given: Collection[str], path: str = ""
) -> None:
    """Where a component was exchanged, drop the options that the new one does not take.

    What was ``given`` as a setting stays, so that a wrong setting is an error.
    """
    for key, table in document.items():
        old = before.get(key)
        if not isinstance(table, dict) or not isinstance(old, dict):
            continue
        kind = TABLES.get(key, key)
        name = table.get("name")
        replaced = f"{path}{key}" in given  # trainer=spsa is a table of its own
        if kind not in KINDS or replaced or not isinstance(name, str) or name == old.get("name"):
            _drop_foreign_options(table, old, given, f"{path}{key}.")
            continue
        accepted = {option.name for option in describe(kind, name).options}
        dropped = []
        for option in old:
            is_given = f"{path}{key}.{option}" in given
            if option in table and option not in accepted | {"name"} and not is_given:
                dropped.append(option)
                del table[option]
        if dropped:
            log.warning(
                "%s%s is now %r, which does not take %s of %r: dropped",
                path,
                key,
                name,
                ", ".join(dropped),
                old.get("name"),
            )
