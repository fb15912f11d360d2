"""The attribute by which a dataset can be downloaded (``qgen data NAME --fetch``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from qgen_core.errors import DataError
from qgen_hep.published.download import ENVIRONMENT, fetch, place_of
from qgen_hep.published.records import Record

Factory = TypeVar("Factory", bound=Callable[..., object])


def fetched_from(record: Record) -> Callable[[Factory], Factory]:
    """Give a dataset factory the attribute ``fetch``, which downloads a record.

    >>> from qgen_hep.published.records import CALOCHALLENGE_2
    >>> @fetched_from(CALOCHALLENGE_2)
    ... def dataset():
    ...     pass
    >>> dataset.fetch.args[0].doi
    '10.5281/zenodo.6366271'
    """

    def mark(factory: Factory) -> Factory:
        vars(factory)["fetch"] = partial(fetch, record)
        return factory

    return mark


def require_fetched(record: Record, name: str, dataset: str) -> Path:
    """The path of a file of a record that was downloaded before.

    Raises DataError, saying how to download it, if it is not there.
    """
    path = place_of(record) / name
    if not path.is_file():
        raise DataError(
            f"{path} is not there; download {record.title} (doi:{record.doi}) with: qgen data "
            f"{dataset} --fetch; the environment variable {ENVIRONMENT} chooses the folder. Or "
            "give the path of a file that you have as the option path"
        )
    return path
