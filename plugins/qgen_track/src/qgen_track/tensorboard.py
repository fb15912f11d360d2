"""The tracker ``tensorboard``: the numbers of each step as event files of TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgen_core.discovery.optional_import import import_optional
from qgen_core.runs.tracking import Ending, Followed, Record, Tracker

#: Seconds after which what was written is handed to the file system.
FLUSH_EVERY = 2.0
#: The first event of a file, which says how its steps are read.
VERSION = "brain.Event:2"


class TensorboardTracker(Tracker):
    """Writes event files that TensorBoard shows, also while the training runs.

    A training that goes on writes a new file with all steps so far, which takes the place of the
    earlier ones; so no step is lost or shown twice after a kill.

    Args:
        folder: where the folders of runs are made; by default the files are in the run folder, in
            ``tensorboard``.

    Raises BrokenPlugin if TensorBoard is not installed.
    """

    def __init__(self, *, folder: str | None = None) -> None:
        self.folder = folder
        self._event = _imported("tensorboard.compat.proto.event_pb2")
        self._summary = _imported("tensorboard.compat.proto.summary_pb2")
        self._text = _imported("tensorboard.plugins.text.summary_v2")
        self._records = _imported("tensorboard.summary.writer.record_writer")

    def begin(self, run: Followed, records: Sequence[Record]) -> None:
        place = run.folder / "tensorboard"
        if self.folder is not None:
            place = Path(self.folder, run.name)
        self._writer = self._records.RecordWriter(_new_file(place))
        self._flushed = time.monotonic()
        self._add(file_version=VERSION)
        start = self._event.SessionLog(status=self._event.SessionLog.START)
        self._add(session_log=start, step=0)  # readers drop what earlier files have from here on
        text = f"{run.data}\n\n```toml\n{run.recipe.to_toml()}```"
        self._add(summary=self._text.text_pb("recipe", text), step=0)
        for record in records:
            self._add_numbers(record)
        self._writer.flush()

    def record(self, record: Record) -> None:
        self._add_numbers(record)
        now = time.monotonic()
        if now - self._flushed >= FLUSH_EVERY:
            self._flushed = now
            self._writer.flush()

    def end(self, ending: Ending) -> None:
        self._writer.close()

    def _add_numbers(self, record: Record) -> None:
        values = []
        for name, number in record.items():
            if name != "step":
                values.append(self._summary.Summary.Value(tag=name, simple_value=number))
        self._add(summary=self._summary.Summary(value=values), step=record["step"])

    def _add(self, **fields: Any) -> None:
        event = self._event.Event(wall_time=time.time(), **fields)
        self._writer.write(event.SerializeToString())


def _imported(module: str) -> Any:
    return import_optional(module, "tracker 'tensorboard'", "qgen-track[tensorboard]")


def _new_file(place: Path) -> Any:
    """An event file that readers read after all others in the folder."""
    place.mkdir(parents=True, exist_ok=True)
    number = 1 + len(list(place.glob("events.out.tfevents.*")))
    return (place / f"events.out.tfevents.{number:06d}.qgen").open("xb")
