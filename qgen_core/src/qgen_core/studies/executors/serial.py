"""The executor ``serial``: one task after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence


class SerialExecutor:
    """Runs tasks in this process, in order.

    >>> list(SerialExecutor()(str.upper, ["a", "b"]))
    [(0, 'A'), (1, 'B')]
    """

    def __call__(
        self, work: Callable[[str], str], tasks: Sequence[str]
    ) -> Generator[tuple[int, str], None, None]:
        """Yield the number of each task with its answer."""
        for number, task in enumerate(tasks):
            yield number, work(task)
