"""Job arrays for batch farms: cells as files, which jobs run without any service.

``emit`` writes the cells that have no result yet, each as a file, with a list of them and a script
for the batch system. Each job of the array runs one share of the list by ``qgen cells`` and stores
results where the study looks for them.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from string import Template
from typing import Any

from qgen_core.discovery import registry
from qgen_core.errors import BadOption, Busy, DataError, UnknownName
from qgen_core.runs.lock import RunLock
from qgen_core.studies.cell_files import read_cell
from qgen_core.studies.cells import Cell, canonical, key_of
from qgen_core.studies.plan import Plan
from qgen_core.studies.running import raise_first, run_missing
from qgen_core.studies.trial import patiently
from qgen_core.support.files import make_folder, write_durably

#: Arrays of more jobs are refused by many farms.
MOST_JOBS = 1000
SHARE = Template("""\
#!/bin/bash
# Runs one share of the cells: share.sh NUMBER. Exit code 75: stopped and saved, run it again.
set -eu
cd $folder
export OMP_NUM_THREADS=1
exec $python -m qgen_core cells . --share "$$1/$jobs"
""")
SYSTEMS: Mapping[str, tuple[str, Template, str]] = {
    "htcondor": (
        "array.sub",
        Template("""\
# $count cells in $jobs jobs. Submit it with: condor_submit array.sub
executable = $folder/share.sh
arguments = $$(share)
initialdir = $folder
output = logs/$$(share).out
error = logs/$$(share).err
log = logs/array.log
request_cpus = 1
request_memory = 2 GB
# Jobs run in a folder that all machines see.
should_transfer_files = NO
# A job that is evicted or stopped by a time limit continues from its checkpoints.
max_retries = 5
queue share from shares.txt
"""),
        "condor_submit",
    ),
    "slurm": (
        "array.sh",
        Template("""\
#!/bin/bash
# $count cells in $jobs jobs. Submit it with: sbatch array.sh
#SBATCH --job-name=qgen
#SBATCH --array=1-$jobs
#SBATCH --chdir=$folder
#SBATCH --output=logs/%a.out
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=04:00:00
# A job that is preempted is queued again and continues from its checkpoints; before the time limit
# it is told to save.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@60
exec bash share.sh "$$SLURM_ARRAY_TASK_ID"
"""),
        "sbatch",
    ),
}


def emit(
    study: registry.Ref,
    folder: str | Path | None = None,
    *,
    system: str,
    jobs: int | None = None,
    quick: bool = False,
) -> tuple[Path, str]:
    """Write a job array for the cells that have no result yet, into a new folder ``jobs/NUMBER``.

    Args:
        study: its name, or a table with ``name`` and options.
        folder: where cells and results are stored, as for ``reproduce``; all machines of the farm
            have to see it under this path.
        system: ``htcondor`` or ``slurm``.
        jobs: how many jobs share the cells; None: one for each cell, at most 1000.
        quick: take the small setting of the study.

    Of a search these are the cells of the round that is to be run next.

    Returns the file to submit, and the command for it. Raises UnknownName for another system;
    BadOption for fewer than one job, a folder with blanks in its path, and if no cell is missing.

    >>> import tempfile
    >>> from qgen_core.discovery import registry
    >>> registry.register("dataset", "to-emit", list)
    >>> names = {"dataset": "to-emit", "encoder": "binning", "generator": "qcbm", "loss": "js"}
    >>> recipe = {**names, "trainer": "adam"}
    >>> ref = {"name": "scan", "recipe": recipe, "axes": {"trainer.steps": [10, 20, 30]}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file, command = emit(ref, folder, system="slurm", jobs=2)
    ...     print(command, file.name, len((file.parent / "cells.txt").read_text().split()))
    sbatch array.sh 3
    """
    if system not in SYSTEMS:
        raise UnknownName(f"no batch system {system!r}; there are {', '.join(SYSTEMS)}")
    if jobs is not None and not 1 <= jobs <= MOST_JOBS:
        raise BadOption(f"jobs are 1 to {MOST_JOBS}, not {jobs}")
    plan = Plan(study, folder, quick=quick)
    missing = _missing(plan)
    while not missing and plan.grow():
        missing = _missing(plan)
    if not missing:
        raise BadOption(
            f"all {len(plan.cells)} cells in {plan.folder} have results; the same command without "
            "--emit makes the tables"
        )
    count = min(jobs or MOST_JOBS, len(missing))
    parent = plan.folder.resolve() / "jobs"
    for path in (str(parent), sys.executable):
        if path != shlex.quote(path):
            raise BadOption(f"batch systems do not take {path!r}; choose a path without blanks")
    into = _new_folder(parent)
    for key in missing:
        cell = plan.cells[key]
        content = {"study": dict(plan.ref), "cell": cell.content, "tags": dict(cell.tags)}
        write_durably(into / "cells" / f"{key}.json", canonical(content).encode())
    _write_lines(into / "cells.txt", missing)
    _write_lines(into / "shares.txt", [str(number) for number in range(1, count + 1)])
    values = {
        "folder": str(into),
        "python": sys.executable,
        "jobs": str(count),
        "count": str(len(missing)),
    }
    share = into / "share.sh"
    write_durably(share, SHARE.substitute(values).encode())
    share.chmod(0o755)
    name, template, command = SYSTEMS[system]
    write_durably(into / name, template.substitute(values).encode())
    return into / name, command


def run_share(folder: str | Path, number: int, of: int) -> tuple[int, int]:
    """Run every ``of``-th cell of an emitted array, beginning with cell ``number``.

    Cells that have a result are left as they are, so a share that was stopped or killed continues
    when it is run again. Returns how many cells the share has, and how many were run.

    Raises BadOption for a number that is not 1 to ``of``; DataError for a folder that is no emitted
    array, damaged files, and cells of other versions of the packages than those installed here;
    Busy while another process runs the share; Interrupted on SIGINT and SIGTERM; the error of the
    first failed cell after the others have been run.

    >>> run_share("jobs/1", 3, 2)
    Traceback (most recent call last):
    qgen_core.errors.BadOption: BadOption: a share is K/N with K from 1 to N, not 3/2
    """
    if not 1 <= number <= of:
        raise BadOption(f"a share is K/N with K from 1 to N, not {number}/{of}")
    array = Path(folder).resolve()
    cells = {}
    refs = []
    for key in _lines(array / "cells.txt")[number - 1 :: of]:
        ref, cells[key] = _read(array / "cells" / f"{key}.json", key)
        refs.append(ref)
    if not cells:
        return 0, 0
    study = array.parent.parent
    stored = [key for key in cells if read_cell(study / "cells", key) is not None]
    with ExitStack() as stack:
        lock = RunLock(array / "shares" / f"{number}-of-{of}")
        patiently(lambda: stack.enter_context(lock))
        what = f"share {number} of {of}"
        failed = run_missing(refs[0], cells, study / "cells", "serial", what)
    raise_first(failed, len(cells))
    return len(cells), len(cells) - len(stored)


def refuse_while_shares_run(folder: Path) -> None:
    """Raise Busy while a job runs a share of the study in this folder."""
    for lock in folder.glob("jobs/*/shares/*/lock.json"):
        try:
            with RunLock(lock.parent):
                pass
        except Busy as busy:
            raise Busy(
                f"jobs run cells of {folder}: {busy.args[0]}; --show tabulates what there is"
            ) from busy


def _missing(plan: Plan) -> list[str]:
    return [key for key in plan.cells if read_cell(plan.cell_folder, key) is None]


def _new_folder(parent: Path) -> Path:
    """The folder of the next array: earlier ones stay, since their jobs may still run."""
    make_folder(parent)
    number = 1
    while (parent / str(number)).exists():
        number += 1
    into = parent / str(number)
    for folder in (into / "cells", into / "logs", into / "shares"):
        make_folder(folder)
    return into


def _write_lines(path: Path, lines: list[str]) -> None:
    write_durably(path, "".join(f"{line}\n" for line in lines).encode())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); give the folder that --emit has written"
        ) from error


def _read(path: Path, key: str) -> tuple[dict[str, Any], Cell]:
    """The study and the cell of a file; its name is the hash of its content."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        ref = dict(content["study"])
        cell = Cell(**content["cell"], tags=content["tags"])
        found = key_of(ref["name"], cell)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); write the array anew with --emit") from error
    if found != key:
        raise DataError(
            f"{path} was written with other versions of the packages than are installed here, or "
            "is damaged; install the same ones, or write the array anew with --emit"
        )
    return ref, cell
