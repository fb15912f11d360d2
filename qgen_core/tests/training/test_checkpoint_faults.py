"""F2 to F6: what a disk does to a run folder, and what is read back from it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from training_toys import Faults, ProductBorn, SquaredError, bits_events

from qgen_core.errors import CheckpointError, ResourceRefused
from qgen_core.support.checkpoint import Checkpoints, Saved, read_history
from qgen_core.support.files import temporary_name, write_durably
from qgen_core.trainers.adam import Adam

FILES = [f"checkpoint-{slot}.{kind}" for slot in "ab" for kind in ("json", "safetensors")]


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda number: None)


def train(
    folder: Path, steps: int = 4, faults: Faults | None = None, every: float = 0.0, **options
) -> ProductBorn:
    generator, faults = ProductBorn(shots=200), faults or Faults()
    run = Checkpoints(folder, every=every, **options)
    with faults.watching():
        Adam(learning_rate=0.1, steps=steps).fit(
            generator, bits_events(), SquaredError(), seed=3, hooks=[faults], run=run
        )
    return generator


def equal(a: Saved, b: Saved) -> bool:
    return (a.step, a.meta, sorted(a.arrays)) == (b.step, b.meta, sorted(b.arrays)) and all(
        np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays
    )


def newest_slot(folder: Path) -> str:
    """The slot that is read, found by taking it away."""
    for slot in "ab":
        other = folder.parent / f"without-{slot}"
        shutil.copytree(folder, other)
        (other / f"checkpoint-{slot}.json").unlink()
        alone, both = Checkpoints(other).latest(), Checkpoints(folder).latest()
        shutil.rmtree(other)
        assert alone is not None and both is not None
        if not equal(alone, both):
            return slot
    raise AssertionError


def test_a_folder_without_checkpoint_has_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "nowhere").latest() is None


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "0-d": np.array(1.5),
        "empty": np.empty((0, 3)),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "strided": np.arange(10)[::3],
        "bits": np.array([0, 1], dtype=np.int8),
        "half": np.array([1.0], dtype=np.float32),
    }
    checkpoints = Checkpoints(tmp_path / "new" / "folder")
    checkpoints.save(3, arrays, {"note": 1})
    saved = checkpoints.latest()
    assert saved is not None and (saved.step, saved.meta) == (3, {"note": 1})
    assert set(saved.arrays) == set(arrays)
    for name, array in arrays.items():
        assert saved.arrays[name].dtype == array.dtype and np.array_equal(saved.arrays[name], array)
        assert saved.arrays[name].shape == array.shape


def test_the_later_of_two_checkpoints_of_one_step_counts(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for number in range(5):
        checkpoints.save(7, {"x": np.array([number])}, {})
        saved = checkpoints.latest()
        assert saved is not None and saved.arrays["x"] == number


def test_keep_best_is_what_a_finished_folder_holds(tmp_path: Path) -> None:
    generator = ProductBorn()
    trainer = Adam(learning_rate=1.5, steps=6, keep_best=True)
    trainer.fit(
        generator, bits_events(), SquaredError(), seed=3, run=Checkpoints(tmp_path, every=0)
    )
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None
    assert np.array_equal(saved.arrays["generator/theta"], generator.theta)
    assert np.array_equal(saved.arrays["fit/best"], generator.theta.ravel())


def test_stray_temporaries_are_removed_by_writing_only(tmp_path: Path) -> None:
    """What a dead process left goes; what a live one writes stays."""
    train(tmp_path)
    before = Checkpoints(tmp_path).latest()
    dead = tmp_path / temporary_name().replace(f"-{os.getpid()}-", "-999999999-")
    alive = tmp_path / temporary_name()
    for stray in (dead, alive):
        stray.write_bytes(b"half of a check")
    after = Checkpoints(tmp_path).latest()
    assert before is not None and after is not None and equal(before, after)
    assert dead.exists() and alive.exists()
    train(tmp_path, steps=5)
    assert not dead.exists() and alive.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_every_write_failing_in_turn_loses_nothing(tmp_path: Path, number: int) -> None:
    counted = Faults(only=("open", "write", "fsync", "before replace", "after replace"))
    whole = train(tmp_path / "whole", steps=2, faults=counted)

    def fail(kind: str) -> None:
        raise OSError(number, os.strerror(number))

    assert counted.count > 40
    for place in range(counted.count):
        folder = tmp_path / f"failed-{place}"
        with pytest.raises(ResourceRefused, match=os.strerror(number)) as caught:
            train(folder, steps=2, faults=Faults(fail, place, only=counted.only))
        assert (
            caught.value.exit_code == 6
            and (" free " in str(caught.value)) == (number in (errno.ENOSPC, errno.EDQUOT))
            and "\n" not in str(caught.value)
        )
        assert not list(folder.glob("*.tmp"))
        if (folder / "checkpoint-a.json").exists():
            saved = Checkpoints(folder).latest()
            assert saved is not None and saved.step <= 2
        again = train(folder, steps=2)
        assert np.array_equal(again.theta, whole.theta), counted.kinds[place]
        assert (folder / "history.jsonl").read_text() == (
            tmp_path / "whole" / "history.jsonl"
        ).read_text()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceRefused, match="could not write"):
        train(tmp_path / "file")
    with pytest.raises(ResourceRefused, match="could not write"):
        train(tmp_path / "file" / "below")
    with pytest.raises(ResourceRefused, match="could not write"):
        write_durably(tmp_path / "file" / "below", b"")


def damage(folder: Path, rng: np.random.Generator, truncate: bool) -> str:
    """Flip one bit or cut one file of a folder short; the file's name."""
    name = str(rng.choice(FILES))
    data = bytearray((folder / name).read_bytes())
    if truncate:
        del data[int(rng.integers(len(data))) :]
    else:
        place = int(rng.integers(8 * len(data)))
        data[place // 8] ^= 1 << place % 8
    (folder / name).write_bytes(bytes(data))
    return name


def detect_all(folder: Path, flips: int, truncations: int) -> None:
    train(folder, every=1e9)
    whole = {name: (folder / name).read_bytes() for name in FILES}
    newest = newest_slot(folder)
    latest = Checkpoints(folder).latest()
    (folder / f"checkpoint-{newest}.json").unlink()
    older = Checkpoints(folder).latest()
    (folder / f"checkpoint-{newest}.json").write_bytes(whole[f"checkpoint-{newest}.json"])
    assert latest is not None and older is not None and not equal(latest, older)
    rng = np.random.default_rng(8)
    for number in range(flips + truncations):
        name = damage(folder, rng, truncate=number >= flips)
        found = Checkpoints(folder).latest()
        expected = older if name.startswith(f"checkpoint-{newest}") else latest
        assert found is not None and equal(found, expected), (number, name)
        (folder / name).write_bytes(whole[name])


def test_150_damaged_checkpoints_are_all_detected(tmp_path: Path) -> None:
    detect_all(tmp_path, 120, 30)


@pytest.mark.long
def test_3500_damaged_checkpoints_are_all_detected(tmp_path: Path) -> None:
    detect_all(tmp_path, 3000, 500)


@pytest.mark.parametrize("kind", ["json", "safetensors"])
def test_swapped_files_are_detected(tmp_path: Path, kind: str) -> None:
    train(tmp_path, every=1e9)
    a, b = (tmp_path / f"checkpoint-{slot}.{kind}" for slot in "ab")
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoints(tmp_path).latest()


def test_arrays_of_another_run_are_detected(tmp_path: Path) -> None:
    train(tmp_path / "one", steps=3)
    train(tmp_path / "two", steps=4)
    for slot in "ab":
        name = f"checkpoint-{slot}.safetensors"
        shutil.copy(tmp_path / "two" / name, tmp_path / "one" / name)
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        Checkpoints(tmp_path / "one").latest()


def test_both_slots_damaged_end_in_an_error_not_in_random_weights(tmp_path: Path) -> None:
    train(tmp_path)
    for slot in "ab":
        (tmp_path / f"checkpoint-{slot}.safetensors").write_bytes(b"")
    generator = ProductBorn(shots=200)
    before = generator.theta.copy()
    with pytest.raises(CheckpointError, match="start the run anew") as caught:
        Adam(steps=4).fit(generator, bits_events(), SquaredError(), seed=3, run=tmp_path)
    assert caught.value.exit_code == 3
    assert np.array_equal(generator.theta, before)


def test_one_slot_missing_leaves_the_other(tmp_path: Path) -> None:
    train(tmp_path)
    for slot in "ab":
        folder = tmp_path.parent / f"{tmp_path.name}-{slot}"
        shutil.copytree(tmp_path, folder)
        (folder / f"checkpoint-{slot}.safetensors").unlink()
        assert Checkpoints(folder).latest() is not None


def test_resuming_from_the_older_slot_ends_the_same(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", steps=6)
    train(tmp_path / "hurt", steps=4, every=1e9)
    (tmp_path / "hurt" / f"checkpoint-{newest_slot(tmp_path / 'hurt')}.safetensors").write_bytes(
        b"gone"
    )
    assert np.array_equal(train(tmp_path / "hurt", steps=6).theta, whole.theta)
    histories = [(tmp_path / name / "history.jsonl").read_text() for name in ("whole", "hurt")]
    assert histories[0] == histories[1]


def test_another_origin_is_refused_field_by_field(tmp_path: Path) -> None:
    origin = {"recipe.trainer.steps": 4, "data": "sha-1", "version": "0.1.0"}
    train(tmp_path, origin=origin)
    other = {"recipe.trainer.steps": 9, "data": "sha-2", "qgen": "0.1.0"}
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(tmp_path, origin=other, may_differ=frozenset({"recipe.trainer.steps"})).latest()
    message = str(caught.value)
    assert "data: saved 'sha-1', now 'sha-2'" in message
    assert (
        "version: saved '0.1.0', now None" in message and "qgen: saved None, now '0.1.0'" in message
    )
    assert "steps" not in message and "--from" in message
    with pytest.raises(CheckpointError, match=r"recipe\.trainer\.steps: saved 4, now 9"):
        Checkpoints(tmp_path, origin={**origin, "recipe.trainer.steps": 9}).latest()
    assert Checkpoints(tmp_path, origin=origin).latest() is not None


def test_a_damaged_history_is_cut_at_the_damage(tmp_path: Path) -> None:
    train(tmp_path, steps=6)
    file = tmp_path / "history.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:3]) + lines[3][: len(lines[3]) // 2])
    assert [record["step"] for record in read_history(file)] == [0, 1, 2]
    file.write_text("".join(lines) + "".join(lines[2:4]))
    assert [record["step"] for record in read_history(file)] == list(range(6))
