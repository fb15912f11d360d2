"""The executor ``dask``: tasks on the workers of a cluster."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from qgen_core.errors import BadOption, QgenError, RemoteError
from qgen_core.studies import Answers, Deaths, Progress, Work, package_versions, stop_trainings
from qgen_dask.clusters import BATCH_SYSTEMS, Connection, Farm, Tls, check_address
from qgen_dask.preflight import check, refuse_skew

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger("qgen")

#: How often the workers are looked at while no task finishes, in seconds.
LOOK_EVERY = 1.0
#: Seconds that trainings have to finish their step and save when the work is stopped.
GRACE = 15.0


class DaskExecutor:
    """Runs tasks on the workers of a Dask cluster, one for each thread of a worker.

    Python and all packages that can change results must have the same versions on the workers as
    here. A task whose worker dies is run again, on another worker, where a training continues from
    its checkpoint if both see the study's folder. A task on which three workers die without
    progress between them fails with ResourceRefused.

    Args:
        address: of a running scheduler, ``tls://HOST:PORT``, or ``tcp://HOST:PORT`` on this
            machine; None: a cluster is started, and ends with this process.
        cluster: what is started: workers on this machine, or jobs of HTCondor or SLURM by
            dask-jobqueue (extra ``jobqueue``), which are encrypted by certificates of their own.
        workers: how many workers are started; None: one for each core of this machine, or ten jobs.
        job: options of dask-jobqueue for each job, e.g. ``queue``, ``walltime`` and ``memory``.
        tls_ca: certificate of the authority (PEM), for an address with ``tls://``; by default
            these files are those of Dask's own configuration.
        tls_cert: certificate of this side.
        tls_key: its key.
        insecure: allow an address ``tcp://`` of another machine.
        wait: seconds without any worker after which the work ends with RemoteError.

    Raises BadOption for options that do not fit together and for addresses that are not safe.
    When it runs, RemoteError if there is no scheduler or no worker, and BrokenPlugin, with a table
    of packages and hosts, for workers with other packages.

    >>> DaskExecutor(workers=2).farm.cluster
    'local'
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        cluster: Literal["local", "htcondor", "slurm"] = "local",
        workers: int | None = None,
        job: dict[str, Any] | None = None,
        tls_ca: str | None = None,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        insecure: bool = False,
        wait: float = 600.0,
    ) -> None:
        if workers is not None and workers < 1:
            raise BadOption(f"workers must be at least 1, not {workers}")
        if not 0 < wait < float("inf"):
            raise BadOption(f"wait is a number of seconds above 0, not {wait}")
        if address is not None:
            if workers is not None or cluster != "local" or job:
                raise BadOption(
                    "an address is of a cluster that runs: it takes no workers, cluster or job"
                )
            check_address(address, insecure)
        if job and cluster not in BATCH_SYSTEMS:
            raise BadOption(f"job is for cluster = {' or '.join(BATCH_SYSTEMS)}")
        tls = Tls(tls_ca, tls_cert, tls_key)
        if tls != Tls() and (address is None or not address.startswith("tls:")):
            raise BadOption("tls_ca, tls_cert and tls_key are for an address tls://HOST:PORT")
        if workers is None:
            workers = _default_workers(cluster)
        self.farm = Farm(address, cluster, workers, job or {}, tls)
        self.wait = wait

    def __call__(
        self, work: Work, tasks: Sequence[str], progress: Progress | None = None
    ) -> Answers:
        """Yield the number of each task with its answer, in the order in which they finish."""
        if not tasks:
            return
        with self.farm.connected() as connection:
            client = connection.client
            workers = _Workers(connection, self.wait)
            workers.require()
            check(client)
            running = _Running(client, work, tasks)
            deaths = Deaths(progress)
            try:
                for number in range(len(tasks)):
                    running.submit(number)
                while running:
                    number, answer = running.next(workers)
                    if isinstance(answer, int):
                        log.warning("a worker of Dask died")
                        given_up = deaths.note(tasks[number], answer)
                        if given_up is None:
                            running.submit(number)
                            continue
                        answer = given_up
                    yield number, answer
            finally:
                running.stop()


def _default_workers(cluster: str) -> int:
    from dask.system import CPU_COUNT

    if cluster == "local":
        return int(CPU_COUNT)
    return 10


def run_checked(work: Work, task: str, expected: Mapping[str, str]) -> str:
    """Run a task on a worker, if its packages are the expected ones.

    Workers that join later than the preflight are found out here.
    """
    from distributed import get_worker

    refuse_skew(expected, {get_worker().address: package_versions()})
    return work(task)


async def save_and_stop() -> None:
    """Let the trainings of a worker save and stop, within the time that they have."""
    end = time.monotonic() + GRACE
    while stop_trainings("the process that asked for it") and time.monotonic() < end:
        await asyncio.sleep(0.1)


class _Workers:
    """The workers of a cluster, which may come and go, and be away for a while."""

    def __init__(self, connection: Connection, wait: float) -> None:
        self._refill = connection.refill
        self._client = connection.client
        self._wait = wait
        self._looked = float("-inf")
        self._seen = time.monotonic()

    def look(self) -> bool:
        """Whether there are workers, looked at now and then; missing ones are started.

        Raises RemoteError if there has been no worker, or no scheduler, for too long.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return self._looked == self._seen
        self._looked = now
        self._refill()
        if self._client.status == "running" and self._count():
            self._seen = now
        elif now - self._seen > self._wait:
            raise RemoteError(
                f"no worker of Dask for {self._wait:g} s; finished cells are saved. Jobs may still "
                "wait in their queue, or not reach the ports of the scheduler; --emit needs none"
            )
        return self._seen == now

    def require(self) -> None:
        """Wait for the first worker. Raises RemoteError."""
        while not self.look():
            time.sleep(0.1)

    def _count(self) -> int:
        try:
            return len(self._client.nthreads())
        except (OSError, TimeoutError):
            return 0


class _Running:
    """Tasks that a scheduler has, each under a key made of its content."""

    def __init__(self, client: Client, work: Work, tasks: Sequence[str]) -> None:
        self._client = client
        self._work = work
        self._tasks = tasks
        self._versions = package_versions()
        self._numbers: dict[Future, int] = {}
        self._tries = [0] * len(tasks)
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def submit(self, number: int) -> None:
        """Submit a task, or submit it again after its worker died."""
        task = self._tasks[number]
        content = hashlib.sha256(task.encode()).hexdigest()
        future = self._client.submit(
            run_checked,
            self._work,
            task,
            self._versions,
            key=f"qgen-{content}-{number}-{self._tries[number]}",
        )
        self._tries[number] += 1
        self._numbers[future] = number
        future.add_done_callback(self._ended.put)

    def next(self, workers: _Workers) -> tuple[int, str | int]:
        """The number of the next task that ends, with its answer, or how many workers it cost."""
        from distributed.scheduler import KilledWorker

        future = None
        while future is None:
            workers.look()
            with suppress(queue.Empty):
                future = self._ended.get(timeout=LOOK_EVERY)
        try:
            answer = self._answer(future, workers)
        except KilledWorker as killed:
            return self._numbers.pop(future), killed.allowed_failures + 1
        except QgenError:
            raise
        except Exception as error:  # whatever a task may raise
            raise RemoteError(f"a worker of Dask could not run a cell: {error}") from error
        return self._numbers.pop(future), answer

    def _answer(self, future: Future, workers: _Workers) -> str:
        """The answer of a task that has ended; raises the error of a task that failed.

        The answer lies on the worker that found it. If this worker has died since, the scheduler
        runs the task again as soon as there is a worker, which may have to be started here.
        """
        while not future.cancelled():
            failed = future.status == "error"
            try:
                return str(future.result(timeout=LOOK_EVERY))
            except Exception as error:
                waited = isinstance(error, TimeoutError) and not failed
                if not waited and not future.cancelled():
                    raise
            workers.look()
        raise RemoteError(
            "the scheduler of Dask is gone, or has dropped the tasks; finished cells are "
            "saved: run the same command again"
        )

    def stop(self) -> None:
        """Drop the tasks that wait, and let trainings that run save."""
        if not self._numbers or self._client.status != "running":
            return
        asking = threading.Thread(target=self._ask_to_save, daemon=True)
        asking.start()
        asking.join(GRACE + LOOK_EVERY)  # a worker may be too busy to answer

    def _ask_to_save(self) -> None:
        with suppress(OSError, TimeoutError):  # workers that are gone have nothing to stop
            self._client.cancel(list(self._numbers), force=True)
            self._client.run(save_and_stop, on_error="ignore")
