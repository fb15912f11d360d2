"""Processes that see nothing of this source tree or of the settings of the tests around them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def clean_environment() -> dict[str, str]:
    """The environment without a trace of this source tree or of coverage and pytest settings."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "QGEN_PLUGINS")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def call(*command: str | Path, cwd: Path, code: int = 0, timeout: float = 300) -> str:
    """What a command says; it must end with this exit code."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
