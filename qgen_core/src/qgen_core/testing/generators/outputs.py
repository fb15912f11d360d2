"""Generator kit: outputs, and their gradients against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.errors import NoGradient, QgenError
from qgen_core.events import Batch
from qgen_core.interfaces import OUTPUTS, Generator
from qgen_core.support.parameters import assign, flatten
from qgen_core.testing.generators.base import GeneratorBase
from qgen_core.testing.kit import check, check_refused, globals_untouched, unchanged
from qgen_core.testing.slopes import slope
from qgen_core.testing.spaces import arrays_of, check_encoded
from qgen_core.typing import Array, Floats


class OutputTests(GeneratorBase):
    """``forward`` and ``outputs_at``."""

    def test_outputs(self) -> None:
        """Every output of ``outputs`` has finite values in its shape; batches are not changed.

        Others are refused.
        """
        model = self.make()
        outputs = model.outputs
        check(
            isinstance(outputs, frozenset) and outputs and outputs <= set(OUTPUTS),
            f"outputs is a frozenset of {', '.join(OUTPUTS)}, not {outputs!r}",
        )
        for output in sorted(outputs):
            batch = self.batch(output)
            with unchanged("forward()", **arrays_of(batch)), globals_untouched("forward()"):
                values = forward(model, output, batch)
            self._check_form(model, output, values, batch)
        missing = next((output for output in OUTPUTS if output not in outputs), None)
        if missing is not None:
            batch = self.batch(sorted(outputs)[0])
            what, rng = f"forward({missing!r})", np.random.default_rng(1)
            check_refused(QgenError, what, model.forward, missing, batch, rng=rng)

    def _check_form(self, model: Generator, output: str, values: Any, batch: Batch) -> None:
        if output == "samples":
            assert batch.x is not None
            check_encoded("forward('samples')", values, model.space, len(batch.x))
            return
        rows = len(batch.target if batch.x is None else batch.x)  # type: ignore[arg-type]
        form = (rows, 2**model.space.width) if output == "probabilities" else (rows,)
        check(
            np.shape(values) == form and bool(np.all(np.isfinite(values))),
            f"forward({output!r}) gives finite values of the shape {form}, not of "
            f"{np.shape(values)}",
        )

    def test_gradients(self) -> None:
        """Pullbacks of all outputs agree with finite differences of outputs_at."""
        for output in sorted(self.make().outputs - self.surrogates):
            model = self.make()
            if not model.parameters():
                continue
            batch = self.batch(output)
            values, pullback = model.forward(output, batch, rng=np.random.default_rng(4))
            cotangent = np.random.default_rng(5).normal(size=np.shape(values))
            try:
                with unchanged("the pullback", cotangent=cotangent):
                    found = pullback(cotangent)
            except NoGradient as error:
                check(
                    output == "samples",
                    f"{output} has no gradient, only samples may have none: {error}",
                )
                continue
            self._check_keys(model, output, found)
            self._check_slopes(model, output, batch, cotangent, found)

    def _check_keys(self, model: Generator, output: str, found: dict[str, Array]) -> None:
        parameters = model.parameters()
        check(
            set(found) == set(parameters),
            f"the gradient of {output} is keyed {sorted(found)}, the parameters "
            f"{sorted(parameters)}",
        )
        for name, value in found.items():
            form = parameters[name].shape
            check(
                np.shape(value) == form and bool(np.all(np.isfinite(value))),
                f"the gradient of {output} by {name!r} is finite and of the shape {form}, not "
                f"{np.shape(value)}",
            )

    def _check_slopes(
        self,
        model: Generator,
        output: str,
        batch: Batch,
        cotangent: Floats,
        found: dict[str, Array],
    ) -> None:
        theta, rng = flatten(model.parameters()), np.random.default_rng(6)
        ends = np.cumsum([value.size for value in model.parameters().values()])
        step, tolerance = self.STEP[self.precision], self.TOLERANCE[self.precision]
        gradient = flatten({name: found[name] for name in model.parameters()})
        for name, end in zip(model.parameters(), ends, strict=True):
            size = model.parameters()[name].size
            for what, part in _directions(size, rng):
                direction = np.zeros(len(theta))
                direction[end - size : end] = part

                def value(t: float, direction: Floats = direction) -> float:
                    moved = (theta + t * direction)[None]
                    at = model.outputs_at(output, moved, batch, rng=np.random.default_rng(4))[0]
                    return float(np.sum(cotangent * at))

                expected, given = slope(value, step), float(gradient @ direction)
                scale = max(1.0, abs(expected), float(np.linalg.norm(gradient[end - size : end])))
                check(
                    abs(given - expected) <= tolerance * scale,
                    f"the gradient of {output} by {name!r} along {what} is {given:.9g}, finite "
                    "differences of "
                    f"outputs_at() give {expected:.9g}; the pullback takes d loss / d {output} to "
                    "d loss / d "
                    "parameters",
                )

    def test_outputs_at(self) -> None:
        """The output at parameter vectors is what forward gives there.

        The model's own parameters stay.
        """
        model = self.make()
        theta = flatten(model.parameters())
        thetas = theta + 0.3 * np.random.default_rng(7).normal(size=(3, len(theta)))
        for output in sorted(model.outputs):
            batch = self.batch(output)
            single = [
                model.outputs_at(output, t[None], batch, rng=np.random.default_rng(8))[0]
                for t in thetas
            ]
            many = model.outputs_at(output, thetas, batch, rng=np.random.default_rng(8))
            check(
                np.array_equal(flatten(model.parameters()), theta),
                f"outputs_at({output!r}) leaves other parameters behind; put the old ones back",
            )
            check(
                np.shape(many) == (3, *np.shape(single[0])),
                f"outputs_at({output!r}) of 3 vectors has the shape {np.shape(many)}, not "
                f"{(3, *np.shape(single[0]))}",
            )
            for row, t in enumerate(thetas):
                there = self.twin(model)
                assign(there.parameters(), t)
                expected = forward(there, output, batch, 8)
                alike = np.allclose(single[row], expected, rtol=1e-5, atol=1e-8)
                check(
                    alike,
                    f"outputs_at({output!r}) is not what forward() gives with these parameters",
                )
                if np.array_equal(
                    expected, forward(there, output, batch, 9)
                ):  # nothing random in it
                    alike = np.allclose(many[row], expected, rtol=1e-5, atol=1e-8)
                    check(
                        alike,
                        f"row {row} of outputs_at({output!r}) is not what forward() gives at "
                        f"vector {row}",
                    )


def forward(model: Generator, output: str, batch: Batch, seed: int = 1) -> Array:
    """The output with a seed, without its pullback."""
    return model.forward(output, batch, rng=np.random.default_rng(seed))[0]


def _directions(size: int, rng: np.random.Generator) -> list[tuple[str, Floats]]:
    """A general direction in a parameter, and some of its entries alone."""
    whole = rng.normal(size=size)
    entries = rng.permutation(size)[:4]
    return [
        ("a random direction", whole / np.linalg.norm(whole)),
        *((f"entry {int(k)}", np.eye(size)[k]) for k in entries),
    ]
