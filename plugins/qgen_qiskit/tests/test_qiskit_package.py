"""The package from outside: its README, and what happens where Qiskit is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

LOADS = """
import sys
for name in ("qiskit", "qiskit_aer", "qiskit_ibm_runtime"):
    sys.modules[name] = None
import importlib.metadata as metadata
entries = metadata.distribution("qgen-qiskit").entry_points
found = [entry for entry in entries if entry.group != "qgen.contract"]
for entry in found:
    entry.load()
print(*sorted(e.name for e in found))
"""
USES = """
import sys
sys.modules[{module!r}] = None
import qgen_core as qgen
from qgen_core.errors import BrokenPlugin
try:
    {call}
except BrokenPlugin as error:
    print(error, error.exit_code)
"""
NOISE = "qgen.noise('ibm_fez')(qgen.Circuit(1, ()), qgen.Probabilities())"


def said(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_works() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})


def test_entry_points_load() -> None:
    assert said(LOADS).split() == [
        "aer",
        "ibm",
        "ibm-device",
        "ibm_cairo",
        "ibm_casablanca",
        "ibm_fez",
        "ibm_guadalupe",
        "qiskit-statevector",
    ]


@pytest.mark.parametrize(
    ("module", "call", "who", "package"),
    [
        ("qiskit_aer", "qgen.backend('aer')", "backend 'aer'", "qiskit-aer"),
        ("qiskit", "qgen.backend('qiskit-statevector')", "backend 'qiskit-statevector'", "qiskit"),
        ("qiskit_ibm_runtime", NOISE, "noise 'ibm_fez'", "qiskit-ibm-runtime"),
    ],
)
def test_what_is_missing_is_named(module: str, call: str, who: str, package: str) -> None:
    text = said(USES.format(module=module, call=call))
    assert f"{who} needs the package {package}; `pip install {package}` installs it" in text
    assert text.strip().endswith("4")
