"""A third party's package, end to end: wheels in a fresh environment, found by name, trained, held
by its kit.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from isolated_process import ROOT, call

TEMPLATE = ROOT / "plugins" / "template"
#: What is needed to build wheels and to run a kit, beyond the packages themselves.
TOOLS = ("hatchling", "pytest")

#: A second package of a third party: events to train on.
DATASET = """
import numpy as np
import qgen_core as qgen


def pairs(*, events: int = 3000) -> qgen.Events:
    rng = np.random.default_rng(4)
    x = np.column_stack([rng.gamma(2.0, 1.0, events), rng.exponential(1.0, events)])
    return qgen.Events(x, columns=("a", "b"), units=("GeV", "GeV"), provenance={"kind": "stand-in"})
"""
DATASET_PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "qgen-pairs"
version = "0.1.0"
[project.entry-points."qgen.datasets"]
pairs = "qgen_pairs:pairs"
[tool.hatch.build.targets.wheel]
packages = ["qgen_pairs"]
"""
RECIPE = """
seed = 3
[dataset]
name = "pairs"
[encoder]
name = "binning"
bits = 2
window = [[0.0, 6.0], [0.0, 4.0]]
[generator]
name = "independent-bits"
[loss]
name = "nll"
reads = "log_prob"
[trainer]
name = "adam"
learning_rate = 0.1
steps = 60
"""
#: The same model with a gradient of the wrong sign.
BROKEN = """
import qgen_core as qgen
from qgen_core.testing import GeneratorKit
from qgen_template import IndependentBits


class WrongSign(IndependentBits):
    def forward(self, output, batch, *, rng):
        value, pullback = super().forward(output, batch, rng=rng)
        return value, lambda cotangent: {"theta": -pullback(cotangent)["theta"]}


class TestWrongSign(GeneratorKit):
    def make(self):
        return WrongSign(space=qgen.Space("bits", 4))
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh environment's programs, with qgen-core, qgen-template and qgen-pairs
    from wheels.
    """
    folder = tmp_path_factory.mktemp("fresh")
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    scripts = folder / "venv" / Path(sysconfig.get_path("scripts")).name
    pip = (scripts / "python", "-m", "pip", "--quiet", "--disable-pip-version-check")
    try:
        call(
            *pip,
            "download",
            "--no-deps",
            "--timeout",
            "5",
            "--retries",
            "0",
            TOOLS[0],
            cwd=folder,
            timeout=20,
        )
    except (AssertionError, subprocess.TimeoutExpired):
        pytest.skip("pip reaches no package index, so no fresh environment can be made")
    call(*pip, "install", "--no-compile", *TOOLS, cwd=folder)
    (folder / "pairs" / "qgen_pairs").mkdir(parents=True)
    (folder / "pairs" / "qgen_pairs" / "__init__.py").write_text(DATASET, encoding="utf-8")
    (folder / "pairs" / "pyproject.toml").write_text(DATASET_PROJECT, encoding="utf-8")
    sources = (ROOT / "qgen_core", TEMPLATE, folder / "pairs")
    call(
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder / "wheels",
        *sources,
        cwd=folder,
    )
    wheels = sorted((folder / "wheels").glob("*.whl"))
    assert [w.name.split("-")[0] for w in wheels] == ["qgen_core", "qgen_pairs", "qgen_template"]
    call(*pip, "install", "--no-compile", *wheels, cwd=folder)
    return scripts


def test_it_is_found_by_name(fresh: Path, tmp_path: Path) -> None:
    offers = json.loads(call(fresh / "qgen", "list", "generator", "--json", cwd=tmp_path))[
        "generator"
    ]
    (offer,) = (each for each in offers if each["name"] == "independent-bits")
    assert offer["distribution"] == "qgen-template"
    table = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert offer["version"] == table["version"]
    assert offer["description"]
    code = (
        "import qgen_core as q; "
        "model = q.generator('independent-bits', space=q.Space('bits', 5)); "
        "print(model.space.width)"
    )
    assert call(fresh / "python", "-c", code, cwd=tmp_path).strip() == "5"


def test_it_is_trained_from_a_recipe(fresh: Path, tmp_path: Path) -> None:
    """Four bits start at probability 1/2; the loss ends at the sum of their entropies, below 4 ln
    2.
    """
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    call(fresh / "qgen", "train", "recipe.toml", "--run", "run", cwd=tmp_path)
    lines = (tmp_path / "run" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert len(losses) == 60
    assert losses[0] == pytest.approx(4 * 0.693147, rel=1e-6)
    assert losses[-1] < losses[0] - 0.3
    assert losses[-1] - losses[-2] == pytest.approx(0.0, abs=1e-3)
    call(fresh / "qgen", "generate", "run", "-n", "500", "-o", "out.h5", cwd=tmp_path)
    assert (tmp_path / "out.h5").stat().st_size > 500 * 2 * 4


def test_it_passes_its_kit(fresh: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_independent_bits.py"
    test.write_text((TEMPLATE / "tests" / test.name).read_text(encoding="utf-8"), encoding="utf-8")
    words = call(fresh / "python", "-m", "pytest", "-q", test.name, cwd=tmp_path)
    assert "passed" in words and "failed" not in words


def test_a_broken_variant_fails_the_kit(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(BROKEN, encoding="utf-8")
    words = call(fresh / "python", "-m", "pytest", "-q", "test_broken.py", cwd=tmp_path, code=1)
    assert "1 failed" in words
    assert "the gradient of log_prob by 'theta' along" in words and "finite differences" in words


def test_the_model_has_less_than_thirty_lines_of_code() -> None:
    """Without blank lines and docstrings, which hold examples."""
    source = TEMPLATE / "src" / "qgen_template" / "__init__.py"
    code = re.sub(r'""".*?"""', "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert 15 < len(lines) < 30
