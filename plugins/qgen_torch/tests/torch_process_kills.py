"""Kill one of two processes of a training and resume both: ``torch_process_kills.py FOLDER STEPS``.

Prints JSON: for each case and rank that is killed, how the processes of the first life ended and
how those of the second did. Their results are in the folder CASE-RANK. The processes are forked, so
that torch is imported once; torchrun itself is tried by a longer test.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from pathlib import Path

import torch_processes

KILLS = (("averages", 0), ("averages", 1), ("chains", 0), ("chains", 1))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def process(rank: int, port: int, folder: Path, steps: int, case: str) -> int:
    """Fork a process of this rank; its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
        os.environ["MASTER_PORT"] = str(port)
        torch_processes.main(folder, steps, [case])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def life(folder: Path, steps: int, case: str) -> list[int]:
    """The exit codes of two processes that train together."""
    port = free_port()
    children = [process(rank, port, folder, steps, case) for rank in range(2)]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main(folder: Path, steps: int) -> None:
    found = {}
    for case, rank in KILLS:
        torch_processes.CASES[case](steps)  # what torch imports at first use is there before forks
        place = folder / f"{case}-{rank}"
        place.mkdir()
        os.environ.update(KILL_RANK=str(rank), KILL_STEP=str(steps // 2))
        first = life(place, steps, case)
        del os.environ["KILL_RANK"]
        found[place.name] = {"first": first, "second": life(place, steps, case)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
