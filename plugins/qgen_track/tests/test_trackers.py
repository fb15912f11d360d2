"""What TensorBoard and MLflow read of trainings that go on, are killed, and cannot be logged."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from steplog import Ref, follow, losses

import qgen_core as qgen
from qgen_core.errors import Interrupted

#: MLflow uses what newer versions of SQLAlchemy call deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Series = dict[str, list[tuple[int, float]]]


def tensorboard_of(ref: Ref, folder: Path) -> Series:
    """All scalars that TensorBoard's reader finds, by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    series = {}
    for tag in found.Tags()["scalars"]:
        series[tag] = [(event.step, event.value) for event in found.Scalars(tag)]
    return series


def mlflow_run(ref: Ref, folder: Path) -> tuple[Any, Any]:
    """MLflow's client, and the run that the folder names, which is the only one."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=ref["tracking_uri"])
    experiment = client.get_experiment_by_name(ref["experiment"])
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_id == json.loads((folder / "mlflow.json").read_text())["run_id"]
    return client, run


def mlflow_of(ref: Ref, folder: Path) -> Series:
    """All numbers that MLflow's client finds, by name."""
    client, run = mlflow_run(ref, folder)
    series = {}
    for name in run.data.metrics:
        history = client.get_metric_history(run.info.run_id, name)
        series[name] = sorted((one.step, one.value) for one in history)
    return series


READERS: dict[str, Callable[[Ref, Path], Series]] = {
    "tensorboard": tensorboard_of,
    "mlflow": mlflow_of,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database of MLflow, whose tables take seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/runs.db"


@pytest.fixture
def in_mlflow(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ref:
    """The table of the tracker, with an experiment of its own."""
    pytest.importorskip("mlflow", reason="needs MLflow, see make test-mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return {"name": "mlflow", "tracking_uri": store, "experiment": tmp_path.name}


@pytest.fixture(params=READERS)
def tracker(request: pytest.FixtureRequest) -> Ref:
    """The table of a tracker whose program is installed."""
    if request.param == "mlflow":
        found: Ref = request.getfixturevalue("in_mlflow")
        return found
    pytest.importorskip("tensorboard", reason="needs TensorBoard, which an extra installs")
    return {"name": "tensorboard"}


def check(tracker: Ref, folder: Path) -> None:
    """Each step of the history was kept once, with its numbers."""
    series = READERS[tracker["name"]](tracker, folder)
    assert set(series) == {"loss", "gradient"}
    expected = losses(folder)
    assert [step for step, _ in series["loss"]] == sorted(expected)
    assert [value for _, value in series["loss"]] == pytest.approx(
        [expected[step] for step in sorted(expected)], rel=1e-6
    )
    assert len(series["gradient"]) == len(expected)


def test_a_training_that_goes_on_is_one_run(tracker: Ref, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for steps in (4, 4, 9):
        follow(tracker, folder, steps)
        check(tracker, folder)
    assert len(losses(folder)) == 9


def test_steps_done_again_after_a_failure_are_kept_once(tracker: Ref, tmp_path: Path) -> None:
    """The only checkpoint is that of step 0, and both programs have seen three steps."""

    class Failing:
        @qgen.hookimpl
        def on_step(self, record: Any) -> None:
            if record["step"] == 2:
                raise ArithmeticError("on purpose")

    folder = tmp_path / "run"
    with pytest.raises(ArithmeticError):
        follow(tracker, folder, 6, Failing(), every=1e6)
    follow(tracker, folder, 6)
    check(tracker, folder)


@pytest.mark.parametrize("step", [0, 5])
def test_steps_that_a_kill_kept_from_a_program_follow(
    tracker: Ref, step: int, tmp_path: Path
) -> None:
    """Both programs are sent numbers seconds later than checkpoints are written."""
    folder = tmp_path / "run"
    script = Path(__file__).parent / "steplog.py"
    command = [sys.executable, str(script), json.dumps(tracker), str(folder), str(step)]
    assert subprocess.run(command, check=False, timeout=120).returncode == 9
    follow(tracker, folder, 12)
    check(tracker, folder)


def test_a_tracker_that_fails_is_left_out_with_one_warning(
    tracker: Ref, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "tensorboard").write_text("a file where a folder is needed")
    (folder / "mlflow.json").write_text(json.dumps({"run_id": "a run that nobody has"}))
    with caplog.at_level(logging.WARNING, logger="qgen"):
        follow(tracker, folder, 5)
    assert len(losses(folder)) == 5
    (warning,) = [one.getMessage() for one in caplog.records if one.name == "qgen"]
    assert warning.startswith(f"tracker {tracker['name']!r} failed, and the training goes on")


def test_mlflow_has_the_recipe_the_data_and_how_it_ended(in_mlflow: Ref, tmp_path: Path) -> None:
    class Interrupting:
        @qgen.hookimpl
        def on_step(self, record: Any) -> None:
            raise Interrupted("stopped by hand")

    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        follow(in_mlflow, folder, 3, Interrupting())
    _, run = mlflow_run(in_mlflow, folder)
    assert run.info.run_name == "run" and run.info.status == "KILLED"
    assert run.data.params["trainer.steps"] == "3"
    assert run.data.tags["qgen.data"] == "squares (stand-in)"
    assert run.data.tags["qgen.ending"] == "Interrupted: stopped by hand"
    follow(in_mlflow, folder, 3)
    _, run = mlflow_run(in_mlflow, folder)
    assert run.info.status == "FINISHED"
    assert run.data.tags["qgen.ending"] == "all 3 steps done"


def test_mlflow_without_a_server_stops_nothing(
    in_mlflow: Ref,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = "http://127.0.0.1:9"  # the port of the service "discard", which nobody runs
    with caplog.at_level(logging.WARNING, logger="qgen"):
        follow({**in_mlflow, "tracking_uri": address}, tmp_path / "run", 3)
    assert len(losses(tmp_path / "run")) == 3
    assert "the training goes on without it" in caplog.text


def test_tensorboard_has_the_recipe_and_a_folder_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ref = {"name": "tensorboard", "folder": str(tmp_path / "board")}
    follow(ref, tmp_path / "jets", 2)
    found = EventAccumulator(str(tmp_path / "board" / "jets"))
    found.Reload()
    (text,) = found.Tensors("recipe")
    (said,) = text.tensor_proto.string_val
    assert said.decode().startswith("squares (stand-in)") and "steps = 2" in said.decode()
    assert not (tmp_path / "jets" / "tensorboard").exists()


def test_a_program_that_is_not_installed_is_named_before_the_training(tmp_path: Path) -> None:
    for name in READERS:
        if find_spec(name) is None:
            with pytest.raises(qgen.QgenError, match=rf"qgen-track\[{name}\]"):
                follow({"name": name}, tmp_path / "run", 2)
            assert not (tmp_path / "run").exists()
