"""Each plugin passes its tests alone with the core, in an environment of what the two declare."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import isolated_links
import pytest
from isolated_process import ROOT, call

#: Extras that a plugin's own tests are run with, as ``make test`` installs them.
EXTRAS = {
    "qgen-hep": "[root,parquet]",
    "qgen-torch": "[flows]",
    "qgen-track": "[tensorboard]",
}
PLUGINS = sorted(name for name in isolated_links.projects() if name != "qgen-core")
#: Packages that some plugin needs and none other may see.
FRAMEWORKS = (
    "torch",
    "pennylane",
    "qiskit",
    "qiskit_aer",
    "qbraid",
    "cirq",
    "qsimcirq",
    "dimod",
    "distributed",
    "sphinx",
)
HERE = Path(__file__).parent
OWN_TESTS_SECONDS = 1200.0
LIST = "from qgen_core.cli import main; main(['list', '--json'])"
SEEN = f"""
from importlib.util import find_spec
print(*(name for name in {FRAMEWORKS} if find_spec(name)))
"""


@pytest.fixture(scope="module", params=PLUGINS)
def alone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, set[str]]:
    """A plugin, the Python of its environment, and the distributions in that."""
    plugin = request.param
    folder = tmp_path_factory.mktemp("alone") / "environment"
    try:
        python, names = isolated_links.environment(
            folder, plugin + EXTRAS.get(plugin, ""), "pytest"
        )
    except isolated_links.NotInstalled as missing:
        pytest.skip(f"{plugin} cannot be tried alone: {missing}")
    return plugin, python, names


def test_it_sees_what_it_declares(alone: tuple[str, Path, set[str]], tmp_path: Path) -> None:
    """No other plugin, and no framework but its own, is there; its components are found."""
    plugin, python, names = alone
    offers = json.loads(call(python, "-c", LIST, cwd=tmp_path))
    providers = {offer["distribution"] for found in offers.values() for offer in found}
    assert providers <= {"qgen-core", plugin}
    assert (
        "entry-points" not in isolated_links.project(isolated_links.projects()[plugin])
    ) or plugin in providers
    seen = set(call(python, "-c", SEEN, cwd=tmp_path).split())
    owners = {top: own for top, own in isolated_links.tops().items() if top in seen}
    assert set(owners) == seen
    assert all(own & names for own in owners.values()), (
        f"{plugin} sees {sorted(seen)}, which it does not declare"
    )


def own_tests(alone: tuple[str, Path, set[str]], folder: Path, *options: str) -> str:
    """What a plugin's tests say in its environment, in a folder beside which nothing else lies."""
    plugin, python, _ = alone
    source = isolated_links.projects()[plugin]
    shutil.copytree(
        source / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__")
    )
    if (source / "README.md").exists():
        shutil.copy(source / "README.md", folder)
    shutil.copy(HERE / "first_parameters.py", folder)
    always = (
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "-m",
        "not long",
        "-o",
        "markers=long: takes minutes",
    )
    return call(
        python, "-m", "pytest", *always, *options, "tests", cwd=folder, timeout=OWN_TESTS_SECONDS
    )


def test_it_passes_the_first_of_its_own_tests(
    alone: tuple[str, Path, set[str]], tmp_path: Path
) -> None:
    """Some of each file: what is not declared and is needed is missed by then."""
    words = own_tests(alone, tmp_path, "-p", "first_parameters")
    assert "passed" in words and "failed" not in words and "error" not in words


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_it_passes_all_of_its_own_tests(alone: tuple[str, Path, set[str]], tmp_path: Path) -> None:
    words = own_tests(alone, tmp_path)
    assert "passed" in words and "failed" not in words and "error" not in words


def test_what_is_not_declared_is_not_there(tmp_path: Path) -> None:
    """The means works: the template's environment has numpy, and neither matplotlib nor a second
    plugin.
    """
    python, names = isolated_links.environment(tmp_path / "environment", "qgen-template")
    assert "numpy" in names and "matplotlib" not in names
    call(python, "-c", "import numpy, qgen_core, qgen_template", cwd=tmp_path)
    for absent in ("matplotlib", "qgen_hep", "pytest"):
        call(python, "-c", f"import {absent}", cwd=tmp_path, code=1)


def test_every_plugin_is_tried() -> None:
    assert {ROOT / "plugins" / "template", ROOT / "plugins" / "qgen_hep"} <= set(
        isolated_links.projects().values()
    )
