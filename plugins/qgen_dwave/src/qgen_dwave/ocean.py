"""Exchanging energies, samples and seeds with D-Wave's Ocean packages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.discovery.optional_import import import_optional
from qgen_core.ising import Ising
from qgen_core.typing import Array, Rng

#: What installs all Ocean packages that are used here.
OCEAN = "dwave-ocean-sdk"


def ocean(module: str) -> Any:
    """A module of D-Wave's Ocean packages. Raises BrokenPlugin if it is not installed.

    >>> ocean("dimod").Vartype.SPIN.name
    'SPIN'
    """
    return import_optional(module, "a sampler of qgen-dwave", OCEAN)


def quadratic_model(ising: Ising, labels: Array | None = None) -> Any:
    """The energy as a binary quadratic model of dimod, its variables numbered as the spins.

    ``labels`` (S,) are other numbers for the variables, such as qubits. The transverse field is
    left out, and the energy has no rows.

    >>> pair = Ising(h=[0.5, 0.0], J=[-1.0], graph=[[0, 1]], offset=2.0)
    >>> float(quadratic_model(pair).energy({0: 1, 1: 1}))
    1.5
    """
    if labels is None:
        labels = np.arange(ising.num_spins)
    dimod = ocean("dimod")
    model = dimod.BinaryQuadraticModel("SPIN")
    model.add_linear_from(zip(labels.tolist(), ising.h.tolist(), strict=True))
    ends = labels[ising.edges]
    model.add_quadratic_from(
        zip(ends[:, 0].tolist(), ends[:, 1].tolist(), ising.J.tolist(), strict=True)
    )
    model.offset = ising.offset
    return model


def spins_of(samples: Any, labels: Array | None = None) -> NDArray[np.int8]:
    """The samples (n, S) of a SampleSet, one row a read, columns in the order of ``labels``.

    Without labels they are in the order of the variables' numbers. Samples that are counted are
    repeated.
    """
    place = {variable: column for column, variable in enumerate(samples.variables)}
    if labels is None:
        labels = np.arange(len(place))
    columns = [place[variable] for variable in labels.tolist()]
    record = samples.record
    spins = np.asarray(record.sample, dtype=np.int8)[:, columns]
    return np.repeat(spins, record.num_occurrences, axis=0)


def seed_of(rng: Rng) -> int:
    """A seed for a program of Ocean, which takes 31 bits."""
    return int(rng.integers(2**31))
