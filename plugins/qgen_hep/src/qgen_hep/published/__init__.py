"""Published data sets: where they are, and downloading them."""

from __future__ import annotations

from qgen_hep.published.offer import fetched_from, require_fetched
from qgen_hep.published.places import data_folder
from qgen_hep.published.records import Record, RemoteFile

__all__ = ["Record", "RemoteFile", "data_folder", "fetched_from", "require_fetched"]
