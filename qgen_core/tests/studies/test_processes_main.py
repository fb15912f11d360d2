"""The executor ``processes`` in scripts with a main guard and in scripts without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FIRST = """
print("the script runs", flush=True)
from qgen_core.studies.executors.processes import ProcessesExecutor
"""
WORK = """
print(sorted(ProcessesExecutor(workers=1)({work}, ["1.5", "2.5"])), flush=True)
"""
GUARDED = """
def double(text):
    return str(2 * float(text))

if __name__ == "__main__":
    print(sorted(ProcessesExecutor(workers=1)(double, ["1.5", "2.5"])), flush=True)
"""


@pytest.mark.parametrize(
    ("source", "way", "answer", "runs"),
    [
        (FIRST + WORK.format(work="ascii"), "file", [(0, "'1.5'"), (1, "'2.5'")], 1),
        (FIRST + WORK.format(work="ascii"), "stdin", [(0, "'1.5'"), (1, "'2.5'")], 1),
        (FIRST + GUARDED, "file", [(0, "3.0"), (1, "5.0")], 2),
    ],
    ids=["unguarded", "stdin", "guarded"],
)
def test_scripts(
    source: str, way: str, answer: list[tuple[int, str]], runs: int, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(source, encoding="utf-8")
    command = [sys.executable, str(script)]
    text = None
    if way == "stdin":
        command = [sys.executable]
        text = source
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == str(answer)
    assert lines.count("the script runs") == runs, "a worker imports a script with a guard only"
