"""The state of the training loop, and how it is saved and restored with that of the components.

A checkpoint holds the arrays ``generator/...``, ``loss/...``, ``trainer/...``, ``sampler/...``
and ``fit/...`` (the loop's own) in one file, and the loop's numbers and texts beside them. The
files themselves, and their protection against crashes, are in
:mod:`qgen_core.support.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.interfaces import DrawRecord, Sampler, Stateful, name_of
from qgen_core.support.checkpoint import Saved
from qgen_core.support.parameters import load_into
from qgen_core.training.journal import Journal
from qgen_core.typing import Array, Floats


@dataclass
class LoopState:
    """State of the loop itself that is needed to continue a training.

    ``best`` (P,) are the parameters of least loss, found at ``best_step`` (-1: none yet).
    ``start`` (P,) are the initial parameters of a trainer that owns its loop; empty for others.

    >>> state = LoopState(best=np.zeros(2), start=np.empty(0))
    >>> state.best_step, state.best_value
    (-1, inf)
    """

    best: Floats
    start: Floats
    best_value: float = np.inf
    best_step: int = -1
    stop_reason: str = ""
    warnings: list[str] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)
    draws: DrawRecord = field(default_factory=DrawRecord)


def arrays_to_save(components: Mapping[str, Stateful], state: LoopState) -> dict[str, Array]:
    """All arrays of a checkpoint, by ``owner/name``.

    >>> sorted(arrays_to_save({}, LoopState(best=np.zeros(2), start=np.empty(0))))
    ['fit/best', 'fit/journal', 'fit/origin']
    """
    arrays: dict[str, Array] = {}
    for owner, component in components.items():
        for name, value in component.state().items():
            arrays[f"{owner}/{name}"] = value
    arrays["fit/best"] = state.best
    arrays["fit/origin"] = state.start
    arrays["fit/journal"] = state.journal.to_array()
    return arrays


def numbers_to_save(state: LoopState) -> dict[str, Any]:
    """What a checkpoint holds beside its arrays; infinity is not JSON and is saved as None.

    >>> numbers_to_save(LoopState(best=np.zeros(2), start=np.empty(0)))["best_value"] is None
    True
    """
    best_value: float | None = None
    if np.isfinite(state.best_value):
        best_value = state.best_value
    return {
        "best_value": best_value,
        "best_step": state.best_step,
        "warnings": state.warnings,
        "stop_reason": state.stop_reason,
        "sources": state.draws.sources,
        "jobs": state.draws.jobs,
    }


def restore(
    saved: Saved, components: Mapping[str, Stateful], state: LoopState, *, evaluations: int
) -> None:
    """Restore the components and the loop's state from a checkpoint.

    ``evaluations`` is the number of journal entries that the checkpoint must hold. Raises
    CheckpointError if the checkpoint does not fit.
    """
    parts = _split_by_owner(saved.arrays, (*components, "fit", "sampler"))
    try:
        _restore_state(state, parts["fit"], saved, evaluations)
        for owner, component in components.items():
            component.load(parts[owner])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"the checkpoint does not fit this run: {type(error).__name__}: {error}; start the "
            "run anew"
        ) from error


def load_sampler(sampler: Sampler, saved: Saved) -> bool:
    """Load the state that a checkpoint has of this sampler, and say whether it has one.

    The state of another sampler is of no use: samplers may be exchanged between trainings, and
    between training and generating.
    """
    if saved.meta.get("sampler") != name_of(sampler):
        return False
    prefix = "sampler/"
    state = {}
    for name, value in saved.arrays.items():
        if name.startswith(prefix):
            state[name.removeprefix(prefix)] = value
    sampler.load(state)
    return True


def _split_by_owner(
    arrays: Mapping[str, Array], owners: tuple[str, ...]
) -> dict[str, dict[str, Array]]:
    parts: dict[str, dict[str, Array]] = {owner: {} for owner in owners}
    for name, value in arrays.items():
        owner, _, rest = name.partition("/")
        if owner not in parts:
            raise CheckpointError(
                f"the checkpoint holds {name!r}, which belongs to nothing in this run; start the "
                "run anew"
            )
        parts[owner][rest] = value
    return parts


def _restore_state(
    state: LoopState, arrays: Mapping[str, Array], saved: Saved, evaluations: int
) -> None:
    if "journal" not in arrays or arrays["journal"].shape != (evaluations, 2):
        raise CheckpointError(
            f"the checkpoint has no journal of {evaluations} evaluations; start the run anew"
        )
    journal = np.empty((evaluations, 2))
    live = {"best": state.best, "origin": state.start, "journal": journal}
    load_into("the training loop", live, arrays)
    state.journal.load(journal)
    best_value = saved.meta["best_value"]
    best_step = saved.meta["best_step"]
    warnings = saved.meta["warnings"]
    stop_reason = saved.meta["stop_reason"]
    state.best_value = np.inf
    if best_value is not None:
        state.best_value = float(best_value)
    state.best_step = int(best_step)
    state.warnings[:] = [str(text) for text in warnings]
    state.stop_reason = str(stop_reason)
    # Checkpoints of earlier versions do not say who drew samples.
    sources = saved.meta.get("sources", [])
    jobs = saved.meta.get("jobs", [])
    state.draws.merge([str(name) for name in sources], [str(name) for name in jobs])
    seal = saved.meta["history"]
    has_size = type(seal["bytes"]) is int and seal["bytes"] >= 0
    if not has_size or not isinstance(seal["sha256"], str):
        raise CheckpointError(
            "the checkpoint does not describe the history of its training; start the run anew"
        )
    if np.isnan(state.best_value) or not -1 <= state.best_step < max(saved.step, 1):
        raise CheckpointError(
            "the checkpoint holds no valid state of a training loop: its least loss or the step "
            "of its least loss is impossible; start the run anew"
        )
