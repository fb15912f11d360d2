"""Generating jets: seeded, cached with a hash, and the same physics as the shipped file."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import h5py
import numpy as np
import pytest
from scipy.stats import ks_2samp

from qgen_core.errors import BadOption, BrokenPlugin
from qgen_hep.datasets.jets import jets, shipped
from qgen_hep.generate import cache
from qgen_hep.generate import jets as generator
from qgen_hep.generate.jets import COLUMNS, cached_jets, generate_jets
from qgen_hep.readers.reading import file_hash

MISSING = [name for name in ("pythia8mc", "fastjet") if importlib.util.find_spec(name) is None]
needs_pythia = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def columns(path) -> dict[str, np.ndarray]:
    with h5py.File(path, "r") as file:
        return {name: file[name][:] for name in file}


def fake_generate(events, *, seed, path, progress):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        f"{events} events of seed {seed}, made {len(list(path.parent.iterdir()))}".encode()
    )
    return path


def test_the_dataset_offers_to_generate():
    assert jets.generate is cached_jets


def test_without_the_generators_the_pip_line_is_shown(tmp_path, monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(
        BrokenPlugin, match=r"pythia8mc is not installed: `pip install .*'qgen-hep\[pythia\]'`"
    ):
        jets.generate(10, cache=tmp_path)


@pytest.mark.parametrize(("events", "seed"), [(0, 0), (-1, 0), (1, -1), (1, 900_000_000)])
def test_numbers_that_cannot_be(events, seed, tmp_path):
    with pytest.raises(BadOption, match="events must be at least 1 and seed in"):
        generate_jets(events, seed=seed, path=tmp_path / "x.h5")


def test_the_cache_returns_only_what_it_can_trust(tmp_path, monkeypatch):
    monkeypatch.setattr(generator, "versions", lambda: {"pythia8mc": "1", "fastjet": "2"})
    monkeypatch.setattr(generator, "generate_jets", fake_generate)
    first = cached_jets(10, seed=1, cache=tmp_path)
    content = first.read_bytes()
    assert cached_jets(10, seed=1, cache=tmp_path) == first and first.read_bytes() == content
    assert first.with_suffix(".sha256").read_text().strip() == file_hash(first)
    others = {cached_jets(n, seed=s, cache=tmp_path) for n, s in ((10, 2), (11, 1))}
    monkeypatch.setattr(generator, "versions", lambda: {"pythia8mc": "1", "fastjet": "3"})
    others.add(cached_jets(10, seed=1, cache=tmp_path))
    assert len(others | {first}) == 4
    monkeypatch.setattr(generator, "versions", lambda: {"pythia8mc": "1", "fastjet": "2"})
    first.write_bytes(b"damaged")
    assert cached_jets(10, seed=1, cache=tmp_path) == first
    assert first.read_bytes().startswith(b"10 events of seed 1")


def test_the_cache_lies_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "qgen"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "qgen"


@needs_pythia
@pytest.mark.long
def test_the_seed_of_the_shipped_file_gives_its_events_again(tmp_path):
    """An independent program made them, with the jet finder inside PYTHIA: fjcore."""
    if not importlib.metadata.version("pythia8mc").startswith("8.317"):
        pytest.skip("another version of PYTHIA has other events")
    made = columns(generate_jets(40, seed=20220302, path=tmp_path / "again.h5"))
    truth = columns(shipped())
    assert set(made) == set(truth)
    for name, values in made.items():
        assert values.dtype == truth[name].dtype
        np.testing.assert_allclose(values, truth[name][:40], rtol=2e-6, err_msg=name)


@needs_pythia
@pytest.mark.long
def test_generated_jets_are_distributed_like_the_shipped_ones(tmp_path, capfd):
    told = []
    path = jets.generate(200, seed=5, progress=lambda done, note: told.append(done), cache=tmp_path)
    assert capfd.readouterr().out == ""  # stdout is for data
    assert told == list(range(1, 201))
    made, truth = columns(path), columns(shipped())
    assert {len(values) for values in made.values()} == {200}
    for name in set(COLUMNS) - {"npu"}:
        assert ks_2samp(made[name], truth[name]).pvalue > 1e-3, name
    again = generate_jets(200, seed=5, path=tmp_path / "again.h5")
    assert file_hash(again) == file_hash(path)
    assert jets.generate(200, seed=5, cache=tmp_path) == path
    events = jets(path=str(path), sha256=file_hash(path))
    assert 170 <= len(events) <= 198 and events.provenance["kind"] == "simulated"
