"""The backend ``qbraid``: circuits on the devices of many vendors through qBraid's runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Expectations,
    Measure,
    Shots,
)
from qgen_core.errors import BadOption
from qgen_core.events import index_to_bits
from qgen_core.remote import (
    Deadline,
    DeviceBackend,
    JobRecords,
    Jobs,
    as_measured,
    batch_key,
    default_folder,
)
from qgen_core.simulators.base import checked_angles, group_words, to_basis
from qgen_core.typing import Array, Floats
from qgen_qbraid.results import outcomes
from qgen_qbraid.service import Order, QbraidService, missing_account

#: Outcomes are 64-bit integers.
MOST_WIRES = 62


class QbraidBackend(DeviceBackend):
    """A device of any vendor that qBraid lists, by its id.

    Shots only, in the order of wires. Circuits are sent as OpenQASM 3; for a device that takes
    another format, qBraid's SDK converts them. Each circuit of a batch is a job of its own, and all
    are submitted before any is waited for. The id of a job is on disk before it is waited for:
    after a crash, a deadline or a lost connection, run the recipe again; it collects its jobs, and
    none is paid for twice. The same recipe and seed find the same jobs; for new shots change the
    seed. Nothing is submitted before the backend runs a circuit.

    Tested against a scripted service on this machine, not on a real device.

    Args:
        device: the id of a device at qBraid, e.g. ``qbraid:qbraid:sim:qir-sv``.
        deadline: seconds to wait for the circuits of one call, queues included; 0 submits and does
            not wait.
        jobs: folder for job ids. None: ``$XDG_STATE_HOME/qgen/qbraid-jobs``, by default under
            ``~/.local/state``.
        batch_jobs: whether the circuits of a batch are one job, which only some devices take.

    The API key is that of the vendor's own store or of ``QBRAID_API_KEY``; it is never an option.

    Raises RemoteError when the service refuses or fails and while the device is offline,
    RemotePending (exit code 75: run again) at the deadline, Busy while another process submits the
    same batch, Unsupported for states, readout confusion and circuits too large for the device, and
    BadOption for options and shots out of range and for a device that qBraid does not list.

    >>> backend = QbraidBackend(device="qbraid:qbraid:sim:qir-sv")
    >>> backend.capabilities.remote, backend.capabilities.exact
    (True, False)
    """

    name = "qbraid"
    capabilities = Capabilities(max_wires=MOST_WIRES, exact=False, remote=True)

    def __init__(
        self,
        *,
        device: str,
        deadline: float = 3600.0,
        jobs: str | None = None,
        batch_jobs: bool = False,
    ) -> None:
        if not deadline >= 0:
            raise BadOption(f"deadline must be at least 0 seconds, not {deadline}")
        self.deadline = deadline
        self.batch_jobs = batch_jobs
        self.service = QbraidService(device)
        folder = Path(jobs) if jobs else default_folder("qbraid-jobs")
        self.jobs = Jobs(self.service, JobRecords(folder))

    @classmethod
    def missing_account(cls) -> str:
        """Why no account can be used, as far as this machine knows; empty if there is one."""
        return missing_account()

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        shots = self.measurable(circuit, len(angles), measure, shots)
        rows = checked_angles(circuit, angles)
        # The random number tells equal batches of one run apart, and is the same when it resumes.
        draw = int(shots.rng.integers(1, 2**31))
        if isinstance(measure, Expectations):
            return self._means(circuit, rows, measure.paulis, shots.number, draw)
        (found,) = self._outcomes([(circuit, rows)], shots.number, draw)
        mixed = shots.rng.permuted(found, axis=1)
        return as_measured(mixed, circuit.num_wires, measure)

    def _means(
        self, circuit: Circuit, rows: Floats, words: tuple[str, ...], shots: int, draw: int
    ) -> Floats:
        """Expectations (B, words), each word measured in a basis that it shares with others."""
        bases = group_words(words)
        runs = [to_basis(circuit, rows, basis) for basis in bases]
        measured = self._outcomes(runs, shots, draw)
        means = np.empty((len(rows), len(words)))
        for members, found in zip(bases.values(), measured, strict=True):
            for row, of_row in enumerate(found):
                bits = index_to_bits(of_row, circuit.num_wires)
                for member in members:
                    wires = [wire for wire, letter in enumerate(words[member]) if letter != "I"]
                    means[row, member] = np.mean(1 - 2 * (bits[:, wires].sum(axis=1) % 2))
        return means

    def _outcomes(
        self, runs: list[tuple[Circuit, Floats]], shots: int, draw: int
    ) -> list[NDArray[np.int64]]:
        """Outcomes (B, shots) of each run; all jobs are submitted before any is waited for."""
        deadline = Deadline(self.deadline)
        device = cache(partial(self.service.device, deadline))  # looked at once, if at all
        submitted = []
        for basis, (circuit, rows) in enumerate(runs):
            for first, part in self._parts(rows):
                place = (self.service.name, shots, draw, basis, first)
                key = batch_key(circuit, part, *place)
                order = Order(circuit, part, shots, self.batch_jobs)
                prepare = partial(self._prepare, order, device, deadline)
                submitted.append((basis, len(part), self.jobs.submitted(key, prepare, deadline)))
        found: list[list[NDArray[np.int64]]] = [[] for _ in runs]
        for basis, size, record in submitted:
            wires = runs[basis][0].num_wires
            read = partial(outcomes, rows=size, shots=shots, wires=wires)
            found[basis].append(self.jobs.collected(record, read, deadline))
        return [np.concatenate(parts) for parts in found]

    def _parts(self, rows: Floats) -> list[tuple[int, Floats]]:
        """The rows of each job, with the number of the first one."""
        if self.batch_jobs:
            return [(0, rows)]
        return [(row, rows[row : row + 1]) for row in range(len(rows))]

    def _prepare(
        self, order: Order, device: Callable[[], Any], deadline: Deadline
    ) -> Callable[[str], str]:
        request = self.service.prepared(order, device(), deadline)
        return partial(self.service.submit, request)
