"""F5, F21: checkpoints made to harm, with correct seals. A typed error, no code, no memory."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from training_kills import CASES
from training_toys import ProductBorn, SquaredError, bits_events

from qgen_core.errors import CheckpointError, QgenError
from qgen_core.support.checkpoint import Checkpoints, read_history
from qgen_core.trainers.adam import Adam


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda number: None)


class Bomb:
    """A pickle of this leaves a mark on the disk when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def arrays() -> dict[str, Any]:
    """What an untouched checkpoint of the run below holds."""
    theta = np.full((2, 3), 0.5)
    moments = {f"trainer/{which}/theta": np.zeros((2, 3)) for which in ("first", "second")}
    books = {"fit/best": theta.ravel(), "fit/origin": np.empty(0), "fit/journal": np.empty((0, 2))}
    return {"generator/theta": theta, **moments, **books}


SEAL = {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
META = {"best_value": 0.1, "best_step": 0, "warnings": [], "stop_reason": "", "history": SEAL}


def seal(
    folder: Path, data: bytes, note: Any = None, body: bytes | None = None, **changes: Any
) -> None:
    """Write slot a, with every checksum right."""
    folder.mkdir(exist_ok=True)
    if note is None:
        note = {"number": 1, "step": 1, "meta": META, "origin": {}, "bytes": len(data)}
        note |= {"sha256": hashlib.sha256(data).hexdigest(), **changes}
    body = json.dumps(note).encode() if body is None else body
    (folder / "checkpoint-a.safetensors").write_bytes(data)
    (folder / "checkpoint-a.json").write_bytes(
        body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"
    )


def tensors(header: Any, payload: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with a header of one's own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + payload


def entry(dtype: str, shape: list[int], offsets: list[int]) -> dict[str, Any]:
    return {"generator/theta": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


FILES: dict[str, Callable[[Path], bytes]] = {
    "pickle": lambda mark: pickle.dumps(Bomb(mark)),
    "pickle behind a header": lambda mark: tensors({}, pickle.dumps(Bomb(mark))),
    "pickle as header": lambda mark: tensors(pickle.dumps(Bomb(mark))),
    "numpy file of objects": lambda mark: b"\x93NUMPY\x01\x00" + pickle.dumps(Bomb(mark)),
    "zip like torch's": lambda mark: b"PK\x03\x04archive/data.pkl" + pickle.dumps(Bomb(mark)),
    "empty": lambda mark: b"",
    "short": lambda mark: b"\x01\x02",
    "header of 2^63 bytes": lambda mark: tensors({}, length=2**63),
    "header of 2^64 - 1 bytes": lambda mark: tensors({}, length=2**64 - 1),
    "header of 90 MB": lambda mark: tensors({}, length=90_000_000),
    "header past the end": lambda mark: tensors({}, length=1000),
    "header is no JSON": lambda mark: tensors(b"{theta: 1}"),
    "header is a list": lambda mark: tensors([1, 2]),
    "header is deep": lambda mark: tensors(deep(100_000)),
    "header is not UTF-8": lambda mark: tensors(b"\xff\xfe" * 8),
    "8 TiB of numbers": lambda mark: tensors(entry("F64", [2**40], [0, 2**43])),
    "8 TiB in 8 bytes": lambda mark: tensors(entry("F64", [2**40], [0, 8]), b"\0" * 8),
    "shape overflows": lambda mark: tensors(entry("F64", [2**33, 2**33], [0, 8]), b"\0" * 8),
    "negative shape": lambda mark: tensors(entry("F64", [-1], [0, 8]), b"\0" * 8),
    "offsets reversed": lambda mark: tensors(entry("F64", [1], [8, 0]), b"\0" * 8),
    "offsets past the end": lambda mark: tensors(entry("F64", [4], [0, 32]), b"\0" * 8),
    "bytes nobody owns": lambda mark: tensors(entry("F64", [1], [0, 8]), b"\0" * 800),
    "unknown type": lambda mark: tensors(entry("OBJECT", [1], [0, 8]), b"\0" * 8),
    "type that numpy lacks": lambda mark: tensors(entry("BF16", [2, 3], [0, 12]), b"\0" * 12),
}


def with_arrays(**changes: Any) -> bytes:
    return save({name: a for name, a in (arrays() | changes).items() if a is not None})


ARRAYS: dict[str, dict[str, Any]] = {
    "wrong shape": {"generator/theta": np.zeros((3, 2))},
    "wrong type": {"generator/theta": np.zeros((2, 3), dtype=np.complex64)},
    "missing": {"generator/theta": None},
    "one too many": {"generator/extra": np.zeros(3)},
    "of an unknown owner": {"evil/theta": np.zeros(3)},
    "named as a path": {"../../theta": np.zeros(3)},
    "named as an attribute": {"generator/__class__": np.zeros(3)},
    "no best": {"fit/best": None},
    "best of wrong shape": {"fit/best": np.zeros(7)},
    "a journal where none belongs": {"fit/journal": np.zeros((5, 2))},
    "moments of wrong shape": {"trainer/first/theta": np.zeros((9, 9))},
    "moments that broadcast": {
        "trainer/first/theta": np.zeros((1, 1)),
        "trainer/second/theta": np.zeros((1, 1)),
    },
    "moments of wrong type": {"trainer/first/theta": np.zeros((2, 3), dtype=np.int8)},
    "moments of nothing": {"trainer/third/theta": np.zeros((2, 3))},
    "a moment missing": {"trainer/first/theta": None},
    "state for a loss without": {"loss/critic": np.zeros(3)},
}

NOTES: dict[str, dict[str, Any]] = {
    "step below zero": {"step": -1},
    "step is no whole number": {"step": 1.5},
    "step is true": {"step": True},
    "step is text": {"step": "1"},
    "step of 10^30": {"step": 10**30},
    "number is missing": {"number": None},
    "meta is a list": {"meta": [1]},
    "meta is empty": {"meta": {}},
    "no history": {"meta": {name: value for name, value in META.items() if name != "history"}},
    "history is a list": {"meta": META | {"history": [0, ""]}},
    "history of text": {"meta": META | {"history": SEAL | {"bytes": "many"}}},
    "history of less than nothing": {"meta": META | {"history": SEAL | {"bytes": -1}}},
    "best value is text": {"meta": META | {"best_value": "small"}},
    "best value is not a number": {"meta": META | {"best_value": float("nan")}},
    "best step is a list": {"meta": META | {"best_step": [1]}},
    "best step lies ahead": {"meta": META | {"best_step": 99}},
    "warnings are a number": {"meta": META | {"warnings": 3}},
    "origin is text": {"origin": "here"},
    "bytes are wrong": {"bytes": 7},
    "checksum is wrong": {"sha256": "0" * 64},
    "checksum is a number": {"sha256": 0},
}

BODIES: dict[str, bytes] = {
    "list": b"[1, 2, 3]",
    "number": b"7",
    "deep": deep(400_000),
    "no JSON": b"{'number': 1}",
    "long": b'{"number": "' + b"9" * 2**20 + b'"}',
    "long number": b'{"number": ' + b"9" * 100_000 + b"}",
    "pickle": pickle.dumps({"number": 1}),
    "null bytes": b"\0" * 100,
}


def refuse(folder: Path) -> CheckpointError:
    """Resume from a folder that must be refused, and check what else must hold."""
    generator = ProductBorn()
    before, memory = generator.theta.copy(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError) as caught:
        Adam(steps=3).fit(generator, bits_events(), SquaredError(), seed=1, run=folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # KiB
    assert np.array_equal(generator.theta, before) or np.array_equal(
        generator.theta, arrays()["generator/theta"]
    )
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
    return caught.value


def test_the_sealed_original_is_taken(tmp_path: Path) -> None:
    seal(tmp_path, with_arrays())
    generator = ProductBorn()
    history = Adam(steps=1).fit(generator, bits_events(), SquaredError(), seed=1, run=tmp_path)
    assert np.array_equal(generator.theta, arrays()["generator/theta"]) and history.records == []


@pytest.mark.parametrize("what", FILES)
def test_files_that_hold_something_else(tmp_path: Path, what: str) -> None:
    mark = tmp_path / "mark"
    seal(tmp_path / "run", FILES[what](mark))
    assert "checkpoint" in str(refuse(tmp_path / "run"))
    assert not mark.exists()


def test_a_safetensors_file_with_duplicate_names_gives_one_of_them_or_none(tmp_path: Path) -> None:
    one = b'"generator/theta": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}'
    seal(tmp_path, tensors(b"{" + one + b", " + one + b"}", b"\0" * 8))
    refuse(tmp_path)


@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_that_do_not_fit(tmp_path: Path, what: str) -> None:
    seal(tmp_path, with_arrays(**ARRAYS[what]))
    refuse(tmp_path)


@pytest.mark.parametrize("what", NOTES)
def test_notes_that_do_not_fit(tmp_path: Path, what: str) -> None:
    seal(tmp_path, with_arrays(), **NOTES[what])
    refuse(tmp_path)


@pytest.mark.parametrize("what", BODIES)
def test_notes_that_are_none(tmp_path: Path, what: str) -> None:
    seal(tmp_path, with_arrays(), body=BODIES[what])
    refuse(tmp_path)


def test_a_sparse_file_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    seal(tmp_path, with_arrays())
    try:
        os.truncate(tmp_path / "checkpoint-a.safetensors", 2**40)
    except OSError:
        pytest.skip("the file system has no files of this size")
    refuse(tmp_path)


HOSTILE: dict[str, dict[str, Any]] = {
    "spsa": {"trainer/gain": np.zeros(4)},
    "lcd": {"trainer/position": np.array(-3)},
    "cobyla": {"fit/journal": np.zeros((1, 7))},
    "cma": {"trainer/values": np.zeros((1, 2))},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_state_that_does_not_fit_its_trainer(tmp_path: Path, case: str) -> None:
    if case == "cma":
        pytest.importorskip("cma")
    trainer, generator, data, loss = CASES[case](1)
    trainer.fit(generator, data, loss, seed=1, run=tmp_path)
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None and set(HOSTILE[case]) <= set(saved.arrays)
    for file in tmp_path.glob("checkpoint-*"):
        file.unlink()
    seal(tmp_path, save(saved.arrays | HOSTILE[case]), step=saved.step, meta=saved.meta)
    trainer, generator, data, loss = CASES[case](2)
    with pytest.raises(QgenError) as caught:
        trainer.fit(generator, data, loss, seed=1, run=tmp_path)
    assert caught.type is CheckpointError


def test_a_step_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    trainer, generator, data, loss = CASES["cobyla"](2)
    trainer.fit(generator, data, loss, seed=1, run=tmp_path)
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None
    for file in tmp_path.glob("checkpoint-*"):
        file.unlink()
    seal(tmp_path, save(saved.arrays), step=2**62, meta=saved.meta)
    with pytest.raises(CheckpointError, match="no journal"):
        CASES["cobyla"](2)[0].fit(generator, data, loss, seed=1, run=tmp_path)


LINES = {
    "deep": "[" * 200_000,
    "text": '{"step": "2", "loss": 1.0}',
    "no loss": '{"step": 2}',
    "loss is text": '{"step": 2, "loss": "low"}',
    "endless step": '{"step": Infinity, "loss": 1.0}',
    "list": "[2, 1.0]",
    "null": "null",
}


@pytest.mark.parametrize("what", LINES)
def test_lines_of_a_history_that_are_none(tmp_path: Path, what: str) -> None:
    file = tmp_path / "history.jsonl"
    good = [{"step": 0, "loss": 1.0}, {"step": 1, "loss": 0}]
    after = json.dumps({"step": 3, "loss": 0.5})
    file.write_text("\n".join([*map(json.dumps, good), LINES[what], after]) + "\n")
    assert read_history(file) == good


def test_a_journal_of_other_places_is_refused(tmp_path: Path) -> None:
    trainer, generator, data, loss = CASES["cobyla"](3)
    trainer.fit(generator, data, loss, seed=1, run=tmp_path)
    trainer, generator, data, loss = CASES["cobyla"](5)
    generator.theta += 0.25
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None
    for file in tmp_path.glob("checkpoint-*"):
        file.unlink()
    moved = saved.arrays | {"fit/origin": saved.arrays["fit/origin"] + 0.25}
    seal(tmp_path, save(moved), step=saved.step, meta=saved.meta)
    with pytest.raises(
        CheckpointError, match="took another path than the saved run at evaluation 0"
    ):
        trainer.fit(generator, data, loss, seed=1, run=tmp_path)
