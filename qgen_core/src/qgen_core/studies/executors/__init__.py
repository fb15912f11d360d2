"""Where the cells of a study run.

An executor is built from its options and called with a function that any process can import, a list
of texts, and a function that says how many steps of a task are saved. It yields (number, answer) in
the order in which tasks finish. Closing the iterator stops the work, after running trainings have
been saved. Running a task twice gives the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence

from qgen_core.errors import ResourceRefused
from qgen_core.studies.performing import failure

Work = Callable[[str], str]
#: The steps of a task that are saved, see :func:`qgen_core.studies.performing.steps_done`.
Progress = Callable[[str], int]
Answers = Generator[tuple[int, str], None, None]
Executor = Callable[[Work, Sequence[str], Progress | None], Answers]


class Deaths:
    """Counts the workers that died on each task since it last made progress.

    ``progress`` says how many steps of a task are saved; None: tasks save no steps. A task on which
    ``most`` workers have died is given up.

    >>> deaths = Deaths()
    >>> [deaths.note("a"), deaths.note("b"), deaths.note("a")]
    [None, None, None]
    >>> deaths.note("a")  # doctest: +ELLIPSIS
    '{"error":"ResourceRefused: 3 workers died on this cell, ...'
    """

    def __init__(self, progress: Progress | None = None, *, most: int = 3) -> None:
        self._most = most
        self._progress = progress
        self._deaths = Counter[str]()
        self._steps: dict[str, int] = {}

    def note(self, task: str, deaths: int = 1) -> str | None:
        """Count deaths on a task. Returns None if it is to be run again, else its answer."""
        steps = 0
        if self._progress is not None:
            steps = self._progress(task)
        if steps > self._steps.get(task, 0):
            self._deaths[task] = 0
        self._steps[task] = steps
        self._deaths[task] += deaths
        if self._deaths[task] < self._most:
            return None
        return failure(
            ResourceRefused(
                f"{self._deaths[task]} workers died on this cell, perhaps for using too much "
                "memory; finished cells are saved: run again with fewer workers on a machine"
            )
        )
