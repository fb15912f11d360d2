"""A run folder: its files, read without the model's plugins, and whether they belong together.

Everything that a later command relies on has one origin: the recipe, the events, the states of the
encoders and the parameters that the training began with. Each checkpoint holds the origin;
run.json and evaluation.json hold its hash, :func:`identity`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from qgen_core.errors import CheckpointError
from qgen_core.runs.provenance import fingerprint_of_arrays
from qgen_core.runs.recipes import Recipe
from qgen_core.support.checkpoint import Checkpoints, Note, Saved, read_history
from qgen_core.support.sealed_json import hash_of, read_sealed, write_sealed
from qgen_core.typing import Array

#: What may change between the parts of a training: its length, who draws the samples, and how the
#: run is evaluated.
MAY_DIFFER = frozenset({"trainer.steps", "sampler.*", "version.sampler", "metrics", "evaluation.*"})
#: The facts of run.json about the events that belong to the origin.
DATA_FIELDS = ("columns", "units", "condition_columns")


def origin_of(
    recipe: Recipe, data: Mapping[str, Any], encoders: Mapping[str, Mapping[str, Array]]
) -> dict[str, Any]:
    """What the files of a run depend on, by field.

    ``data`` is that of run.json, ``encoders`` the states of the fitted encoders.

    >>> tables = {"dataset": "jets", "encoder": "binning", "generator": "qcbm"}
    >>> recipe = Recipe.from_dict(tables | {"loss": "js", "trainer": "adam", "seed": 3})
    >>> origin = origin_of(recipe, {"columns": ["pt"]}, {})
    >>> origin["seed"], origin["encoder.name"], origin["data.columns"]
    (3, 'binning', ['pt'])
    """
    origin = recipe.flat()
    for name in DATA_FIELDS:
        origin[f"data.{name}"] = data.get(name)
    origin["data.sha256"] = data.get("events sha256")
    origin["encoders.sha256"] = _fingerprint(encoders)
    return origin


def identity(origin: Mapping[str, Any]) -> str:
    """The hash of what may not change between the parts of a training.

    >>> identity({"seed": 1, "trainer.steps": 9}) == identity({"seed": 1, "trainer.steps": 99})
    True
    """
    fixed = {}
    for name, value in origin.items():
        if not any(fnmatchcase(name, pattern) for pattern in MAY_DIFFER):
            fixed[name] = value
    return hash_of(fixed)


def states_of_encoders(path: Path) -> dict[str, dict[str, Array]]:
    """The arrays of the encoders of a run folder, for "encoder" and "condition_encoder".

    Raises CheckpointError when there are none or they are damaged.
    """
    store = Checkpoints(path / "encoders").latest()
    if store is None:
        raise CheckpointError(f"{path} holds no fitted encoders; train it first")
    states: dict[str, dict[str, Array]] = {"encoder": {}, "condition_encoder": {}}
    for name, value in store.arrays.items():
        owner, _, rest = name.partition("/")
        states.setdefault(owner, {})[rest] = value
    return states


def save_encoders(path: Path, states: Mapping[str, Mapping[str, Array]]) -> None:
    """Write the encoders' states into a run folder, unless it holds the same ones.

    Raises ResourceRefused.
    """
    try:
        unchanged = _fingerprint(states_of_encoders(path)) == _fingerprint(states)
    except CheckpointError:
        unchanged = False
    if not unchanged:
        Checkpoints(path / "encoders").save(0, _flat(states), {})


def _flat(states: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    arrays = {}
    for owner, state in states.items():
        for name, value in state.items():
            arrays[f"{owner}/{name}"] = value
    return arrays


def _fingerprint(states: Mapping[str, Mapping[str, Array]]) -> str:
    return fingerprint_of_arrays(_flat(states))


class RunFolder:
    """The files of a run.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     try:
    ...         RunFolder(folder)
    ...     except CheckpointError as error:
    ...         print(str(error).endswith("is not a run folder: it has no recipe.toml"))
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read the recipe and run.json.

        Raises CheckpointError when there is no run in the folder, when a file is damaged, and when
        files belong to different runs; RecipeError for a damaged recipe.
        """
        self.path = Path(path)
        if not (self.path / "recipe.toml").exists():
            raise CheckpointError(f"{self.path} is not a run folder: it has no recipe.toml")
        self.recipe = Recipe.read(self.path / "recipe.toml")
        self.record = self.read_record(self.path)
        self.note = self._checked_note()

    @staticmethod
    def read_record(path: Path) -> dict[str, Any]:
        """The content of run.json. Raises CheckpointError when it is missing or damaged."""
        mend = "remove it and continue with qgen train --resume, which writes it anew"
        return read_sealed(path / "run.json", mend)

    @staticmethod
    def write_record(path: Path, record: Mapping[str, Any]) -> None:
        """Write run.json. Raises ResourceRefused."""
        write_sealed(path / "run.json", record)

    @cached_property
    def encoders(self) -> dict[str, dict[str, Array]]:
        """The states of the fitted encoders; see :func:`states_of_encoders`."""
        return states_of_encoders(self.path)

    def _checked_note(self) -> Note | None:
        """The note of the newest checkpoint, which belongs to the recipe, encoders and run.json."""
        checkpoints = Checkpoints(self.path)
        if checkpoints.empty:
            return None
        checkpoints = Checkpoints(
            self.path,
            origin=origin_of(self.recipe, self.record.get("data", {}), self.encoders),
            may_differ=MAY_DIFFER | {"version.*", "start.sha256"},
        )
        note = checkpoints.note()
        if note is not None and identity(note.origin) != self.record.get("identity"):
            raise CheckpointError(
                f"{self.path / 'run.json'} belongs to another run than the checkpoint beside it; "
                "restore it from a copy, or remove it and continue with qgen train --resume"
            )
        return note

    @property
    def warnings(self) -> list[str]:
        """What of the training was lost."""
        if self.note is None:
            return []
        found = []
        if self.note.lost:
            found.append(self.note.lost)
        elif self.note.step < self.record.get("steps done", 0):
            found.append(
                f"the training ended after step {self.record['steps done']}, and that checkpoint "
                f"is missing; that of step {self.note.step} is used"
            )
        return found

    def checkpoint(self, *, untrained: bool = False) -> Saved:
        """The newest checkpoint.

        Raises CheckpointError when there is none, and, unless ``untrained``, when it holds the
        parameters that the training began with.
        """
        saved = None
        if self.note is not None:
            saved = Checkpoints(self.path).latest()
        if saved is None:
            raise CheckpointError(
                f"{self.path} holds no checkpoint; train it first with qgen train --run {self.path}"
            )
        if saved.step == 0 and not untrained:
            lost = "".join(f"{text}. " for text in self.warnings)
            raise CheckpointError(
                f"{lost}{self.path} holds an untrained model, of step 0: continue with qgen train "
                "--resume, or use --untrained to take it as it is"
            )
        return saved

    def history(self) -> list[dict[str, Any]]:
        """The record of each step; empty without history.jsonl.

        Raises CheckpointError when the history is not the one that the checkpoint describes.
        """
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        if self.note is None:
            return read_history(path)
        return read_history(path, self.note.meta["history"])

    def save_evaluation(self, result: Mapping[str, Any]) -> None:
        """Write evaluation.json, with the training state that it belongs to.

        Raises ResourceRefused.
        """
        write_sealed(self.path / "evaluation.json", {**result, **self.state})

    def evaluation(self) -> dict[str, Any] | None:
        """The content of evaluation.json; None if there is none.

        Raises CheckpointError when it is damaged or not of the newest checkpoint.
        """
        path = self.path / "evaluation.json"
        if not path.exists():
            return None
        found = read_sealed(path, f"run: qgen evaluate {self.path}")
        state = self.state
        for name, value in state.items():
            if found.get(name) != value:
                raise CheckpointError(
                    f"{path} is not of the newest checkpoint ({name}: evaluated "
                    f"{found.get(name)!r}, now {value!r}); run: qgen evaluate {self.path}"
                )
        return found

    @property
    def state(self) -> dict[str, Any]:
        """What marks files that are made with this state of the training: step and identity."""
        step = None
        if self.note is not None:
            step = self.note.step
        return {"step": step, "identity": self.record.get("identity")}
