"""Searching the options of a recipe with optuna (extra ``search``)."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qgen_core.discovery.install_hints import install_command
from qgen_core.errors import BadOption, BrokenPlugin
from qgen_core.studies.cells import Tag

#: The keys of the table [search], and of a range in its space.
KEYS = ("space", "trials", "batch", "metric", "direction", "seed")
RANGE = ("low", "high", "step", "log")
DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True)
class Search:
    """What is searched and how: the table ``[search]`` of a study file.

    Args:
        space: for each dotted key of the recipe a list of choices, or a range with ``low`` and
            ``high``, whole numbers for whole numbers, and optionally ``step`` or ``log``.
        trials: how many points are tried.
        batch: how many of them are asked for at once, so that they can run at the same time.
        metric: the number that is searched for, as the table of results heads it.
        direction: ``minimize`` or ``maximize``.
        seed: of the search; the same seed gives the same trials.

    Trials are asked for and told in batches. The first batch is random, later ones follow a
    tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011).

    Raises BadOption, naming the key, for what cannot be searched.

    >>> search = Search({"trainer.steps": {"low": 10, "high": 30}}, trials=4, batch=4)
    >>> Search.of({"space": {"trainer.steps": {"low": 30, "high": 10}}}, {})
    ... # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    BadOption: search.space 'trainer.steps': low is below high, not 30 and 10
    """

    space: Mapping[str, Any]
    trials: int = 32
    batch: int = 8
    metric: str = "loss"
    direction: Literal["minimize", "maximize"] = "minimize"
    seed: int = 0

    @classmethod
    def of(cls, table: Mapping[str, Any], space: Mapping[str, Any]) -> Search:
        """A search from the table of a study file, and its space by dotted keys."""
        for key in table:
            if key not in KEYS:
                raise BadOption(f"[search] takes {', '.join(KEYS)}; not {key!r}")
        search = cls(**{**table, "space": space})
        for key in ("trials", "batch"):
            value = getattr(search, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadOption(f"search.{key} is a whole number of at least 1, not {value!r}")
        if isinstance(search.seed, bool) or not isinstance(search.seed, int) or search.seed < 0:
            raise BadOption(f"search.seed is a whole number of at least 0, not {search.seed!r}")
        if search.direction not in DIRECTIONS:
            raise BadOption(
                f"search.direction is {' or '.join(DIRECTIONS)}, not {search.direction!r}"
            )
        if not isinstance(search.metric, str):
            raise BadOption(f"search.metric is the name of a number, not {search.metric!r}")
        if not space:
            raise BadOption("[search.space] is empty; name the keys of the recipe to search")
        for key, values in space.items():
            if isinstance(values, Mapping):
                _check_range(key, values)
        return search

    def asked(
        self, value_of: Callable[[Mapping[str, Tag]], float | None], trials: int
    ) -> Sequence[Mapping[str, Tag]]:
        """The trials of the first batch that is not known yet; none after ``trials`` trials.

        ``value_of`` gives the value of a trial by its choices: None if it is not known, NaN if its
        trainings diverged. The search is made anew and told all of them in order, so that it
        continues as it would have. Raises BrokenPlugin without optuna.
        """
        if importlib.util.find_spec("optuna") is None:
            command = install_command("qgen-core", extra="search")
            raise BrokenPlugin(f"[search] needs the package optuna; `{command}` brings it")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=self.batch)
        search = optuna.create_study(sampler=sampler, direction=self.direction)
        space = {key: _distribution(values) for key, values in self.space.items()}
        for first in range(0, trials, self.batch):
            count = min(self.batch, trials - first)
            asked = [search.ask(space) for _ in range(count)]
            values = [value_of(trial.params) for trial in asked]
            if None in values:
                return [trial.params for trial in asked]
            for trial, value in zip(asked, values, strict=True):
                if value is None or math.isnan(value):
                    search.tell(trial, state=optuna.trial.TrialState.FAIL)
                else:
                    search.tell(trial, value)
        return []


def _distribution(values: Any) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if not isinstance(values, Mapping):
        return CategoricalDistribution(list(values))
    if _is_whole(values["low"]) and _is_whole(values["high"]):
        return IntDistribution(**values)
    return FloatDistribution(**values)


def _check_range(key: str, values: Mapping[str, Any]) -> None:
    where = f"search.space {key!r}"
    for name in values:
        if name not in RANGE:
            raise BadOption(f"{where} takes {', '.join(RANGE)}; not {name!r}")
    if "low" not in values or "high" not in values:
        raise BadOption(f"{where} needs low and high, or a list of choices")
    if not isinstance(values.get("log", False), bool):
        raise BadOption(f"{where}: log is true or false, not {values['log']!r}")
    for name in ("low", "high", "step"):
        value = values.get(name, 1)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise BadOption(f"{where}: {name} is a finite number, not {value!r}")
    low = values["low"]
    high = values["high"]
    if low >= high:
        raise BadOption(f"{where}: low is below high, not {low} and {high}")
    if values.get("log") and low <= 0:
        raise BadOption(f"{where}: low of a logarithmic range is above 0, not {low}")
    if "step" not in values:
        return
    step = values["step"]
    if values.get("log"):
        raise BadOption(f"{where} takes log or step, not both")
    if step <= 0:
        raise BadOption(f"{where}: step is above 0, not {step}")
    if _is_whole(low) and _is_whole(high) and not _is_whole(step):
        raise BadOption(f"{where}: step of whole numbers is a whole number, not {step}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
