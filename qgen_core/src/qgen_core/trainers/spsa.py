"""SPSA: a gradient estimate from two losses, whatever the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.interfaces import Problem, RandomNumbers, Selection, Trainer
from qgen_core.support.parameters import assign, flatten, load_into
from qgen_core.support.resources import MAX_EVALUATIONS, require_at_most, require_memory
from qgen_core.typing import Array, Floats

#: So many arrays of all shifted parameters exist at a time.
ARRAYS = 3


class Spsa(Trainer):
    """Simultaneous perturbation with Spall's gains (IEEE Trans. Aerosp. 34 (1998) 817).

    At step k (from 0) all parameters are shifted at once by ``c_k`` times random signs D. The
    gradient estimate is the slope ``(f(theta + c_k D) - f(theta - c_k D)) / (2 c_k)`` times D,
    averaged over ``samples`` pairs, and ``theta -= a_k gradient``, with
    ``a_k = a / (k + 1 + stability)^alpha`` and ``c_k = c / (k + 1)^gamma``. All losses of a step
    are computed in one batch. The loss of a step is their mean.

    ``a=None`` calibrates: the first step measures ``calibration`` pairs, and ``a`` is set so
    that this step moves a parameter by ``first_step`` (radians, for angles) at the mean slope.
    ``stability=None`` is a tenth of ``steps``, as Spall recommends.

    Raises BadOption for gains, exponents or numbers of pairs out of range, ResourceRefused for more
    pairs than memory holds.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> model = Quadratic()
    >>> before = model.excess()
    >>> history = Spsa(steps=200).fit(model, events(), Mean(), seed=1)
    >>> model.excess() < 0.1 * before
    True
    """

    gradient_free = True

    def __init__(
        self,
        *,
        a: float | None = None,
        c: float = 0.2,
        alpha: float = 0.602,
        gamma: float = 0.101,
        stability: float | None = None,
        samples: int = 1,
        first_step: float = 0.1,
        calibration: int = 10,
        steps: int = 300,
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
        for name, value in (("a", a), ("c", c), ("first_step", first_step)):
            if value is not None and value <= 0:
                raise BadOption(f"spsa needs {name} above 0, not {value}")
        for name, value in (("alpha", alpha), ("gamma", gamma), ("stability", stability)):
            if value is not None and value < 0:
                raise BadOption(f"spsa needs {name} of at least 0, not {value}")
        if samples < 1 or calibration < 1:
            raise BadOption(
                f"spsa needs samples and calibration of at least 1, not {samples} and {calibration}"
            )
        require_at_most(2 * max(samples, calibration), MAX_EVALUATIONS, "losses a step of spsa")
        if stability is None:
            stability = 0.1 * steps
        self.a = a
        self.c = c
        self.alpha = alpha
        self.gamma = gamma
        self.stability = stability
        self.samples = samples
        self.first_step = first_step
        self.calibration = calibration
        self._gain = np.zeros(())

    def step(self, problem: Problem) -> float:
        """Update once along the estimated gradient; returns the mean loss of the shifted points."""
        parameters = problem.generator.parameters()
        theta = flatten(parameters)
        k = problem.step
        pairs = self.samples
        if self.a is None and k == 0:
            pairs = max(self.samples, self.calibration)
        shift = self.c / (k + 1) ** self.gamma
        require_memory(
            ARRAYS * 8 * 2 * pairs * theta.size,
            f"a step of spsa with {pairs} pairs of {theta.size} parameters",
            "take fewer samples, and less calibration",
        )
        signs = 2.0 * problem.rng("spsa").integers(0, 2, size=(pairs, theta.size)) - 1
        values = problem.values(np.concatenate([theta + shift * signs, theta - shift * signs]))
        slopes = (values[:pairs] - values[pairs:]) / (2 * shift)
        if k == 0 and self.a is None:
            self._gain[...] = self._calibrated_gain(slopes)
        elif k == 0:
            self._gain[...] = self.a
        gradient = slopes @ signs / pairs
        gain = self._gain / (k + 1 + self.stability) ** self.alpha
        assign(parameters, theta - gain * gradient)
        problem.log(gradient=np.max(np.abs(gradient), initial=0.0))
        return float(values.mean())

    def _calibrated_gain(self, slopes: Floats) -> float:
        """The gain ``a`` for a step of size ``first_step``; a flat start counts as slope one."""
        slope = float(np.mean(np.abs(slopes)))
        if not slope > 0:
            slope = 1.0
        scale: float = (1 + self.stability) ** self.alpha
        return self.first_step * scale / slope

    def state(self) -> dict[str, Array]:
        """The gain ``a``, which may have been calibrated."""
        return {"gain": self._gain.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore the gain. Raises CheckpointError for other arrays."""
        load_into("spsa", {"gain": self._gain}, state)
