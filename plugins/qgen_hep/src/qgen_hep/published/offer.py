"""The attribute by which a dataset can be downloaded (``qgen data NAME --fetch``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qgen_core.errors import DataError
from qgen_hep.published.places import ENVIRONMENT, place_of
from qgen_hep.published.records import Record

if TYPE_CHECKING:
    from qgen_hep.published.archives import Counter

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
        vars(factory)["fetch"] = partial(_fetch, record)
        return factory

    return mark


def _fetch(record: Record, counter: Counter | None = None) -> list[Path]:
    """Download a record; the client is imported here, since most commands download nothing."""
    from qgen_hep.published.download import fetch

    return fetch(record, counter)


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
