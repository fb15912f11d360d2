"""What prevents an HDF5 file from being read is named; only damage is called damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from qgen_core.errors import BrokenPlugin, DataError
from qgen_core.runs.hdf5_events import read_columns
from qgen_core.support.hdf5 import open_hdf5

X = np.arange(100.0)
UNKNOWN_FILTER = 32099


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "events.h5"
    with h5py.File(file, "w") as opened:
        opened["pt"] = X
    return file


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_columns(path, ["pt"])
    assert path.name in str(caught.value)
    return str(caught.value)


def test_a_file_system_without_locks_is_read(path: Path, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and LD_PRELOAD")
    shim = tmp_path / "no_locks.so"
    source = Path(__file__).with_name("no_locks.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(source)], check=True)
    script = (
        "import sys, h5py; from pathlib import Path\n"
        "from qgen_core.runs.eventfile import write_events\n"
        "from qgen_core.runs.hdf5_events import read_columns\n"
        "from qgen_core.events import Events\n"
        "path = Path(sys.argv[1])\n"
        "try:\n    h5py.File(path)\n"
        "except OSError as error:\n    print(error.errno)\n"
        "values = read_columns(path, ['pt'])\n"
        "write_events(iter([Events(values, columns=('pt',))]), path.with_name('copy.h5'), {})\n"
        "print(read_columns(path.with_name('copy.h5'), ['pt']).sum())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env=os.environ | {"LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        check=False,
    )
    errors_met = done.stdout.splitlines()
    if len(errors_met) == 1 and not done.stderr:
        pytest.skip("this HDF5 library was built without locks")
    assert errors_met == ["37", str(X.sum())], done.stderr


@pytest.mark.parametrize("number", [37, 38, 95, 22])
def test_each_error_of_a_missing_lock_leads_to_reading_without(
    number: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = h5py.File

    def without_locks(name, mode, locking=True):
        if locking:
            raise OSError(number, "unable to lock file")
        return opened(name, mode, locking=locking)

    monkeypatch.setattr(h5py, "File", without_locks)
    assert np.array_equal(read_columns(path, ["pt"])[:, 0], X)
    monkeypatch.setattr(h5py, "File", lambda *_, **__: without_locks(path, "r"))
    assert "unset that variable" in refusal(path)


def test_a_file_that_another_process_writes_is_named(path: Path) -> None:
    with h5py.File(path, "a"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from qgen_core.support.hdf5 import open_hdf5"
                "\nopen_hdf5(Path(sys.argv[1]))",
                str(path),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if not done.returncode:
        pytest.skip("this HDF5 library was built without locks")
    assert "is being written by another process; try again" in done.stderr
    assert "damaged" not in done.stderr


def test_a_file_whose_writer_died_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "live.h5", "w", libver="latest") as file:
        file["pt"] = X
        file.swmr_mode = True
        shutil.copy(tmp_path / "live.h5", tmp_path / "dead.h5")
    said = refusal(tmp_path / "dead.h5")
    assert "h5clear -s" in said and "damaged" not in said


def test_a_missing_filter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "squeezed.h5"
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((100,))
    properties.set_filter(UNKNOWN_FILTER, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((100,))
        dataset = h5py.h5d.create(file.id, b"pt", h5py.h5t.IEEE_F64LE, space, properties)
        dataset.write_direct_chunk((0,), X.tobytes())
    with pytest.raises(BrokenPlugin, match=f"filter {UNKNOWN_FILTER}.*hdf5plugin") as caught:
        read_columns(path, ["pt"])
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("compression", ["gzip", "lzf", "szip"])
def test_filters_that_are_there_are_used(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "squeezed.h5"
    with h5py.File(path, "w") as file:
        try:
            file.create_dataset("pt", data=X, compression=compression, shuffle=True)
        except ValueError:
            pytest.skip(f"this HDF5 library has no {compression}")
    assert np.array_equal(read_columns(path, ["pt"])[:, 0], X)


def test_damage_is_called_damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])
    assert "damaged" in refusal(path)


def test_other_content_is_not_hdf5(tmp_path: Path) -> None:
    (tmp_path / "events.h5").write_text("pt\n300\n")
    said = refusal(tmp_path / "events.h5")
    assert "is not an HDF5 file" in said and "damaged" not in said


def test_pipes_and_folders_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refusal(tmp_path / "pipe")
    assert "is not a file" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "nowhere")


def test_what_the_system_refuses_is_said_in_its_words(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(DataError, match="Permission denied") as caught:
        open_hdf5(path)
    assert "written" not in str(caught.value) and "damaged" not in str(caught.value)
