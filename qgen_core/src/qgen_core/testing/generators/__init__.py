"""The conformance kit of generators."""

from __future__ import annotations

from qgen_core.testing.generators.densities import DensityTests
from qgen_core.testing.generators.outputs import OutputTests
from qgen_core.testing.generators.parameters import ParameterTests
from qgen_core.testing.generators.samples import SampleTests


class GeneratorKit(SampleTests, DensityTests, OutputTests, ParameterTests):
    """Checks a generator against its contract; inherit it and define ``make``.

        class TestMine(GeneratorKit):
            def make(self):
                return MyModel(space=qgen.Space("bits", 4))

    A model that only samples can pass; each further output of ``outputs`` is tested with its
    gradient, and ``log_prob`` has to be the density of the samples. Override ``conditions`` or
    ``events`` if random ones of the model's spaces do not fit.

    >>> import qgen_core as qgen
    >>> class TestBornMachine(GeneratorKit):
    ...     def make(self):
    ...         backend = qgen.backend("statevector")
    ...         space = qgen.Space("bits", 3)
    ...         return qgen.generator("qcbm", ansatz="brick", backend=backend, space=space, seed=1)
    >>> TestBornMachine().test_state()
    """
