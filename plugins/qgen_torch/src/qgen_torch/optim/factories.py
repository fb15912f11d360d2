"""Optimisers of torch.optim and schedulers of torch.optim.lr_scheduler, by name and with checked options."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from qgen_core.errors import BadOption

#: What options of an optimiser or a scheduler may be.
Options = Mapping[str, bool | int | float | str | tuple[float, ...]]

#: Those that ask for a closure, for sparse gradients or for matrices only.
NOT_OPTIMIZERS = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
#: Those that are made of functions or of other schedulers.
NOT_SCHEDULERS = {"LRScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"}
#: Options of a scheduler that are the number of steps where they are not given.
TOTALS = ("T_max", "total_steps")


def _public(module: Any, base: type, without: set[str]) -> dict[str, type]:
    found = {
        name: getattr(module, name)
        for name in dir(module)
        if not name.startswith("_") and name not in without
    }
    return {
        name: value
        for name, value in found.items()
        if inspect.isclass(value) and issubclass(value, base)
    }


def optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """The optimisers that move any parameters, by the name of their class."""
    return _public(torch.optim, torch.optim.Optimizer, NOT_OPTIMIZERS)


def schedulers() -> dict[str, type[Any]]:
    """The schedulers that are made of numbers, by the name of their class."""
    return _public(torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler, NOT_SCHEDULERS)


class Optimizers:
    """An optimiser by name with its options: checked once, then built for any parameters.

    Raises BadOption for names and options that torch.optim does not have, and for values it refuses.
    """

    def __init__(
        self, owner: str, name: str, learning_rate: float, options: Options | None
    ) -> None:
        self._class: type[Any] = _chosen(owner, "optimizer", name, optimizers())
        self._options = _checked(owner, self._class, options, reserved={"lr": "learning_rate"})
        self._rate = learning_rate
        if not learning_rate > 0:
            raise BadOption(f"the learning_rate of {owner} is above 0, not {learning_rate:g}")
        try:
            tried = torch.zeros(1)
            tried.grad = torch.zeros(1)
            self.build([tried]).step()
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            raise BadOption(f"{name} of {owner} refuses its options: {_line(error)}") from error

    def build(self, parameters: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
        """The optimiser of these tensors."""
        found: torch.optim.Optimizer = self._class(list(parameters), lr=self._rate, **self._options)
        return found


class Schedulers:
    """A scheduler by name with its options, or none; see :class:`Optimizers`."""

    def __init__(
        self, owner: str, name: str | None, options: Options | None, optimizer: Optimizers
    ) -> None:
        self._class: type[Any] | None = None
        self._options: dict[str, Any] = {}
        if name is None:
            if options:
                raise BadOption(f"{owner} has scheduler_options and no scheduler")
            return
        self._class = _chosen(owner, "scheduler", name, schedulers())
        self._options = _checked(
            owner, self._class, options, reserved={"optimizer": "optimizer", "last_epoch": ""}
        )
        try:
            self.build(optimizer.build([torch.zeros(1)]), 1)
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            raise BadOption(f"{name} of {owner} refuses its options: {_line(error)}") from error

    @property
    def takes(self) -> frozenset[str]:
        """The names of the options that the scheduler has."""
        return (
            frozenset()
            if self._class is None
            else frozenset(inspect.signature(self._class).parameters)
        )

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> Any:
        """The scheduler of an optimiser over so many steps; None without one."""
        if self._class is None:
            return None
        unsaid = {
            name: steps for name in TOTALS if name in self.takes and name not in self._options
        }
        if "epochs" in self._options:
            unsaid = {}
        return self._class(optimizer, **self._options, **unsaid)


def _chosen(owner: str, what: str, name: str, known: Mapping[str, type[Any]]) -> type[Any]:
    if name not in known:
        raise BadOption(f"{owner} has no {what} {name!r}; there are {', '.join(known)}")
    return known[name]


def _checked(
    owner: str, factory: type[Any], options: Options | None, reserved: Mapping[str, str]
) -> dict[str, Any]:
    """The options, all of which the factory takes."""
    given = dict(options or {})
    parameters = {
        n: p
        for n, p in inspect.signature(factory).parameters.items()
        if n not in {"params", *reserved}
    }
    for name in given:
        if name not in parameters:
            instead = (
                f"; that is the option {reserved[name]!r} of {owner}" if reserved.get(name) else ""
            )
            raise BadOption(
                f"{factory.__name__} of {owner} takes {', '.join(parameters)}; not {name!r}{instead}"
            )
    return given


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
