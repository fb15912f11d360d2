"""Pages in Chromium, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--enable-logging=stderr",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--dump-dom",
)
#: The narrowest window that Chromium has without a screen.
NARROWEST = 500


def dom_after(page: Path, script: str, folder: Path, width: int = 1280) -> str:
    """The page as Chromium holds it after a script at its end has run; nothing may be logged.

    ``folder`` takes the files of the browser. Skips the test where there is no Chromium.
    """
    found = [shutil.which(name) for name in NAMES]
    programs = [program for program in found if program is not None]
    if not programs:
        pytest.skip("needs Chromium, which CI installs")
    probe = folder / "page.html"
    text = page.read_text(encoding="utf-8")
    text = text.replace("</body>", f"<script>{script}</script></body>")
    probe.write_text(text, encoding="utf-8")
    places = [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},2000"]
    done = subprocess.run(
        [programs[0], *FLAGS, *places, probe.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout
