"""One group of cases in one process: ``python -m benchmarks.group NAME OPTIONS``, results as JSON
lines.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from benchmarks.context import Context
from benchmarks.settings import bind_to_one_core


def main(name: str, options: str, out: str) -> None:
    """Run the group and write each case as it is done, so that nothing is lost when a later one
    fails.
    """
    group = importlib.import_module(f"benchmarks.cases.{name}")
    if group.THREADS == 1:
        bind_to_one_core()
    given = json.loads(options)
    context = Context(given["quick"], Path(given["environments"]), tuple(given["wanted"]))
    with Path(out).open("w") as file:
        for case in group.run(context):
            file.write(json.dumps(case) + "\n")
            file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
