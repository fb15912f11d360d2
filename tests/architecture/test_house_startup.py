"""What starting costs: no framework is imported, `qgen list` costs little more than its imports."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import house
import pytest

import qgen_core

#: Imported when used; ``import qgen_core`` brings none of them (architecture, section 6.3).
LATE = (
    *house.FRAMEWORKS,
    "numba",
    "llvmlite",
    "scipy",
    "h5py",
    "jinja2",
    "typer",
    "rich",
    "matplotlib",
    "optuna",
    "cma",
)
#: ``qgen list`` needs the command line's own, and none of these.
NOT_TO_LIST = ("numpy", *(name for name in LATE if name not in {"typer", "rich"}))
LIST = "import sys; from qgen_core.cli import main; main(['list'])"
#: What ``qgen list`` cannot do without, and how much more than that it may cost: reading the entry
#: points and the hooks of all plugins takes about as long as these imports do.
IMPORTS = "import numpy, typer, rich.table"
LIST_RATIO = 2.0


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh process has loaded after running ``code``."""
    wrapped = (
        f"import json, sys\ntry:\n    {code}\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "names = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "print(json.dumps(names), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", wrapped],
        env=house.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_import_brings_no_framework() -> None:
    modules = loaded("import qgen_core")
    assert "pluggy" not in modules
    assert modules & {"numpy", *LATE} == set()
    assert loaded("import qgen_core; qgen_core.Events") & {"numpy", *LATE} == {"numpy"}


def test_a_dataset_brings_no_client_for_downloads() -> None:
    """Of two datasets that can be downloaded; reading a file takes neither http nor archives."""
    for dataset in ("jets", "voxels"):
        assert loaded(f"import qgen_hep.datasets.{dataset}") & {"http", "ssl", "tarfile"} == set()


def test_names_that_are_imported_late_are_those_that_type_checkers_see() -> None:
    tree = house.parsed(house.CORE / "qgen_core" / "__init__.py")
    seen: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    seen[alias.name] = str(statement.module)
    late = {name: f"qgen_core.{module}" for name, module in qgen_core._MODULE_OF.items()}
    assert late == seen
    assert set(late) <= set(qgen_core.__all__)
    for name, module in late.items():
        assert getattr(qgen_core, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="no attribute 'Evnts'"):
        getattr(qgen_core, "Evnts")  # noqa: B009 (a type checker refuses the name itself)


def test_building_the_default_backend_brings_no_other_framework() -> None:
    modules = loaded("import qgen_core; qgen_core.backend('statevector')")
    assert modules & {*house.FRAMEWORKS, "matplotlib"} == set()


def test_list_brings_no_framework() -> None:
    modules = loaded(LIST)
    assert "typer" in modules
    assert modules & set(NOT_TO_LIST) == set()


def test_hook_modules_of_installed_plugins_bring_no_framework() -> None:
    modules = loaded("from qgen_core.discovery.hooks import manager; manager()")
    assert modules & set(LATE) == set()


def seconds_of_cpu(code: str) -> float:
    """Processor time of a fresh interpreter that runs ``code``."""
    variables = house.environment()
    # As people start it: compiled once, read afterwards.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    # Threads that a linear algebra library starts and never uses would be counted, too.
    variables["OPENBLAS_NUM_THREADS"] = "1"
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        child = subprocess.Popen(
            [sys.executable, "-c", code], env=variables, stdout=nowhere, stderr=nowhere
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_list_costs_little_more_than_the_imports_of_numpy_and_typer() -> None:
    # Both are measured in turn, because the same start takes up to twice as long while a shared
    # machine is slow; the least of each is the time without disturbance.
    listing: list[float] = []
    imports: list[float] = []
    while len(listing) < 10:
        listing.append(seconds_of_cpu(LIST))
        imports.append(seconds_of_cpu(IMPORTS))
        if len(listing) >= 3 and min(listing) < LIST_RATIO * min(imports):
            break
    assert min(listing) < LIST_RATIO * min(imports), (listing, imports)


LOOK_UP = r"""
import qgen_core as qgen
from qgen_core.cli import main
from qgen_core.errors import BadOption, UnknownName
for options, refusal in ((("statevectr",), UnknownName), (("statevector", "\u03b8"), BadOption)):
    try:
        qgen.backend(options[0], **dict.fromkeys(options[1:]))
    except refusal as error:
        print(ascii(str(error)))
    else:
        raise SystemExit("not refused")
main(["info", "backend", "statevector"])
"""
RUN = """
import qgen_core as qgen
circuit = qgen.Circuit(1, (qgen.Gate("x", (0,)), qgen.Gate("ry", (0,), qgen.param(0))))
found = qgen.backend("statevector").probabilities(circuit, [0.0])
if abs(found - [0.0, 1.0]).max() > 1e-12:
    raise SystemExit(f"wrong: {found}")
"""
PLAIN = {
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}


@pytest.mark.parametrize(
    ("flags", "variables", "code"),
    [
        (["-O"], {}, RUN + LOOK_UP),
        (["-OO"], {}, LOOK_UP),
        ([], PLAIN, LOOK_UP),
        (["-O"], {**PLAIN, "TERM": "dumb", "COLUMNS": "40"}, LOOK_UP),
    ],
    ids=["optimised", "without-docstrings", "plain-locale", "all-together"],
)
def test_odd_interpreters(flags: list[str], variables: dict[str, str], code: str) -> None:
    """python -O, a locale without Unicode, no terminal: look-up, refusals and info still work."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        env=house.environment(**variables),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    out = done.stdout.decode("ascii" if "LC_ALL" in variables else "utf-8")
    assert "did you mean 'statevector'?" in out
    assert "not '\\u03b8'" in out, "a name that the locale cannot write is still named"
    assert "backend statevector" in out
