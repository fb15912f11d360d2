"""Parts of an assembled Born machine that the studies evaluate themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.runs.assembly import Assembly
from qgen_core.typing import Floats


def circuit_of(assembly: Assembly) -> Any:
    """The circuit of the generator."""
    # Only generators that are circuits have the attribute.
    return getattr(assembly.generator, "circuit")  # noqa: B009


def theta_of(assembly: Assembly) -> Floats:
    """The parameters (P,) of the circuit."""
    return np.asarray(assembly.generator.parameters()["theta"])


def bin_edges_of(assembly: Assembly) -> list[Floats]:
    """The edges (bins + 1,) of each feature."""
    # Only the encoder ``binning`` has the attribute.
    return [np.asarray(edges) for edges in getattr(assembly.encoder, "edges")]  # noqa: B009
