"""Conformance kits: inherit one in a test class, say ``make``, and run pytest.

One kit a kind: EncoderKit, BackendKit, SamplerKit, GeneratorKit, LossKit, TrainerKit. Their tests
assert mathematics (distributions, gradients, round trips, reproducibility) and name the fault.
Tolerances follow the precision and the number of shots. A kit's test that a subclass replaces must
say why, with ``@overrides("reason")``. Several variants go through one class by a fixture:

    class TestMine(EncoderKit):
        @pytest.fixture(autouse=True, params=[2, 5])
        def _bits(self, request):
            self.bits = request.param

        def make(self):
            return MyEncoder(bits=self.bits)
"""

from qgen_core.testing.backends import BackendKit
from qgen_core.testing.encoders import EncoderKit
from qgen_core.testing.generators import GeneratorKit
from qgen_core.testing.kit import Kit, overrides
from qgen_core.testing.losses import LossKit
from qgen_core.testing.samplers import SamplerKit
from qgen_core.testing.trainers import TrainerKit

__all__ = [
    "BackendKit",
    "EncoderKit",
    "GeneratorKit",
    "Kit",
    "LossKit",
    "SamplerKit",
    "TrainerKit",
    "overrides",
]
