"""The conformance kit of encoders."""

from __future__ import annotations

from qgen_core.testing.encoders.maps import MapTests
from qgen_core.testing.encoders.rules import RuleTests


class EncoderKit(MapTests, RuleTests):
    """Holds an encoder to its contract: inherit it, say how to make one.

        class TestMine(EncoderKit):
            def make(self):
                return MyEncoder(bits=3)

    Override ``events`` where two falling positive columns in GeV are not what it takes, and set
    ``conditional`` for an encoder that cannot do without conditions.
    """
