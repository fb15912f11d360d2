"""Submitted jobs, on disk before anything waits for them, so that no batch is paid for twice."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from qgen_core.errors import Busy, CheckpointError, ResourceRefused
from qgen_core.support.files import write_durably


@dataclass(frozen=True)
class JobRecord:
    """A batch, named by its content; ``job`` is None while it is being submitted.

    ``attempt`` counts jobs that the service failed; ``calibration`` is that of the device at
    submission.

    >>> JobRecord("a1b2", "ibm_fez", attempt=2).tag
    'qgen-a1b2-2'
    """

    key: str
    device: str
    calibration: str = ""
    attempt: int = 0
    job: str | None = None

    @property
    def tag(self) -> str:
        """The tag by which the service finds the job if its id was lost."""
        return f"qgen-{self.key[:32]}-{self.attempt}"


class JobRecords:
    """A folder with a small file for each batch. It holds job ids, never an account or a token.

    >>> import tempfile
    >>> records = JobRecords(Path(tempfile.mkdtemp()))
    >>> records.write(JobRecord("a1", "ibm_fez", job="job-7"))
    >>> records.find("a1").job
    'job-7'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """The file of a batch."""
        return self.folder / f"{key[:32]}.json"

    def find(self, key: str) -> JobRecord | None:
        """The record of a batch, or None. Raises CheckpointError if its file cannot be read."""
        path = self.path(key)
        try:
            record = JobRecord(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{path} cannot be read ({error}); it names a job that may be paid for: "
                "repair it, or remove it to submit anew"
            ) from error
        return record if record.key == key else None

    def write(self, record: JobRecord) -> None:
        """Save a record durably. Raises ResourceRefused if the disk is full."""
        write_durably(self.path(record.key), json.dumps(asdict(record), indent=1).encode())

    def remove(self, key: str) -> None:
        """Forget a batch that was not carried out."""
        self.path(key).unlink(missing_ok=True)

    def age(self, key: str) -> float:
        """Seconds since the record of a batch was written."""
        return max(0.0, time.time() - self.path(key).stat().st_mtime)

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """Hold the exclusive right to submit a batch.

        Raises Busy while another process holds it; the right ends with the process. Raises
        ResourceRefused if the folder cannot be written.
        """
        lock = self.folder / f"{key[:32]}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise ResourceRefused(
                f"cannot keep job ids in {self.folder}: {error.strerror}; "
                "choose another folder with the option jobs"
            ) from error
        try:
            if not _lock(handle, lock):
                raise Busy(
                    f"another process is submitting batch {key[:8]} now; "
                    "nothing was submitted: try again"
                )
            yield
            with suppress(OSError):
                lock.unlink()
        finally:
            os.close(handle)


def default_folder(name: str) -> Path:
    """The folder of this user's job ids at one vendor, under ``XDG_STATE_HOME``.

    >>> default_folder("ibm-jobs").parts[-2:]
    ('qgen', 'ibm-jobs')
    """
    state_home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state_home) / "qgen" / name


def _lock(handle: int, path: Path) -> bool:
    """Lock an open file; False if another process holds it, or held it and removed the file."""
    try:
        import fcntl
    except ImportError:
        # Windows has no such locks; the tag still finds what another process submitted.
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == path.stat().st_ino
    except OSError:
        return False
