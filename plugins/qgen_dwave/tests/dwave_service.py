"""A service on this machine that speaks the protocol of D-Wave's, for D-Wave's real client.

It answers problems by simulated annealing at a known temperature. ``script`` holds faults for the
next requests: an HTTP status, "lost" (carried out, then the connection is closed), "failed" (the
problem fails) or "short" (samples are missing).
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from dwave.cloud.testing.mocks import qpu_zephyr_solver_data

from qgen_core.ising import Ising
from qgen_dwave.annealing import annealed

#: Microseconds of the timing model 1.0; log10 of the readout time by log10 of the qubits.
TIMING = {
    "version": "1.0.0",
    "typical_programming_time": 14_000.0,
    "reverse_annealing_with_reinit_prog_time_delta": 0.0,
    "reverse_annealing_without_reinit_prog_time_delta": 0.0,
    "default_programming_thermalization": 1_000.0,
    "default_annealing_time": 20.0,
    "readout_time_model": "pwl_log_log",
    "readout_time_model_parameters": [0.0, 1.0, 3.0, 1.0, 1.5, 2.2],
    "qpu_delay_time_per_sample": 21.0,
    "reverse_annealing_with_reinit_delay_time_delta": 0.0,
    "reverse_annealing_without_reinit_delay_time_delta": 0.0,
    "default_readout_thermalization": 0.0,
    "decorrelation_max_nominal_anneal_time": 2000.0,
    "decorrelation_time_range": [500.0, 10_000.0],
}


def access_time(qubits: int, reads: int, anneal_time: float) -> float:
    """Microseconds of access to the QPU, by the timing data."""
    numbers = TIMING["readout_time_model_parameters"]
    readout = 10 ** np.interp(np.log10(qubits), numbers[:3], numbers[3:])
    one_read = anneal_time + readout + TIMING["qpu_delay_time_per_sample"]
    programming = TIMING["typical_programming_time"] + TIMING["default_programming_thermalization"]
    return float(programming + reads * one_read)


WHEN = "2026-11-29T12:00:00.000000Z"


class Service(ThreadingHTTPServer):
    """A Zephyr 2 that samples at beta = 2; problems need ``looks`` looks until they are done."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        data = qpu_zephyr_solver_data(2)
        names = ("answer_mode", "auto_scale", "annealing_time", "flux_biases", "num_reads")
        data["properties"]["parameters"] |= dict.fromkeys(names, "")
        data["properties"]["parameters"]["flux_drift_compensation"] = ""
        data["properties"]["per_qubit_coupling_range"] = [-18.0, 15.0]
        data["properties"]["h_range"] = [-4.0, 4.0]
        data["identity"]["name"] = "local_zephyr"
        data["avg_load"] = 0.1
        data["properties"]["problem_timing_data"] = TIMING
        self.solver = data
        self.problems: dict[str, dict[str, Any]] = {}
        self.script: list[Any] = []
        self.looks = 1
        self.tokens: set[str] = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def submit(self, body: dict[str, Any], fault: Any) -> dict[str, Any]:
        number = f"problem-{len(self.problems)}"
        status = {
            "id": number,
            "type": "ising",
            "solver": self.solver["identity"],
            "label": body.get("label"),
            "status": "PENDING",
            "submitted_on": WHEN,
        }
        self.problems[number] = {"status": status, "body": body, "looks": 0, "fault": fault}
        return status

    def look(self, number: str) -> dict[str, Any]:
        problem = self.problems[number]
        problem["looks"] += 1
        if problem["fault"] == "failed":
            return {**problem["status"], "status": "FAILED", "solved_on": WHEN}
        if problem["looks"] < self.looks:
            return problem["status"]
        return {**problem["status"], "status": "COMPLETED", "solved_on": WHEN}

    def answer(self, number: str) -> dict[str, Any]:
        problem = self.problems[number]
        body = problem["body"]
        properties = self.solver["properties"]
        h = np.frombuffer(base64.b64decode(body["data"]["lin"]), "<f8")
        active = np.flatnonzero(~np.isnan(h))
        qubits = np.array(properties["qubits"])
        couplers = np.array(properties["couplers"])
        is_active = np.isin(couplers, qubits[active]).all(axis=1)
        J = np.zeros(np.count_nonzero(is_active))
        given = np.frombuffer(base64.b64decode(body["data"]["quad"]), "<f8")
        J[: len(given)] = given
        ends = np.searchsorted(qubits[active], couplers[is_active])
        fields = h[active].copy()
        if "flux_biases" in body["params"]:
            fields += np.array(body["params"]["flux_biases"])[qubits[active]] / -4.213e-4
        energy = Ising(fields, J, ends)
        reads = body["params"]["num_reads"]
        rng = np.random.default_rng(len(self.problems))
        spins = annealed(energy, np.linspace(0.02, 2.0, 300), reads, rng=rng)
        anneal_time = body["params"].get("annealing_time", TIMING["default_annealing_time"])
        if problem["fault"] == "short":
            spins = spins[:-1]
        return {
            "format": "qp",
            "active_variables": coded(qubits[active].astype("<i4")),
            "energies": coded(energy.energy(spins).astype("<f8")),
            "solutions": coded(np.packbits(spins > 0, axis=1)),
            "num_occurrences": coded(np.ones(len(spins), "<i4")),
            "num_variables": int(qubits.max()) + 1,
            "timing": {"qpu_access_time": access_time(len(spins.T), reads, anneal_time)},
        }


def coded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


class Handler(BaseHTTPRequestHandler):
    server: Service

    def log_message(self, *rest: Any) -> None:
        pass

    def reply(self, content: Any, status: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("Accept", "application/json"))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refused(self) -> Any:
        """A fault for this request: None, or what it is; HTTP statuses are answered here."""
        self.server.tokens.add(self.headers.get("X-Auth-Token", ""))
        fault = self.server.script.pop(0) if self.server.script else None
        if isinstance(fault, int):
            self.reply({"error_code": fault, "error_msg": f"scripted {fault}"}, fault)
        return fault

    def do_GET(self) -> None:
        path, _, query = self.path.strip("/").partition("?")
        if path.startswith("solvers"):
            fault = self.refused() if self.server.script[:1] == [401] else None
            if fault is None and path.rstrip("/") == "solvers/remote":
                self.reply([self.server.solver])
            elif fault is None:
                self.reply(self.server.solver)
        elif path in ("problems", "problems/"):
            name, _, value = query.partition("=")
            if name == "label":
                every = self.server.problems.values()
                self.reply([p["status"] for p in every if p["status"]["label"] == value])
            else:
                ids = value.partition("&")[0].replace("%2C", ",").split(",")
                self.reply([self.server.look(one) for one in ids])
        else:
            number = path.split("/")[1]
            if number not in self.server.problems:
                self.reply({"error_code": 404, "error_msg": "no such problem"}, 404)
                return
            status = self.server.look(number)
            if status["status"] == "COMPLETED":
                status = {**status, "answer": self.server.answer(number)}
            self.reply(status)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "deflate":
            data = zlib.decompress(data)
        fault = self.refused()
        if isinstance(fault, int):
            return
        statuses = [self.server.submit(body, fault) for body in json.loads(data)]
        if fault == "lost":
            self.connection.close()
            return
        self.reply(statuses)
