"""The commands that install or repair a package of this project, in messages."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from qgen_core.discovery.entry_points import CORE

#: The folder of the core below that of a clone, and the folder of the plugins.
CORE_FOLDER = "qgen_core"
PLUGINS_FOLDER = "plugins"


def install_command(distribution: str, *, extra: str = "", again: bool = False) -> str:
    """The ``pip`` command that installs a package, as it can be had here.

    A package that was installed from a folder is installed from it again. A plugin of this project
    comes from the clone that the core was installed from, and from the package index otherwise.

    Args:
        distribution: the package, e.g. ``"qgen-qiskit"``.
        extra: an extra of the package, e.g. ``"cma"``.
        again: whether the command repairs a package that is installed.

    >>> install_command("cirq-core")
    'pip install cirq-core'
    >>> install_command("cirq-core", again=True)
    'pip install --force-reinstall cirq-core'
    """
    source = distribution
    folder = _folder_of(distribution) or _folder_in_clone(distribution)
    if folder is not None:
        source = str(folder)
    if extra:
        source += f"[{extra}]"
    options = ""
    if again:
        options = "--force-reinstall "
    return f"pip install {options}{shlex.quote(source)}"


def source_of(distribution: str) -> str:
    """Where a plugin of this project comes from, as the subject of "provides it".

    It is the command that installs it, unless the core was installed from a clone that does not
    hold the plugin: the name of a package that no index has yet would not help.

    >>> source_of("no-such-plugin") in (
    ...     "`pip install no-such-plugin`",
    ...     "no-such-plugin, a package that this clone does not hold yet,",
    ... )
    True
    """
    folder = _folder_of(distribution) or _folder_in_clone(distribution)
    if folder is None and _folder_of(CORE) is not None:
        return f"{distribution}, a package that this clone does not hold yet,"
    return f"`{install_command(distribution)}`"


def _folder_of(distribution: str) -> Path | None:
    """The folder that an installed package was installed from; None for one from an index."""
    try:
        text = importlib.metadata.distribution(distribution).read_text("direct_url.json")
        url = urlsplit(json.loads(text or "{}").get("url", ""))
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, AttributeError):
        return None
    folder = Path(unquote(url.path))
    if url.scheme == "file" and (folder / "pyproject.toml").is_file():
        return folder
    return None


def _folder_in_clone(distribution: str) -> Path | None:
    """The folder of a plugin beside the core that is in use; None without a clone or without it."""
    core = _folder_of(CORE)
    if core is None or core.name != CORE_FOLDER:
        return None
    folder = core.parent / PLUGINS_FOLDER / distribution.replace("-", "_")
    if (folder / "pyproject.toml").is_file():
        return folder
    return None
