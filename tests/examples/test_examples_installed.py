"""The example plugins, built and installed without an index, are found by name and trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
pytestmark = pytest.mark.skipif(find_spec("hatchling") is None, reason="needs hatchling to build")

RECIPE = """
seed = 5
[dataset]
name = "jets"
columns = ["pt", "mass"]
[encoder]
name = "binning"
bits = 2
window = [[250.0, 600.0], [0.0, 200.0]]
[sampler]
name = "example-gibbs"
sweeps = 2
[generator]
name = "example-rbm"
hidden = 3
[loss]
name = "mean"
[trainer]
name = "adam"
steps = 5
batch_size = 100
"""

AUTOENCODER = """
seed = 5
[dataset]
name = "jets"
columns = ["pt", "mass"]
events = 2000
[encoder]
name = "standard"
[sampler]
name = "example-gibbs"
sweeps = 2
[generator]
name = "example-vae"
side = 3
[loss]
name = "mean"
[trainer]
name = "adam"
steps = 5
batch_size = 100
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("examples")
    folders = [str(path.parent) for path in sorted(EXAMPLES.glob("*/pyproject.toml"))]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return target


def qgen(installed: Path, folder: Path, *arguments: str) -> str:
    code = "import sys; from qgen_core.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    if "--json" in arguments:
        return done.stdout
    return done.stdout + done.stderr


def test_examples_are_found_by_name(installed: Path, tmp_path: Path) -> None:
    found = json.loads(qgen(installed, tmp_path, "list", "generator", "--json"))
    names = json.dumps(found)
    for name in ("example-rbm", "example-flow", "example-angles", "example-vae"):
        assert name in names
    studies = json.loads(qgen(installed, tmp_path, "list", "study", "--json"))
    assert "example-search" in json.dumps(studies)


def test_an_example_is_trained_and_generates(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("qgen_hep")
    (tmp_path / "rbm.toml").write_text(RECIPE, encoding="utf-8")
    qgen(installed, tmp_path, "train", "rbm.toml", "--run", "run")
    said = qgen(
        installed,
        tmp_path,
        *("generate", "run", "-n", "50", "-o", "events.h5"),
        *("--set", "sampler.name=example-enumeration"),
    )
    assert "does not take sweeps of 'example-gibbs': dropped" in said
    assert "wrote 50 events" in said


def test_the_autoencoder_is_trained_generates_and_is_evaluated(
    installed: Path, tmp_path: Path
) -> None:
    pytest.importorskip("qgen_hep")
    pytest.importorskip("qgen_torch")
    (tmp_path / "vae.toml").write_text(AUTOENCODER, encoding="utf-8")
    qgen(installed, tmp_path, "train", "vae.toml", "--run", "run")
    said = qgen(installed, tmp_path, "generate", "run", "-n", "50", "-o", "events.h5")
    assert "wrote 50 events" in said
    said = qgen(installed, tmp_path, "evaluate", "events.h5", "--json")
    assert json.loads(said)["generated"]["sampler source"] == "Gibbs sampling, 2 sweeps"
