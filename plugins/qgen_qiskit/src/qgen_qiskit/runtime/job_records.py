"""What was submitted, on disk before anything is waited for, so that no batch is paid twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from qgen_core.errors import Busy, CheckpointError, ResourceRefused
from qgen_core.support.checkpoint import write_durably


@dataclass(frozen=True)
class Entry:
    """A batch, named by its content; ``job`` is None while it is being submitted.

    ``attempt`` counts jobs that the service failed, ``calibration`` is the device's when it was submitted.
    """

    key: str
    device: str
    calibration: str = ""
    attempt: int = 0
    job: str | None = None

    @property
    def tag(self) -> str:
        """What the job is found by at the service when its id was lost."""
        return f"qgen-{self.key[:32]}-{self.attempt}"


class Journal:
    """A folder with a small file for each batch. It holds job ids, never an account or a token."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """The file of a batch."""
        return self.folder / f"{key[:32]}.json"

    def find(self, key: str) -> Entry | None:
        """What is known of a batch. Raises CheckpointError for a file that cannot be read."""
        path = self.path(key)
        try:
            entry = Entry(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{path} cannot be read ({error}); it names a job that may be paid for: mend it, or remove it to "
                "submit anew"
            ) from error
        return entry if entry.key == key else None

    def write(self, entry: Entry) -> None:
        """Save durably. Raises ResourceRefused when the disk is full."""
        write_durably(self.path(entry.key), json.dumps(asdict(entry), indent=1).encode())

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """The right to submit a batch. Raises Busy while another process holds it; a death frees it."""
        lock = self.folder / f"{key[:32]}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise ResourceRefused(
                f"cannot keep job ids in {self.folder}: {error.strerror}; choose another folder with the option jobs"
            ) from error
        try:
            if not _locked(handle, lock):
                raise Busy(
                    f"another process is submitting batch {key[:8]} just now; nothing was submitted: try again"
                )
            yield
            with suppress(OSError):
                lock.unlink()
        finally:
            os.close(handle)


def default_folder() -> Path:
    """Where job ids are kept for this user."""
    return (
        Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        / "qgen"
        / "ibm-jobs"
    )


def _locked(handle: int, path: Path) -> bool:
    """Lock an open file; False if it is locked, or was removed by the one who had it."""
    try:
        import fcntl
    except (
        ImportError
    ):  # there are no such locks on Windows; the tag still finds what another process submitted
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == path.stat().st_ino
    except OSError:
        return False
