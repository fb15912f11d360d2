"""The tracker ``mlflow``: trainings as runs of MLflow."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from qgen_core.discovery.optional_import import import_optional
from qgen_core.runs.tracking import Ending, Followed, Record, Tracker
from qgen_core.support.files import write_durably

#: The file in a run folder that says which run of MLflow it is.
NOTE = "mlflow.json"
#: Seconds between two requests, and the most numbers and parameters that one request takes.
SEND_EVERY = 5.0
MOST_NUMBERS = 1000
MOST_PARAMETERS = 100
#: The longest value of a parameter that all versions of MLflow take.
LONGEST_VALUE = 500
#: A server that is away shall not hold up a training for minutes, as MLflow's own settings would.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
#: What MLflow calls the ways in which a training ends.
STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MlflowTracker(Tracker):
    """Logs the recipe and the numbers of each step to MLflow: a server, or a database on disk.

    ``mlflow.json`` in the run folder names the run of MLflow, so that a training that goes on also
    goes on there. Steps that MLflow has are not sent again, and those that a kill kept from it are.

    Args:
        tracking_uri: where MLflow keeps its runs, e.g. ``sqlite:///runs.db`` or the address of a
            server; by default what MLflow is set to, e.g. by ``MLFLOW_TRACKING_URI``.
        experiment: the name of the experiment, which is made if there is none.

    Raises BrokenPlugin if MLflow is not installed.
    """

    def __init__(self, *, tracking_uri: str | None = None, experiment: str = "qgen") -> None:
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        self._mlflow = _imported("mlflow")
        self._entities = _imported("mlflow.entities")

    def begin(self, run: Followed, records: Sequence[Record]) -> None:
        self._client = self._mlflow.MlflowClient(tracking_uri=self.tracking_uri)
        self._waiting: list[Any] = []
        self._sent = time.monotonic()
        self._last: dict[str, int] = {}
        note = run.folder / NOTE
        if note.exists():
            self._id = json.loads(note.read_text(encoding="utf-8"))["run_id"]
            self._go_on()
        else:
            self._id = self._created(run)
            write_durably(note, json.dumps({"run_id": self._id}).encode())
        for record in records:
            self._add(record)
        self._send()

    def record(self, record: Record) -> None:
        self._add(record)
        if time.monotonic() - self._sent >= SEND_EVERY:
            self._send()

    def end(self, ending: Ending) -> None:
        self._send()
        self._client.set_tag(self._id, "qgen.ending", ending.reason)
        self._client.set_terminated(self._id, STATUS[ending.how])

    def _created(self, run: Followed) -> str:
        """The id of a new run of MLflow, with the recipe as its parameters."""
        found = self._client.get_experiment_by_name(self.experiment)
        if found is None:
            place = self._client.create_experiment(self.experiment)
        else:
            place = found.experiment_id
        tags = {"qgen.data": run.data}
        created: str = self._client.create_run(place, run_name=run.name, tags=tags).info.run_id
        parameters = _parameters(run.recipe.flat(), self._entities.Param)
        for first in range(0, len(parameters), MOST_PARAMETERS):
            piece = parameters[first : first + MOST_PARAMETERS]
            self._client.log_batch(created, params=piece)
        return created

    def _go_on(self) -> None:
        """Continue a run of MLflow after the last step of each number that it has."""
        numbers = self._client.get_run(self._id).data.metrics
        for name in numbers:
            history = self._client.get_metric_history(self._id, name)
            self._last[name] = max(one.step for one in history)
        self._client.update_run(self._id, status="RUNNING")

    def _add(self, record: Record) -> None:
        if len(self._waiting) + len(record) > MOST_NUMBERS:
            self._send()
        now = int(time.time() * 1000)
        step = record["step"]
        for name, number in record.items():
            if name != "step" and step > self._last.get(name, -1):
                self._waiting.append(self._entities.Metric(name, number, now, step))

    def _send(self) -> None:
        self._sent = time.monotonic()
        if self._waiting:
            self._client.log_batch(self._id, metrics=self._waiting)
        self._waiting = []


def _imported(module: str) -> Any:
    return import_optional(module, "tracker 'mlflow'", "qgen-track[mlflow]")


def _parameters(recipe: Mapping[str, Any], parameter: Any) -> Sequence[Any]:
    """The fields of a recipe as parameters of MLflow; the text of a cut one ends with dots."""
    found = []
    for name, value in recipe.items():
        text = str(value)
        if len(text) > LONGEST_VALUE:
            text = f"{text[: LONGEST_VALUE - 3]}..."
        found.append(parameter(name, text))
    return found
