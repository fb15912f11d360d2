"""A run records the number of torch's threads, on which the last bits of its results depend."""

from __future__ import annotations

import sys

import pytest
import torch

import qgen_torch_hooks
from qgen_core.runs.provenance import versions


def test_a_run_records_the_threads_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert versions()["torch threads"] == str(threads)


def test_a_run_without_torch_records_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    assert qgen_torch_hooks.environment() == {}
