"""Torch for qgen: circuits as layers, a simulator for GPUs, adversarial training, networks.

``QuantumLayer(circuit, measure)`` is a ``torch.nn.Module``.
"""

from qgen_torch.backend import TorchBackend
from qgen_torch.convert import GeneratorModule, TorchGenerator
from qgen_torch.layer import QuantumLayer
from qgen_torch.model import TorchModel

__all__ = ["GeneratorModule", "QuantumLayer", "TorchBackend", "TorchGenerator", "TorchModel"]
