"""Parameters of a model are kept as views of its module."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from qgen_core import Space
from qgen_torch.model import TorchModel


def test_parameters_follow_the_module() -> None:
    model = TorchModel(nn.Linear(2, 1), space=Space("reals", 1))
    model.parameters()["bias"][:] = 3.0
    assert model.module.bias.item() == 3.0
    twin = copy.deepcopy(model)
    twin.parameters()["bias"][:] = 4.0
    assert (model.module.bias.item(), twin.module.bias.item()) == (3.0, 4.0)
    model.module.double()
    assert model.parameters()["bias"].dtype == np.float64
    model.parameters()["bias"][:] = 5.0
    assert model.module.bias.item() == 5.0
