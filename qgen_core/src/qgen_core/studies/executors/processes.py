"""The executor ``processes``: several at a time, on the processors of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress

from qgen_core.errors import BadOption, ResourceRefused

log = logging.getLogger("qgen")

Work = Callable[[str], str]

#: A task in whose hands so many workers died is not tried again.
DEATHS = 5


class ProcessesExecutor:
    """Runs tasks in ``workers`` fresh processes; None: as many as this process may use processors.

    What a worker was at when it died, killed or out of memory, is done again by a new one; tasks
    are idempotent. Workers do not outlive the process that started them.

    Raises BadOption for fewer than one worker, ResourceRefused when one task costs worker after worker.
    """

    def __init__(self, *, workers: int | None = None) -> None:
        from qgen_core.simulators.simd.threads import cores

        self.workers = cores() if workers is None else workers
        if self.workers < 1:
            raise BadOption(f"workers must be at least 1, not {workers}")

    def __call__(self, work: Work, tasks: Sequence[str]) -> Generator[tuple[int, str], None, None]:
        """The number of each task with its answer, as they come."""
        waiting = deque(range(len(tasks)))
        running: dict[Future[str], tuple[_Worker, int]] = {}
        workers = [_Worker() for _ in range(min(self.workers, len(tasks)))]
        idle, deaths = list(workers), Counter[int]()
        try:
            while waiting or running:
                while waiting and idle:
                    number, worker = waiting.popleft(), idle.pop()
                    running[worker.start(work, tasks[number])] = worker, number
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    worker, number = running.pop(future)
                    idle.append(worker)
                    try:
                        answer = future.result()
                    except BrokenProcessPool:
                        deaths[number] += 1
                        _check(deaths[number])
                        waiting.appendleft(number)
                        continue
                    yield number, answer
        finally:
            for worker in workers:
                worker.stop(interrupt=bool(running))
            for worker in workers:
                worker.join()


def _check(deaths: int) -> None:
    log.warning("a worker died; what it was at is done again")
    if deaths >= DEATHS:
        raise ResourceRefused(
            f"{deaths} workers died on the same task, perhaps killed for memory; "
            "what was finished is saved: run again with fewer workers"
        )


class _Worker:
    """One process with a queue of its own, so that its death concerns nobody else; renewed after it."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_start_worker)
        with _no_interruption():
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
                os.kill(self._pid.result(), signal.SIGINT)

    def join(self) -> None:
        self._pool.shutdown(wait=True)


@contextmanager
def _no_interruption() -> Iterator[None]:
    """Hold SIGINT back while a worker starts, here and, until it is ready for it, in the worker."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Die on SIGINT, except in a training, which saves; and die when the starting process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
