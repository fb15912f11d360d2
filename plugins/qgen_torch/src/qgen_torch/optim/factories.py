"""Optimisers of torch.optim and schedulers of torch.optim.lr_scheduler by name, options checked."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from qgen_core.errors import BadOption

#: Allowed values of an option of an optimiser or a scheduler.
Options = Mapping[str, bool | int | float | str | tuple[float, ...]]

#: Classes that need a closure (LBFGS), sparse gradients (SparseAdam) or matrices (Muon).
EXCLUDED_OPTIMIZERS = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
#: Classes whose arguments are functions or other schedulers.
EXCLUDED_SCHEDULERS = {
    "LRScheduler",
    "LambdaLR",
    "MultiplicativeLR",
    "SequentialLR",
    "ChainedScheduler",
}
#: Scheduler options that default to the number of training steps.
STEP_COUNT_OPTIONS = ("T_max", "total_steps")
#: What torch raises for option values that it does not accept.
REFUSALS = (ValueError, TypeError, RuntimeError, AssertionError)


def _public_subclasses(module: Any, base: type, excluded: set[str]) -> dict[str, type]:
    """The public classes of a module that derive from ``base``, by name."""
    found: dict[str, type] = {}
    for name in dir(module):
        if name.startswith("_") or name in excluded:
            continue
        value = getattr(module, name)
        if inspect.isclass(value) and issubclass(value, base):
            found[name] = value
    return found


def optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """The optimisers of torch.optim that update any parameters from gradients alone, by class name.

    >>> "AdamW" in optimizers(), "LBFGS" in optimizers()
    (True, False)
    """
    return _public_subclasses(torch.optim, torch.optim.Optimizer, EXCLUDED_OPTIMIZERS)


def schedulers() -> dict[str, type[Any]]:
    """The learning-rate schedulers whose options are plain values, by class name.

    >>> "OneCycleLR" in schedulers(), "LambdaLR" in schedulers()
    (True, False)
    """
    module = torch.optim.lr_scheduler
    return _public_subclasses(module, module.LRScheduler, EXCLUDED_SCHEDULERS)


class OptimizerFactory:
    """Builds one kind of optimiser with fixed options for any list of parameters.

    Args:
        owner: the component whose options these are, for error messages.
        name: class name in torch.optim.
        learning_rate: the optimiser's ``lr``, above 0.
        options: its other keyword arguments.

    Raises BadOption for a name or an option that torch.optim does not have, and for values that
    the optimiser rejects. Values are checked here by one step on a dummy parameter.

    >>> sgd = OptimizerFactory("an example", "SGD", 0.5, {"momentum": 0.9})
    >>> weight = torch.tensor([1.0])
    >>> weight.grad = torch.tensor([2.0])
    >>> sgd.build([weight]).step()
    >>> weight
    tensor([0.])
    """

    def __init__(
        self, owner: str, name: str, learning_rate: float, options: Options | None
    ) -> None:
        self._class: type[Any] = _class_by_name(owner, "optimizer", name, optimizers())
        self._options = _checked_options(
            owner, self._class, options, reserved={"lr": "learning_rate"}
        )
        self._learning_rate = learning_rate
        if not learning_rate > 0:
            raise BadOption(f"the learning_rate of {owner} must be above 0, not {learning_rate:g}")
        dummy = torch.zeros(1)
        dummy.grad = torch.zeros(1)
        try:
            self.build([dummy]).step()
        except REFUSALS as error:
            raise BadOption(f"{name} of {owner} refuses its options: {_one_line(error)}") from error

    def build(self, parameters: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
        """A new optimiser of these tensors."""
        optimizer: torch.optim.Optimizer = self._class(
            list(parameters), lr=self._learning_rate, **self._options
        )
        return optimizer


class SchedulerFactory:
    """Builds one kind of scheduler with fixed options, or no scheduler if ``name`` is None.

    Raises BadOption as :class:`OptimizerFactory` does, and for options without a name.

    >>> sgd = OptimizerFactory("an example", "SGD", 0.5, None)
    >>> halving = SchedulerFactory("an example", "ExponentialLR", {"gamma": 0.5}, sgd)
    >>> optimizer = sgd.build([torch.zeros(1)])
    >>> scheduler = halving.build(optimizer, steps=10)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self, owner: str, name: str | None, options: Options | None, optimizer: OptimizerFactory
    ) -> None:
        self._class: type[Any] | None = None
        self._options: dict[str, Any] = {}
        if name is None:
            if options:
                raise BadOption(f"{owner} has scheduler_options and no scheduler")
            return
        self._class = _class_by_name(owner, "scheduler", name, schedulers())
        self._options = _checked_options(
            owner, self._class, options, reserved={"optimizer": "optimizer", "last_epoch": ""}
        )
        try:
            self.build(optimizer.build([torch.zeros(1)]), 1)
        except REFUSALS as error:
            raise BadOption(f"{name} of {owner} refuses its options: {_one_line(error)}") from error

    @property
    def option_names(self) -> frozenset[str]:
        """The names of the scheduler's options; empty without a scheduler."""
        if self._class is None:
            return frozenset()
        return frozenset(inspect.signature(self._class).parameters)

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> Any:
        """A new scheduler for an optimiser and a training of ``steps`` steps; None without one."""
        if self._class is None:
            return None
        defaults: dict[str, int] = {}
        if "epochs" not in self._options:
            for name in STEP_COUNT_OPTIONS:
                if name in self.option_names and name not in self._options:
                    defaults[name] = steps
        return self._class(optimizer, **self._options, **defaults)


def _class_by_name(owner: str, kind: str, name: str, known: Mapping[str, type[Any]]) -> type[Any]:
    if name not in known:
        raise BadOption(f"{owner} has no {kind} {name!r}; there are {', '.join(known)}")
    return known[name]


def _checked_options(
    owner: str, factory: type[Any], options: Options | None, reserved: Mapping[str, str]
) -> dict[str, Any]:
    """A copy of the options. Raises BadOption for one that the factory does not take.

    ``reserved`` maps parameters of the factory that may not be set here to the option of the
    owner that sets them, or to an empty string.
    """
    given = dict(options or {})
    excluded = {"params", *reserved}
    accepted = [name for name in inspect.signature(factory).parameters if name not in excluded]
    for name in given:
        if name in accepted:
            continue
        hint = ""
        if reserved.get(name):
            hint = f"; that is the option {reserved[name]!r} of {owner}"
        raise BadOption(
            f"{factory.__name__} of {owner} takes {', '.join(accepted)}; not {name!r}{hint}"
        )
    return given


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
