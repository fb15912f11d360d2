"""The executor ``serial``: one task after the other, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from qgen_core.studies.executors import Answers, Progress, Work


class SerialExecutor:
    """Runs tasks in this process, in order.

    >>> list(SerialExecutor()(str.upper, ["a", "b"]))
    [(0, 'A'), (1, 'B')]
    """

    def __call__(
        self, work: Work, tasks: Sequence[str], progress: Progress | None = None
    ) -> Answers:
        """Yield the number of each task with its answer."""
        for number, task in enumerate(tasks):
            yield number, work(task)
