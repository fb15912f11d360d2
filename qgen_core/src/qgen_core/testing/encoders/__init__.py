"""The conformance kit of encoders."""

from __future__ import annotations

from qgen_core.testing.encoders.maps import MapTests
from qgen_core.testing.encoders.rules import RuleTests


class EncoderKit(MapTests, RuleTests):
    """Checks an encoder against its contract; inherit it and define ``make``.

        class TestMine(EncoderKit):
            def make(self):
                return MyEncoder(bits=3)

    Override ``events`` if the encoder does not accept two falling positive columns in GeV. Set
    ``conditional`` for an encoder that needs conditions, and ``lossy`` for one that keeps less than
    an event, as an autoencoder does.

    >>> import qgen_core as qgen
    >>> class TestBinning(EncoderKit):
    ...     def make(self):
    ...         return qgen.encoder("binning", bits=3)
    >>> TestBinning().test_state()
    """
