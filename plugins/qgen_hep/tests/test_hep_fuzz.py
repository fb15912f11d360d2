"""Damaged files of every format: none crashes or hangs a process, none is believed."""

from __future__ import annotations

from collections import Counter

from hep_files import INSTALLED
from hep_fuzz import fuzz


def check(found: Counter[str], least: int) -> None:
    defects = {kind: count for kind, count in found.items() if kind not in ("refused", "read")}
    assert not defects
    assert found.total() >= least
    # many mutations hit what is not read; but most of them are seen, even without a SHA-256
    assert found["refused"] > found["read"] > 0


def test_mutated_files(tmp_path):
    check(fuzz(INSTALLED, 30, tmp_path), least=28 * len(INSTALLED))
