"""The backend ``torch`` passes the backend kit: both precisions, states stored or not, CUDA."""

from __future__ import annotations

import pytest
import torch

import qgen_core as qgen
from qgen_core.testing import BackendKit
from qgen_torch.simulator import evolve


class TestTorch(BackendKit):
    @pytest.fixture(autouse=True, params=["double held", "double run back", "single run back"])
    def _way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """States between the maps are stored for the backward pass, or recomputed."""
        self.precision, way = request.param.split(" ", 1)
        monkeypatch.setattr(evolve, "UNCHECKED_MEMORY", 2**40 if way == "held" else 0)

    def make(self) -> qgen.Backend:
        return qgen.backend("torch", precision=self.precision, device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
class TestTorchCuda(TestTorch):
    def make(self) -> qgen.Backend:
        return qgen.backend("torch", precision=self.precision, device="cuda")
