"""The conformance kit of generators."""

from __future__ import annotations

from qgen_core.testing.generators.outputs import OutputTests
from qgen_core.testing.generators.parameters import ParameterTests
from qgen_core.testing.generators.samples import SampleTests


class GeneratorKit(SampleTests, OutputTests, ParameterTests):
    """Holds a model to its contract: inherit it, say how to make one.

        class TestMine(GeneratorKit):
            def make(self):
                return MyModel(space=qgen.Space("bits", 4))

    Samples alone are enough to pass; each further output of ``outputs`` is tried with its gradient.
    Override ``conditions`` or ``events`` where random ones of the model's spaces make no sense.
    """
