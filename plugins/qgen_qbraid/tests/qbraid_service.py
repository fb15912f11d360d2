"""A service on this machine in qBraid's place, which simulates, counts jobs and fails as scripted.

qBraid's real client talks to it over HTTP. Programs are read by pyqasm, which shares no code with
their writer, and simulated by the reference of the core. ``script`` sets what happens at the next
requests of an operation: a number is the status of an error, "lost before" and "lost after" break
the connection before and after the request is carried out, a function changes the answer, None
does nothing.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pyqasm

from qgen_core.circuits.circuit import Circuit, Gate, const
from qgen_core.circuits.measures import Probabilities
from qgen_core.testing import reference

#: Looks like a key; must show nowhere.
KEY = "qbr_" + "0f1e2d3c" * 8
DEVICE = "toy:toy:sim:five"
#: A line of an unrolled program, such as ``rz(0.5) q[1];``.
LINE = re.compile(r"(?!qreg|qubit|measure)(\w+)(?:\(([^)]*)\))? (q\[.*\]);")


def device(qrn: str = DEVICE, **changes: Any) -> dict[str, Any]:
    """What the service says of a device."""
    told = {
        "name": qrn,
        "qrn": qrn,
        "vendor": "toy",
        "deviceType": "SIMULATOR",
        "runInputTypes": ["qasm3"],
        "status": "ONLINE",
        "numberQubits": 5,
        "paradigm": "gate_model",
        "maxShots": 100_000,
        "directAccess": True,
        "batchJobSupport": True,
    }
    return {**told, **changes}


class Service(ThreadingHTTPServer):
    """The service; ``jobs`` holds what was ever submitted, which is what is paid for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.devices = {DEVICE: device()}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.script: dict[str, list[Any]] = {}
        self.calls: Counter[str] = Counter()
        #: Seconds that pass before and after a job is taken.
        self.slow = 0.0
        #: How many jobs were found by their tag.
        self.found = 0
        self.error: dict[str, Any] = {"message": "out of order"}
        self._submitting = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def submitted(self) -> int:
        return len(self.jobs)

    def next_of(self, operation: str) -> Any:
        self.calls[operation] += 1
        lines = self.script.get(operation, [])
        return lines.pop(0) if lines else None

    def submit(self, request: dict[str, Any]) -> dict[str, Any]:
        programs = request["program"]
        is_batch = isinstance(programs, list)
        with self._submitting:
            name = f"{DEVICE}-qjob-{self.submitted:03d}"
            seed = self.submitted
            self.jobs[name] = {}
        rng = np.random.default_rng(seed)
        counted = []
        for program in programs if is_batch else [programs]:
            counted.append(counts_of(program["data"], request["shots"], rng))
        self.jobs[name] = {
            "jobQrn": name,
            "vendor": "toy",
            "provider": "toy",
            "status": "COMPLETED",
            "experimentType": "gate_model",
            "estimatedCost": 1,
            "numCircuits": len(counted),
            **{key: request[key] for key in ("deviceQrn", "shots", "tags", "program")},
            "counted": counted,
            "is_batch": is_batch,
        }
        return self.jobs[name]

    def result(self, job: dict[str, Any]) -> dict[str, Any]:
        base = {
            "status": "COMPLETED",
            "cost": 1,
            "timeStamps": {"createdAt": "2026-11-30T10:00:00Z"},
        }
        results = [{**base, "resultData": {"measurementCounts": one}} for one in job["counted"]]
        return {**base, "results": results} if job["is_batch"] else results[0]


class Handler(BaseHTTPRequestHandler):
    """The requests that qBraid's client makes."""

    server: Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        words = [unquote(word) for word in parts.path.strip("/").split("/")]
        operation = {"users": "verify", "jobs": "jobs", "devices": "devices"}[words[0]]
        if self.command == "POST":
            operation = "submit"
        elif len(words) > 1 and words[0] != "users":
            operation = "result" if words[-1] == "result" else words[0][:-1]
        line = self.server.next_of(operation)
        if self.headers.get("X-API-Key") != KEY:
            line = 401
        if line == "lost before":
            self.close_connection = True
            return
        if isinstance(line, int):
            self._answer(line, {"success": False, "error": self.server.error})
            return
        status, data = self._carry_out(operation, words, parse_qs(parts.query), body)
        if line == "lost after":
            self.close_connection = True
            return
        if callable(line):
            data = line(data)
        self._answer(status, {"success": True, "data": data})

    def _carry_out(
        self, operation: str, words: list[str], query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any]:
        service = self.server
        if operation == "verify":
            return 200, {"organizationUserId": "one", "organizationId": "ours"}
        if operation == "devices":
            return 200, list(service.devices.values())
        if operation == "submit":
            time.sleep(service.slow)
            job = service.submit(json.loads(body))
            time.sleep(service.slow)
            return 201, job
        if operation == "jobs":
            wanted = json.loads(query["tags"][0]).items()
            jobs = [job for job in service.jobs.values() if job]
            with_tag = [job for job in jobs if wanted <= job["tags"].items()]
            service.found += len(with_tag)
            return 200, with_tag
        known = service.devices if operation == "device" else service.jobs
        found = known.get(words[1])
        if not found:
            return 404, None
        return 200, service.result(found) if operation == "result" else found

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        with suppress(ConnectionError):  # of a client that was killed
            self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


def counts_of(text: str, shots: int, rng: np.random.Generator) -> dict[str, int]:
    """Counts as qBraid shows them: the first bit is the last character of a key."""
    circuit = circuit_of(text)
    exact = reference.values(circuit, circuit.bind(np.empty((1, 0))), Probabilities())[0]
    numbers = rng.multinomial(shots, exact / exact.sum())
    wires = circuit.num_wires
    return {f"{k:0{wires}b}"[::-1]: int(n) for k, n in enumerate(numbers) if n}


def circuit_of(text: str) -> Circuit:
    """The circuit of an OpenQASM program, which must measure each q[k] into c[k]."""
    module = pyqasm.loads(text)
    module.unroll()
    lines = pyqasm.dumps(module).splitlines()
    measured = [line for line in lines if "measure" in line]
    wires = len(measured)
    for k, line in enumerate(measured):
        assert line in (f"c[{k}] = measure q[{k}];", f"measure q[{k}] -> c[{k}];")
    assert f"qubit[{wires}] q;" in lines or f"qreg q[{wires}];" in lines
    gates = []
    for name, value, operands in filter(None, map(gate_of, lines)):
        on = tuple(int(wire) for wire in re.findall(r"\d+", operands))
        gates.append(Gate(name, on, const(float(value)) if value else None))
    return Circuit(wires, tuple(gates))


def gate_of(line: str) -> tuple[str, ...] | None:
    """The name, the angle and the wires in a line of an unrolled program; None for other lines."""
    found = LINE.fullmatch(line)
    return found.groups() if found else None


class ScriptedTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
