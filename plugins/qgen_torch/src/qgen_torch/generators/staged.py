"""The generator ``staged``: one model for some columns, and one for the others given those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qgen_core import Batch, Generator, Space
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Stage, name_of
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Pullback, Rng
from qgen_torch.conditions import check_condition, condition_width

#: The names of the stages, in their order; parameters are called ``STAGE.NAME``.
STAGES = ("energies", "shapes")


class Staged(Generator):
    """``p(energies | e) p(shapes | energies, e)``: two generators, one after the other.

    The columns of an event are divided into energies, e.g. of the layers of a calorimeter, and
    shapes. The second generator takes the condition e followed by the energies as its condition. In
    training these are the true energies of each event, in generation those of the first generator.

    ``objective`` is the sum of what the two are trained on: the ``objective`` of each, or
    -``log_prob`` of one that has none. As they share no parameters, the loss ``mean`` trains both
    at once, each as it would be trained alone. ``log_prob`` is the sum of both, where both offer
    it. Samples have no gradient.

    Args:
        space: of the events, reals or angles.
        energies: the first generator: its name, or a table with its options.
        shapes: the second generator.
        energy_columns: the encoded columns that are energies: their number, if they are the first
            ones, or a list of their numbers, counted from 0.
        condition: of the conditions.
        seed: of the first parameters. The shapes have a seed of their own, computed from it.

    Raises BadOption for columns that do not exist or leave nothing to a stage, for a stage that
    neither offers ``objective`` nor ``log_prob``, and what the stages raise.

    Source: the chain of models in the fast simulation of the ATLAS calorimeter, e.g. layer energies
    by CaloINN and shapes by a continuous flow (Favaro et al., arXiv:2410.21611).

    >>> import qgen_core as qgen
    >>> model = qgen.generator(
    ...     "staged",
    ...     space=Space("reals", 5),
    ...     energies={"name": "inn", "blocks": 2},
    ...     shapes={"name": "inn", "blocks": 4},
    ...     energy_columns=2,
    ...     seed=1,
    ... )
    >>> model.sample(3, rng=np.random.default_rng(1)).shape, str(model.shapes.condition)
    ((3, 5), '2 reals')
    """

    def __init__(
        self,
        *,
        space: Space,
        energies: Stage,
        shapes: Stage,
        energy_columns: int | list[int],
        condition: Space | None = None,
        seed: int | None = None,
    ) -> None:
        if space.kind not in ("reals", "angles"):
            raise BadOption(f"staged makes real numbers, not {space}; use e.g. 'standard'")
        self.space = space
        self.condition = condition
        self.energy_columns = _column_numbers(energy_columns, space.width)
        self.shape_columns = np.setdiff1d(np.arange(space.width), self.energy_columns)
        given = condition_width(condition) + len(self.energy_columns)
        seed_of_shapes = None
        if seed is not None:
            seed_of_shapes = int(stream(seed, "shapes").integers(2**31))
        self.energies: Generator = energies(
            space=Space(space.kind, len(self.energy_columns)), condition=condition, seed=seed
        )
        self.shapes: Generator = shapes(
            space=Space(space.kind, len(self.shape_columns)),
            condition=Space("reals", given),
            seed=seed_of_shapes,
        )
        self._stages = dict(zip(STAGES, (self.energies, self.shapes), strict=True))
        #: What the objective is made of: an output of each stage, and its sign.
        self._objectives = {name: _objective(model) for name, model in self._stages.items()}
        self.outputs = frozenset({"objective", "samples"})
        if all("log_prob" in model.outputs for model in self._stages.values()):
            self.outputs |= {"log_prob"}
        self.surrogates = self._surrogates()
        self.needs_whole_batch = any(model.needs_whole_batch for model in self._stages.values())
        samplers = [model.sampler for model in self._stages.values() if model.sampler is not None]
        if samplers:
            self.sampler = samplers[0]

    def parameters(self) -> dict[str, Array]:
        found = {}
        for stage, model in self._stages.items():
            found.update(_prefixed(stage, model.parameters()))
        return found

    def state(self) -> dict[str, Array]:
        found = {}
        for stage, model in self._stages.items():
            found.update(_prefixed(stage, model.state()))
        return found

    def load(self, state: Mapping[str, Array]) -> None:
        parts: dict[str, dict[str, Array]] = {stage: {} for stage in STAGES}
        for name, value in state.items():
            stage, _, rest = name.partition(".")
            if stage not in parts:
                raise CheckpointError(f"generator 'staged' has no state {name!r}")
            parts[stage][rest] = value
        for stage, model in self._stages.items():
            model.load(parts[stage])

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events (n, width); the shapes are drawn given the energies that were drawn."""
        check_condition(name_of(self), self.condition, condition, n)
        energies = self.energies.sample(n, condition, rng=rng)
        shapes = self.shapes.sample(n, _with_energies(condition, energies), rng=rng)
        events = np.empty((n, self.space.width), dtype=np.result_type(energies, shapes))
        events[:, self.energy_columns] = energies
        events[:, self.shape_columns] = shapes
        return events

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        for stage, part in self._batches(batch).items():
            self._stages[stage].prepare(part, rng=rng)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output == "samples" or output not in self.outputs or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition(name_of(self), self.condition, batch.condition, len(batch.x))
        total = np.zeros(len(batch.x))
        pullbacks: dict[str, tuple[float, Pullback]] = {}
        for stage, part in self._batches(batch).items():
            read = output
            sign = 1.0
            if output == "objective":
                read, sign = self._objectives[stage]
            values, pullback = self._stages[stage].forward(read, part, rng=rng)
            total += sign * values
            pullbacks[stage] = (sign, pullback)

        def pull_back(cotangent: Array) -> dict[str, Array]:
            gradient = {}
            for stage, (sign, pullback) in pullbacks.items():
                gradient.update(_prefixed(stage, pullback(sign * np.asarray(cotangent))))
            return gradient

        return total, pull_back

    def _batches(self, batch: Batch) -> dict[str, Batch]:
        """The batch of each stage, with the true energies as the condition of the shapes."""
        if batch.x is None:
            return {}
        energies = batch.x[:, self.energy_columns]
        shapes = batch.x[:, self.shape_columns]
        given = _with_energies(batch.condition, energies)
        return {
            "energies": replace(batch, x=energies),
            "shapes": replace(batch, x=shapes, condition=given),
        }

    def _surrogates(self) -> frozenset[str]:
        """The outputs of which a part is a surrogate."""
        found = set()
        for stage, model in self._stages.items():
            if self._objectives[stage][0] in model.surrogates:
                found.add("objective")
            if "log_prob" in model.surrogates:
                found.add("log_prob")
        return frozenset(found) & self.outputs


def _column_numbers(columns: int | list[int], width: int) -> NDArray[np.int64]:
    """The numbers of the columns that are energies, in increasing order."""
    numbers = np.arange(columns) if isinstance(columns, int) else np.unique(columns)
    counted = columns if isinstance(columns, int) else len(columns)
    fits = len(numbers) == counted and 0 < counted < width
    if not fits or numbers[0] < 0 or numbers[-1] >= width:
        raise BadOption(
            f"energy_columns is the number of the first columns, 1 to {width - 1}, or a list of "
            f"different column numbers from 0 to {width - 1} that leaves one to the shapes, not "
            f"{columns}"
        )
    return numbers.astype(np.int64)


def _objective(model: Generator) -> tuple[str, float]:
    """The output that a stage is trained on, and the sign with which it becomes an objective."""
    if "objective" in model.outputs:
        return "objective", 1.0
    if "log_prob" in model.outputs:
        return "log_prob", -1.0
    raise BadOption(
        f"generator {name_of(model)!r} cannot be a stage: it offers neither objective nor "
        f"log_prob, but {', '.join(sorted(model.outputs))}"
    )


def _with_energies(condition: Array | None, energies: Array) -> Array:
    """The conditions of the shapes (N, K + M)."""
    if condition is None:
        return energies
    return np.concatenate([condition, energies], axis=1)


def _prefixed(stage: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{stage}.{name}": array for name, array in arrays.items()}
