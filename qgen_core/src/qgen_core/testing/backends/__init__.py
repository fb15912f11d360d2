"""The conformance kit of backends."""

from __future__ import annotations

from qgen_core.testing.backends.gradients import GradientTests
from qgen_core.testing.backends.limits import LimitTests
from qgen_core.testing.backends.shots import ShotTests
from qgen_core.testing.backends.values import ValueTests


class BackendKit(ValueTests, GradientTests, ShotTests, LimitTests):
    """Holds a backend against a dense reference: inherit it, say how to make one.

        class TestMine(BackendKit):
            precision = "single"  # complex64: 1e-5 instead of 1e-9

            def make(self):
                return MyBackend()

    What is compared follows from ``capabilities``: their gates, exact values or shots (then
    values agree within the noise of ``shots``), noise, gradients, the number of wires.
    """
