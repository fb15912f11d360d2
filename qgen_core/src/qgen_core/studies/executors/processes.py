"""The executor ``processes``: several tasks at a time, in processes of this machine."""

from __future__ import annotations

import ast
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from qgen_core.errors import BadOption
from qgen_core.studies.executors import Answers, Deaths, Progress, Work

log = logging.getLogger("qgen")


#: A task may lose workers that died before they were up, for other reasons than the task.
MOST_DEATHS = 5


class ProcessesExecutor:
    """Runs tasks in ``workers`` new processes; None: one for each core that this process may use.

    If a worker dies, killed or out of memory, a new one runs its task again, so running a task
    twice must give the same answer. Workers end when the process that started them does. Components
    that a script registers are known to the workers if it has a main guard: a script without one
    is not imported again.

    A task on which five workers die without progress between them fails with ResourceRefused.

    Raises BadOption for fewer than one worker.

    >>> ProcessesExecutor(workers=2).workers
    2
    """

    def __init__(self, *, workers: int | None = None) -> None:
        from qgen_core.support.resources import cores

        self.workers = cores() if workers is None else workers
        if self.workers < 1:
            raise BadOption(f"workers must be at least 1, not {workers}")

    def __call__(
        self, work: Work, tasks: Sequence[str], progress: Progress | None = None
    ) -> Answers:
        """Yield the number of each task with its answer, in the order in which they finish."""
        waiting = deque(range(len(tasks)))
        running: dict[Future[str], tuple[_Worker, int]] = {}
        workers = [_Worker() for _ in range(min(self.workers, len(tasks)))]
        idle = list(workers)
        deaths = Deaths(progress, most=MOST_DEATHS)
        try:
            while waiting or running:
                while waiting and idle:
                    number = waiting.popleft()
                    worker = idle.pop()
                    running[worker.start(work, tasks[number])] = worker, number
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    worker, number = running.pop(future)
                    idle.append(worker)
                    try:
                        answer = future.result()
                    except BrokenProcessPool:
                        log.warning("a worker process died")
                        given_up = deaths.note(tasks[number])
                        if given_up is None:
                            waiting.appendleft(number)
                            continue
                        answer = given_up
                    yield number, answer
        finally:
            for worker in workers:
                worker.stop(interrupt=bool(running))
            for worker in workers:
                worker.join()


class _Worker:
    """One process with its own queue, so that its death affects no other; replaced when it dies."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_start_worker)
        with _no_interruption(), _main_as_needed():
            self._pid = self._pool.submit(os.getpid)

    def start(self, work: Work, task: str) -> Future[str]:
        try:
            return self._pool.submit(work, task)
        except BrokenProcessPool:
            self._renew()
            return self._pool.submit(work, task)

    def stop(self, *, interrupt: bool) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if interrupt:
            with suppress(BrokenProcessPool, ProcessLookupError):
                # A terminal has sent SIGINT to the worker itself, which takes a second one for the
                # wish to stop within a step; SIGTERM never is.
                os.kill(self._pid.result(), signal.SIGTERM)

    def join(self) -> None:
        self._pool.shutdown(wait=True)


@contextmanager
def _no_interruption() -> Iterator[None]:
    """Block SIGINT here while a worker starts, and in the worker until it can handle it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_as_needed() -> Iterator[None]:
    """Leave the main module out of a worker that starts, if importing it would run its work again.

    A new process imports the main module of its parent, for what is defined there. In a script
    without a main guard that import would start the executor once more.
    """
    main = sys.modules["__main__"]
    if _is_guarded(main):
        yield
        return
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _is_guarded(main: ModuleType) -> bool:
    """Whether a module compares its name, as in ``if __name__ == "__main__":``.

    A notebook and ``python -c`` have no file that could be imported again.
    """
    path = getattr(main, "__file__", None)
    if path is None:
        return True
    try:
        statements = ast.parse(Path(path).read_bytes()).body
    except (OSError, ValueError, SyntaxError):  # e.g. in a zip file, or read from stdin
        return False
    for statement in statements:
        if isinstance(statement, ast.If):
            for node in ast.walk(statement.test):
                if isinstance(node, ast.Name) and node.id == "__name__":
                    return True
    return False


def _start_worker() -> None:
    """End on SIGINT, except in a training, which saves first; end when the parent process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
