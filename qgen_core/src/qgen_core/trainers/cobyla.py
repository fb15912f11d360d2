"""COBYLA of scipy, which owns its loop."""

from __future__ import annotations

from qgen_core.errors import BadOption
from qgen_core.interfaces import Problem, Trainer
from qgen_core.support.parameters import assign, flatten
from qgen_core.typing import Floats


class Cobyla(Trainer):
    """Powell's search by linear models in a shrinking trust region, without gradients.

    ``rhobeg`` is the first radius, in the unit of the parameters; the search ends when the
    radius reaches ``tol`` or after ``steps`` values of the loss, whichever comes first, and
    ``History.stopped`` says which. P parameters take P + 1 values for the first simplex, so
    fewer ``steps`` than P + 2 end it before it began, with a warning. (scipy would raise its
    limit to P + 2 instead.) A resumed training replays the values it had. By default it ends on
    the parameters of least loss.

    Seed 004 (the Quantum Angle Generator) used ``tol=0.004, rhobeg=5.593, steps=600``.
    """

    owns_loop = True

    def __init__(
        self,
        *,
        tol: float = 1e-4,
        rhobeg: float = 1.0,
        steps: int = 600,
        batch_size: int | None = None,
        keep_best: bool = True,
        patience: int | None = None,
    ) -> None:
        super().__init__(steps=steps, batch_size=batch_size, keep_best=keep_best, patience=patience)
        if not 0 < tol <= rhobeg:
            raise BadOption(f"cobyla needs 0 < tol <= rhobeg, not {tol} and {rhobeg}")
        self.tol, self.rhobeg = tol, rhobeg

    def minimise(self, problem: Problem) -> float:
        """Search from the present parameters; the least loss."""
        from scipy.optimize import minimize

        if problem.loss.updates:
            raise BadOption(
                "cobyla cannot train against a loss that learns; use a trainer with steps, e.g. "
                "'spsa'"
            )
        start = flatten(problem.generator.parameters())
        least = start.size + 2
        if problem.total < least:
            problem.warn(
                f"COBYLA needs at least {least} steps for {start.size} parameters, it is given "
                f"{problem.total}: "
                "it ends within its first simplex"
            )

        def value(theta: Floats) -> float:
            return problem.evaluate(theta)

        # One value more than there are steps: evaluate() ends the search, not scipy.
        limit = max(problem.total, least) + 1
        result = minimize(
            value,
            start,
            method="COBYLA",
            tol=self.tol,
            options={"rhobeg": self.rhobeg, "maxiter": limit},
        )
        assign(problem.generator.parameters(), result.x)
        reached = f"COBYLA's trust region shrank to tol = {self.tol:g}"
        problem.stop(reached if result.success else f"COBYLA ended: {result.message}")
        return float(result.fun)
