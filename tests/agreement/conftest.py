"""Every test of this folder that asks for ``name`` runs for each backend."""

from __future__ import annotations

import agreement_backends
import pytest

import qgen_core as qgen


@pytest.fixture(params=agreement_backends.compared())
def name(request: pytest.FixtureRequest) -> str:
    """The name of a backend, one after another."""
    agreement_backends.build(request.param)
    return str(request.param)


@pytest.fixture
def backend(name: str) -> qgen.Backend:
    """The backend of that name."""
    return agreement_backends.build(name)
