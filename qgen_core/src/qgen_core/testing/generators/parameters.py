"""Generator kit: live parameters, and states that are saved and loaded."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.interfaces import Generator
from qgen_core.testing.generators.base import GeneratorBase
from qgen_core.testing.generators.outputs import forward
from qgen_core.testing.kit import (
    check,
    check_refused,
    check_state_copied,
    check_storable,
    equal,
    not_applicable,
)


class ParameterTests(GeneratorBase):
    """``parameters``, ``state`` and ``load``."""

    def test_parameters_are_live(self) -> None:
        """Writing into ``parameters()`` moves the model, and is there at the next call."""
        model = self._with_parameters()
        for name, value in model.parameters().items():
            check(
                isinstance(value, np.ndarray)
                and value.dtype.kind == "f"
                and bool(np.all(np.isfinite(value))),
                f"parameter {name!r} is no array of finite floats",
            )
        twin = self.twin(model)
        for name, value in model.parameters().items():
            before = value.copy()
            value += 0.37
            check(
                np.array_equal(model.parameters()[name], before + value.dtype.type(0.37)),
                f"parameter {name!r} written in place is not there at the next call of "
                "parameters(): return the live "
                "array, no copy",
            )
        rng = np.random.default_rng(3)
        shift = 0.8 * rng.normal(size=sum(v.size for v in model.parameters().values()))
        at = 0
        for value in model.parameters().values():
            value += shift[at : at + value.size].reshape(value.shape)
            at += value.size
        check(
            any(
                not equal(self._look(m, output) for m in (model, twin)) for output in model.outputs
            ),
            "other parameters give the same outputs: the model does not look at what parameters() "
            "hands out",
        )

    def test_state(self) -> None:
        """A fresh model that loads the state has its parameters, outputs and samples.

        Nonsense is refused.
        """
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
                "forgets it",
            )
        for output in sorted(model.outputs):
            same = np.array_equal(self._look(model, output), self._look(fresh, output))
            check(
                same,
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
            wrong[f"without {name!r}"] = {key: v for key, v in state.items() if key != name}
            wrong[f"with {name!r} of another shape"] = {
                **state,
                name: np.zeros((*value.shape, 2), dtype=value.dtype),
            }
        for what, spoilt in wrong.items():
            check_refused(CheckpointError, f"load() of a state {what}", self.make().load, spoilt)

    def _with_parameters(self) -> Generator:
        model = self.make()
        if not model.parameters():
            not_applicable("the model has no parameters")
        return model

    def _look(
        self, model: Generator, output: str
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(forward(model, output, self.batch(output)))
