"""Generator kit: parameters that are changed in place, and states that are saved and loaded."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.interfaces import Generator
from qgen_core.support.parameters import flatten
from qgen_core.testing.generators.base import GeneratorBase
from qgen_core.testing.generators.outputs import forward
from qgen_core.testing.kit import (
    check,
    check_refused,
    check_state_copied,
    check_storable,
    not_applicable,
)
from qgen_core.typing import Array


class ParameterTests(GeneratorBase):
    """``parameters``, ``state`` and ``load``."""

    def test_parameters_are_live(self) -> None:
        """Writing into ``parameters()`` changes the model, and the next call returns it."""
        model = self._with_parameters()
        for name, value in model.parameters().items():
            is_floats = isinstance(value, np.ndarray) and value.dtype.kind == "f"
            check(
                is_floats and bool(np.all(np.isfinite(value))),
                f"parameter {name!r} must be an array of finite floats",
            )
        twin = self.twin(model)
        for name, value in model.parameters().items():
            before = value.copy()
            value += 0.37
            check(
                np.array_equal(model.parameters()[name], before + value.dtype.type(0.37)),
                f"parameter {name!r} written in place is not there at the next call of "
                "parameters(): return the model's own array, not a copy",
            )
        rng = np.random.default_rng(3)
        shift = 0.8 * rng.normal(size=flatten(model.parameters()).size)
        start = 0
        for value in model.parameters().values():
            value += shift[start : start + value.size].reshape(value.shape)
            start += value.size
        different = []
        for output in model.outputs:
            if not np.array_equal(self._value(model, output), self._value(twin, output)):
                different.append(output)
        check(
            different,
            "other parameters give the same outputs: the model does not use the arrays that "
            "parameters() returns",
        )

    def test_state(self) -> None:
        """A new model that loads the state has the same parameters and outputs."""
        model = self.make()
        for value in model.parameters().values():
            value += 0.1 * np.random.default_rng(4).normal(size=value.shape).astype(value.dtype)
        state = model.state()
        check_storable("the model", state)
        fresh = self.make()
        fresh.load(state)
        for name, value in model.parameters().items():
            check(
                np.array_equal(fresh.parameters()[name], value),
                f"after load() into a fresh model parameter {name!r} is another one; state() "
                "must hold it",
            )
        for output in sorted(model.outputs):
            check(
                np.array_equal(self._value(model, output), self._value(fresh, output)),
                f"after load() into a fresh model {output} differ for the same rng; state() "
                "forgets something",
            )
        check_state_copied("the model", model.state)

    def test_wrong_state_is_refused(self) -> None:
        """Missing, additional and misshapen arrays raise CheckpointError."""
        model = self._with_parameters()
        state = model.state()
        check(bool(state), "state() is empty though there are parameters")
        wrong = {"with an array too many": {**state, "nonsense": np.zeros(1)}}
        for name, value in state.items():
            others = {key: other for key, other in state.items() if key != name}
            reshaped = np.zeros((*value.shape, 2), dtype=value.dtype)
            wrong[f"without {name!r}"] = others
            wrong[f"with {name!r} of another shape"] = {**state, name: reshaped}
        for what, arrays in wrong.items():
            check_refused(CheckpointError, f"load() of a state {what}", self.make().load, arrays)

    def _with_parameters(self) -> Generator:
        model = self.make()
        if not model.parameters():
            not_applicable("the model has no parameters")
        return model

    def _value(self, model: Generator, output: str) -> Array:
        return np.asarray(forward(model, output, self.batch(output)))
