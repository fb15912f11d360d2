"""The conformance kit of backends."""

from __future__ import annotations

from qgen_core.testing.backends.gradients import GradientTests
from qgen_core.testing.backends.limits import LimitTests
from qgen_core.testing.backends.shots import ShotTests
from qgen_core.testing.backends.values import ValueTests


class BackendKit(ValueTests, GradientTests, ShotTests, LimitTests):
    """Compares a backend with dense matrices: inherit it and define ``make``.

        class TestMine(BackendKit):
            precision = "single"  # complex64: 1e-5 instead of 1e-9

            def make(self):
                return MyBackend()

    The ``capabilities`` of the backend decide what is tested: their gates, exact values or shots
    (then values must agree within the noise of ``shots``), noise, gradients, the number of wires.

    >>> import qgen_core as qgen
    >>> class TestEmbedded(BackendKit):
    ...     def make(self):
    ...         return qgen.backend("statevector")
    >>> TestEmbedded().test_wire_order()
    """
