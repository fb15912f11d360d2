"""Running a study: the cells that have no result yet, then tables and figures of all."""

from __future__ import annotations

from pathlib import Path

from qgen_core.discovery import registry
from qgen_core.runs.lock import RunLock
from qgen_core.studies.jobs import refuse_while_shares_run
from qgen_core.studies.outcome import Outcome
from qgen_core.studies.plan import Plan
from qgen_core.studies.running import raise_first, run_missing
from qgen_core.support.files import make_folder


def reproduce(
    study: registry.Ref,
    folder: str | Path | None = None,
    *,
    quick: bool = False,
    executor: registry.Ref = "serial",
    show: bool = False,
) -> Outcome:
    """Run the cells of a study that have no result yet; tabulate and draw all that have one.

    Args:
        study: its name, or a table with ``name`` and options.
        folder: where cells and results are stored, by default ``runs/NAME`` or
            ``runs/NAME-quick``: one file for each finished cell in ``cells``; results.json,
            tables.md and the figures in ``result``.
        quick: run the small setting of the study.
        executor: what runs the cells: a name, or a table with ``name`` and options.
        show: run nothing.

    Raises:
        Interrupted: on SIGINT and SIGTERM, after running trainings have been saved.
        Busy: another process works in the folder.
        QgenError: the error of the first failed cell, after all others have been run.

    >>> import tempfile
    >>> from qgen_core.studies import Cell, Study, Table
    >>> class Squares(Study):
    ...     measurements = {"square": lambda trial: trial.recipe.seed**2}
    ...
    ...     def cells(self, *, quick):
    ...         recipe = {
    ...             "dataset": "any",
    ...             "encoder": "binning",
    ...             "generator": "qcbm",
    ...             "loss": "js",
    ...             "trainer": "adam",
    ...         }
    ...         found = []
    ...         for seed in [1, 2, 3]:
    ...             found.append(Cell({**recipe, "seed": seed}, {"square": {}}, {"seed": seed}))
    ...         return found
    ...
    ...     def tables(self, results):
    ...         text = results.summary(float).text()
    ...         return [Table("Squares", ["mean"], [[text]])]
    >>> registry.register("study", "squares", Squares)
    >>> registry.register("dataset", "any", list)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outcome = reproduce("squares", folder)
    >>> outcome.results.one(seed=3).data()
    9
    """
    plan = Plan(study, folder, quick=quick)
    failed: dict[str, str] = {}
    while True:
        if not show:
            with RunLock(plan.folder):
                refuse_while_shares_run(plan.folder)
                what = f"study {plan.title}"
                failed = run_missing(plan.ref, plan.cells, plan.cell_folder, executor, what)
        if failed or not plan.grow():
            break
    into = plan.folder / "result"
    make_folder(into)
    results = plan.results()
    tables = plan.study.tables(results)
    figures = plan.study.figures(results, into)
    outcome = Outcome(plan.title, plan.folder, quick, results, tables, figures, failed)
    outcome.write(into)
    raise_first(failed, len(plan.cells))
    return outcome
