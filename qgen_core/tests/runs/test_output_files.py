"""Files that commands write: full disks, signals, devices, two writers, formats by name."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import toyset

from qgen_core import cli
from qgen_core.errors import BadOption, BrokenPlugin, DataError, ResourceRefused
from qgen_core.events import Events
from qgen_core.runs import event_formats
from qgen_core.runs import run as runs
from qgen_core.runs.compare import write_comparison
from qgen_core.runs.eventfile import write_events
from qgen_core.runs.hdf5_events import read_columns
from qgen_core.runs.recipes import Recipe
from qgen_core.support import files
from qgen_core.support.files import require_disk, temporary_name, write_durably

HERE = Path(__file__).parent
X = np.array([[300.25, 1e-300], [0.1, -0.0], [1 / 3, 2.0**60 + 2**10]])


def events(scale: float = 1.0) -> Events:
    return Events(X * scale, columns=("pt", "mass"), units=("GeV", "GeV"))


def conditional() -> Events:
    return Events(X[:, :1], X[:, 1:], columns=("pt",), units=("GeV",), condition_columns=("e",))


def script(name: str, *arguments: object) -> list[str]:
    return [sys.executable, str(HERE / name), *map(str, arguments)]


def needs(suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    if suffix == ".root":
        pytest.importorskip("uproot")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toyset.offer()
    folder = tmp_path_factory.mktemp("trained") / "run"
    runs.train(Recipe.parse(toyset.RECIPE).changed(["trainer.steps=2"]), folder)
    return folder


@pytest.mark.parametrize("fault", ["limit", "interrupt"])
@pytest.mark.parametrize("suffix", [".h5", ".npz", ".csv", ".parquet", ".root"])
def test_every_write_that_fails_is_an_error_and_leaves_nothing(
    suffix: str, fault: str, tmp_path: Path
) -> None:
    needs(suffix)
    done = subprocess.run(
        script("full_disk.py", fault, suffix, tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


def start(trained: Path, output: Path, seconds: float, **options) -> subprocess.Popen[str]:
    command = script("slow_generate.py", trained, output, seconds)
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.parametrize(
    ("name", "code"), [("SIGINT", 130), ("SIGTERM", 75), ("SIGHUP", 75), ("SIGKILL", -9)]
)
def test_signals_leave_no_file(name: str, code: int, trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "events.h5"
    output.write_bytes(b"what was there before")
    process = start(trained, output, 60)
    assert process.stderr is not None
    assert process.stderr.readline() == "writing\n"
    process.send_signal(signal.Signals[name])
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    assert output.read_bytes() == b"what was there before"
    leftovers = [file.name for file in tmp_path.iterdir() if file != output]
    assert len(leftovers) == (name == "SIGKILL")
    write_events(iter([events()]), tmp_path / "other.h5", {})  # a later run removes them
    assert {file.name for file in tmp_path.iterdir()} == {"events.h5", "other.h5"}


def test_a_hangup_ignored_from_the_start_stays_ignored(trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "events.h5"
    process = start(
        trained, output, 0.2, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "writing\n"
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert read_columns(output, ["a"]).shape == (30, 1)


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "events.h5"

    def outer() -> Iterator[Events]:
        yield events()
        assert write_events(iter([events(2.0)]), target, {}) == 3
        assert np.array_equal(read_columns(target, ["pt", "mass"]), 2 * X)
        yield events()

    assert write_events(outer(), target, {}) == 6
    assert np.array_equal(read_columns(target, ["pt", "mass"]), np.concatenate([X, X]))
    assert list(tmp_path.iterdir()) == [target]


def make_device(path: Path) -> None:
    import stat

    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("making a device needs root")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


IRREGULAR: dict[str, Callable[[Path], None]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a socket": make_socket,
    "a device": make_device,
    "a link to nowhere, which does not exist": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_only_regular_files_are_replaced(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    path = Path("out")
    IRREGULAR[kind](path)
    before = path.lstat()
    for write in (
        lambda: write_events(iter([events()]), path, {}),
        lambda: write_durably(path, b""),
    ):
        with pytest.raises(BadOption, match=f"out is {kind}"):
            write()
    after = path.lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert [file.name for file in Path().iterdir()] == ["out"]


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    real = tmp_path / "disk" / "events.h5"
    real.write_bytes(b"")
    link = tmp_path / "events.h5"
    link.symlink_to(real)
    write_events(iter([events()]), link, {})
    assert link.is_symlink()
    assert np.array_equal(read_columns(real, ["pt", "mass"]), X)


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ResourceRefused, match="circle"):
        write_durably(tmp_path / "a", b"")


def test_a_protected_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    path.write_bytes(b"mine")
    path.chmod(0o444)
    with pytest.raises(BadOption, match="write-protected"):
        write_events(iter([events()]), path, {})
    assert path.read_bytes() == b"mine"


def test_a_name_as_long_as_there_can_be_is_written(tmp_path: Path) -> None:
    write_durably(tmp_path / ("x" * 255), b"data")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"data"
    with pytest.raises(ResourceRefused, match="shorter name"):
        write_durably(tmp_path / ("x" * 256), b"data")


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "choose another place"),
        (errno.EACCES, "get the permission"),
        (errno.EPERM, "get the permission"),
        (errno.EIO, "the disk fails"),
        (errno.EBADMSG, "choose another place"),
    ],
)
def test_each_refusal_of_the_system_has_its_own_mend(
    number: int, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where removing the temporary file is refused in its turn."""

    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            patch.setattr(Path, "unlink", refuse)
            with pytest.raises(ResourceRefused, match=mend) as caught:
                write_events(iter([events()]), tmp_path / "events.h5", {})
        assert os.strerror(number) in str(caught.value)
        assert ("make room" in str(caught.value)) == (number in (errno.ENOSPC, errno.EDQUOT))
    with monkeypatch.context() as patch:
        patch.setattr(files, "open", refuse, raising=False)
        with pytest.raises(ResourceRefused, match=mend):
            write_durably(tmp_path / "run.json", b"")


def test_a_folder_that_cannot_be_synced_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some network file systems; any other failure does."""
    fsync = os.fsync

    def of_files_only(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", of_files_only)
    number = errno.EINVAL
    write_durably(tmp_path / "file", b"data")
    number = errno.EIO
    with pytest.raises(ResourceRefused, match="the disk fails"):
        write_durably(tmp_path / "file", b"data")


def test_temporary_files_of_others_are_kept(tmp_path: Path) -> None:
    """Those of live processes, of other hosts unless they are old, and of other programs."""
    elsewhere = [tmp_path / f"qgen-elsewhere-1-1-{age}.tmp" for age in ("young", "old")]
    kept = [tmp_path / temporary_name(), tmp_path / "qgen-mine.tmp", elsewhere[0]]
    for file in (*kept, elsewhere[1]):
        file.write_bytes(b"")
    os.utime(elsewhere[1], (0, 0))
    write_durably(tmp_path / "file", b"")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "file"])


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize("number", ["100000000000000000000", str(2**62), str(2**50)])
def test_more_events_than_the_disk_holds_are_refused_before_the_first(
    number: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("new/events.h5", "events.csv", "events.npz"):
        code, said = command(capsys, "generate", trained, "-n", number, "-o", tmp_path / name)
        assert code == 6 and number in said and " free" in said
    assert not list(tmp_path.iterdir())


def test_the_free_space_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = os.statvfs(tmp_path)
    free = usage.f_bavail * usage.f_frsize
    require_disk(tmp_path / "not" / "yet", free // 2, "events", "")
    with pytest.raises(ResourceRefused, match=" free there"):
        require_disk(tmp_path / "not" / "yet", 2 * free, "events", "")


@pytest.mark.parametrize("name", ["x.h5", "x.HDF5", "x", "x.npz", "x.csv", "x.parquet", "x.root"])
def test_the_name_says_the_format(name: str, tmp_path: Path) -> None:
    """Each number comes back as it was, read by the library of the format alone."""
    path = tmp_path / name
    needs(path.suffix)
    pieces = [conditional(), conditional()]
    assert write_events(iter(pieces), path, {"run": "runs/demo"}) == 6
    if path.suffix.lower() in (".h5", ".hdf5", ""):
        with h5py.File(path) as file:
            columns = {key: file[key][:] for key in file}
            assert (file.attrs["run"], file["pt"].attrs["unit"]) == ("runs/demo", "GeV")
    elif path.suffix == ".npz":
        columns = dict(np.load(path))
    elif path.suffix == ".csv":
        header, *lines = path.read_text().splitlines()
        rows = np.array([[float(cell) for cell in line.split(",")] for line in lines])
        columns = dict(zip(header.split(","), rows.T, strict=True))
    elif path.suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        columns = {key: table[key].to_numpy() for key in table.column_names}
        assert pyarrow.parquet.read_metadata(path).metadata[b"run"] == b"runs/demo"
    else:
        import uproot

        with uproot.open(path) as file:
            columns = file["events"].arrays(library="np")
            assert file["run"] == "runs/demo"
    assert list(columns) == ["e", "pt"] or list(columns) == ["pt", "e"]
    for key, column in (("pt", 0), ("e", 1)):
        assert columns[key].dtype == np.float64
        assert columns[key].tobytes() == np.concatenate([X[:, column]] * 2).tobytes()


@pytest.mark.parametrize("name", ["x.pkl", "x.txt", "x.json", "x.h5.gz"])
def test_names_of_other_formats_are_refused(
    name: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = command(capsys, "generate", trained, "-n", 5, "-o", tmp_path / name)
    assert code == 2 and ".csv, .parquet, .root" in said
    assert not list(tmp_path.iterdir())


def test_a_comparison_is_html(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="HTML"):
        write_comparison({}, tmp_path / "page.pdf")


def test_a_format_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str, needed_by: str, install: str) -> None:
        raise BrokenPlugin(f"{needed_by} needs the package {install}")

    monkeypatch.setattr(event_formats, "import_optional", absent)
    for suffix, extra in ((".parquet", "parquet"), (".root", "root")):
        with pytest.raises(BrokenPlugin, match=rf"qgen-hep\[{extra}\]"):
            write_events(iter([events()]), tmp_path / f"x{suffix}", {})
    assert not list(tmp_path.iterdir())


def test_no_events_are_no_file(tmp_path: Path) -> None:
    for suffix in (".h5", ".csv", ".npz"):
        with pytest.raises(DataError, match="no events"):
            write_events(iter([]), tmp_path / f"x{suffix}", {})
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_model_is_not_one_of_the_disk(tmp_path: Path) -> None:
    def pieces() -> Iterator[Events]:
        yield events()
        raise ConnectionResetError(errno.ECONNRESET, "the service hung up")

    with pytest.raises(ConnectionResetError):
        write_events(pieces(), tmp_path / "x.h5", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"]])
def test_an_output_that_is_full_is_said_once(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "qgen_core.cli", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr.splitlines() == [
        "ResourceRefused: the output could not be written (No space left on device); "
        "send it elsewhere"
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_messages_that_cannot_be_written_change_nothing(trained: Path, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        command = script("slow_generate.py", trained, tmp_path / "x.h5", 0)
        done = subprocess.run(command, stderr=full, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0
    assert read_columns(tmp_path / "x.h5", ["a"]).shape == (30, 1)
