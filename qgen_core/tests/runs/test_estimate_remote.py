"""An estimate never spends: on a remote backend circuits are counted, not run."""

from __future__ import annotations

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.interfaces import Capabilities
from qgen_core.runs.estimate import estimate
from qgen_core.runs.recipes import Recipe


class Paid(qgen.Backend):
    capabilities = Capabilities(exact=False, remote=True)

    def run(self, circuit, angles, measure, shots=None):
        raise AssertionError("this would have been paid for")


def test_a_remote_training_is_counted_only(recipe: Recipe, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))  # forgotten after the test
    qgen.register("backend", "paid", Paid)
    here = estimate(recipe.changed(["generator.shots=100", "trainer.steps=3"]))
    there = estimate(recipe.changed(["generator.shots=100", "trainer.steps=3", "backend=paid"]))
    assert there == {key: here[key] for key in there} and {"circuits", "shots", "qubits"} <= set(
        there
    )
    assert set(here) - set(there) == {
        "memory",
        "memory_bytes",
        "seconds_per_step",
        "seconds",
        "steps_timed",
    }
    own = estimate(
        recipe.changed(["generator.shots=100", "trainer.steps=3", "generator.backend=paid"])
    )
    assert own == there
