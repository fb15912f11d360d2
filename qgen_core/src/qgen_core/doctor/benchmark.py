"""How fast the installed backends are, measured here: ``qgen doctor --bench``.

Each backend sits in a process of its own, and they take turns, so that whatever else the machine does
meets all alike. A call that would take longer than a backend's share of the time is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Probabilities
from qgen_core.circuits.parameter_shift import shifted_rows
from qgen_core.discovery import registry
from qgen_core.doctor.child_process import Aside, Lost
from qgen_core.doctor.probe import try_circuit
from qgen_core.errors import QgenError
from qgen_core.interfaces import Backend
from qgen_core.runs.progress import counter
from qgen_core.typing import Floats

#: Seconds for all backends together, after what else was done and at least; and at most for one.
ALL, LEAST, MOST = 95.0, 20.0, 10.0
#: The part of a backend's time that one line of a table may take.
PART = 0.25
#: Seconds to import an SDK and build a backend, not counted.
START = 60.0
ROUNDS = 7
#: Calls shorter than this, in seconds, are repeated to be as long.
SHORTEST = 0.02
#: How far outputs may differ, by precision; gradients sum up more numbers.
OFF = {"double": 1e-9, "single": 1e-5}
REFERENCE = "statevector"
#: Within this factor of the quickest a backend is called as quick.
AS_QUICK = 1.25
WAYS = ("forward", "gradient")


@dataclass(frozen=True)
class Case:
    """A circuit of ansatz 1 (``brick``) to measure with, and rows of angles."""

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
class Line:
    """What one backend took for one case and way, in seconds a call; ``note`` says why not, or what of it."""

    case: str
    way: str
    backend: str
    seconds: list[float] = field(default_factory=list)
    off: float | None = None
    agrees: bool = True
    note: str = ""

    @property
    def median(self) -> float:
        """Seconds; infinite where nothing was measured."""
        return float(np.median(self.seconds)) if self.seconds else np.inf

    def text(self) -> str:
        """Median, least and most."""
        if not self.seconds:
            return self.note
        middle, least, most = (
            shown(s) for s in (self.median, min(self.seconds), max(self.seconds))
        )
        return f"{middle} ({least} to {most})" + (f", {self.note}" if self.note else "")


class Contestant:
    """A backend in its process, with what is left of its time."""

    def __init__(self, name: str, budget: float = MOST) -> None:
        self.name, self.budget = name, budget
        self.left = budget
        self.aside = Aside()
        self.facts: Mapping[str, Any] = {}

    def start(self) -> None:
        """Import and build it."""
        try:
            self.facts = self.aside.ask(__name__, "prepare", self.name, limit=START)
        except Lost as error:
            self.facts = {"error": str(error)}

    def ask(self, line: Line, repeat: int) -> Mapping[str, Any] | None:
        """One answer of :func:`call`; None, with the reason in the line, if there is none in time."""
        limit = min(self.left, 2 * PART * self.budget)
        begun = time.monotonic()
        try:
            answer: Mapping[str, Any] = self.aside.ask(
                __name__, "call", self.name, line.case, line.way, repeat, limit=limit
            )
        except Lost as error:
            self.left -= time.monotonic() - begun
            line.note = str(error)
            self.start()
            return None
        self.left -= time.monotonic() - begun
        if "error" in answer:
            line.note = answer["error"]
            return None
        return answer


@dataclass(frozen=True)
class Bench:
    """Lines by name of case, and the backends that run channels and those that are remote."""

    lines: Mapping[str, Sequence[Line]]
    noise: Sequence[str] = ()
    remote: Sequence[str] = ()

    @property
    def wrong(self) -> list[str]:
        """Backends whose numbers differ from those of the others."""
        everything = (line for several in self.lines.values() for line in several)
        return [
            f"backend {name} (wrong numbers)"
            for name in sorted({o.backend for o in everything if not o.agrees})
        ]

    def data(self) -> dict[str, Any]:
        """All of it, as plain data."""
        lines = [line for several in self.lines.values() for line in several]
        medians = [line.median if line.seconds else None for line in lines]
        rows = [
            asdict(line) | {"median": middle} for line, middle in zip(lines, medians, strict=True)
        ]
        return {"lines": rows, "use": list(self.uses())}

    def uses(self) -> Iterator[str]:
        """Which backend to use for what: the quickest, and those as quick."""
        for case in CASES:
            lines = [line for line in self.lines[case.name] if line.agrees and line.seconds]
            best = {way: _best([line for line in lines if line.way == way]) for way in WAYS}
            if best["forward"]:
                text = f"{case.use} ({case.wires} wires): {best['forward']}"
                yield f"{text}; with gradients {best['gradient'] or 'none'}"
        if self.noise:
            yield f"circuits with channels: {', '.join(self.noise)}"
        if self.remote:
            yield f"devices: {', '.join(self.remote)}"

    def text(self) -> str:
        """A table for each case, and what to use."""
        tables = [_table(case, self.lines[case.name]) for case in CASES]
        return "\n".join([*tables, "use", *(f"  {use}" for use in self.uses())])


def measure(
    names: Sequence[str],
    *,
    noise: Sequence[str] = (),
    remote: Sequence[str] = (),
    spent: float = 0.0,
) -> Bench:
    """Measure backends that work, in less than two minutes together with the seconds ``spent`` before."""
    from qgen_core.simulators.simd.threads import cores

    begun = time.monotonic()
    with ExitStack() as stack:
        contestants = [Contestant(name) for name in names]
        for one in contestants:
            stack.enter_context(one.aside)
        with ThreadPoolExecutor(cores()) as several:
            list(several.map(Contestant.start, contestants))
        left = max(LEAST, ALL - spent - (time.monotonic() - begun))
        for one in contestants:
            one.budget = one.left = min(MOST, left / len(contestants))
        found: dict[str, list[Line]] = {case.name: [] for case in CASES}
        advance = stack.enter_context(counter(len(CASES) * len(WAYS), "measuring backends"))
        for number, (case, way) in enumerate((case, way) for case in CASES for way in WAYS):
            found[case.name] += _compete(contestants, case, way, found[case.name])
            advance(number + 1, case.name)
        return Bench(found, noise, remote)


def _compete(
    contestants: Sequence[Contestant], case: Case, way: str, before: Sequence[Line]
) -> list[Line]:
    """One way of one case: a call each that is not counted, whose output is compared, then rounds in turn."""
    lines, outputs, repeats = [], {}, {}
    for one in contestants:
        line = Line(case.name, way, one.name, note=_beyond(one, case, way, before))
        lines.append(line)
        answer = None if line.note else one.ask(line, 1)
        if answer is not None:
            outputs[one.name] = np.array(answer["output"])
            repeats[one.name] = float(answer["seconds"])
    _hold_together(lines, outputs, contestants)
    spent = dict.fromkeys(repeats, 0.0)
    for _ in range(ROUNDS):
        for one, line in zip(contestants, lines, strict=True):
            if one.name not in spent:
                continue
            due = (
                one.left / 2
                if not line.seconds
                else min(PART * one.budget - spent[one.name], one.left / 2)
            )
            if min([repeats[one.name], *line.seconds]) > due:
                continue
            times = max(1, int(SHORTEST / max(min([repeats[one.name], *line.seconds]), 1e-7)))
            answer = one.ask(line, times)
            if answer is None:
                del spent[one.name]
                continue
            line.seconds.append(float(answer["seconds"]))
            spent[one.name] += times * line.seconds[-1]
    for line in lines:
        if not line.seconds and line.backend in repeats:
            line.seconds, line.note = [repeats[line.backend]], "the first call alone"
    return lines


def _beyond(one: Contestant, case: Case, way: str, before: Sequence[Line]) -> str:
    """Why not to begin: what is known of the backend already."""
    if "error" in one.facts:
        return str(one.facts["error"])
    forward = next((line for line in before if line.backend == one.name), None)
    if forward is not None and not forward.seconds:
        return "not run"
    if forward is not None and one.facts["gradients"] == "parameter-shift":
        circuit, angles, _ = _material(case.name)
        expected = forward.median * len(shifted_rows(circuit, angles[:1])[1])
        if expected > 2 * PART * one.budget:
            return f"not run: up to {shown(expected)} by parameter shift"
    least = 2 * forward.median if forward is not None else 0.0
    return "" if one.left > least else f"not run: its {one.budget:.2g} s are used up"


def _hold_together(
    lines: Sequence[Line], outputs: Mapping[str, Floats], contestants: Sequence[Contestant]
) -> None:
    """Compare the outputs with those of the reference, or of the first there is."""
    if not outputs:
        return
    reference = outputs.get(REFERENCE, next(iter(outputs.values())))
    precision = {one.name: one.facts.get("precision", "double") for one in contestants}
    for line in lines:
        if line.backend in outputs:
            line.off = float(np.max(np.abs(outputs[line.backend] - reference)))
            line.agrees = bool(
                line.off <= OFF[precision[line.backend]] * (1 if line.way == "forward" else 10)
            )


_ready: dict[str, Backend] = {}


def prepare(name: str) -> dict[str, Any]:
    """In the child: build a backend, and say what it can."""
    try:
        _ready[name] = registry.build("backend", name)
        try_circuit(
            _ready[name], name
        )  # what is imported or compiled at the first circuit is not counted
    except QgenError as error:
        return {"error": str(error)}
    can = _ready[name].capabilities
    return {"gradients": can.gradients, "precision": can.precision}


def call(name: str, case: str, way: str, repeat: int) -> dict[str, Any]:
    """In the child: seconds a call, and for a single call its output."""
    backend = _ready[name]
    circuit, angles, cotangent = _material(case)
    begun = time.perf_counter()
    try:
        for _ in range(repeat):
            if way == "forward":
                output = backend.run(circuit, angles, Probabilities())
            else:
                output = backend.forward(circuit, angles, Probabilities())[1](cotangent)
    except QgenError as error:
        return {"error": str(error)}
    seconds = (time.perf_counter() - begun) / repeat
    return {"seconds": seconds, "output": np.asarray(output).tolist() if repeat == 1 else []}


@cache
def _material(name: str) -> tuple[Circuit, Floats, Floats]:
    """The circuit of a case, its angles and a cotangent; the same in every process."""
    case = next(case for case in CASES if case.name == name)
    circuit: Circuit = registry.build("ansatz", {"name": "brick", "layers": case.layers})(
        case.wires
    )
    rng = np.random.default_rng(case.wires)
    angles = rng.uniform(-np.pi, np.pi, (case.rows, circuit.num_angles))
    return circuit, angles, rng.uniform(-1, 1, (case.rows, 2**case.wires))


def _best(lines: Sequence[Line]) -> str:
    if not lines:
        return ""
    quickest = min(lines, key=lambda line: line.median)
    others = [
        line for line in lines if line is not quickest and line.median <= AS_QUICK * quickest.median
    ]
    text = f"{quickest.backend} ({shown(quickest.median)})"
    return text + (f", as quick {', '.join(line.backend for line in others)}" if others else "")


def _table(case: Case, lines: Sequence[Line]) -> str:
    """Seconds a call: median (least to most)."""
    rows = "1 row" if case.rows == 1 else f"{case.rows} rows"
    angles = _material(case.name)[0].num_angles
    text = [
        f"{case.name}: {case.wires} wires, {angles} angles, {rows}; median of calls (least to most)"
    ]
    table = {line.backend: ["", ""] for line in lines}
    for line in lines:
        table[line.backend][WAYS.index(line.way)] = line.text()
    width = max((len(name) for name in table), default=0)
    middle = max((len(cells[0]) for cells in table.values()), default=0)
    text.append(f"  {'':<{width}}  {'forward':<{middle}}  gradient step")
    text += [
        f"  {name:<{width}}  {cells[0]:<{middle}}  {cells[1]}" for name, cells in table.items()
    ]
    text += [f"  {sentence}" for sentence in _agreement(lines)]
    return "\n".join([*text, ""])


def _agreement(lines: Sequence[Line]) -> Iterator[str]:
    known = [line for line in lines if line.off is not None]
    for line in known:
        if not line.agrees:
            yield f"{line.backend} is WRONG: its {line.way} differs by {line.off:.2g}"
    if known and all(line.agrees for line in known):
        yield f"all agree: the largest difference is {max(line.off or 0.0 for line in known):.1g}"


def shown(seconds: float) -> str:
    """A time as people read it.

    >>> shown(0.00234)
    '2.34 ms'
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
