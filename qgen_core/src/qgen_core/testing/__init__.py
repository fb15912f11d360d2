"""Conformance kits: inherit one in a test class, define ``make``, and run pytest.

There is one kit for each kind: EncoderKit, BackendKit, SamplerKit, GeneratorKit, LossKit,
TrainerKit, and for functions AnsatzKit, DatasetKit and MetricKit. Their tests check mathematics
(distributions, gradients, round trips, reproducibility), and their messages name the fault.
Tolerances follow from the precision and the number of shots. A subclass that replaces a test of its
kit must say why, with ``@overrides("reason")``. A fixture runs one class for several variants of a
component:

    class TestMine(EncoderKit):
        @pytest.fixture(autouse=True, params=[2, 5])
        def _bits(self, request):
            self.bits = request.param

        def make(self):
            return MyEncoder(bits=self.bits)
"""

from qgen_core.testing.ansatze import AnsatzKit
from qgen_core.testing.backends import BackendKit
from qgen_core.testing.datasets import DatasetKit
from qgen_core.testing.encoders import EncoderKit
from qgen_core.testing.generators import GeneratorKit
from qgen_core.testing.kit import Kit, overrides
from qgen_core.testing.losses import LossKit
from qgen_core.testing.metrics import MetricKit
from qgen_core.testing.samplers import SamplerKit
from qgen_core.testing.trainers import TrainerKit

__all__ = [
    "AnsatzKit",
    "BackendKit",
    "DatasetKit",
    "EncoderKit",
    "GeneratorKit",
    "Kit",
    "LossKit",
    "MetricKit",
    "SamplerKit",
    "TrainerKit",
    "overrides",
]
