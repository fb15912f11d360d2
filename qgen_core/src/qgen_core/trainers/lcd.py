"""LCD: layer-wise coordinate descent, made for training on hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Backend, Problem, Trainer, name_of
from qgen_core.support.parameters import assign, flatten, load_into
from qgen_core.typing import Array, Floats


class Group(NamedTuple):
    """The parameters of one angle type of one rotation layer."""

    layer: int
    angle: int
    members: NDArray[np.intp]


class Sweep(NamedTuple):
    """What is tried next: the losses of ``trials`` (N n, P) by the reference, if there is one."""

    group: Group
    place: int
    skipped: int
    shifts: Floats
    trials: Floats
    ideal: Floats | None


class Lcd(Trainer):
    """Sweeps one angle type of one rotation layer at a time, all its gates in one batch.

    A step takes the group of parameters that share a rotation layer and an angle type,
    beginning with the gates closest to the measurement. Each of its N parameters alone is
    shifted to n places from -``window`` to ``window``, in radians, and the n N losses are asked for
    at once. Mode ``jacobi`` then moves every parameter to its own least loss, ``single`` only
    the one with the least of all; of equal losses the smallest shift wins. After the last
    group it begins again.

    Args:
        points: n, odd, so that the present place is among them.
        circuits: circuits per batch B instead of points: n is B / N, rounded down to odd.
        window: the largest shift in radians.
        mode: ``jacobi`` or ``single``; the paper's wording fits both.
        reference: a noiseless backend. Where its losses of a group vary less than
            ``skip_below``, the group is skipped without running it where training runs.
        skip_below: that variance.
        passes: stop when every group has come so often, skipped or not.
        steps: groups to sweep, skipped ones not counted; 39 are one pass over ansatz 2 with 12
        layers.

    The line of the history holds layer, angle, the number of groups skipped before and of circuits,
    and the quartiles ``least``, ``q1``, ``median``, ``q3`` and ``most`` of the n N losses; with a
    reference also those of its losses, ``reference_least`` and so on. The loss of a step is that
    before the move, the mean of its N measurements.

    Source: Delgado and Hamilton, arXiv:2203.03578, section IV (guadalupe B = 300, N = 8).
    """

    def __init__(
        self,
        *,
        points: int = 25,
        circuits: int | None = None,
        window: float = float(np.pi / 4),
        mode: Literal["jacobi", "single"] = "jacobi",
        reference: Backend | None = None,
        skip_below: float = 5e-7,
        passes: int | None = None,
        steps: int = 39,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
    ) -> None:
        super().__init__(steps=steps, batch_size=batch_size, keep_best=keep_best, patience=patience)
        if points < 3 or points % 2 == 0:
            raise BadOption(f"lcd needs an odd number of points, at least 3, not {points}")
        if window <= 0 or skip_below < 0 or (circuits is not None and circuits < 3):
            raise BadOption(
                f"lcd needs window > 0, skip_below >= 0 and circuits >= 3, not {window}, "
                f"{skip_below} and {circuits}"
            )
        if passes is not None and passes < 1:
            raise BadOption(f"passes must be at least 1, not {passes}")
        self.points, self.circuits, self.window, self.mode = points, circuits, window, mode
        self.reference, self.skip_below, self.passes = reference, skip_below, passes
        self._position = np.zeros((), dtype=np.int64)

    def step(self, problem: Problem) -> float:
        """Sweep the next group that is not flat; the loss before the move."""
        groups = groups_of(problem)
        if problem.step == 0:
            self._position[...] = 0
        parameters = problem.generator.parameters()
        theta = flatten(parameters)
        found = self._next(problem, groups, theta)
        if found is None:
            problem.stop(
                f"every layer is flat: the noiseless losses vary by less than {self.skip_below:g}"
            )
            return float(problem.values(theta)[0])
        members, shifts = found.group.members, found.shifts
        losses = problem.values(found.trials).reshape(len(members), len(shifts))
        theta[members] += self._moves(losses, shifts)
        assign(parameters, theta)
        _log(problem, found, losses)
        self._position[...] = found.place + 1
        if self.passes is not None and self._next(problem, groups, theta) is None:
            problem.stop(f"{self.passes} of {self.passes} passes done")
        return float(losses[:, len(shifts) // 2].mean())

    def _next(self, problem: Problem, groups: list[Group], theta: Floats) -> Sweep | None:
        """The next group that is not flat.

        None if there is none in a round, or before the passes are done.
        """
        first = int(self._position)
        end = first + len(groups)
        if self.passes is not None:
            end = min(end, self.passes * len(groups))
        for place in range(first, end):
            group = groups[place % len(groups)]
            shifts = self._shifts(len(group.members))
            trials = sweep(theta, group.members, shifts)
            ideal = None if self.reference is None else problem.values(trials, self.reference)
            if ideal is None or np.var(ideal) >= self.skip_below:
                return Sweep(group, place, place - first, shifts, trials, ideal)
        return None

    def _shifts(self, count: int) -> Floats:
        points = self.points
        if self.circuits is not None:
            points = self.circuits // count
            points -= points % 2 == 0
            if points < 3:
                raise BadOption(
                    f"{self.circuits} circuits a batch leave {self.circuits // count} for each of "
                    f"{count} gates; "
                    f"lcd needs circuits of at least {3 * count}"
                )
        shifts = np.linspace(-self.window, self.window, points)
        shifts[points // 2] = 0.0
        return shifts

    def _moves(self, losses: Floats, shifts: Floats) -> Floats:
        """How far each parameter moves (N,)."""
        nearest = np.argsort(np.abs(shifts), kind="stable")
        best = nearest[np.argmin(losses[:, nearest], axis=1)]
        moves: Floats = shifts[best]
        if self.mode == "single":
            winner = np.argmin(losses[np.arange(len(losses)), best])
            moves = np.where(np.arange(len(losses)) == winner, moves, 0.0)
        return moves

    def state(self) -> dict[str, Array]:
        """Which group is next, counted on over the passes."""
        return {"position": self._position.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take back which group is next."""
        position = np.zeros((), dtype=np.int64)
        load_into("lcd", {"position": position}, state)
        if position < 0:
            raise CheckpointError(f"the checkpoint of lcd has the position {position}")
        self._position = position


def groups_of(problem: Problem) -> list[Group]:
    """The parameters by layer and angle type, the closest to the measurement first.

    Raises BadOption when the generator has no circuit with a label for each parameter.
    """
    circuit = getattr(problem.generator, "circuit", None)
    size = sum(array.size for array in problem.generator.parameters().values())
    if not isinstance(circuit, Circuit) or len(circuit.labels) != size or not size:
        raise BadOption(
            "lcd sweeps the rotation layers of a circuit; generator "
            f"{name_of(problem.generator)!r} "
            f"has no circuit that labels its {size} parameters"
        )
    keys = np.array([(label.layer, label.angle) for label in circuit.labels])
    order = sorted({(int(layer), int(angle)) for layer, angle in keys}, reverse=True)
    return [Group(*key, np.flatnonzero((keys == key).all(axis=1))) for key in order]


def sweep(theta: Floats, index: NDArray[np.intp], shifts: Floats) -> Floats:
    """``theta`` with one of its entries shifted at a time, (N n, P): entry first, then shift."""
    trials = np.tile(theta, (len(index) * len(shifts), 1))
    trials[np.arange(len(trials)), np.repeat(index, len(shifts))] += np.tile(shifts, len(index))
    return trials


def _log(problem: Problem, found: Sweep, losses: Floats) -> None:
    problem.log(
        layer=found.group.layer,
        angle=found.group.angle,
        skipped=found.skipped,
        circuits=losses.size,
    )
    problem.log(**_quartiles(losses))
    if found.ideal is not None:
        problem.log(
            **{f"reference_{name}": value for name, value in _quartiles(found.ideal).items()}
        )


def _quartiles(losses: Floats) -> dict[str, float]:
    values = np.quantile(losses, [0, 0.25, 0.5, 0.75, 1])
    return dict(zip(("least", "q1", "median", "q3", "most"), map(float, values), strict=True))
