"""The outcome of a study: its results, tables and figures, printed and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qgen_core.studies.results import Results
from qgen_core.studies.tables import Table
from qgen_core.support.files import write_durably


@dataclass(frozen=True)
class Outcome:
    """A study as far as it has been run. ``failed`` has the errors of failed cells by key.

    >>> from qgen_core.studies import Cell, Result
    >>> cell = Cell({"seed": 1}, {"trained": {}})
    >>> done = Result(cell, "3e19", {"trained": 0.25}, cpu_seconds=30.0)
    >>> to_do = Result(Cell({"seed": 2}, {"trained": {}}), "209b")
    >>> table = Table("Loss", ["loss"], [["0.25"]])
    >>> outcome = Outcome("example", "runs/example", True, Results([done, to_do]), [table], [], {})
    >>> outcome.done
    1
    >>> print(outcome.markdown())
    Study `example`, quick setting: 1 of 2 cells; 1 are missing, 0.5 minutes of processor time.
    <BLANKLINE>
    ### Loss
    <BLANKLINE>
    | loss |
    |------|
    | 0.25 |
    <BLANKLINE>
    """

    name: str
    folder: Path
    quick: bool
    results: Results
    tables: Sequence[Table]
    figures: Sequence[Path]
    failed: Mapping[str, str]

    @property
    def done(self) -> int:
        """The number of cells that have a result."""
        return len(self.results) - self.results.missing

    def data(self) -> dict[str, Any]:
        """Everything as plain data, as it is written to results.json."""
        versions: list[Mapping[str, str]] = []
        cells = []
        for result in self.results:
            row = asdict(result)
            row["versions"] = None
            if result.versions:
                if result.versions not in versions:
                    versions.append(result.versions)
                row["versions"] = versions.index(result.versions)
            cells.append(row)
        return {
            "study": self.name,
            "quick": self.quick,
            "done": self.done,
            "of": len(self.results),
            "seconds": round(sum(result.seconds for result in self.results), 1),
            "cpu_seconds": round(sum(result.cpu_seconds for result in self.results), 1),
            "versions": versions,
            "failed": dict(self.failed),
            "tables": [asdict(table) for table in self.tables],
            "figures": [path.name for path in self.figures],
            "cells": cells,
        }

    def markdown(self) -> str:
        """The tables, and how much of the study they show."""
        setting = "quick" if self.quick else "full"
        cells = f"{self.done} of {len(self.results)} cells"
        if self.results.missing:
            cells += f"; {self.results.missing} are missing"
        minutes = sum(result.cpu_seconds for result in self.results) / 60
        head = (
            f"Study `{self.name}`, {setting} setting: {cells}, "
            f"{minutes:.1f} minutes of processor time."
        )
        texts = [head, *(table.markdown() for table in self.tables)]
        return "\n\n".join(texts) + "\n"

    def write(self, folder: str | Path) -> None:
        """Write ``results.json`` and ``tables.md`` into a folder.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Outcome("example", "runs/example", True, Results(), [], [], {}).write(folder)
        ...     print((Path(folder) / "tables.md").read_text(), end="")
        Study `example`, quick setting: 0 of 0 cells, 0.0 minutes of processor time.
        """
        data = self.data()
        # one cell a line
        cells = ",\n".join(json.dumps(cell) for cell in data.pop("cells"))
        head = json.dumps(data, indent=1).removesuffix("\n}")
        text = f'{head},\n "cells": [\n{cells}\n ]\n}}\n'
        write_durably(Path(folder) / "results.json", text.encode())
        write_durably(Path(folder) / "tables.md", self.markdown().encode())
