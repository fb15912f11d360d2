"""Recipes for conda in the style of conda-forge, made from the pyproject.toml files.

    python -m release.conda     writes dist/conda/NAME/recipe.yaml for each distribution

Each recipe builds from the sdist on the package index, and holds the SHA-256 of the one in dist/.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

from release.projects import ROOT, Project, projects

DIST = ROOT / "dist"
#: Packages that conda-forge has under another name, or in parts of which we need one.
CONDA_NAMES = {
    "dask": "dask-core",
    "matplotlib": "matplotlib-base",
    "pythia8mc": "pythia8",
    "torch": "pytorch",
}
SOURCE = "https://pypi.org/packages/source/{initial}/{name}/{file_name}-${{{{ version }}}}.tar.gz"


def recipe(project: Project, sha256: str) -> dict[str, Any]:
    """The recipe of a distribution whose sdist has this checksum."""
    source = SOURCE.format(initial=project.name[0], name=project.name, file_name=project.file_name)
    python = f"python {project.table['requires-python']}"
    own = [_conda_spec(requirement) for requirement in project.requirements()]
    build: dict[str, Any] = {
        "number": 0,
        "noarch": "python",
        "script": "${{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation",
    }
    scripts = project.table.get("scripts", {})
    if scripts:
        commands = [f"{name} = {target}" for name, target in scripts.items()]
        build["python"] = {"entry_points": commands}
    requirements = {"host": [python, "pip", "hatchling"], "run": [python, *own]}
    optional = _optional(project)
    if optional:
        requirements["run_constraints"] = optional
    return {
        "schema_version": 1,
        "context": {"version": project.version},
        "package": {"name": project.name, "version": "${{ version }}"},
        "source": {"url": source, "sha256": sha256},
        "build": build,
        "requirements": requirements,
        "tests": _tests(project),
        "about": {
            "summary": project.table["description"],
            "license": project.table["license"],
            "license_file": "LICENSE",
        },
    }


def _conda_spec(requirement: Requirement) -> str:
    name = CONDA_NAMES.get(requirement.name, requirement.name)
    return f"{name} {requirement.specifier}"


def _optional(project: Project) -> list[str]:
    """What the extras require from others: conda has no extras, so versions are limited."""
    specs = set()
    for requirement in project.requirements(extras=True):
        specs.add(_conda_spec(requirement))
    for requirement in project.requirements():
        specs.discard(_conda_spec(requirement))
    return sorted(specs)


def _tests(project: Project) -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = [{"script": ["qgen list"]}]
    packages = project.packages()
    if packages:
        tests.append({"python": {"imports": packages, "pip_check": True}})
    return tests


def write(project: Project, dist: Path) -> Path:
    """Write the recipe of a distribution whose sdist lies in this folder; returns its path."""
    sdist = dist / f"{project.file_name}-{project.version}.tar.gz"
    sha256 = hashlib.sha256(sdist.read_bytes()).hexdigest()
    path = dist / "conda" / project.name / "recipe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(recipe(project, sha256), sort_keys=False, width=100)
    path.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    """Write all recipes."""
    for project in projects():
        print(write(project, DIST).relative_to(ROOT))


if __name__ == "__main__":
    main()
