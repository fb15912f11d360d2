"""``slow_generate.py FOLDER OUTPUT SECONDS``: ``qgen generate``, slowly, with a trained toy run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import toyset

from qgen_core import cli
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe

EVENTS = 30


def main(folder: str, output: str, seconds: float) -> None:
    toyset.offer()
    if not Path(folder).exists():
        runs.train(Recipe.parse(toyset.RECIPE).changed(["trainer.steps=2"]), folder)
    runs.PIECE = 10
    piece = runs.Run._piece

    def slow(self, *arguments):
        found = piece(self, *arguments)
        if list(Path(output).parent.glob("*.tmp")):
            print("writing", file=sys.stderr, flush=True)  # stdout holds results only
        time.sleep(seconds)
        return found

    runs.Run._piece = slow
    cli.main(["generate", folder, "-n", str(EVENTS), "-o", output])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
