"""COBYLA, an optimiser that runs its own loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from qgen_core.errors import BadOption
from qgen_core.interfaces import Problem, RandomNumbers, Selection, Trainer
from qgen_core.support.parameters import assign, flatten
from qgen_core.trainers.linear_models import RESOLVED, Found, search
from qgen_core.typing import Floats


class Cobyla(Trainer):
    """Powell's gradient-free search by linear models in a shrinking trust region.

    ``rhobeg`` is the initial radius, in the unit of the parameters; the search ends when the
    radius reaches ``tol`` or after ``steps`` evaluations of the loss, whichever comes first, and
    ``History.stopped`` says which. P parameters take P + 1 evaluations for the first simplex, so
    with fewer than P + 2 ``steps`` the search ends within it, with a warning. (scipy would raise
    its limit to P + 2 instead.) A resumed training replays the evaluations of the saved run. By
    default training ends with the parameters of least loss.

    ``search`` is whose code runs: ``scipy``, or ``own``, the same algorithm in a tenth of the time
    (several milliseconds an evaluation in scipy from 1.16 on); its path is scipy's up to rounding.

    The Quantum Angle Generator (seed talk 004) used ``tol=0.004, rhobeg=5.593, steps=600``.

    Source: Powell, in Advances in Optimization and Numerical Analysis (1994) 51.

    Raises BadOption unless ``0 < tol <= rhobeg``, and for a loss that learns.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> model = Quadratic()  # its minimum is at (0.7, -0.4, 0.2), (-0.9)
    >>> history = Cobyla(steps=300).fit(model, events(), Mean(), seed=1)
    >>> model.parameters()["first"].round(1)
    array([ 0.7, -0.4,  0.2])
    >>> history.stopped
    "COBYLA's trust region shrank to tol = 0.0001"
    """

    owns_loop = True

    def __init__(
        self,
        *,
        tol: float = 1e-4,
        rhobeg: float = 1.0,
        search: Literal["scipy", "own"] = "scipy",
        steps: int = 600,
        batch_size: int | None = None,
        keep_best: bool = True,
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
        if not 0 < tol <= rhobeg:
            raise BadOption(f"cobyla needs 0 < tol <= rhobeg, not {tol} and {rhobeg}")
        self.tol = tol
        self.rhobeg = rhobeg
        self.search = search

    def minimise(self, problem: Problem) -> float:
        """Search from the current parameters; returns the least loss."""
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
                f"{problem.total}: it ends within its first simplex"
            )

        def value(theta: Floats) -> float:
            return problem.evaluate(theta)

        # One evaluation more than there are steps, so that evaluate() ends the search.
        limit = max(problem.total, least) + 1
        if self.search == "own":
            found = search(value, start, radius=self.rhobeg, tol=self.tol, limit=limit)
        else:
            found = _scipys_search(value, start, radius=self.rhobeg, tol=self.tol, limit=limit)
        assign(problem.generator.parameters(), found.point)
        if found.reason == RESOLVED:
            problem.stop(f"COBYLA's trust region shrank to tol = {self.tol:g}")
        else:
            problem.stop(f"COBYLA ended: {found.reason}")
        return found.value


def _scipys_search(
    function: Callable[[Floats], float], start: Floats, *, radius: float, tol: float, limit: int
) -> Found:
    """The same as :func:`~qgen_core.trainers.linear_models.search`, by scipy."""
    from scipy.optimize import minimize

    result = minimize(
        function,
        start,
        method="COBYLA",
        tol=tol,
        options={"rhobeg": radius, "maxiter": limit},
    )
    reason = str(result.message)
    if result.success:
        reason = RESOLVED
    return Found(result.x, float(result.fun), reason)
