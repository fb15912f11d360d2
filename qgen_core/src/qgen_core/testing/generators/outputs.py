"""Generator kit: outputs, and their gradients against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.errors import NoGradient, QgenError
from qgen_core.events import Batch
from qgen_core.interfaces import OUTPUTS, Generator
from qgen_core.support.parameters import assign, flatten
from qgen_core.testing.generators.base import EVENTS, GeneratorBase
from qgen_core.testing.kit import check, check_refused, globals_untouched, unchanged
from qgen_core.testing.slopes import slope
from qgen_core.testing.spaces import arrays_of, check_encoded
from qgen_core.typing import Array, Floats


class OutputTests(GeneratorBase):
    """``forward`` and ``outputs_at``."""

    def test_outputs(self) -> None:
        """Outputs are finite and have their shape; inputs do not change; others are refused."""
        model = self.make()
        outputs = model.outputs
        is_set = isinstance(outputs, frozenset)
        check(
            is_set and outputs and outputs <= set(OUTPUTS),
            f"outputs must be a frozenset of some of {', '.join(OUTPUTS)}, not {outputs!r}",
        )
        for output in sorted(outputs):
            batch = self.batch(output)
            with unchanged("forward()", **arrays_of(batch)), globals_untouched("forward()"):
                values = forward(model, output, batch)
            self._check_form(model, output, values, batch)
            self._check_random_numbers(model, output, batch)
        missing = [output for output in OUTPUTS if output not in outputs]
        if missing:
            batch = self.batch(sorted(outputs)[0])
            what = f"forward({missing[0]!r})"
            rng = np.random.default_rng(1)
            check_refused(QgenError, what, model.forward, missing[0], batch, rng=rng)

    def _check_random_numbers(self, model: Generator, output: str, batch: Batch) -> None:
        if model.needs_random_numbers(output):
            return
        rng = np.random.default_rng(1)
        model.forward(output, batch, rng=rng)
        check(
            rng.bit_generator.state == np.random.default_rng(1).bit_generator.state,
            f"needs_random_numbers({output!r}) is False, but forward() draws some",
        )

    def _check_form(self, model: Generator, output: str, values: Any, batch: Batch) -> None:
        if output == "samples":
            assert batch.x is not None
            check_encoded("forward('samples')", values, model.space, len(batch.x))
            return
        shape: tuple[int, ...]
        if output == "probabilities":
            assert batch.target is not None
            shape = (len(batch.target), 2**model.space.width)
        elif output == "correlators":
            assert batch.words is not None
            rows = len(values)
            if model.condition is not None:
                rows = EVENTS
            shape = (rows, len(batch.words))
        else:
            assert batch.x is not None
            shape = (len(batch.x),)
        check(
            np.shape(values) == shape and bool(np.all(np.isfinite(values))),
            f"forward({output!r}) must give finite values of the shape {shape}, not of "
            f"{np.shape(values)}",
        )

    def test_gradients(self) -> None:
        """Pullbacks of all outputs agree with finite differences of outputs_at."""
        for output in sorted(self.make().outputs - self.make().surrogates):
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
                    f"{output} has no gradient, which only samples may lack: {error}",
                )
                continue
            self._check_keys(model, output, found)
            self._check_slopes(model, output, batch, cotangent, found)

    def _check_keys(self, model: Generator, output: str, found: dict[str, Array]) -> None:
        parameters = model.parameters()
        check(
            set(found) == set(parameters),
            f"the gradient of {output} has the keys {sorted(found)}, the parameters have "
            f"{sorted(parameters)}",
        )
        for name, value in found.items():
            shape = parameters[name].shape
            check(
                np.shape(value) == shape and bool(np.all(np.isfinite(value))),
                f"the gradient of {output} by {name!r} must be finite and of the shape {shape}, "
                f"not {np.shape(value)}",
            )

    def _check_slopes(
        self,
        model: Generator,
        output: str,
        batch: Batch,
        cotangent: Floats,
        found: dict[str, Array],
    ) -> None:
        theta = flatten(model.parameters())
        rng = np.random.default_rng(6)
        step = self.STEP[self.precision]
        tolerance = self.TOLERANCE[self.precision]
        gradient = flatten({name: found[name] for name in model.parameters()})
        end = 0
        for name, parameter in model.parameters().items():
            size = parameter.size
            end += size
            for what, part in _directions(size, rng):
                direction = np.zeros(len(theta))
                direction[end - size : end] = part

                def value(t: float, direction: Floats = direction) -> float:
                    moved = (theta + t * direction)[None]
                    at = model.outputs_at(output, moved, batch, rng=np.random.default_rng(4))[0]
                    return float(np.sum(cotangent * at))

                given = float(gradient @ direction)
                norm = float(np.linalg.norm(gradient[end - size : end]))
                # A kink, as of ReLU or a spline, is passed by when the steps are small enough.
                for shrunk in (step, step / 10, step / 100):
                    expected = slope(value, shrunk)
                    agrees = abs(given - expected) <= tolerance * max(1.0, abs(expected), norm)
                    if agrees:
                        break
                check(
                    agrees,
                    f"the gradient of {output} by {name!r} along {what} is {given:.9g}, finite "
                    f"differences of outputs_at() give {expected:.9g}; the pullback takes d loss / "
                    f"d {output} to d loss / d parameters",
                )

    def test_outputs_are_pure(self) -> None:
        """Equal state, batch and rng give equal outputs; only prepare() may change the state."""
        model = self.make()
        theta = flatten(model.parameters())
        for output in sorted(model.outputs):
            batch = self.batch(output)
            model.prepare(batch, rng=np.random.default_rng(3))
            before = model.state()
            first = forward(model, output, batch)
            three = []
            for vector in np.tile(theta, (3, 1)):
                rng = np.random.default_rng(1)
                three.append(model.outputs_at(output, vector[None], batch, rng=rng)[0])
            after = model.state()
            changed = [name for name in before if not np.array_equal(before[name], after[name])]
            check(
                not changed,
                f"forward({output!r}) changes the state {', '.join(changed)}; change it in "
                "prepare(), which the training calls once a step",
            )
            for values in three:
                check(
                    np.allclose(values, first, rtol=1e-5, atol=1e-8),
                    f"outputs_at({output!r}) gives other values at equal parameters and rng: "
                    "forward() must be a function of state, batch and rng",
                )

    def test_outputs_at(self) -> None:
        """outputs_at is what forward gives at these parameters; the model's own do not change."""
        model = self.make()
        theta = flatten(model.parameters())
        thetas = theta + 0.3 * np.random.default_rng(7).normal(size=(3, len(theta)))
        for output in sorted(model.outputs):
            batch = self.batch(output)
            single = []
            for vector in thetas:
                rng = np.random.default_rng(8)
                single.append(model.outputs_at(output, vector[None], batch, rng=rng)[0])
            many = model.outputs_at(output, thetas, batch, rng=np.random.default_rng(8))
            check(
                np.array_equal(flatten(model.parameters()), theta),
                f"outputs_at({output!r}) changes the model's parameters; restore them at the end",
            )
            check(
                np.shape(many) == (3, *np.shape(single[0])),
                f"outputs_at({output!r}) of 3 vectors has the shape {np.shape(many)}, not "
                f"{(3, *np.shape(single[0]))}",
            )
            for row, vector in enumerate(thetas):
                moved = self.twin(model)
                assign(moved.parameters(), vector)
                expected = forward(moved, output, batch, 8)
                check(
                    np.allclose(single[row], expected, rtol=1e-5, atol=1e-8),
                    f"outputs_at({output!r}) is not what forward() gives with these parameters",
                )
                is_random = not np.array_equal(expected, forward(moved, output, batch, 9))
                if is_random:
                    continue
                check(
                    np.allclose(many[row], expected, rtol=1e-5, atol=1e-8),
                    f"row {row} of outputs_at({output!r}) is not what forward() gives at vector "
                    f"{row}",
                )


def forward(model: Generator, output: str, batch: Batch, seed: int = 1) -> Array:
    """The output for this seed, without its pullback."""
    return model.forward(output, batch, rng=np.random.default_rng(seed))[0]


def _directions(size: int, rng: np.random.Generator) -> list[tuple[str, Floats]]:
    """A random direction of a parameter, and the directions of at most four entries, by name."""
    whole = rng.normal(size=size)
    entries = rng.permutation(size)[:4]
    directions = [("a random direction", whole / np.linalg.norm(whole))]
    for entry in entries:
        directions.append((f"entry {int(entry)}", np.eye(size)[entry]))
    return directions
