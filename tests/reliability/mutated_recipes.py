"""Mutated recipes, parsed and built: ``mutated_recipes.py TRIES SEED``.

Prints JSON: how many were valid, how many were refused with a QgenError, and the others. Memory is
limited, so that something huge that is built before it is refused shows as a crash.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial

import toyset
from recipe_mutations import mutate, mutate_values

from qgen_core.errors import QgenError
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe

MEMORY = 6 * 2**30
#: Building a recipe that takes longer hangs.
SECONDS = 30


def end_of(read: Callable[[], Recipe]) -> str:
    """How reading a recipe and building its components ends."""
    signal.alarm(SECONDS)
    try:
        Assembly(read()).check()
    except QgenError:
        return "refused"
    except Exception:
        traceback.print_exc()
        return "crashed"
    finally:
        signal.alarm(0)
    return "right"


def on_alarm(number: int, frame: object) -> None:
    raise TimeoutError(f"building took more than {SECONDS} s")


def main(tries: int, seed: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, on_alarm)
    toyset.offer()
    rng = random.Random(seed)
    whole = Recipe.parse(toyset.RECIPE).to_dict()
    ends: Counter[str] = Counter()
    for number in range(tries):
        if number % 4 == 0:
            text = mutate(toyset.RECIPE, rng)
            end = end_of(partial(Recipe.parse, text))
        else:
            tables = mutate_values(whole, rng)
            text = repr(tables)
            end = end_of(partial(Recipe.from_dict, tables))
        if end == "crashed":
            print(text, file=sys.stderr)
        ends[end] += 1
    print(json.dumps(ends))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
