"""The sampler ``dwave-qpu``: annealers of D-Wave over the network."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, QgenError, RemoteError, RemotePending, Unsupported
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.remote import JobRecord, JobRecords, default_folder, one_line, retry_pauses
from qgen_core.typing import Array, Floats, Rng
from qgen_dwave.annealers.annealer import AnnealerSampler, Programming
from qgen_dwave.annealers.chip import Chip, Ranges
from qgen_dwave.annealers.faults import Fault, diagnose
from qgen_dwave.ocean import ocean, quadratic_model, spins_of

T = TypeVar("T")

#: Seconds after which one request counts as unanswered.
REQUEST_LIMIT = 60.0
#: Seconds between looks at whether a submission has an id.
GLANCE = 0.05
#: Options of a recipe that are secrets, which belong in the vendor's own store.
SECRETS = ("token", "endpoint")


class QpuDevice:
    """One solver of D-Wave's service, which satisfies :class:`Device`; connects at the first use.

    Args:
        solver: its name, or features that it must have; None for that of the profile.
        profile: a profile of the vendor's configuration file.
        anneal_time: microseconds; None for the solver's default.
        deadline: seconds to wait for a problem.
        jobs: where ids of problems are kept.
    """

    def __init__(
        self,
        solver: str | Mapping[str, Any] | None,
        profile: str | None,
        anneal_time: float | None,
        deadline: float,
        jobs: JobRecords,
    ) -> None:
        self.solver = solver
        self.profile = profile
        self.anneal_time = anneal_time
        self.deadline = deadline
        self.jobs = jobs

    @cached_property
    def _sampler(self) -> Any:
        """dwave.system's sampler of the solver."""
        options: dict[str, Any] = {"request_timeout": min(REQUEST_LIMIT, self.deadline)}
        if self.profile is not None:
            options["profile"] = self.profile
        if self.solver is not None:
            options["solver"] = self.solver
        make = ocean("dwave.system").DWaveSampler
        return self._call("connecting to D-Wave", lambda: make(**options))

    @cached_property
    def chip(self) -> Chip:
        """The working graph and the ranges that the solver reports."""
        properties = self._sampler.properties
        topology = properties["topology"]
        ranges = Ranges(
            h=_pair(properties["h_range"]),
            J=_pair(properties.get("extended_j_range", properties["j_range"])),
            sums=_pair(properties.get("per_qubit_coupling_range", (-np.inf, np.inf))),
            reads=int(properties["num_reads_range"][1]),
        )
        chip = Chip(
            name=str(self._sampler.solver.name),
            topology=str(topology["type"]),
            shape=tuple(topology.get("shape", ())),
            qubits=np.array(self._sampler.nodelist),
            couplers=np.array(self._sampler.edgelist).reshape(-1, 2),
            ranges=ranges,
            takes_flux="flux_biases" in properties["parameters"],
        )
        self._check_anneal_time(chip.name, properties.get("annealing_time_range"))
        return chip

    def _check_anneal_time(self, name: str, allowed: Sequence[float] | None) -> None:
        if self.anneal_time is None or allowed is None:
            return
        if not allowed[0] <= self.anneal_time <= allowed[1]:
            raise Unsupported(
                f"{name} anneals for {allowed[0]:g} to {allowed[1]:g} microseconds, and "
                f"anneal_time is {self.anneal_time:g}"
            )

    def run(
        self, ising: Ising, qubits: Array, flux: Floats | None, reads: int, rng: Rng
    ) -> tuple[NDArray[np.int8], dict[str, Any]]:
        """Values of the qubits from one problem, collected if it was submitted before.

        Raises RemoteError, or RemotePending (run again to continue).
        """
        parameters = self._parameters(flux, qubits, reads)
        # The random number tells equal programs of one run apart, and is the same when it resumes.
        facts = (self.chip.name, sorted(parameters.items()), int(rng.integers(2**63)))
        content = [ising.h, ising.J, ising.edges, qubits]
        digest = hashlib.sha256(repr(facts).encode())
        for array in content:
            digest.update(np.ascontiguousarray(array).tobytes())
        key = digest.hexdigest()
        model = quadratic_model(ising, qubits)
        answer, job = self._answer(
            key,
            lambda label: self._sampler.solver.sample_bqm(model, label=label, **parameters),
        )
        values = self._checked(answer, job, qubits, reads)
        timing = answer.info.get("timing", {})
        return values, {"qpu_ms": float(timing.get("qpu_access_time", np.nan)) / 1e3, "job": job}

    def access_seconds(self, qubits: int, reads: int) -> float | None:
        """Seconds of access to the QPU for one problem, as the vendor's client estimates them.

        Nothing is submitted. None for a solver that does not publish its timing.
        """
        solver = self._sampler.solver
        try:
            microseconds = solver.estimate_qpu_access_time(
                qubits, num_reads=reads, annealing_time=self.anneal_time
            )
        except (KeyError, ValueError):  # properties that the client's timing model needs
            return None
        return float(microseconds) / 1e6

    def _parameters(self, flux: Floats | None, qubits: Array, reads: int) -> dict[str, Any]:
        known = self._sampler.properties["parameters"]
        wanted: dict[str, Any] = {"answer_mode": "raw", "auto_scale": False, "num_reads": reads}
        parameters = {name: value for name, value in wanted.items() if name in known}
        if self.anneal_time is not None:
            parameters["annealing_time"] = self.anneal_time
        if flux is not None:
            biases = np.zeros(int(self._sampler.properties["num_qubits"]))
            biases[qubits] = flux
            parameters["flux_biases"] = biases.tolist()
            parameters["flux_drift_compensation"] = False
        return parameters

    def _answer(self, key: str, submit: Callable[[str], Any]) -> tuple[Any, str]:
        """The samples of a problem and its id, which is on disk before anything waits for it."""
        end = time.monotonic() + self.deadline
        with self.jobs.claim(key):
            record = self.jobs.find(key)
            if record is None:
                record = JobRecord(key, self.chip.name)
                self.jobs.write(record)
            elif record.job is None:
                record = replace(record, job=self._id_of(record.tag))
            if record.job is not None:
                future = self._sampler.client.retrieve_answer(record.job)
            else:
                future = self._submitted(record, submit, end)
                record = replace(record, job=str(future.id))
            self.jobs.write(record)
        assert record.job is not None
        return self._awaited(future, record, end), record.job

    def _id_of(self, label: str) -> str | None:
        """The id of the problem with this label; None if it never reached the service."""
        api = ocean("dwave.cloud.api")

        def look() -> list[Any]:
            with api.Problems.from_config(self._sampler.client.config) as problems:
                return list(problems.list_problems(label=label))

        found = self._call("looking a problem up", look)
        return str(found[0].id) if found else None

    def _submitted(self, record: JobRecord, submit: Callable[[str], Any], end: float) -> Any:
        """The future of a problem that the service has accepted, with its id."""
        pauses = retry_pauses()
        while True:
            future = submit(record.tag)
            while future.id is None and not future.done():
                if time.monotonic() > end:
                    raise _pending("submitting", "no answer", self.deadline)
                time.sleep(GLANCE)
            if future.id is not None:
                return future
            fault = _fault_of(future)
            if not fault.answered:
                raise _pending("submitting", fault.text, self.deadline)
            pause = next(pauses)
            if not fault.transient or time.monotonic() + pause > end:
                self.jobs.remove(record.key)
                raise RemoteError(
                    f"{record.device} did not take a problem: {fault.text}; nothing was submitted"
                )
            time.sleep(pause)

    def _awaited(self, future: Any, record: JobRecord, end: float) -> Any:
        """The samples of a problem that was submitted."""
        what = f"problem {record.job} on {record.device}"
        if not future.wait(timeout=max(end - time.monotonic(), 0.0)):
            raise RemotePending(
                f"{what} is not finished after {self.deadline:g} s; its id is stored: run again "
                "to collect it, or set a longer deadline"
            )
        try:
            samples = future.sampleset
            samples.resolve()
            return samples
        except Exception as error:
            fault = diagnose(error)
        if fault.transient:
            raise _pending(f"problem {record.job}", fault.text, self.deadline)
        if not fault.ended:
            raise RemoteError(
                f"{what}: its answer cannot be read: {fault.text}; run again to read it again, or "
                f"remove {self.jobs.path(record.key)} to submit it anew"
            )
        self.jobs.remove(record.key)
        raise RemoteError(f"{what} gave no result: {fault.text}; run again to submit it anew")

    def _checked(self, samples: Any, job: str, qubits: Array, reads: int) -> NDArray[np.int8]:
        """The values (reads, Q) of an answer that is complete. Raises RemoteError otherwise."""
        missing = set(qubits.tolist()) - set(samples.variables)
        if missing:
            raise RemoteError(
                f"problem {job} has no values of {len(missing)} qubits, such as {min(missing)}"
            )
        values = spins_of(samples, qubits)
        if len(values) != reads or not np.all(np.abs(values) == 1):
            raise RemoteError(
                f"problem {job} has {len(values)} samples of values "
                f"{np.unique(values).tolist()[:4]}, and {reads} of -1 and 1 were asked for"
            )
        return values

    def _call(self, what: str, function: Callable[[], T]) -> T:
        """The answer of a call that submits nothing, tried again until the deadline."""
        end = time.monotonic() + self.deadline
        pauses = retry_pauses()
        while True:
            try:
                return function()
            except QgenError:
                raise
            except Exception as error:
                fault = diagnose(error)
            if not fault.transient:
                raise RemoteError(f"{what}: {fault.text}")
            pause = next(pauses)
            if time.monotonic() + pause > end:
                raise _pending(what, fault.text, self.deadline)
            time.sleep(pause)


def _pair(values: Sequence[float]) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)


def _fault_of(future: Any) -> Fault:
    """Why a submission failed."""
    try:
        future.result()
    except Exception as error:
        return diagnose(error)
    return Fault("it has an answer and no id")


def _pending(what: str, text: str, deadline: float) -> RemotePending:
    return RemotePending(
        f"{what}: {one_line(text)}; given up after {deadline:g} s; nothing is lost: run again to "
        "continue"
    )


class QpuSampler(AnnealerSampler):
    """A quantum annealer of D-Wave.

    The account is that of the vendor's own store: `dwave setup` writes it, or ``DWAVE_API_TOKEN``
    holds it. The sampler connects when it first samples. Each programming is one problem; its id is
    stored before anything waits for it, and a run that is started again collects what it had
    submitted. Energies out of the solver's ranges are refused, never rescaled.

    Args:
        solver: name of a solver, or features that it must have, such as
            ``{ topology__type = "zephyr" }``; without it, the profile's, or the largest one.
        profile: a profile of the vendor's configuration file.
        anneal_time: duration of an anneal in microseconds; without it the solver's default.
        deadline: seconds to wait for a problem, the queue included.
        jobs: folder of the ids of problems; without it one for each user.
        native: sizes of 1, 2 or 4 parts for a placement without chains, see
            ``native_graph()`` of the sampler; empty for chains.
        chain_strength: coupling in chains; without it 1.414 rms(J) sqrt(degree).
        most_broken: the largest share of broken chains that is not refused.
        gauges: programmings with random spins reversed, among which reads are shared.
        clamp: fixed spins act as ``fields`` on others, or are held by ``flux`` biases.
        beta: first guess of the inverse temperature.
        estimate_every: estimates it at every so many calls; 0 keeps the guess.
        reference: sampler of known temperature for the estimate; without it ``dwave-sa``.
        reference_draws: its samples for each estimate.

    Raises BadOption for values out of range and for secrets among the features, RemoteError or
    RemotePending for what the service does, and Unsupported for energies that cannot be programmed.
    """

    def __init__(
        self,
        *,
        solver: str | dict[str, Any] | None = None,
        profile: str | None = None,
        anneal_time: float | None = None,
        deadline: float = 600.0,
        jobs: str | None = None,
        native: Sequence[int] = (),
        chain_strength: float | None = None,
        most_broken: float = 0.1,
        gauges: int = 0,
        clamp: Literal["fields", "flux"] = "fields",
        beta: float = 4.0,
        estimate_every: int = 1,
        reference: Sampler | None = None,
        reference_draws: int = 256,
    ) -> None:
        if not 0 < deadline < np.inf:
            raise BadOption(f"deadline must be a number of seconds above 0, not {deadline:g}")
        if anneal_time is not None and not anneal_time > 0:
            raise BadOption(f"anneal_time must be above 0 microseconds, not {anneal_time:g}")
        secrets = sorted(set(SECRETS) & set(solver if isinstance(solver, dict) else ()))
        if secrets:
            raise BadOption(
                f"solver holds {secrets}, which belong in the vendor's own store; "
                "name a profile of it with the option profile"
            )
        super().__init__(
            Programming(tuple(native), chain_strength, most_broken, gauges, clamp),
            beta=beta,
            estimate_every=estimate_every,
            reference=reference,
            reference_draws=reference_draws,
        )
        folder = default_folder("dwave-jobs") if jobs is None else Path(jobs)
        self._device = QpuDevice(solver, profile, anneal_time, deadline, JobRecords(folder))

    kind = "D-Wave annealer"
    remote = True

    @property
    def device(self) -> QpuDevice:
        """The solver, connected at its first use."""
        return self._device

    def device_seconds(self, ising: Ising, n: int) -> float | None:
        """The seconds of access to the QPU that n samples for each condition take.

        They are those of all programmings, each of them ``programming + reads * (anneal + readout +
        delay)`` with the numbers that the solver publishes. Nothing is submitted.

        Source: D-Wave documentation, "Operation and Timing",
        https://docs.dwavesys.com/docs/latest/c_qpu_timing.html, in the form of
        ``estimate_qpu_access_time`` of dwave-cloud-client.
        """
        qubits = len(self._embedding(ising.graph).qubits)
        total = 0.0
        for share in self._shares(n):
            seconds = self.device.access_seconds(qubits, len(share))
            if seconds is None:
                return None
            total += seconds
        return total * (ising.rows or 1)
