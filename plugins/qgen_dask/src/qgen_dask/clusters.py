"""The cluster that an executor uses: one at an address, or one of its own."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, RemoteError

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

#: Kinds of clusters, and the classes of dask-jobqueue that start them.
BATCH_SYSTEMS = {"htcondor": "HTCondorCluster", "slurm": "SLURMCluster"}
#: Settings of our own schedulers: each death of a worker is told, and counted by the executor; a
#: worker holds no task beside the one it runs, so that its death is no other task's.
SCHEDULER = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.worker-saturation": 1.0,
    "logging": {"distributed": "critical"},
}
#: One training a worker.
JOB = {"cores": 1, "processes": 1, "memory": "2 GiB"}
DISK = "1 GiB"
CONNECT_SECONDS = 30.0


@dataclass(frozen=True)
class Tls:
    """Files of certificates, PEM: of the authority, and the certificate and key of this side."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def security(self) -> Security | None:
        """What Dask takes; None if no file is given. Raises BadOption for files that are not there.

        >>> print(Tls().security())
        None
        """
        from distributed.security import Security

        files = {"tls_ca": self.ca, "tls_cert": self.cert, "tls_key": self.key}
        missing = [name for name, file in files.items() if file is None]
        if len(missing) == len(files):
            return None
        if missing:
            raise BadOption(f"executor 'dask' needs {' and '.join(missing)} beside the other files")
        for name, file in files.items():
            if not Path(str(file)).is_file():
                raise BadOption(f"executor 'dask': {name} is no file: {file}")
        return Security(
            require_encryption=True,
            tls_ca_file=self.ca,
            tls_client_cert=self.cert,
            tls_client_key=self.key,
        )


@dataclass(frozen=True)
class Farm:
    """Where workers come from.

    Args:
        address: of a running scheduler; None: a cluster is started.
        cluster: ``local``, ``htcondor`` or ``slurm``: what is started.
        workers: how many workers are started.
        job: options of dask-jobqueue for each job, e.g. ``queue`` and ``walltime``.
        tls: certificates for the scheduler at an address.
    """

    address: str | None
    cluster: str
    workers: int
    job: Mapping[str, Any] = field(default_factory=dict)
    tls: Tls = Tls()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A client of the cluster within a block. Raises RemoteError if there is no scheduler."""
        import dask
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if self.address is not None:
            security = self.tls.security()
            try:
                client = Client(self.address, security=security, timeout=CONNECT_SECONDS)
            except (OSError, ValueError, TypeError) as error:
                raise RemoteError(
                    f"no scheduler of Dask answers at {self.address} ({error or 'timed out'}); "
                    "check address and certificates, or start one with `dask scheduler`"
                ) from error
            with client:
                yield Connection(client, _nothing)
            return
        with dask.config.set(SCHEDULER), self._scheduler() as cluster, Client(cluster) as client:
            if self.cluster != "local":
                cluster.adapt(minimum=self.workers, maximum=self.workers)
                yield Connection(client, _nothing)
                return
            processes = LocalWorkers(cluster.scheduler_address, self.workers)
            try:
                yield Connection(client, processes.refill)
            finally:
                processes.stop()

    def _scheduler(self) -> Any:
        """A scheduler in this process, and what starts workers as jobs if that is asked for."""
        if self.cluster == "local":
            from distributed import LocalCluster

            return LocalCluster(n_workers=0, dashboard_address=None, silence_logs=logging.CRITICAL)
        name = BATCH_SYSTEMS[self.cluster]
        jobqueue = import_optional("dask_jobqueue", "executor 'dask'", "dask-jobqueue")
        options = {**JOB, **self.job}
        if self.cluster == "htcondor":
            options.setdefault("disk", DISK)
        # Temporary certificates, which the jobs read from a folder that they share with us.
        options.setdefault("shared_temp_directory", str(Path.cwd()))
        return getattr(jobqueue, name)(security=True, protocol="tls://", **options)


@dataclass(frozen=True)
class Connection:
    """A client, and what starts the workers that a cluster of our own lacks."""

    client: Client
    refill: Callable[[], None]


def _nothing() -> None:
    """For clusters that look after their workers themselves."""


class LocalWorkers:
    """Workers of one thread on this machine, each a process, started anew when it has died.

    They end when the scheduler does. They have no limit of memory, so that a training that needs
    more than its share is not stopped half way, and a session of their own, so that Ctrl-C in a
    terminal reaches the process that asked and not them.
    """

    def __init__(self, scheduler: str, count: int) -> None:
        self._command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler]
        self._command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        self._command += ["--death-timeout", str(CONNECT_SECONDS)]
        self._count = count
        self._running: list[subprocess.Popen[bytes]] = []

    def refill(self) -> None:
        """Start as many workers as are missing."""
        self._running = [process for process in self._running if process.poll() is None]
        for _ in range(self._count - len(self._running)):
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"DASK_LOGGING__DISTRIBUTED": "critical"},
                start_new_session=True,
            )
            self._running.append(process)

    def stop(self) -> None:
        """End all workers."""
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()


def check_address(address: str, insecure: bool) -> None:
    """Raise BadOption for an address that is none, or at which others could run code.

    >>> check_address("tls://farm.example.org:8786", False)
    >>> check_address("tcp://192.0.2.7:8786", False)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    BadOption: tcp://192.0.2.7:8786 is not encrypted ...
    """
    parts = urlsplit(address)
    try:
        complete = bool(parts.hostname and parts.port)
    except ValueError:
        complete = False
    if parts.scheme not in ("tcp", "tls") or not complete:
        raise BadOption(
            f"an address of Dask is tls://HOST:PORT or tcp://HOST:PORT, not {address!r}"
        )
    if parts.scheme == "tcp" and not insecure and not _is_loopback(str(parts.hostname)):
        raise BadOption(
            f"{address} is not encrypted: whoever reaches it can run code as you; use tls:// with "
            "tls_ca, tls_cert and tls_key, or insecure = true in a network that you trust"
        )


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address and not by its name."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(each[4][0]).is_loopback for each in found)
