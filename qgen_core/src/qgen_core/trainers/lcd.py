"""LCD: layer-wise coordinate descent, designed for training on hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Backend, Problem, RandomNumbers, Selection, Trainer, name_of
from qgen_core.support.parameters import assign, flatten, load_into
from qgen_core.support.resources import MAX_EVALUATIONS, require_at_most, require_memory
from qgen_core.typing import Array, Floats

#: So many arrays of all shifted parameters exist at a time.
ARRAYS = 2


class Group(NamedTuple):
    """The parameters of one angle type of one rotation layer."""

    layer: int
    angle: int
    members: NDArray[np.intp]


class Sweep(NamedTuple):
    """The next sweep: its group, and the parameter vectors to evaluate.

    ``place`` numbers the group over all passes, ``skipped`` counts the flat groups before it.
    ``trials`` (N n, P) are the parameters with one of N entries shifted by one of the n ``shifts``;
    ``ideal`` (N n,) are their losses by the reference, None without one.
    """

    group: Group
    place: int
    skipped: int
    shifts: Floats
    trials: Floats
    ideal: Floats | None


class Lcd(Trainer):
    """Sweeps one angle type of one rotation layer at a time, all its gates in one batch.

    A step sweeps the group of parameters that share a rotation layer and an angle type, starting
    with the gates closest to the measurement. Each of its N parameters is shifted alone by n
    values from -``window`` to ``window`` (radians), and the n N losses are computed in one batch.
    Mode ``jacobi`` then moves every parameter to its own minimum, ``single`` only the parameter
    with the least loss of all; of equal losses the smallest shift is taken. After the last group
    the first one follows again.

    Args:
        points: n, odd, so that shift zero is included.
        circuits: circuits per batch B instead of points: n is B / N, rounded down to odd.
        window: the largest shift in radians.
        mode: ``jacobi`` or ``single``; the paper's wording fits both.
        reference: a noiseless backend. A group whose losses by it have a variance below
            ``skip_below`` is skipped without running it on the training backend.
        skip_below: that variance.
        passes: stop after this number of passes over all groups, skipped ones included.
        steps: groups to sweep, skipped ones not counted; 39 are one pass over ansatz 2 with 12
            layers.

    The history record holds layer, angle, the numbers of groups skipped before and of circuits,
    and the quartiles ``least``, ``q1``, ``median``, ``q3`` and ``most`` of the n N losses; with a
    reference also those of its losses, ``reference_least`` and so on. The loss of a step is that
    before the update, the mean of its N measurements.

    Source: Delgado and Hamilton, arXiv:2203.03578, section IV (guadalupe B = 300, N = 8).

    Raises BadOption for options out of range, and for a generator without a labelled circuit;
    ResourceRefused for more losses a step than memory holds.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> model = Quadratic()
    >>> before = model.excess()
    >>> history = Lcd(steps=4).fit(model, events(), Mean(), seed=1)
    >>> [int(record["layer"]) for record in history.records]
    [1, 0, 1, 0]
    >>> model.excess() < 0.1 * before
    True
    """

    gradient_free = True

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
        select: Selection = None,
        validate_every: int | None = None,
        random_numbers: RandomNumbers = "fresh",
    ) -> None:
        super().__init__(
            steps=steps,
            batch_size=batch_size,
            keep_best=keep_best,
            patience=patience,
            select=select,
            validate_every=validate_every,
            random_numbers=random_numbers,
        )
        if points < 3 or points % 2 == 0:
            raise BadOption(f"lcd needs an odd number of points, at least 3, not {points}")
        if window <= 0 or skip_below < 0 or (circuits is not None and circuits < 3):
            raise BadOption(
                f"lcd needs window > 0, skip_below >= 0 and circuits >= 3, not {window}, "
                f"{skip_below} and {circuits}"
            )
        if passes is not None and passes < 1:
            raise BadOption(f"passes must be at least 1, not {passes}")
        require_at_most(points, MAX_EVALUATIONS, "points of lcd")
        require_at_most(circuits or 0, MAX_EVALUATIONS, "circuits a batch of lcd")
        self.points = points
        self.circuits = circuits
        self.window = window
        self.mode = mode
        self.reference = reference
        self.skip_below = skip_below
        self.passes = passes
        self._position = np.zeros((), dtype=np.int64)

    def step(self, problem: Problem) -> float:
        """Sweep the next group that is not flat; returns the loss before the update."""
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
        members = found.group.members
        shifts = found.shifts
        losses = problem.values(found.trials).reshape(len(members), len(shifts))
        theta[members] += self._moves(losses, shifts)
        assign(parameters, theta)
        _log(problem, found, losses)
        self._position[...] = found.place + 1
        if self.passes is not None and self._next(problem, groups, theta) is None:
            problem.stop(f"{self.passes} of {self.passes} passes done")
        return float(losses[:, len(shifts) // 2].mean())

    def _next(self, problem: Problem, groups: list[Group], theta: Floats) -> Sweep | None:
        """The next group that is not flat; None if all groups are flat or all passes are done."""
        first = int(self._position)
        end = first + len(groups)
        if self.passes is not None:
            end = min(end, self.passes * len(groups))
        for place in range(first, end):
            group = groups[place % len(groups)]
            shifts = self._shifts(len(group.members))
            number = len(group.members) * len(shifts)
            require_at_most(number, MAX_EVALUATIONS, "losses a step of lcd")
            require_memory(
                ARRAYS * 8 * number * theta.size,
                f"a step of lcd with {number} losses of {theta.size} parameters",
                "take fewer points",
            )
            trials = sweep(theta, group.members, shifts)
            if self.reference is None:
                return Sweep(group, place, place - first, shifts, trials, None)
            ideal = problem.values(trials, self.reference)
            if np.var(ideal) >= self.skip_below:
                return Sweep(group, place, place - first, shifts, trials, ideal)
        return None

    def _shifts(self, count: int) -> Floats:
        """The shifts (n,) in radians for a group of ``count`` parameters."""
        points = self.points
        if self.circuits is not None:
            points = self.circuits // count
            if points % 2 == 0:
                points -= 1
            if points < 3:
                raise BadOption(
                    f"{self.circuits} circuits a batch leave {self.circuits // count} for each of "
                    f"{count} gates; lcd needs circuits of at least {3 * count}"
                )
        shifts = np.linspace(-self.window, self.window, points)
        shifts[points // 2] = 0.0
        return shifts

    def _moves(self, losses: Floats, shifts: Floats) -> Floats:
        """The shift that each parameter takes (N,)."""
        nearest = np.argsort(np.abs(shifts), kind="stable")
        best = nearest[np.argmin(losses[:, nearest], axis=1)]
        moves: Floats = shifts[best]
        if self.mode == "single":
            winner = np.argmin(losses[np.arange(len(losses)), best])
            moves = np.where(np.arange(len(losses)) == winner, moves, 0.0)
        return moves

    def state(self) -> dict[str, Array]:
        """The number of the next group, counted over all passes."""
        return {"position": self._position.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore the number of the next group. Raises CheckpointError for other arrays."""
        position = np.zeros((), dtype=np.int64)
        load_into("lcd", {"position": position}, state)
        if position < 0:
            raise CheckpointError(
                f"the checkpoint of lcd has the position {position}, which is below 0; start the "
                "run anew"
            )
        self._position = position


def groups_of(problem: Problem) -> list[Group]:
    """The parameters grouped by layer and angle type, those closest to the measurement first.

    Raises BadOption when the generator has no circuit with a label for each parameter.
    """
    circuit = getattr(problem.generator, "circuit", None)
    size = sum(array.size for array in problem.generator.parameters().values())
    if not isinstance(circuit, Circuit) or len(circuit.labels) != size or not size:
        raise BadOption(
            "lcd sweeps the rotation layers of a circuit; generator "
            f"{name_of(problem.generator)!r} has no circuit that labels its {size} parameters"
        )
    keys = [(label.layer, label.angle) for label in circuit.labels]
    groups = []
    for layer, angle in sorted(set(keys), reverse=True):
        members = np.flatnonzero([key == (layer, angle) for key in keys])
        groups.append(Group(layer, angle, members))
    return groups


def sweep(theta: Floats, index: NDArray[np.intp], shifts: Floats) -> Floats:
    """Copies (N n, P) of ``theta``, each with one of N entries shifted by one of n shifts.

    The shift varies fastest.

    >>> sweep(np.zeros(2), np.array([1]), np.array([-0.5, 0.0, 0.5])).tolist()
    [[0.0, -0.5], [0.0, 0.0], [0.0, 0.5]]
    """
    trials = np.tile(theta, (len(index) * len(shifts), 1))
    entries = np.repeat(index, len(shifts))
    trials[np.arange(len(trials)), entries] += np.tile(shifts, len(index))
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
        problem.log(**_quartiles(found.ideal, prefix="reference_"))


def _quartiles(losses: Floats, prefix: str = "") -> dict[str, float]:
    values = np.quantile(losses, [0, 0.25, 0.5, 0.75, 1])
    names = ("least", "q1", "median", "q3", "most")
    return {prefix + name: float(value) for name, value in zip(names, values, strict=True)}
