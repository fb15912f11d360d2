"""Broken packages: one line names the right one; the others work and all names are listed."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qgen_core import __version__
from qgen_core.discovery.contract import CONTRACT, OLDEST_CONTRACT
from qgen_core.discovery.entry_points import import_failures

HEAD = "import numpy as np\nimport qgen_core as qgen\n"
RUN = "    def run(self, circuit, angles, measure, shots=None):\n        return np.ones((1, 1))\n"

# name: (source of qgen_NAME, entry point or None for NAME = qgen_NAME:Part, extra arguments of
# install, message
# after "BrokenPlugin: backend 'NAME' comes from qgen-NAME 0.1.0")
CASES: dict[str, tuple[str, str | None, dict[str, Any], str]] = {
    "exits": (
        "import sys\nsys.exit(3)\n",
        None,
        {},
        ", which could not be imported: it called exit(3) on import",
    ),
    "divides": (
        "1 / 0\n",
        None,
        {},
        ", which could not be imported: ZeroDivisionError: division by zero",
    ),
    "silent": ("raise RuntimeError\n", None, {}, ", which could not be imported: RuntimeError"),
    "wordy": (
        "raise ImportError('\\n\\nPLEASE READ:\\n  it was built\\n  for another numpy\\n')\n",
        None,
        {},
        ", which could not be imported: PLEASE READ: it was built for another numpy",
    ),
    "misspelt": (
        "x = (1 +\n)\n",
        None,
        {},
        ", which could not be imported: SyntaxError: invalid syntax (__init__.py, line 2)",
    ),
    "old": (
        HEAD,
        None,
        {"requires": ("qgen-core<0.1",)},
        f", which needs qgen-core <0.1; installed is {__version__}",
    ),
    "half": (HEAD + "class Part(qgen.Backend):\n    pass\n", None, {}, ", whose Part lacks run"),
    "loss": (
        HEAD + "class Part(qgen.Loss):\n    reads = 'samples'\n    def __call__(self, output, "
        "batch): return 0.0, output\n",
        None,
        {},
        ", whose Part is of kind 'loss', not of kind 'backend'",
    ),
    "plain": (
        "class Part:\n    pass\n",
        None,
        {},
        ", whose Part is no component of qgen, not of kind 'backend'",
    ),
    "table": (
        "Part = {}\n",
        None,
        {},
        ", which offers an object of type dict where a factory is needed",
    ),
    "returns": (
        "def Part() -> dict:\n    return {}\n",
        None,
        {},
        ", whose dict is no component of qgen, not of kind 'backend'",
    ),
    "gone": (
        HEAD,
        None,
        {},
        ", which could not be imported: AttributeError: module 'qgen_gone' has no attribute 'Part'",
    ),
    "nowhere": (
        HEAD,
        "qgen_nowhere.inside:Part",
        {},
        ", which could not be imported: No module named 'qgen_nowhere.inside'",
    ),
    "scribble": (
        HEAD,
        "not a module!",
        {},
        ", which could not be imported: 'not a module!' names no module and attribute",
    ),
    "stars": (
        HEAD + f"class Part(qgen.Backend):\n    def __init__(self, **options): pass\n{RUN}",
        None,
        {},
        ", and takes **options, so its options cannot be checked",
    ),
    "star": (
        HEAD + f"class Part(qgen.Backend):\n    def __init__(self, *options): pass\n{RUN}",
        None,
        {},
        ", and takes *options, so its options cannot be checked",
    ),
    "unnamed": (
        HEAD + f"class Part(qgen.Backend):\n    def __init__(self, *, device: 'Missing' = None): "
        f"pass\n{RUN}",
        None,
        {},
        ", whose signature cannot be read: name 'Missing' is not defined",
    ),
    "absent": (
        HEAD + f"class Part(qgen.Backend):\n    def __init__(self, *, device: 'np.missing' = "
        f"None): pass\n{RUN}",
        None,
        {},
        ", whose signature cannot be read: module 'numpy' has no attribute 'missing'",
    ),
    "refuses": (
        HEAD + f"class Part(qgen.Backend):\n    def __init__(self): raise RuntimeError('no "
        f"device')\n{RUN}",
        None,
        {},
        ", and failed while it was built: RuntimeError: no device",
    ),
    "leaves": (
        HEAD + f"class Part(qgen.Backend):\n    def __init__(self): raise SystemExit(2)\n{RUN}",
        None,
        {},
        ", and failed while it was built: SystemExit: 2",
    ),
    "late": (
        HEAD
        + f"class Part(qgen.Backend):\n    def __init__(self): import qiskit_aer_absent\n{RUN}",
        None,
        {},
        ", which could not be imported: No module named 'qiskit_aer_absent'",
    ),
}


def put(shelf: Any, name: str) -> str:
    """Install a case; the message to expect of its backend."""
    source, target, extra, rest = CASES[name]
    entry = f"[qgen.backends]\n{name} = {target or f'qgen_{name}:Part'}\n"
    shelf.install(f"qgen-{name}", source, entry, **extra)
    return f"BrokenPlugin: backend '{name}' comes from qgen-{name} 0.1.0{rest}"


def still_fine(answer: dict[str, Any]) -> None:
    """The package in order is listed and works, and so do the core's own."""
    assert {"fine", "statevector"} <= set(answer["names"]["backend"])
    assert answer["names"]["backend"] == sorted(answer["names"]["backend"])
    assert answer["built"]["fine"] == {"type": "qgen_fine.FineBackend"}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_package_is_blamed_and_the_others_work(shelf: Any, name: str) -> None:
    message = put(shelf, name)
    answer, stderr = shelf.ask(["backend"], [("backend", name), ("backend", "fine")])
    assert name in answer["names"]["backend"]
    assert answer["built"][name] == {"error": message, "exit_code": 4}
    still_fine(answer)
    assert stderr == ""


def test_all_broken_packages_at_once(shelf: Any) -> None:
    messages = {name: put(shelf, name) for name in CASES}
    wanted = [*(("backend", name) for name in CASES), ("backend", "fine")]
    answer, _ = shelf.ask(["backend", "generator"], wanted)
    assert set(CASES) <= set(answer["names"]["backend"])
    assert "fine" in answer["names"]["generator"]
    assert {name: answer["built"][name].get("error") for name in CASES} == messages
    still_fine(answer)


@pytest.mark.parametrize(
    ("contracts", "reason"),
    [
        ([], ""),
        ([CONTRACT], ""),
        ([CONTRACT, CONTRACT + 1], ""),
        (
            [CONTRACT + 1, CONTRACT + 2],
            f"is written for contract {CONTRACT + 1}, newer than contract {CONTRACT} of qgen-core; "
            "`pip install --upgrade qgen-core` installs a newer core",
        ),
        (
            [OLDEST_CONTRACT - 1],
            f"is written for contract {OLDEST_CONTRACT - 1}, older than contract {OLDEST_CONTRACT},"
            " the oldest that qgen-core runs; `pip install --upgrade qgen-dated` installs a newer "
            "release of it",
        ),
        (
            ["one"],
            "declares the contract 'one', which is not a whole number; its author has to correct "
            "its pyproject.toml",
        ),
    ],
)
def test_a_plugin_of_another_contract_is_refused_before_its_import(
    shelf: Any, contracts: list[object], reason: str
) -> None:
    source = f"{HEAD}class Part(qgen.Backend):\n{RUN}"
    if reason:
        source = "raise AssertionError('it was imported')\n"
    lines = "".join(f"{version} = qgen_dated\n" for version in contracts)
    entries = f"[qgen.contract]\n{lines}[qgen.backends]\ndated = qgen_dated:Part\n"
    shelf.install("qgen-dated", source, entries)
    answer, _ = shelf.ask(["backend"], [("backend", "dated"), ("backend", "fine")])
    assert "dated" in answer["names"]["backend"]
    expected = {"type": "qgen_dated.Part"}
    if reason:
        message = f"BrokenPlugin: backend 'dated' comes from qgen-dated 0.1.0, which {reason}"
        expected = {"error": message, "exit_code": 4}
    assert answer["built"]["dated"] == expected
    still_fine(answer)


def test_the_missing_dependency_of_the_architecture(shelf: Any) -> None:
    source = HEAD + "import qiskit_aer\n"
    shelf.install("qgen-qiskit", source, "[qgen.backends]\naer = qgen_qiskit:Aer\n")
    block = shelf.folder / "qiskit_aer.py"  # absent also where the real one is installed
    block.write_text(
        "raise ModuleNotFoundError(\"No module named 'qiskit_aer'\", name='qiskit_aer')\n"
    )
    answer, _ = shelf.ask(
        ["backend"], [("backend", "aer"), ("backend", "fine")], QGEN_PLUGINS="qgen-qiskit,qgen-fine"
    )
    assert answer["built"]["aer"]["error"] == (
        "BrokenPlugin: backend 'aer' comes from qgen-qiskit 0.1.0, which could not be imported: "
        "No module named 'qiskit_aer'"
    )
    still_fine(answer)


def test_two_offers_of_one_name(shelf: Any) -> None:
    for name in ("qgen-ghz", "qgen-states"):
        source = HEAD + (
            "class Part(qgen.Generator):\n    def sample(self, n, condition=None, *, rng): "
            "return np.zeros((n, 1))\n"
        )
        shelf.install(name, source, f"[qgen.generators]\nghz = {name.replace('-', '_')}:Part\n")
    wanted = [
        ("generator", name)
        for name in ("ghz", "qgen-ghz:ghz", "qgen-states:ghz", "qgen-fine:ghz", "fine")
    ]
    answer, _ = shelf.ask(["generator"], wanted)
    assert answer["built"]["ghz"] == {
        "error": "TwoOffers: generator 'ghz' is offered by qgen-ghz and qgen-states; choose "
        "one by its package, e.g. 'qgen-ghz:ghz'",
        "exit_code": 4,
    }
    assert answer["built"]["qgen-ghz:ghz"] == {"type": "qgen_ghz.Part"}
    assert answer["built"]["qgen-states:ghz"] == {"type": "qgen_states.Part"}
    assert answer["built"]["qgen-fine:ghz"]["error"].startswith(
        "UnknownName: no generator 'qgen-fine:ghz'; installed:"
    )
    assert answer["built"]["fine"] == {"type": "qgen_fine.FineGenerator"}
    assert answer["names"]["generator"].count("ghz") == 1


@pytest.mark.parametrize(
    "metadata", [None, b"Name: qgen-\xff\xfe\nVersion: 1\n"], ids=["absent", "not-utf8"]
)
def test_a_package_without_readable_metadata_goes_by_its_module(
    shelf: Any, metadata: bytes | None
) -> None:
    source = HEAD + f"class Part(qgen.Backend):\n{RUN}class Half(qgen.Backend):\n    pass\n"
    entries = "[qgen.backends]\nbare = qgen_bare:Part\nbare-half = qgen_bare:Half\n"
    shelf.install("qgen-bare", source, entries, metadata=metadata)
    answer, _ = shelf.ask(["backend"], [("backend", n) for n in ("bare", "bare-half", "fine")])
    assert answer["built"]["bare"] == {"type": "qgen_bare.Part"}
    assert answer["built"]["bare-half"]["error"] == (
        "BrokenPlugin: backend 'bare-half' comes from qgen_bare unknown, whose Half lacks run"
    )
    still_fine(answer)


@pytest.mark.parametrize(
    "text",
    ["[qgen.backends]\nbroken\n", "[qgen.backends]\nbad = \udcff:x\n"],
    ids=["no-equals", "not-utf8"],
)
def test_a_malformed_entry_points_file_leaves_out_its_package_only(shelf: Any, text: str) -> None:
    shelf.install("qgen-scrawl", HEAD, "[qgen.backends]\nscrawl = qgen_scrawl:Part\n")
    file = shelf.folder / "qgen_scrawl-0.1.0.dist-info" / "entry_points.txt"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    answer, stderr = shelf.ask(["backend"], [("backend", "fine"), ("backend", "scrawl")])
    still_fine(answer)
    assert "scrawl" not in answer["names"]["backend"]
    assert answer["built"]["scrawl"]["error"].startswith(
        "UnknownName: no backend 'scrawl'; installed:"
    )
    assert "qgen_scrawl-0.1.0.dist-info is left out, its entry points cannot be read:" in stderr


@pytest.mark.parametrize(
    ("requires", "works"),
    [
        ("qgen-core>=0.1", True),
        ("qgen_core<0.1", False),
        ("qgen-core<0.1; extra == 'old'", True),
        ("qgen-core<0.1; python_version < '3'", True),
        ("qgen-core>=99", False),
        ("this is no requirement", True),
    ],
)
def test_which_core_a_package_asks_for(shelf: Any, requires: str, works: bool) -> None:
    source = HEAD + f"class Part(qgen.Backend):\n{RUN}"
    shelf.install(
        "qgen-asks", source, "[qgen.backends]\nasks = qgen_asks:Part\n", requires=(requires,)
    )
    answer, _ = shelf.ask(["backend"], [("backend", "asks"), ("backend", "fine")])
    assert ("type" in answer["built"]["asks"]) == works
    still_fine(answer)


def test_an_interrupt_from_the_keyboard_is_not_blamed_on_a_package(only_shelf: Any) -> None:
    from qgen_core.discovery.entry_points import entries

    entry = next(e for e in entries("qgen.backends") if e.name == "fine")
    with pytest.raises(KeyboardInterrupt), import_failures("backend 'fine'", entry):
        raise KeyboardInterrupt


def test_what_pip_leaves_is_found_and_the_same(shelf: Any, tmp_path: Path) -> None:
    """The packages above are laid out by hand; this one is put there by pip, from a wheel."""
    import subprocess

    wheel = tmp_path / "qgen_wheel-0.2.0-py3-none-any.whl"
    info = "qgen_wheel-0.2.0.dist-info"
    files = {
        "qgen_wheel/__init__.py": HEAD + f"class Part(qgen.Backend):\n{RUN}",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: qgen-wheel\nVersion: 0.2.0\n"
        "Requires-Dist: qgen-core>=0.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: "
        "py3-none-any\n",
        f"{info}/entry_points.txt": "[qgen.backends]\nwheel = qgen_wheel:Part\nwheel-gone = "
        "qgen_wheel:Gone\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(
            f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(shelf.folder), str(wheel)], check=True, timeout=120)
    answer, _ = shelf.ask(["backend"], [("backend", n) for n in ("wheel", "wheel-gone", "fine")])
    assert answer["built"]["wheel"] == {"type": "qgen_wheel.Part"}
    assert answer["built"]["wheel-gone"]["error"] == (
        "BrokenPlugin: backend 'wheel-gone' comes from qgen-wheel 0.2.0, which could not be "
        "imported: "
        "AttributeError: module 'qgen_wheel' has no attribute 'Gone'"
    )
    still_fine(answer)
