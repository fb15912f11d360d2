"""Integrating a velocity field over time, by torchdiffeq."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption

Tensor = torch.Tensor
#: What changes with time: events, and with them the logarithms of their densities.
State = tuple[Tensor, ...]
#: The names of the solvers.
Solver = Literal["rk4", "dopri5", "midpoint", "euler"]

#: Evaluations of the velocity a step, of solvers whose steps are fixed.
STAGES = {"rk4": 4, "midpoint": 2, "euler": 1}


@dataclass(frozen=True)
class Integrator:
    """A solver of ordinary differential equations, between the times 0 and 1.

    Args:
        solver: ``rk4`` (the 3/8 rule), ``midpoint`` and ``euler`` take equal steps. ``dopri5``
            adapts them to the whole block of events that is integrated together.
        steps: the number of equal steps.
        tolerance: of ``dopri5``, relative and absolute.

    Raises BadOption for fewer than one step and a tolerance that is not above 0, BrokenPlugin
    without torchdiffeq.

    >>> def decay(t: float, state: State) -> State:
    ...     return (-state[0],)
    >>> (end,) = Integrator("rk4", steps=20).integrate(decay, (torch.ones(1),), 0.0, 1.0)
    >>> end
    tensor([0.3679])
    """

    solver: Solver = "rk4"
    steps: int = 20
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.tolerance > 0:
            raise BadOption(
                "a velocity is integrated in at least 1 of steps and with a tolerance above 0, not "
                f"{self.steps} and {self.tolerance:g}"
            )
        self._odeint()

    @property
    def evaluations(self) -> int | None:
        """Evaluations of the velocity from one end to the other; None if they depend on it."""
        if self.solver == "dopri5":
            return None
        return self.steps * STAGES[self.solver]

    def integrate(
        self, slope: Callable[[float, State], State], state: State, start: float, end: float
    ) -> State:
        """The state at the time ``end`` of one that is ``state`` at the time ``start``."""
        first = state[0]
        times = torch.tensor([start, end], dtype=first.dtype, device=first.device)
        options: dict[str, Any] = {}
        if self.solver != "dopri5":
            options["grid_constructor"] = self._grid

        def at(t: Tensor, state: State) -> State:
            return slope(float(t.detach()), state)

        path = self._odeint()(
            at,
            state,
            times,
            rtol=self.tolerance,
            atol=self.tolerance,
            method=self.solver,
            options=options,
        )
        return tuple(values[-1] for values in path)

    def _grid(self, slope: object, state: object, times: Tensor) -> Tensor:
        """Equal steps from the first time to the last."""
        grid = torch.linspace(0, 1, self.steps + 1, dtype=times.dtype, device=times.device)
        return torch.lerp(times[0], times[-1], grid)

    def _odeint(self) -> Callable[..., State]:
        module = import_optional("torchdiffeq", "integrating a velocity", "qgen-torch[flows]")
        solve: Callable[..., State] = module.odeint
        return solve
