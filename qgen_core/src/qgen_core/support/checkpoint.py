"""Checkpoints: two slots in a folder, with checksums that reveal damage, and the history.

A slot is a safetensors file with arrays and a JSON file, the note, with the SHA-256, step and
origin of the first and a SHA-256 of its own content. The older slot is overwritten, so one slot is
intact whenever a process dies, and damage is detected before anything is parsed. This module
handles arrays and paths only, whatever they mean, and executes nothing that it reads.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.support.files import make_folder, not_written, write_durably
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array

#: Names of the two slots.
SLOTS = ("a", "b")
#: The largest JSON file, in bytes, that is read.
MAX_JSON = 2**20
#: The fields in the JSON file of a slot, and their types.
NOTE = {"number": int, "step": int, "meta": dict, "origin": dict, "bytes": int, "sha256": str}


def first_process() -> bool:
    """Whether this process writes files: of those that torchrun started only the first one does.

    >>> first_process()
    True
    """
    started_by_torchrun = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= set(os.environ)
    return not started_by_torchrun or os.environ["RANK"] == "0"


@dataclass(frozen=True)
class Note:
    """What is written beside the arrays of a checkpoint.

    ``step`` is the number of steps done, ``meta`` further data, ``origin`` what the checkpoint
    belongs to. ``lost`` says, if a newer checkpoint is damaged, what was lost; else it is empty.

    >>> Note(step=10, meta={}, origin={"seed": 1}).lost
    ''
    """

    step: int
    meta: dict[str, Any]
    origin: dict[str, Any]
    lost: str = ""


@dataclass(frozen=True)
class Saved(Note):
    """One checkpoint: its note, and arrays by name.

    >>> import numpy as np
    >>> saved = Saved(step=10, meta={}, origin={}, arrays={"theta": np.zeros(3)})
    >>> saved.arrays["theta"].shape
    (3,)
    """

    arrays: dict[str, Array] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints and the history of one run folder.

    Of the processes that torchrun started only the first one ``writes``; the others read.

    Args:
        path: the run folder.
        every: seconds between checkpoints of a training.
        time_limit: after this number of seconds a training saves and stops as on a signal.
        origin: what the state belongs to: recipe fields, hash of the data, versions.
            :meth:`latest` refuses a checkpoint of another origin and names each field that
            differs. None: any checkpoint is accepted.
        may_differ: patterns of fields of the origin that may differ, e.g. ``sampler.*``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoints = Checkpoints(folder, origin={"recipe": "a"})
    ...     checkpoints.save(3, {"theta": np.array([0.5])}, {})
    ...     print(checkpoints.latest().step, checkpoints.latest().arrays)
    ...     try:
    ...         Checkpoints(folder, origin={"recipe": "b"}).latest()
    ...     except CheckpointError as error:
    ...         print("recipe: saved 'a', now 'b'" in str(error))
    3 {'theta': array([0.5])}
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: float = 5.0,
        time_limit: float | None = None,
        origin: Mapping[str, Any] | None = None,
        may_differ: frozenset[str] = frozenset(),
    ) -> None:
        self.path = Path(path)
        self.every = every
        self.time_limit = time_limit
        self.origin: dict[str, Any] | None = None
        if origin is not None:
            # as it will be read back, e.g. with lists for tuples, so that both can be compared
            self.origin = json.loads(json.dumps(dict(origin)))
        self.may_differ = may_differ
        self.writes = first_process()

    @property
    def history_path(self) -> Path:
        """The path of the history, history.jsonl."""
        return self.path / "history.jsonl"

    def make_folder(self) -> None:
        """Create the run folder if it does not exist. Raises ResourceRefused."""
        make_folder(self.path)

    def save(self, step: int, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
        """Write a checkpoint into the slot that does not hold the latest one.

        ``arrays`` are by name; ``meta`` is plain data. Raises ResourceRefused when the files
        cannot be written.
        """
        from safetensors.numpy import save as to_bytes

        if not self.writes:
            return
        self.make_folder()
        contiguous = {name: np.asarray(value, order="C") for name, value in arrays.items()}
        data = to_bytes(contiguous)
        latest, newest = self._newest()
        note = {
            "number": newest.get("number", 0) + 1,
            "step": step,
            "meta": dict(meta),
            "origin": self.origin or {},
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        slot = SLOTS[0]
        if latest == slot:
            slot = SLOTS[1]
        write_durably(self._file(slot, "safetensors"), data)
        body = json.dumps(note, sort_keys=True)
        seal = hashlib.sha256(body.encode()).hexdigest()
        write_durably(self._file(slot, "json"), f"{body}\n{seal}\n".encode())

    @property
    def empty(self) -> bool:
        """Whether no checkpoint was ever saved."""
        return not any(self._file(slot, "json").exists() for slot in SLOTS)

    def latest(self) -> Saved | None:
        """The newest intact checkpoint; None if none was ever saved.

        Raises CheckpointError when both slots are damaged, or when the checkpoint belongs to
        another recipe, other data or another version.
        """
        slot, content = self._checked()
        if slot is None:
            return None
        require_memory(2 * content["bytes"], f"the checkpoint in {self.path}")
        note = self._note(slot, content)
        return Saved(note.step, note.meta, note.origin, note.lost, self._arrays(slot))

    def note(self) -> Note | None:
        """The note of the newest intact checkpoint, without its arrays; see :meth:`latest`."""
        slot, content = self._checked()
        if slot is None:
            return None
        return self._note(slot, content)

    def _note(self, slot: str, content: Mapping[str, Any]) -> Note:
        lost = self._damage_of_newer(slot, content)
        return Note(content["step"], content["meta"], content["origin"], lost)

    def _damage_of_newer(self, used: str, content: Mapping[str, Any]) -> str:
        """What was lost if the other slot is a newer checkpoint that is damaged; else nothing.

        A slot whose writing was interrupted holds the note of an older checkpoint.
        """
        (other,) = set(SLOTS) - {used}
        file = self._file(other, "json")
        if not file.exists() or self._intact(other) is not None:
            return ""
        fallback = f"that of step {content['step']} is used"
        try:
            newer = _read_note(file)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            newer = None
        if newer is None:
            return f"the checkpoint in slot {other} is damaged and may have been newer; {fallback}"
        if newer["number"] < content["number"]:
            return ""
        return f"the newest checkpoint, of step {newer['step']}, is damaged; {fallback}"

    def _checked(self) -> tuple[str | None, dict[str, Any]]:
        """The slot of the newest intact checkpoint and the content of its note."""
        slot, note = self._newest()
        if slot is None:
            files = [self._file(slot, "json") for slot in SLOTS]
            damaged = [file.name for file in files if file.exists()]
            if not damaged:
                return None, {}
            raise CheckpointError(
                f"no whole checkpoint in {self.path}: {', '.join(damaged)} "
                "and the arrays beside them are damaged; start the run anew"
            )
        if self.origin is not None:
            self._check_origin(note["origin"], self.origin)
        return slot, note

    def _arrays(self, slot: str) -> dict[str, Array]:
        from safetensors import SafetensorError
        from safetensors.numpy import load as from_bytes

        file = self._file(slot, "safetensors")
        try:
            return from_bytes(file.read_bytes())
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{file} holds no arrays of a checkpoint: {error}; start the run anew"
            ) from error

    def _file(self, slot: str, kind: str) -> Path:
        return self.path / f"checkpoint-{slot}.{kind}"

    def _newest(self) -> tuple[str | None, dict[str, Any]]:
        """The slot of the newest intact checkpoint and its note; (None, {}) if there is none."""
        newest: str | None = None
        note_of_newest: dict[str, Any] = {}
        for slot in SLOTS:
            note = self._intact(slot)
            if note is None:
                continue
            if newest is None or int(note["number"]) > int(note_of_newest["number"]):
                newest = slot
                note_of_newest = note
        return newest, note_of_newest

    def _intact(self, slot: str) -> dict[str, Any] | None:
        """The note of a slot whose two files are exactly as written, else None."""
        try:
            note = _read_note(self._file(slot, "json"))
            if note is None:
                return None
            arrays = self._file(slot, "safetensors")
            if arrays.stat().st_size != note["bytes"]:
                return None
            with open(arrays, "rb") as data:
                digest = hashlib.file_digest(data, "sha256").hexdigest()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if digest != note["sha256"]:
            return None
        return note

    def _may_differ(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.may_differ)

    def _check_origin(self, found: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        differing = []
        for name in sorted(set(found) | set(now)):
            if found.get(name) != now.get(name) and not self._may_differ(name):
                differing.append(f"{name}: saved {found.get(name)!r}, now {now.get(name)!r}")
        if differing:
            raise CheckpointError(
                f"the checkpoint in {self.path} belongs to another run; {'; '.join(differing)}; "
                "use another folder, or --from to start a new run from its parameters"
            )


def _read_note(file: Path) -> dict[str, Any] | None:
    """The content of the JSON file of a slot; None if its hash or its fields are wrong."""
    if file.stat().st_size > MAX_JSON:
        return None
    body, seal, _ = file.read_text(encoding="utf-8").split("\n")
    if hashlib.sha256(body.encode()).hexdigest() != seal:
        return None
    note: dict[str, Any] = json.loads(body)
    for name, kind in NOTE.items():
        if type(note[name]) is not kind:
            return None
    if not 0 <= note["step"] < 2**63:
        return None
    return note


def read_history(path: Path, seal: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The records of history.jsonl in order of steps, up to the first line that is incomplete.

    ``seal``, of :attr:`HistoryFile.seal`, describes the beginning of the file; CheckpointError is
    raised when that does not fit.

    >>> import tempfile
    >>> lines = ['{"step": 0, "loss": 0.5}', '{"step": 1, "lo']
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "history.jsonl"
    ...     _ = path.write_text(os.linesep.join(lines))
    ...     read_history(path)
    [{'step': 0, 'loss': 0.5}]
    """
    data = path.read_bytes()
    if seal is not None:
        _check_seal(path, data, seal)
    return _parse_history(data)


def _check_seal(path: Path, data: bytes, seal: Mapping[str, Any]) -> None:
    beginning = data[: seal["bytes"]]
    if hashlib.sha256(beginning).hexdigest() != seal["sha256"]:
        raise CheckpointError(
            f"{path} is damaged or was edited: its beginning is not what the checkpoint describes; "
            "restore it from a copy, or remove it to go on without the history of those steps"
        )


def _parse_history(data: bytes) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    last = None
    for line in data.decode("utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            step = record["step"]
            loss = record["loss"]
        except (ValueError, KeyError, TypeError, RecursionError):
            break
        if type(step) is not int or type(loss) not in (int, float):
            break
        if last is not None and step <= last:
            break
        records.append(record)
        last = step
    return records


class HistoryFile:
    """The file history.jsonl: one line of JSON per step.

    A checkpoint holds the ``seal`` of the file: its size and SHA-256. A resumed run drops the
    lines of steps after its checkpoint.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = HistoryFile(Path(folder) / "history.jsonl", None)
    ...     file.append({"step": 0, "loss": 0.5})
    ...     file.flush()
    ...     seal = file.seal
    ...     file.append({"step": 1, "loss": 0.4})
    ...     file.flush()
    ...     HistoryFile(file.path, seal).kept
    [{'step': 0, 'loss': 0.5}]
    """

    def __init__(self, path: Path, seal: Mapping[str, Any] | None) -> None:
        """Keep the part of an earlier file that ``seal`` describes; with None, nothing.

        Raises CheckpointError when the file does not begin with that part.
        """
        self.path = path
        self.kept: list[dict[str, Any]] = []
        beginning = b""
        if seal is not None and path.exists():
            data = path.read_bytes()
            _check_seal(path, data, seal)
            beginning = data[: seal["bytes"]]
            self.kept = _parse_history(beginning)
        write_durably(path, beginning)
        self._size = len(beginning)
        self._hash = hashlib.sha256(beginning)
        self._pending: list[str] = []

    @property
    def seal(self) -> dict[str, Any]:
        """Size in bytes and SHA-256 of what is on the disk."""
        return {"bytes": self._size, "sha256": self._hash.hexdigest()}

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; the next :meth:`flush` writes it."""
        self._pending.append(json.dumps(record) + "\n")

    def flush(self) -> None:
        """Write pending records to the disk. Raises ResourceRefused when that fails."""
        if not self._pending:
            return
        data = "".join(self._pending).encode()
        try:
            with open(self.path, "ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise not_written(self.path, error) from error
        self._size += len(data)
        self._hash.update(data)
        self._pending.clear()
