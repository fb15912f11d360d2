"""Submitted problems, on disk before anything waits for them, so that none is paid for twice."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from qgen_core.errors import CheckpointError
from qgen_core.support.files import make_folder, write_durably


@dataclass(frozen=True)
class Job:
    """A problem named by its content; ``id`` is None while it is being submitted.

    >>> Job("a1b2", "Advantage2").label
    'qgen-a1b2'
    """

    key: str
    solver: str
    id: str | None = None

    @property
    def label(self) -> str:
        """The label by which the service finds the problem if its id was lost."""
        return f"qgen-{self.key[:32]}"


class JobFolder:
    """A folder with a small file for each problem. It holds ids, never an account or a token.

    >>> import tempfile
    >>> folder = JobFolder(Path(tempfile.mkdtemp()))
    >>> folder.write(Job("a1", "Advantage2", "id-7"))
    >>> folder.find("a1").id
    'id-7'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """The file of a problem."""
        return self.folder / f"{key[:32]}.json"

    def find(self, key: str) -> Job | None:
        """The record of a problem, or None. Raises CheckpointError if its file cannot be read."""
        path = self.path(key)
        try:
            job = Job(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{path} cannot be read ({error}); it names a problem that may be paid for: "
                "repair it, or remove it to submit anew"
            ) from error
        return job if job.key == key else None

    def write(self, job: Job) -> None:
        """Save a record durably. Raises ResourceRefused if it cannot be written."""
        make_folder(self.folder)
        write_durably(self.path(job.key), json.dumps(asdict(job), indent=1).encode())

    def remove(self, key: str) -> None:
        """Forget a problem that was not carried out."""
        self.path(key).unlink(missing_ok=True)


def default_folder() -> Path:
    """The folder of problem ids of this user."""
    state_home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state_home) / "qgen" / "dwave-jobs"
