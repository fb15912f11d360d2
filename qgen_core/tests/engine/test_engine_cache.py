"""Compiled code on disk: what is damaged is never run, and nothing stops where none can be kept."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import config

from qgen_core.simulators.simd import code_cache
from qgen_core.simulators.simd.code_cache import LEFT_BEHIND, inspect_folder, is_sound, pack_entry
from qgen_core.simulators.simd.intrinsics import jit

KERNELS = """
def twice(x):
    return 2.0 * x

def thrice(x):
    return 3.0 * x
"""


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(code_cache, "_said", set())


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A module of its own, so that its sources lie in a temporary folder."""
    path = tmp_path / "sources" / "kernels.py"
    path.parent.mkdir()
    path.write_text(KERNELS)
    spec = importlib.util.spec_from_file_location("kernels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "kernels", module)
    return module


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(function, x=7.0):
    """Number of a newly made compiled function, and whether its code came from the disk."""
    compiled = jit(function)
    number = compiled(x)
    return number, bool(sum(compiled.stats.cache_hits.values()))


def entry_of(folder, name):
    (path,) = folder.rglob(f"*.{name}-*.nbc")
    return path


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records]


def test_code_is_kept_and_used_again(kernels, folder, caplog):
    assert run(kernels.twice) == (14.0, False)
    assert run(kernels.twice) == (14.0, True)
    assert [path.suffix for path in folder.rglob("*") if path.is_file()] == [".nbc"]
    assert not caplog.records


def flipped(place):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return damage


def cut(end):
    return lambda path: path.write_bytes(path.read_bytes()[:end])


def in_the_way(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": cut(0),
    "cut in the head": cut(40),
    "cut in the middle": cut(2000),
    "one byte short": cut(-1),
    "flipped sources": flipped(3),
    "flipped key": flipped(40),
    "flipped digest": flipped(70),
    "flipped code": flipped(2500),
    "flipped last byte": flipped(-1),
    "one byte more": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "a directory": in_the_way,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_damaged_code_is_compiled_anew_and_replaced(damage, kernels, folder, caplog):
    run(kernels.twice)
    path = entry_of(folder, "twice")
    damage(path)
    assert run(kernels.twice) == (14.0, False)
    (line,) = warnings_of(caplog)
    assert "is damaged or cannot be read; it is compiled anew" in line
    assert str(path) in line
    assert is_sound(path.read_bytes())
    assert run(kernels.twice) == (14.0, True)
    assert len(caplog.records) == 1


def test_every_changed_byte_is_noticed():
    entry = pack_entry(bytes(32), bytes(range(32)), b"the code of a kernel")
    assert is_sound(entry)
    for place in range(len(entry)):
        changed = bytearray(entry)
        changed[place] ^= 1 << (place % 8)
        assert not is_sound(bytes(changed))
        assert not is_sound(entry[:place])


def test_sound_code_of_another_function_is_not_run(kernels, folder):
    """A file that was copied over another one loads, and would give wrong numbers."""
    run(kernels.twice)
    run(kernels.thrice)
    twice = entry_of(folder, "twice")
    twice.write_bytes(entry_of(folder, "thrice").read_bytes())
    assert run(kernels.twice) == (14.0, False)
    assert run(kernels.twice) == (14.0, True)


def test_code_of_other_sources_is_replaced_in_silence(kernels, folder, monkeypatch, caplog):
    run(kernels.twice)
    path = entry_of(folder, "twice")
    before = path.read_bytes()
    monkeypatch.setattr("qgen_core.simulators.simd.intrinsics.SOURCES", "others")
    assert run(kernels.twice) == (14.0, False)
    assert path.read_bytes() != before
    assert run(kernels.twice) == (14.0, True)
    assert not caplog.records


def test_each_register_width_has_its_own_code(kernels, folder, monkeypatch):
    for _ in range(2):
        for width in (16, 32, 64):
            monkeypatch.setattr("qgen_core.simulators.simd.intrinsics.WIDTH", width)
            run(kernels.twice)
    assert len(list(folder.rglob("*.nbc"))) == 3


def test_without_a_place_code_is_compiled_in_memory(kernels, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert run(kernels.twice) == (14.0, False)
    assert run(kernels.thrice) == (21.0, False)
    (line,) = warnings_of(caplog)
    assert "compiled again in each process" in line
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in line


def test_a_full_disk_leaves_nothing_half_written(kernels, folder, monkeypatch, caplog):
    def write_bytes(path, data):
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert run(kernels.twice) == (14.0, False)
    assert not [path for path in folder.rglob("*") if path.is_file()]
    (line,) = warnings_of(caplog)
    assert "No space left on device" in line


@pytest.fixture
def read_only(kernels, monkeypatch):
    """Sources beside which nothing can be written, whoever runs the test."""
    monkeypatch.setattr(config, "CACHE_DIR", "")
    Path(kernels.__file__).with_name("__pycache__").unlink(missing_ok=True)
    Path(kernels.__file__).with_name("__pycache__").write_text("")


@pytest.fixture
def no_bytecode(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_a_read_only_installation_uses_the_home(
    no_bytecode, kernels, read_only, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert run(kernels.twice) == (14.0, False)
    assert run(kernels.twice) == (14.0, True)
    assert not caplog.records


def test_a_read_only_installation_without_a_home_runs(
    no_bytecode, kernels, read_only, tmp_path, monkeypatch, caplog
):
    """No folder named ``~`` appears."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert run(kernels.twice) == (14.0, False)
    assert not (tmp_path / "~").exists()
    (line,) = warnings_of(caplog)
    assert "NUMBA_CACHE_DIR" in line


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import kernels
from qgen_core.simulators.simd.intrinsics import jit
found = [jit(function)(7.0) for function in (kernels.twice, kernels.thrice)]
assert found == [14.0, 21.0], found
"""


def test_several_processes_at_once(kernels, folder):
    """On a cache where one entry is damaged and the other one is not there."""
    sources = Path(kernels.__file__).parent
    run(kernels.twice)
    path = entry_of(folder, "twice")
    path.write_bytes(path.read_bytes()[:500])
    command = [sys.executable, "-c", SCRIPT, str(sources)]
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    processes = [
        subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        _, messages = process.communicate(timeout=300)
        assert process.returncode == 0, messages
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(is_sound(path.read_bytes()) for path in files)
    assert run(kernels.twice) == (14.0, True)


def test_what_a_killed_process_left_is_outdated_after_a_while(tmp_path):
    left = tmp_path / "qgen-a.b-1.x.nbc.0123.tmp"
    left.write_bytes(b"half")
    assert not list(inspect_folder(tmp_path, bytes(32)))
    long_ago = left.stat().st_mtime - LEFT_BEHIND - 1
    os.utime(left, (long_ago, long_ago))
    assert list(inspect_folder(tmp_path, bytes(32))) == [(left, "outdated")]


DOCTOR = """
import json, sys
from pathlib import Path
from qgen_core.doctor import probe
from qgen_core.simulators.simd.code_cache import pack_entry
folder, sources = next(iter(probe._cache_folders().items()))
folder.mkdir(parents=True)
tag = sys.implementation.cache_tag
entry = pack_entry(sources, bytes(32), b"code")
(folder / f"qgen-a.sound-1.{tag}.0.nbc").write_bytes(entry)
(folder / f"qgen-a.empty-1.{tag}.0.nbc").write_bytes(b"")
(folder / f"qgen-a.cut-1.{tag}.0.nbc").write_bytes(entry[:-1])
(folder / f"qgen-a.way-1.{tag}.0.nbc").mkdir()
(folder / f"qgen-a.old-1.{tag}.0.nbc").write_bytes(pack_entry(bytes(32), bytes(32), b"code"))
(folder / f"qgen-a.python-1.other-27.0.nbc").write_bytes(b"of another Python")
(folder / f"a.numba-1.py311.nbi").write_bytes(b"")
(folder / f"qgen-a.full-1.{tag}.0.nbc").mkdir()
(folder / f"qgen-a.full-1.{tag}.0.nbc" / "file").write_text("")
found = [probe.compiled_code(), probe.compiled_code()]
print(json.dumps([*found, sorted(path.name.split("-")[1] for path in folder.iterdir())]))
"""


def doctor(cache, code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_doctor_removes_what_is_damaged_or_outdated(tmp_path):
    first, second, left = doctor(tmp_path, DOCTOR)
    assert first["removed"] == {"damaged": 3, "outdated": 2}
    assert first["pieces"] == 1
    assert str(tmp_path) in first["state"]
    assert "3 damaged removed; 2 outdated removed" in first["state"]
    (blocked,) = first["in_the_way"]
    assert "a.full" in blocked and blocked in first["state"]
    assert second["removed"] == {"damaged": 0, "outdated": 0}
    assert "1 pieces" in second["state"]
    assert left == ["a.full", "a.python", "a.sound"]


def test_doctor_says_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "file").write_text("")
    code = (
        "import json\nfrom qgen_core.doctor import probe\nprint(json.dumps(probe.compiled_code()))"
    )
    found = doctor(tmp_path / "file" / "cache", code)
    assert not found["writable"]
    assert "set NUMBA_CACHE_DIR to one that is" in found["state"]
