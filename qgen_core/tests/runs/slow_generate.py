"""``slow_generate.py FOLDER OUTPUT SECONDS``: ``qgen generate``, slowly, with a trained toy run.

The bits come from numpy, because loading the compiled engine would take seconds in each process.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import toyset

from qgen_core import cli
from qgen_core.generators.qcbm import CircuitBornMachine
from qgen_core.runs import run as runs

EVENTS = 30
#: Of the recipe: two for each of two columns.
BITS = 4


def draw(model, n, condition=None, *, rng):
    return rng.integers(2, size=(n, BITS), dtype="int8")


def main(folder: str, output: str, seconds: float) -> None:
    toyset.offer()
    runs.PIECE = 10
    CircuitBornMachine.sample = draw
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
