"""The file of each finished cell, with a checksum that reveals damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgen_core.studies.cells import Cell, digest
from qgen_core.studies.results import Result
from qgen_core.support.files import write_durably


def read_cell(folder: Path, key: str, cell: Cell | None = None) -> Result | None:
    """The stored result of a cell; None if there is none or its file is damaged.

    Tags are not stored: with ``cell`` the result belongs to that cell, which has them.
    """
    try:
        file = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        content = file["content"]
        if digest(content) != file["sha256"]:
            return None
        stored = Cell(**content.pop("cell"))
        return Result(cell or stored, key, **content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_cell(folder: Path, key: str, cell: Cell, answer: Mapping[str, Any]) -> None:
    """Store the answer of a finished cell, and remove the folder that it worked in."""
    content = {"cell": cell.content, **answer}
    checksum = digest(content)
    text = json.dumps({"sha256": checksum, "content": content})
    write_durably(folder / f"{key}.json", text.encode())
    shutil.rmtree(folder / key, ignore_errors=True)
