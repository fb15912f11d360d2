"""How fast the installed backends are on this machine: ``qgen doctor --bench``.

Each backend runs in a process of its own, and the backends are timed in turn, so that other work
on the machine affects all of them alike. A call that would take more than a backend's share of the
time is stopped, or not begun.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Probabilities
from qgen_core.circuits.parameter_shift import shifted_rows
from qgen_core.discovery import registry
from qgen_core.doctor.child_process import ChildLost, ChildProcess
from qgen_core.doctor.probe import check_backend
from qgen_core.errors import QgenError
from qgen_core.interfaces import Backend
from qgen_core.runs.progress import counter
from qgen_core.support.resources import cores
from qgen_core.typing import Floats

#: Seconds for all backends together, those of the checkup before included.
TOTAL_SECONDS = 95.0
#: Seconds for all backends together, however long the checkup took.
LEAST_SECONDS = 20.0
#: Most seconds for one backend.
BACKEND_SECONDS = 10.0
#: The part of a backend's seconds that one task of one case may take.
TASK_SHARE = 0.25
#: Seconds to import an SDK and build a backend; they are not counted.
START_TIMEOUT = 60.0
#: How many times each task is timed.
ROUNDS = 7
#: Calls shorter than this, in seconds, are repeated until they take as long.
SHORTEST_TIMING = 0.02
#: How far outputs may differ, by precision; ten times as far for gradients, which sum more numbers.
TOLERANCE = {"double": 1e-9, "single": 1e-5}
#: The backend that the outputs of the others are compared with.
REFERENCE_BACKEND = "statevector"
#: Backends within this factor of the fastest are named beside it.
SIMILAR = 1.25
#: What is timed: the probabilities, and the probabilities with the gradient of all angles.
TASKS = ("forward", "gradient")


@dataclass(frozen=True)
class Case:
    """A circuit of the ansatz ``brick``, and how many rows of angles it is run for.

    ``use`` says which use the case stands for.
    """

    name: str
    wires: int
    rows: int
    layers: int
    use: str


CASES = (
    Case("small", 8, 1, 6, "one circuit at a time"),
    Case("batched", 8, 64, 6, "batches"),
    Case("large", 16, 1, 4, "wide circuits"),
)


@dataclass
class Timing:
    """Seconds per call of one backend for one task of one case.

    ``error`` is the largest difference from the reference backend. ``note`` says why nothing was
    timed, or what the seconds stand for.

    >>> Timing("small", "forward", "cirq", [0.2, 0.1, 0.4]).text()
    '200 ms (100 ms to 400 ms)'
    """

    case: str
    task: str
    backend: str
    seconds: list[float] = field(default_factory=list)
    error: float | None = None
    agrees: bool = True
    note: str = ""

    @property
    def median(self) -> float:
        """Median in seconds; infinite where nothing was timed."""
        if not self.seconds:
            return np.inf
        return float(np.median(self.seconds))

    def text(self) -> str:
        """Median, least and most, or why there are none."""
        if not self.seconds:
            return self.note
        median = duration_text(self.median)
        least = duration_text(min(self.seconds))
        most = duration_text(max(self.seconds))
        text = f"{median} ({least} to {most})"
        if self.note:
            text += f", {self.note}"
        return text

    def data(self) -> dict[str, Any]:
        """The timing as data that JSON can hold."""
        median = None
        if self.seconds:
            median = self.median
        return {
            "case": self.case,
            "way": self.task,
            "backend": self.backend,
            "seconds": self.seconds,
            "off": self.error,
            "agrees": self.agrees,
            "note": self.note,
            "median": median,
        }


class TimedBackend:
    """A backend in a child process, with the seconds that it may still take."""

    def __init__(self, name: str, budget: float = BACKEND_SECONDS) -> None:
        self.name = name
        self.budget = budget
        self.seconds_left = budget
        self.process = ChildProcess()
        self.facts: Mapping[str, Any] = {}

    def start(self) -> None:
        """Import and build the backend; ``facts`` holds what it can, or its error."""
        try:
            self.facts = self.process.call(__name__, "prepare", self.name, timeout=START_TIMEOUT)
        except ChildLost as error:
            self.facts = {"error": str(error)}

    def time_call(self, timing: Timing, repeats: int) -> Mapping[str, Any] | None:
        """The result of :func:`timed_call`; None, with a note why, if it failed or was stopped.

        A backend whose process was lost is started again.
        """
        timeout = min(self.seconds_left, 2 * TASK_SHARE * self.budget)
        begun = time.monotonic()
        try:
            result: Mapping[str, Any] = self.process.call(
                __name__,
                "timed_call",
                self.name,
                timing.case,
                timing.task,
                repeats,
                timeout=timeout,
            )
        except ChildLost as error:
            self.seconds_left -= time.monotonic() - begun
            timing.note = str(error)
            self.start()
            return None
        self.seconds_left -= time.monotonic() - begun
        if "error" in result:
            timing.note = result["error"]
            return None
        return result


@dataclass(frozen=True)
class Benchmark:
    """Timings by name of case, the backends that run channels, and the remote ones."""

    timings: Mapping[str, Sequence[Timing]]
    noise: Sequence[str] = ()
    remote: Sequence[str] = ()

    def all_timings(self) -> list[Timing]:
        """The timings of all cases in one list."""
        found: list[Timing] = []
        for of_case in self.timings.values():
            found.extend(of_case)
        return found

    @property
    def wrong(self) -> list[str]:
        """The backends whose numbers differ from those of the reference."""
        names = {timing.backend for timing in self.all_timings() if not timing.agrees}
        return [f"backend {name} (wrong numbers)" for name in sorted(names)]

    def data(self) -> dict[str, Any]:
        """All timings and recommendations as data that JSON can hold."""
        rows = [timing.data() for timing in self.all_timings()]
        return {"lines": rows, "use": list(self.recommendations())}

    def recommendations(self) -> Iterator[str]:
        """Which backend to use for what: the fastest, and those about as fast."""
        for case in CASES:
            usable = [t for t in self.timings[case.name] if t.agrees and t.seconds]
            forward = _fastest([t for t in usable if t.task == "forward"])
            gradient = _fastest([t for t in usable if t.task == "gradient"])
            if forward:
                yield (
                    f"{case.use} ({case.wires} wires): {forward}; "
                    f"with gradients {gradient or 'none'}"
                )
        if self.noise:
            yield f"circuits with channels: {', '.join(self.noise)}"
        if self.remote:
            yield f"devices: {', '.join(self.remote)}"

    def text(self) -> str:
        """A table for each case, and the recommendations."""
        lines = [_table(case, self.timings[case.name]) for case in CASES]
        lines.append("use")
        for recommendation in self.recommendations():
            lines.append(f"  {recommendation}")
        return "\n".join(lines)


def measure(
    names: Sequence[str],
    *,
    noise: Sequence[str] = (),
    remote: Sequence[str] = (),
    spent: float = 0.0,
) -> Benchmark:
    """Time backends that work, in less than two minutes with the ``spent`` seconds included.

    Args:
        names: the backends to time.
        noise: those that run circuits with channels; they are listed in the recommendations.
        remote: backends that run elsewhere; they are listed, and not run.
        spent: seconds that the checkup before has taken.
    """
    begun = time.monotonic()
    with ExitStack() as stack:
        backends = [TimedBackend(name) for name in names]
        for backend in backends:
            stack.enter_context(backend.process)
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(TimedBackend.start, backends))
        seconds_left = max(LEAST_SECONDS, TOTAL_SECONDS - spent - (time.monotonic() - begun))
        for backend in backends:
            backend.budget = min(BACKEND_SECONDS, seconds_left / len(backends))
            backend.seconds_left = backend.budget
        advance = stack.enter_context(counter(len(CASES) * len(TASKS), "measuring backends"))
        timings: dict[str, list[Timing]] = {}
        done = 0
        for case in CASES:
            of_case: list[Timing] = []
            for task in TASKS:
                of_case += _time_in_turn(backends, case, task, of_case)
                done += 1
                advance(done, case.name)
            timings[case.name] = of_case
        return Benchmark(timings, noise, remote)


def _time_in_turn(
    backends: Sequence[TimedBackend], case: Case, task: str, earlier: Sequence[Timing]
) -> list[Timing]:
    """Timings of one task of one case: a first call of each backend, then rounds in turn.

    The outputs of the first calls are compared; their seconds do not count. ``earlier`` are the
    timings of the same case so far.
    """
    attempts = [_Attempt(backend, Timing(case.name, task, backend.name)) for backend in backends]
    outputs = {}
    for attempt in attempts:
        output = attempt.call_first(case, earlier)
        if output is not None:
            outputs[attempt.backend.name] = output
    timings = [attempt.timing for attempt in attempts]
    _compare_outputs(timings, outputs, backends)
    for _ in range(ROUNDS):
        for attempt in attempts:
            attempt.call_again()
    for attempt in attempts:
        attempt.finish()
    return timings


@dataclass
class _Attempt:
    """One backend at one task: what its first call took, and what its timings have taken since."""

    backend: TimedBackend
    timing: Timing
    first_seconds: float | None = None
    spent: float = 0.0
    failed: bool = False

    def call_first(self, case: Case, earlier: Sequence[Timing]) -> Floats | None:
        """The output of a first call; None, with the reason noted, where it is not worth trying."""
        self.timing.note = _reason_to_skip(self.backend, case, self.timing.task, earlier)
        if self.timing.note:
            return None
        result = self.backend.time_call(self.timing, 1)
        if result is None:
            return None
        self.first_seconds = float(result["seconds"])
        return np.array(result["output"])

    def call_again(self) -> None:
        """Time one call, or several short ones, unless the backend's share of time is used up."""
        if self.first_seconds is None or self.failed:
            return
        shortest = min([self.first_seconds, *self.timing.seconds])
        if shortest > self._seconds_left():
            return
        repeats = max(1, int(SHORTEST_TIMING / max(shortest, 1e-7)))
        result = self.backend.time_call(self.timing, repeats)
        if result is None:
            self.failed = True
            return
        seconds = float(result["seconds"])
        self.timing.seconds.append(seconds)
        self.spent += repeats * seconds

    def _seconds_left(self) -> float:
        """Seconds that the next call may take; the first one that counts may exceed the share."""
        half_of_rest = self.backend.seconds_left / 2
        if not self.timing.seconds:
            return half_of_rest
        return min(TASK_SHARE * self.backend.budget - self.spent, half_of_rest)

    def finish(self) -> None:
        """Fall back on the first call where no other was timed."""
        if self.first_seconds is not None and not self.timing.seconds:
            self.timing.seconds = [self.first_seconds]
            self.timing.note = "the first call alone"


def _reason_to_skip(backend: TimedBackend, case: Case, task: str, earlier: Sequence[Timing]) -> str:
    """Why a task is not begun, as far as that is known in advance; empty if it is begun."""
    if "error" in backend.facts:
        return str(backend.facts["error"])
    expected_seconds = 0.0
    forward = next((timing for timing in earlier if timing.backend == backend.name), None)
    if forward is not None:
        if not forward.seconds:
            return "not run"
        if backend.facts["gradients"] == "parameter-shift":
            circuit, angles, _ = _inputs(case.name)
            _, shifted_columns, _ = shifted_rows(circuit, angles[:1])
            by_shift = forward.median * len(shifted_columns)
            if by_shift > 2 * TASK_SHARE * backend.budget:
                return f"not run: up to {duration_text(by_shift)} by parameter shift"
        expected_seconds = 2 * forward.median
    if backend.seconds_left > expected_seconds:
        return ""
    return f"not run: its {backend.budget:.2g} s are used up"


def _compare_outputs(
    timings: Sequence[Timing], outputs: Mapping[str, Floats], backends: Sequence[TimedBackend]
) -> None:
    """Compare the outputs with those of the reference backend, or else of the first there is."""
    if not outputs:
        return
    reference = outputs.get(REFERENCE_BACKEND, next(iter(outputs.values())))
    precision = {backend.name: backend.facts.get("precision", "double") for backend in backends}
    for timing in timings:
        if timing.backend not in outputs:
            continue
        tolerance = TOLERANCE[precision[timing.backend]]
        if timing.task == "gradient":
            tolerance = tolerance * 10
        timing.error = float(np.max(np.abs(outputs[timing.backend] - reference)))
        timing.agrees = timing.error <= tolerance


#: The backends that this child process has built.
_built: dict[str, Backend] = {}


def prepare(name: str) -> dict[str, Any]:
    """Run in the child: build a backend and run a circuit; returns what it can, or its error.

    What a backend imports or compiles at its first circuit is thereby not timed.

    >>> prepare("statevector")
    {'gradients': 'adjoint', 'precision': 'double'}
    """
    try:
        backend = registry.build("backend", name)
        check_backend(backend, name)
    except QgenError as error:
        return {"error": str(error)}
    _built[name] = backend
    capabilities = backend.capabilities
    return {"gradients": capabilities.gradients, "precision": capabilities.precision}


def timed_call(name: str, case: str, task: str, repeats: int) -> dict[str, Any]:
    """Run in the child: seconds per call, and the output if it is called once."""
    backend = _built[name]
    circuit, angles, cotangent = _inputs(case)
    begun = time.perf_counter()
    try:
        for _ in range(repeats):
            if task == "forward":
                output = backend.run(circuit, angles, Probabilities())
            else:
                _, pullback = backend.forward(circuit, angles, Probabilities())
                output = pullback(cotangent)
    except QgenError as error:
        return {"error": str(error)}
    seconds = (time.perf_counter() - begun) / repeats
    if repeats > 1:
        return {"seconds": seconds, "output": []}
    return {"seconds": seconds, "output": np.asarray(output).tolist()}


@cache
def _inputs(case_name: str) -> tuple[Circuit, Floats, Floats]:
    """The circuit of a case, its angles and a cotangent; the same in every process."""
    case = next(case for case in CASES if case.name == case_name)
    ansatz = registry.build("ansatz", {"name": "brick", "layers": case.layers})
    circuit: Circuit = ansatz(case.wires)
    rng = np.random.default_rng(case.wires)
    angles = rng.uniform(-np.pi, np.pi, (case.rows, circuit.num_angles))
    cotangent = rng.uniform(-1, 1, (case.rows, 2**case.wires))
    return circuit, angles, cotangent


def _fastest(timings: Sequence[Timing]) -> str:
    """The fastest backend with its time, and those about as fast; empty without timings."""
    if not timings:
        return ""
    fastest = min(timings, key=lambda timing: timing.median)
    similar = []
    for timing in timings:
        if timing is not fastest and timing.median <= SIMILAR * fastest.median:
            similar.append(timing.backend)
    text = f"{fastest.backend} ({duration_text(fastest.median)})"
    if similar:
        text += f", about as fast: {', '.join(similar)}"
    return text


def _table(case: Case, timings: Sequence[Timing]) -> str:
    """One line per backend, seconds per call as median (least to most), and whether all agree."""
    rows = "1 row"
    if case.rows > 1:
        rows = f"{case.rows} rows"
    angles = _inputs(case.name)[0].num_angles
    forward = {timing.backend: "" for timing in timings}
    gradient = dict(forward)
    for timing in timings:
        if timing.task == "forward":
            forward[timing.backend] = timing.text()
        else:
            gradient[timing.backend] = timing.text()
    name_width = max(map(len, forward), default=0)
    forward_width = max(map(len, forward.values()), default=0)
    lines = [
        f"{case.name}: {case.wires} wires, {angles} angles, {rows}; "
        "median of calls (least to most)",
        f"  {'':<{name_width}}  {'forward':<{forward_width}}  gradient step",
    ]
    for name, text in forward.items():
        lines.append(f"  {name:<{name_width}}  {text:<{forward_width}}  {gradient[name]}")
    for sentence in _agreement(timings):
        lines.append(f"  {sentence}")
    return "\n".join([*lines, ""])


def _agreement(timings: Sequence[Timing]) -> Iterator[str]:
    """Which backends compute wrong numbers, or how well all of them agree."""
    errors = []
    for timing in timings:
        if timing.error is None:
            continue
        errors.append(timing.error)
        if not timing.agrees:
            yield f"{timing.backend} is WRONG: its {timing.task} differs by {timing.error:.2g}"
    if errors and all(timing.agrees for timing in timings):
        yield f"all agree: the largest difference is {max(errors):.1g}"


def duration_text(seconds: float) -> str:
    """A duration with its unit.

    >>> duration_text(0.00234)
    '2.34 ms'
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
