"""The quick checks of a release: versions, metadata, what wheels hold, types, recipes for conda."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402
from packaging.requirements import Requirement  # noqa: E402
from packaging.version import Version  # noqa: E402
from release import conda, versions  # noqa: E402
from release.dist import PROGRAM, trials  # noqa: E402
from release.locks import LOWEST, NEWEST, direct_requirements  # noqa: E402
from release.projects import Project, projects  # noqa: E402

PROJECTS = {project.name: project for project in projects()}
with_code = pytest.mark.parametrize(
    "name", [name for name, project in PROJECTS.items() if project.packages()]
)
each = pytest.mark.parametrize("name", PROJECTS)
RENDERER = shutil.which("rattler-build")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of each distribution, and the sdist of the smallest."""
    folder = tmp_path_factory.mktemp("dist")
    for project in PROJECTS.values():
        _build(project, "wheel", folder)
    _build(PROJECTS["qgen-template"], "sdist", folder)
    return folder


def _build(project: Project, target: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "-d", folder]
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def wheel(name: str, folder: Path) -> zipfile.ZipFile:
    project = PROJECTS[name]
    return zipfile.ZipFile(folder / f"{project.file_name}-{project.version}-py3-none-any.whl")


def metadata(name: str, folder: Path) -> Message:
    project = PROJECTS[name]
    with wheel(name, folder) as archive:
        path = f"{project.file_name}-{project.version}.dist-info/METADATA"
        return message_from_string(archive.read(path).decode())


def test_examples_in_docstrings_run() -> None:
    done = doctest.testmod(versions)
    assert done.attempted and not done.failed


def test_all_places_state_one_version() -> None:
    assert versions.differing() == []
    places = {path for path, _ in versions.stated()}
    assert {ROOT / "CITATION.cff", ROOT / "docs" / "plugin.md"} < places
    assert {project.folder / "pyproject.toml" for project in projects()} < places
    own = set(PROJECTS)
    for project in projects():
        for requirement in project.requirements(extras=True):
            if requirement.name in own:
                fits = requirement.specifier.contains(project.version)
                assert fits, f"{project.name} requires {requirement}"


def test_one_command_sets_the_version_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On copies of the files, of which one is then changed by hand."""
    copies: dict[Path, Path] = {}
    for path, _ in versions.stated():
        copies[path] = tmp_path / path.relative_to(ROOT)
    for path, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    copied = [Project(tmp_path / project.folder.relative_to(ROOT)) for project in projects()]
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    monkeypatch.setattr(versions, "CITATION", tmp_path / "CITATION.cff")
    monkeypatch.setattr(versions, "projects", lambda: [Project(one.folder) for one in copied])
    versions.write(Version("1.4.2"))
    assert {text for _, text in versions.stated()} == {"1.4.2", ">=1.4,<2"}
    assert versions.differing() == []
    hep = Project(tmp_path / "plugins" / "qgen_hep")
    assert hep.version == "1.4.2" and "qgen-core<2,>=1.4" in map(str, hep.requirements())
    citation = tmp_path / "CITATION.cff"
    citation.write_text(citation.read_text().replace("1.4.2", "1.4.1"), encoding="utf-8")
    assert versions.differing() == ["CITATION.cff states 1.4.1, not 1.4.2"]


@each
def test_metadata_is_complete_and_alike(name: str, built: Path) -> None:
    found = metadata(name, built)
    project = PROJECTS[name]
    assert (found["Name"], found["Version"]) == (name, project.version)
    assert found["License-Expression"] == "Apache-2.0" and found["Summary"]
    assert found["Description-Content-Type"] == "text/markdown"
    assert found["Requires-Python"] == ">=3.11" and found["Author"]
    core = set(PROJECTS["qgen-core"].table["classifiers"])
    typed = {"Typing :: Typed"}
    assert set(found.get_all("Classifier", [])) == (core if project.packages() else core - typed)


@each
def test_long_descriptions_stand_alone_and_begin_with_a_program(name: str, built: Path) -> None:
    """Links to other files of the repository lead nowhere on a package index."""
    text = str(metadata(name, built).get_payload())
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in links if not link.startswith("https://")] == []
    program = PROGRAM.search(text)
    assert program is not None
    compile(program[1], name, "exec")


@each
def test_each_wheel_holds_the_licence(name: str, built: Path) -> None:
    with wheel(name, built) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith("licenses/LICENSE"))
        assert archive.read(path) == (ROOT / "LICENSE").read_bytes()


@with_code
def test_each_wheel_holds_its_package_its_types_and_its_contract(name: str, built: Path) -> None:
    project = PROJECTS[name]
    with wheel(name, built) as archive:
        names = archive.namelist()
        entry_points = archive.read(
            f"{project.file_name}-{project.version}.dist-info/entry_points.txt"
        ).decode()
    (package,) = project.packages()
    assert f"{package}/py.typed" in names
    sources = (project.folder / "src" / package).rglob("*")
    for source in sources:
        if source.is_file() and "__pycache__" not in source.parts:
            assert str(source.relative_to(project.folder / "src")) in names
    tops = {path.partition("/")[0] for path in names}
    assert all(top.startswith(project.file_name) or top == "qgen_start.py" for top in tops)
    assert ("[qgen.contract]" in entry_points) == (name != "qgen-core")


TYPED = """
import qgen_core as qgen

circuit: qgen.Circuit = qgen.ansatz("brick", layers=2)(4)
width: str = circuit.num_wires
qgen.no_such_name
"""


@pytest.mark.long
def test_a_foreign_type_checker_sees_the_types(built: Path, tmp_path: Path) -> None:
    """In an environment of its own, where the wheel is installed, mypy finds what is wrong."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").glob("lib/*/site-packages")
    with wheel("qgen-core", built) as archive:
        archive.extractall(site)
    (tmp_path / "foreign.py").write_text(TYPED, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports"),
            *("--config-file", "", "--python-executable", tmp_path / "venv" / "bin" / "python"),
            *("--cache-dir", tmp_path / "cache", "foreign.py"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("foreign.py")]
    assert len(lines) == 2, done.stdout + done.stderr
    assert "Incompatible types in assignment" in lines[0] and 'has type "int"' in lines[0]
    assert 'Module has no attribute "no_such_name"' in lines[1]


def pins(path: Path) -> dict[str, str]:
    """The versions that a lock pins, by normalised name."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "==" in line:
            name, _, version = line.partition("==")
            found[name.lower().replace("_", "-")] = version
    return found


def test_locks_hold_what_is_declared() -> None:
    """The lowest lock holds each lower bound exactly; torch is alike in both, see release.locks."""
    newest, lowest = pins(NEWEST), pins(LOWEST)
    for text in direct_requirements():
        requirement = Requirement(text)
        name = requirement.name
        assert requirement.specifier.contains(newest[name]), f"constraints.txt has no {text}"
        (bound,) = (part for part in requirement.specifier if part.operator in (">=", "=="))
        expected = bound.version if name != "torch" else newest["torch"]
        assert Version(lowest[name]) == Version(expected), f"constraints-lowest.txt: {text}"
    assert not [name for name in lowest if name.startswith(("nvidia", "cuda"))]


@each
def test_recipes_for_conda_follow_the_pyprojects(name: str, tmp_path: Path) -> None:
    project = PROJECTS[name]
    sdist = tmp_path / f"{project.file_name}-{project.version}.tar.gz"
    sdist.write_bytes(b"abc")
    path = conda.write(project, tmp_path)
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert recipe["source"]["sha256"] == abc
    assert recipe["context"]["version"] == project.version
    requirements = recipe["requirements"]
    run = {line.partition(" ")[0]: line.partition(" ")[2] for line in requirements["run"]}
    assert run.pop("python") == ">=3.11"
    declared = {}
    for requirement in project.requirements():
        conda_name = conda.CONDA_NAMES.get(requirement.name, requirement.name)
        declared[conda_name] = str(requirement.specifier)
    assert run == declared
    optional = {line.partition(" ")[0] for line in requirements.get("run_constraints", ())}
    assert not optional & set(run) and bool(optional) == bool(project.extras)
    commands = recipe["build"].get("python", {}).get("entry_points", [])
    assert commands == (["qgen = qgen_start:main"] if name == "qgen-core" else [])


@pytest.mark.skipif(RENDERER is None, reason="rattler-build is not installed")
def test_recipes_for_conda_can_be_rendered(tmp_path: Path) -> None:
    for project in PROJECTS.values():
        (tmp_path / f"{project.file_name}-{project.version}.tar.gz").write_bytes(b"abc")
        path = conda.write(project, tmp_path)
        command = [str(RENDERER), "build", "--render-only", "--recipe", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_meta_package_offers_each_plugin_as_an_extra() -> None:
    extras = PROJECTS["qgen"].table["optional-dependencies"]
    always = {"qgen", "qgen-core", "qgen-hep", "qgen-template"}
    assert {f"qgen-{extra}" for extra in extras} == set(PROJECTS) - always
    for extra, (text,) in extras.items():
        assert Requirement(text).name == f"qgen-{extra}"


def test_everything_is_tried_alone_and_together_with_both_locks() -> None:
    found = list(trials([]))
    alone = {(trial.lock, trial.tried[0].name) for trial in found if len(trial.tried) == 1}
    assert alone == {(lock, name) for lock in ("newest", "lowest") for name in PROJECTS}
    (meta,) = (trial for trial in found if trial.name == "qgen-newest")
    installed = [Requirement(text) for text in meta.wanted]
    assert [one.name for one in installed] == ["qgen", "qgen-core", "qgen-hep"]
    assert all(str(one.url).startswith("file:///") for one in installed)
    together = [trial for trial in found if len(trial.tried) == len(PROJECTS)]
    assert [trial.lock for trial in together] == ["newest", "lowest"]
    extras = {one.name: one.extras for one in map(Requirement, together[0].wanted)}
    assert extras["qgen-hep"] == {"parquet", "pythia", "root", "torch"}
    assert {trial.name for trial in trials(["qgen-torch"])} == {
        "qgen-torch-newest",
        "qgen-torch-lowest",
    }
