"""What the grids of the studies have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgen_core.errors import BadOption, DataError
from qgen_hep.readers.reading import file_hash


def require_positive(**numbers: int) -> None:
    """Raise BadOption for an option of a study that is less than 1.

    >>> require_positive(seeds=3, shot_seeds=1)
    """
    for name, number in numbers.items():
        if number < 1:
            raise BadOption(f"{name} must be at least 1, not {number}")


def seeds(count: int) -> range:
    """The seeds 1 to ``count`` of the trainings of one configuration.

    >>> list(seeds(3))
    [1, 2, 3]
    """
    return range(1, count + 1)


def one_thread(backend: str) -> dict[str, Any]:
    """The table of a backend that uses one thread, since the executor runs cells in parallel.

    >>> one_thread("statevector")
    {'name': 'statevector', 'threads': 1}
    """
    return {"name": backend, "threads": 1}


def named_by_content(path: str, option: str) -> dict[str, str]:
    """The hash of a file, which stands in a recipe instead of the path on this machine.

    ``option`` is the study's option that gives the path. Raises DataError for a file that cannot
    be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     named_by_content(file.name, "path")["sha256"][:8]
    'e3b0c442'
    """
    try:
        return {"sha256": file_hash(Path(path))}
    except DataError as error:
        raise DataError(f"{error}; give the study another {option}") from error


def with_local_file(recipe: Mapping[str, Any], option: str, path: str | None) -> Mapping[str, Any]:
    """The recipe with the path of its dataset's file, if the dataset is named by content.

    >>> with_local_file({"dataset": {"name": "jets", "sha256": "3e19"}}, "path", "a.h5")["dataset"]
    {'name': 'jets', 'sha256': '3e19', 'path': 'a.h5'}
    """
    dataset = recipe["dataset"]
    if "sha256" not in dataset:
        return recipe
    return {**recipe, "dataset": {**dataset, option: path}}
