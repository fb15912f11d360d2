"""``qgen doctor --bench``: how long each backend is timed, wrong numbers, recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.doctor import benchmark
from qgen_core.doctor.benchmark import CASES, Benchmark, TimedBackend, Timing

SMALL = CASES[0]


class Scripted(TimedBackend):
    """Takes the seconds it is told to; ``outputs`` by way."""

    def __init__(self, name: str, seconds: float, output: Any = 1.0, **facts: str) -> None:
        super().__init__(name, 8.0)
        self.seconds, self.output, self.calls = seconds, output, 0
        self.facts = {"gradients": "adjoint", "precision": "double", **facts}

    def time_call(self, timing: Timing, repeats: int) -> Mapping[str, Any] | None:
        self.calls += repeats
        if self.seconds * repeats > 2 * benchmark.TASK_SHARE * self.budget:
            timing.note = "stopped"
            return None
        self.seconds_left -= self.seconds * repeats
        return {"seconds": self.seconds, "output": [self.output]}


def line_of(contestant: Scripted, way: str = "forward", before: tuple[Timing, ...] = ()) -> Timing:
    return benchmark._time_in_turn([contestant], SMALL, way, before)[0]


def test_quick_calls_are_repeated_slow_ones_end_with_their_share() -> None:
    quick, middle, slow, hopeless = (Scripted("x", s) for s in (1e-4, 0.5, 2.0, 9.0))
    assert (
        len(line_of(quick).seconds) == benchmark.ROUNDS
        and quick.calls == 1 + 200 * benchmark.ROUNDS
    )
    line = line_of(middle)
    assert (
        1 < len(line.seconds) < benchmark.ROUNDS and sum(line.seconds) <= benchmark.TASK_SHARE * 8.0
    )
    assert line_of(slow).seconds == [2.0] and slow.calls == 2
    spent = Scripted("x", 3.0)
    spent.seconds_left = 5.0
    line = line_of(spent)
    assert line.seconds == [3.0] and line.note == "the first call alone" and spent.calls == 1
    assert line_of(hopeless).text() == "stopped"


def test_what_parameter_shift_would_take_is_known_before() -> None:
    forward = Timing("small", "forward", "x", seconds=[0.02])
    adjoint, shifting = Scripted("x", 0.1), Scripted("x", 0.1, gradients="parameter-shift")
    assert line_of(adjoint, "gradient", (forward,)).seconds
    line = line_of(shifting, "gradient", (forward,))
    # 276 angles of two terms each
    assert (
        line.note == f"not run: up to {276 * 2 * 0.02:.3g} s by parameter shift"
        and shifting.calls == 0
    )
    shifting.seconds_left = 0.0
    assert "used up" in line_of(shifting).note


@pytest.mark.parametrize(
    ("precision", "off", "agrees"), [("double", 1e-7, False), ("single", 1e-7, True)]
)
def test_numbers_are_held_against_the_reference(precision: str, off: float, agrees: bool) -> None:
    right, other = (
        Scripted("statevector", 0.1),
        Scripted("other", 0.1, 1.0 + off, precision=precision),
    )
    lines = benchmark._time_in_turn([other, right], SMALL, "forward", ())
    assert [line.agrees for line in lines] == [agrees, True] and lines[0].error == pytest.approx(
        off, rel=1e-6
    )
    bench = Benchmark({case.name: lines if case is SMALL else [] for case in CASES})
    assert bench.wrong == ([] if agrees else ["backend other (wrong numbers)"])
    assert ("other is WRONG: its forward differs by 1e-07" in bench.text()) != agrees
    assert ("all agree" in bench.text()) == agrees


def test_the_quickest_that_is_right_is_advised() -> None:
    def lines(case: str) -> list[Timing]:
        wrong = Timing(case, "forward", "wrong", [0.001], 1.0, agrees=False)
        times = (("a", 0.2), ("b", 0.18), ("c", 0.9))
        gradients = [
            Timing(case, "gradient", "c", [0.5]),
            Timing(case, "gradient", "a", note="not run"),
        ]
        return [
            wrong,
            *(Timing(case, "forward", name, [t, t, 5 * t]) for name, t in times),
            *gradients,
        ]

    bench = Benchmark({case.name: lines(case.name) for case in CASES}, ["density"], ["ibm"])
    uses = list(bench.recommendations())
    assert (
        uses[0]
        == "one circuit at a time (8 wires): b (180 ms), about as fast: a; with gradients c "
        "(500 ms)"
    )
    assert uses[-2:] == ["circuits with channels: density", "devices: ibm"]
    rows = bench.data()["lines"]
    assert rows[1]["median"] == 0.2 and rows[-1]["median"] is None


def test_a_real_backend_is_called_as_it_would_be_by_hand() -> None:
    assert benchmark.prepare("statevector") == {"gradients": "adjoint", "precision": "double"}
    circuit, angles, cotangent = benchmark._inputs("small")
    assert (circuit.num_wires, circuit.num_angles, angles.shape) == (8, 276, (1, 276))
    found = benchmark.timed_call("statevector", "small", "forward", 1)
    assert np.array(found["output"]) == pytest.approx(
        qgen.backend("statevector").probabilities(circuit, angles)
    )
    slope = benchmark.timed_call("statevector", "small", "gradient", 1)
    step = np.zeros_like(angles)
    step[0, 5] = 1e-5
    values = [
        benchmark._built["statevector"].run(circuit, angles + s, qgen.Probabilities())
        for s in (step, -step)
    ]
    assert slope["output"][0][5] == pytest.approx(
        np.sum(cotangent * (values[0] - values[1])) / 2e-5, rel=1e-5
    )
    assert benchmark.timed_call("statevector", "small", "forward", 3)["output"] == []
    assert "no backend" in benchmark.prepare("nothing-of-this-name")["error"]


def test_measured_in_processes_of_their_own() -> None:
    one = TimedBackend("statevector", 8.0)
    with one.process:
        one.start()
        line = Timing("small", "forward", "statevector")
        answer = one.time_call(line, 1)
        assert answer is not None and len(answer["output"][0]) == 256 and 0 < one.seconds_left < 8.0
        one.seconds_left = 1e-4
        assert one.time_call(line, 1000) is None and "stopped after" in line.note
        assert one.facts["gradients"] == "adjoint", "it was started again"
