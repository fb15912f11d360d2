"""Commands of the documentation: run in this process, or checked without running them."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path

import typer.main
from docs_blocks import ROOT

from qgen_core import cli

#: Commands that take long or install packages, and are therefore never run.
NEVER_RUN = (
    r"make ",
    r"pip ",
    r"git ",
    r"python -m pip ",
    r"python -m benchmarks",
    r"qgen reproduce ",
    r"qgen data .*--events",
)


def lines_of(text: str) -> list[str]:
    """Commands, one a line, with lines that end in a backslash joined and prompts removed."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.removeprefix("$ ").strip() for line in joined.splitlines() if line.strip(" $")]


def run(line: str, import_path: list[Path]) -> str:
    """Run one command and return what it prints.

    Raises AssertionError when its exit code is not the expected one, 0 by default.
    """
    command, _, comment = line.partition(" #")
    expected = 0
    code = re.search(r"exit code (\d+)", comment)
    if code:
        expected = int(code[1])
    words = shlex.split(command)
    if words[0] == "qgen":
        found, printed = _qgen(words[1:])
    elif words[:3] == ["python", "-m", "pytest"]:
        found, printed = _pytest(words[3:], import_path)
    else:
        raise AssertionError(
            f"{line!r} cannot be run; say <!-- checked, not run: WHY --> before the block"
        )
    assert found == expected, f"{line!r} ended with {found}, not {expected}:\n{printed}"
    return printed


def _qgen(arguments: list[str]) -> tuple[int, str]:
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            cli.main(arguments)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return code, printed.getvalue()


def _pytest(arguments: list[str], import_path: list[Path]) -> tuple[int, str]:
    path = os.pathsep.join([*map(str, import_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def never_run(line: str) -> bool:
    """Whether a command is known to take long, or to install."""
    return any(re.match(pattern, line) for pattern in NEVER_RUN)


def check(line: str) -> None:
    """Raise AssertionError unless the targets, paths, extras, subcommands and modules exist."""
    words = shlex.split(line, comments=True)
    if not words or words[0] in ("if", "fi", "for", "done", "cd"):
        return
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = re.findall(r"^([\w-]+):", makefile, flags=re.MULTILINE)
        for word in words[1:]:
            is_target = word[0] != "-" and "=" not in word
            assert not is_target or word in targets, f"{line!r}: no such target"
    elif "pip" in words[:3]:
        _check_pip(line, words[words.index("install") + 1 :])
    elif words[0] == "qgen":
        whole = typer.main.get_command(cli.app)
        known = [option for parameter in whole.params for option in parameter.opts]
        known += whole.commands  # type: ignore[attr-defined]
        assert words[1] in known, f"{line!r}: no such subcommand or option"
    elif words[:2] == ["python", "-m"]:
        assert (ROOT / words[2].replace(".", "/")).exists() or import_module(words[2]), line
    elif words[0] != "git":
        raise AssertionError(f"{line!r}: there is no check for this command")


def _check_pip(line: str, words: list[str]) -> None:
    for before, word in zip(["", *words], words, strict=False):
        if before in ("-c", "-r"):
            assert (ROOT / word).is_file(), f"{line!r}: no file {word}"
        elif word.startswith("."):
            folder, _, extras = word.partition("[")
            metadata = (place_of(folder) / "pyproject.toml").read_text(encoding="utf-8")
            project = tomllib.loads(metadata)["project"]
            wanted = set(filter(None, extras.rstrip("]").split(",")))
            assert wanted <= set(project.get("optional-dependencies", {})), (
                f"{line!r}: no such extra"
            )


def place_of(folder: str) -> Path:
    """The folder of a package that the page itself wrote, or of one in the repository."""
    written = Path(folder)
    if (written / "pyproject.toml").exists():
        return written
    return ROOT / folder


def install(folder: Path) -> Path:
    """Write a package's metadata beside its source, as ``pip install -e`` does; the import path."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = (folder / "src").resolve()
    info = source / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    requires = "".join(f"Requires-Dist: {need}\n" for need in project.get("dependencies", []))
    head = (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{requires}"
    )
    (info / "METADATA").write_text(head, encoding="utf-8")
    lines = []
    for group, names in project["entry-points"].items():
        lines.append(f"[{group}]")
        lines += [f"{name} = {target}" for name, target in names.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return source
