"""Where published files are kept."""

from __future__ import annotations

import os
from pathlib import Path

from qgen_hep.generate.cache import cache_folder
from qgen_hep.published.records import Record

#: The environment variable with the folder of published data.
ENVIRONMENT = "QGEN_DATA"


def data_folder() -> Path:
    """``$QGEN_DATA``, by default ``published`` in the user's cache (``~/.cache/qgen``)."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return Path(chosen)
    return cache_folder() / "published"


def place_of(record: Record) -> Path:
    """The folder of the files of a record.

    >>> from qgen_hep.published.records import CALOCHALLENGE_2
    >>> place_of(CALOCHALLENGE_2).name
    'zenodo-6366271'
    """
    return data_folder() / record.key
